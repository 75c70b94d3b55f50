//! Webhooks: believed if signed, and put in our words.

use domain::id::Provider;
use domain::payment::Event;
use domain::time::Timestamp;
use lambda_http::http::HeaderMap;

use super::{razorpay, sandbox, stripe};

/// What a provider sent, once its signature is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it calls this kind of event.
    pub kind: String,
    /// Whether it is about real money, where the provider says so.
    pub live: Option<bool>,
    /// What it means to us, if it means anything.
    pub event: Option<Event>,
}

/// The signature is right, and the content is not what the provider documents.
#[derive(Debug, thiserror::Error)]
#[error("the event: {0}")]
pub struct Unreadable(pub String);

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<domain::money::MoneyError> for Unreadable {
    fn from(error: domain::money::MoneyError) -> Self {
        Self(error.to_string())
    }
}

impl From<domain::id::InvalidId> for Unreadable {
    fn from(error: domain::id::InvalidId) -> Self {
        Self(error.to_string())
    }
}

/// How a provider's webhooks are read.
#[derive(Clone, Copy)]
pub(crate) struct Scheme {
    /// Whether the body is signed with this secret, not too long ago.
    pub(crate) is_signed: fn(&HeaderMap, &[u8], &str, Timestamp) -> bool,
    /// What a signed body says.
    pub(crate) read: fn(&Provider, &[u8]) -> Result<Webhook, Unreadable>,
}

/// The scheme of a provider, if it is one that we know.
pub(crate) fn scheme(provider: &Provider) -> Option<Scheme> {
    match provider.as_str() {
        "sandbox" => Some(sandbox::WEBHOOKS),
        "stripe" => Some(stripe::WEBHOOKS),
        "razorpay" => Some(razorpay::WEBHOOKS),
        _unknown => None,
    }
}
