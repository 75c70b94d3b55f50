//! Payment providers. A client's word about a payment is never taken: the provider is asked, or
//! tells it by itself and signs.
//!
//! Each provider has a file with its API, a [`PaymentProvider`], and one with its webhooks: how they
//! are signed, and what they say in our words.

use domain::id::{PaymentReference, Provider};
use domain::payment::{Outcome, Payment, Refund, Report};
use domain::reservation::Reservation;
use lambda_http::BoxFuture;

use self::client::Client;
use crate::log::causes;
use crate::settings::MissingSetting;

mod client;
mod currency;
mod razorpay;
mod sandbox;
mod secrets;
mod signature;
mod stripe;
mod webhook;

pub(crate) use client::tls;
pub use client::{Carrier, ProviderError};
pub(crate) use secrets::Secrets;
pub use secrets::{ProviderSecrets, SecretSource};
pub(crate) use signature::sign;
pub(crate) use webhook::{Scheme, scheme};
pub use webhook::{Unreadable, Webhook};

/// Which provider, where, and with which keys.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name.
    pub provider: Provider,
    /// Where its API is, without a slash at the end.
    pub base_url: String,
    /// Whether real money moves. Then no test event is believed, and no key goes over plain HTTP.
    pub live: bool,
    /// Where its keys and the secrets of webhooks come from.
    pub secrets: SecretSource,
    /// What carries requests to it, if it is not reached by a socket.
    pub carrier: Option<Carrier>,
}

/// What a provider does for us.
pub trait PaymentProvider: Send + Sync {
    /// Its name, as in `/api/payments/webhooks/{provider}` and in the keys of payments.
    fn name(&self) -> &Provider;

    /// Makes a payment for exactly the reserved amount, with the reservation's id in its metadata.
    ///
    /// Safe to repeat: the same reservation gets the same payment.
    fn checkout<'a>(
        &'a self,
        reservation: &'a Reservation,
    ) -> BoxFuture<'a, Result<Checkout, ProviderError>>;

    /// What it says of a payment. A provider that does not answer in time is
    /// [`Outcome::Away`], which is an answer too: the caller
    /// must go on as if the payment were on its way.
    ///
    /// The report may be of another payment than was asked for: where `reference` is of an order,
    /// it is of the payment that paid it.
    fn report<'a>(&'a self, reference: &'a PaymentReference) -> BoxFuture<'a, Report>;

    /// Sends all of a payment's money back, or says how far that has come.
    ///
    /// Safe to repeat, also days later and beside itself: it looks for a refund that stands before
    /// it makes one, under an idempotency key made of the payment's reference and the number of
    /// refunds that failed.
    fn refund<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Result<Refund, ProviderError>>;
}

/// A payment that was made for a reservation and waits for its payer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// What the provider calls it; with some it is the order, and the payment gets a name of its
    /// own.
    pub reference: PaymentReference,
    /// What a browser needs to pay it.
    pub payer: Payer,
}

/// What a browser needs to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payer {
    /// Stripe's `client_secret`, for its Payment Element.
    ClientSecret(String),
    /// Razorpay's order and the public half of our key, for its Checkout.
    Order {
        /// The order's id.
        order_id: String,
        /// Our public key.
        key_id: String,
    },
    /// A page to pay on.
    Url(String),
}

/// That a provider gave no report of a payment; its cause is logged here, once.
fn silence(reference: &PaymentReference, error: &ProviderError) -> Outcome {
    tracing::error!(%reference, cause = causes(error), "the provider gave no report");
    Outcome::Away
}

/// Where a provider's API is, if nobody says otherwise.
#[must_use]
pub fn base_url_of(provider: &str) -> Option<&'static str> {
    match provider {
        "stripe" => Some("https://api.stripe.com"),
        "razorpay" => Some("https://api.razorpay.com"),
        _other => None,
    }
}

/// The provider that is configured.
pub(crate) fn provider(
    settings: &Settings,
    secrets: Secrets,
) -> Result<Box<dyn PaymentProvider>, MissingSetting> {
    let Settings { provider, base_url, live, .. } = settings;
    if !base_url.starts_with("https://") && (*live || !base_url.starts_with("http://")) {
        return Err(MissingSetting("PAYMENT_BASE_URL"));
    }
    let client = Client::new(base_url, settings.carrier.clone());
    match provider.as_str() {
        // Play money is for a desk and for tests.
        "sandbox" if *live => Err(MissingSetting("PAYMENT_PROVIDER")),
        "sandbox" => Ok(Box::new(sandbox::Sandbox::new(provider.clone(), client))),
        "stripe" => Ok(Box::new(stripe::Stripe::new(provider.clone(), client, secrets, *live))),
        "razorpay" => {
            Ok(Box::new(razorpay::Razorpay::new(provider.clone(), client, secrets, *live)))
        }
        _unknown => Err(MissingSetting("PAYMENT_PROVIDER")),
    }
}
