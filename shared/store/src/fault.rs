//! No answer: the failures that say nothing about seats, reservations or money.

use std::error::Error;

use aws_sdk_dynamodb::error::SdkError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Others were writing the same items, every time we tried. Nothing was written; try again.
    #[error("other transactions were faster")]
    Contended,
    /// `DynamoDB` did not answer, or refused to work. Whether a write happened is not known; every
    /// use case is safe to repeat.
    #[error("DynamoDB did not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored makes no sense. Somebody must look.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

impl<E, R> From<SdkError<E, R>> for Fault
where
    E: Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        Self::Unavailable(error.into())
    }
}
