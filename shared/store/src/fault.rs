//! No answer: the failures that say nothing about seats, reservations or money.

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Others were writing the same items, every time we tried. Try again.
    #[error("other transactions were faster")]
    Contended,
    /// The caller's own requests were writing an item that nobody else touches, every time we tried.
    #[error("other requests of the same user were faster")]
    Outrun,
    /// `DynamoDB` did not answer, or refused to work. Whether a write happened is not known; every
    /// use case is safe to repeat.
    #[error("DynamoDB did not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// `DynamoDB` refuses this call and will refuse it again: a permission, a table's name, an
    /// expression. Somebody must look.
    #[error("DynamoDB refuses the call")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored makes no sense. Somebody must look.
    #[error("corrupt: {0}")]
    Corrupt(String),
}

impl<E> From<SdkError<E, HttpResponse>> for Fault
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::ServiceError(refused)
                if refused.raw().status().is_client_error()
                    && !refused.err().code().is_some_and(passes) =>
            {
                Self::Refused(error.into())
            }
            SdkError::ConstructionFailure(_) => Self::Refused(error.into()),
            _unanswered => Self::Unavailable(error.into()),
        }
    }
}

/// Whether an error of the client's side is one that passes (AWS, "Error handling with `DynamoDB`").
fn passes(code: &str) -> bool {
    [
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionCanceledException",
        "TransactionConflictException",
        "TransactionInProgressException",
    ]
    .contains(&code)
}
