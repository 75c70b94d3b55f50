//! Payment providers. A client's word about a payment is never taken: the provider is asked.

use domain::id::{PaymentReference, Provider};
use domain::payment::Report;
use lambda_http::BoxFuture;

use crate::app::MissingSetting;

mod sandbox;

/// Which provider, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name.
    pub provider: Provider,
    /// Where its API is, without a slash at the end.
    pub base_url: String,
}

/// What a provider does for us.
pub trait PaymentProvider: Send + Sync {
    /// Its name, as in `/api/payments/webhooks/{provider}` and in the keys of payments.
    fn name(&self) -> &Provider;

    /// What it says of a payment. A provider that does not answer in time is
    /// [`Outcome::Away`](domain::payment::Outcome::Away), which is an answer too: the caller
    /// must go on as if the payment were on its way.
    fn report<'a>(&'a self, reference: &'a PaymentReference) -> BoxFuture<'a, Report>;
}

/// The provider that is configured.
pub(crate) fn provider(settings: &Settings) -> Result<Box<dyn PaymentProvider>, MissingSetting> {
    match settings.provider.as_str() {
        // The sandbox's client has no TLS: play money is for a desk and for tests.
        "sandbox" if settings.base_url.starts_with("http://") => {
            Ok(Box::new(sandbox::Sandbox::new(settings)))
        }
        "sandbox" => Err(MissingSetting("PAYMENT_BASE_URL")),
        _unknown => Err(MissingSetting("PAYMENT_PROVIDER")),
    }
}
