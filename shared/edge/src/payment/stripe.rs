//! Stripe over its REST API: a payment is a `PaymentIntent`, and its reference that object's id.

use domain::id::{PaymentReference, Provider, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::{Outcome, Payment, Progress, Refund, Report};
use domain::reservation::Reservation;
use lambda_http::BoxFuture;
use reqwest::{RequestBuilder, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::client::Client;
use super::secrets::Secrets;
use super::webhook::Scheme;
use super::{Checkout, Payer, PaymentProvider, ProviderError, currency, silence};

mod webhook;

pub(super) const WEBHOOKS: Scheme = Scheme { is_signed: webhook::is_signed, read: webhook::read };

/// The edition of the API that this file is written for (Stripe API, "Versioning"). Any since
/// 2023-08-16 offers the payment methods that are switched on at Stripe, without being asked to.
const VERSION: &str = "2024-06-20";

/// Stripe API, "Idempotent requests": the first answer to a key is given again for a day.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

pub(super) struct Stripe {
    name: Provider,
    client: Client,
    secrets: Secrets,
    live: bool,
}

impl Stripe {
    pub(super) fn new(name: Provider, client: Client, secrets: Secrets, live: bool) -> Self {
        Self { name, client, secrets, live }
    }

    /// Sends a request with our key, and reads what it makes.
    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ProviderError> {
        let secrets = self.secrets.of(&self.name).await?;
        let request = request.bearer_auth(&secrets.api_key).header("Stripe-Version", VERSION);
        let answer = self.client.send(request).await?;
        if answer.status.is_success() {
            return answer.json();
        }
        let failure = answer.json::<Failure>().map(|Failure { error }| error).unwrap_or_default();
        let code = failure.code.or(failure.kind).unwrap_or_default();
        match answer.status {
            // The key was replaced, perhaps.
            StatusCode::UNAUTHORIZED => {
                self.secrets.again(&self.name).await;
                Err(ProviderError::Away("the key is not known there".into()))
            }
            // A call with the same idempotency key is under way (Stripe API, "Errors").
            StatusCode::CONFLICT => Err(ProviderError::Away(code.into())),
            status => Err(ProviderError::Refused { status: status.as_u16(), code }),
        }
    }

    async fn make(&self, reservation: &Reservation) -> Result<Checkout, ProviderError> {
        let Reservation { id, amount: money, .. } = reservation;
        let form = [
            ("amount", currency::to_stripe(*money)?.to_string()),
            ("currency", money.currency().as_str().to_ascii_lowercase()),
            ("metadata[reservation_id]", id.to_string()),
        ];
        let request = self.client.post("/v1/payment_intents");
        let request = request.header(IDEMPOTENCY_KEY, format!("checkout-{id}")).form(&form);
        let Made { id, client_secret } = self.call(request).await?;
        Ok(Checkout { reference: id, payer: Payer::ClientSecret(client_secret) })
    }

    async fn ask(&self, reference: &PaymentReference) -> Result<Outcome, ProviderError> {
        // References come from clients, and this one leads to another call (Stripe API, "Search
        // PaymentIntents"). Ids have no form to check: Stripe may change it ("API upgrades").
        if reference.as_str() == "search" {
            return Ok(Outcome::Unknown);
        }
        let path = format!("/v1/payment_intents/{reference}?expand[]=latest_charge");
        match self.call::<IntentObject>(self.client.get(&path)).await {
            // Play money is no money where real money moves.
            Ok(intent) if self.live && intent.livemode == Some(false) => Ok(Outcome::Unknown),
            // It says so as soon as a refund is made, which may still fail.
            Ok(intent) if intent.progress() == Progress::Refunded => {
                let refunds = self.refunds_of(reference).await?;
                let went_back = standing(&refunds, intent.amount()) == Some(Refund::Done);
                intent.outcome(if went_back { Progress::Refunded } else { Progress::Captured })
            }
            Ok(intent) => intent.outcome(intent.progress()),
            Err(ProviderError::Refused { status: 404, .. }) => Ok(Outcome::Unknown),
            Err(error) => Err(error),
        }
    }

    async fn refunds_of(
        &self,
        reference: &PaymentReference,
    ) -> Result<Vec<RefundObject>, ProviderError> {
        let path = format!("/v1/refunds?payment_intent={reference}&limit=100");
        let List { data: refunds } = self.call(self.client.get(&path)).await?;
        Ok(refunds)
    }

    async fn send_back(&self, payment: &Payment) -> Result<Refund, ProviderError> {
        let Payment { reference, reservation_id, money, .. } = payment;
        let refunds = self.refunds_of(reference).await?;
        if let Some(refund) = standing(&refunds, currency::to_stripe(*money)?) {
            return Ok(refund);
        }
        let failures = refunds.iter().filter(|refund| refund.progress() == Refund::Failed).count();
        // No amount: that refunds what is left, and the same key needs the same words.
        let mut form = vec![("payment_intent", reference.as_str())];
        if let Some(id) = reservation_id {
            form.push(("metadata[reservation_id]", id.as_str()));
        }
        let key = format!("refund-{reference}-{failures}");
        let request = self.client.post("/v1/refunds").header(IDEMPOTENCY_KEY, key).form(&form);
        match self.call::<RefundObject>(request).await {
            Ok(refund) => Ok(refund.progress()),
            // Somebody else was faster (Stripe, "Error codes").
            Err(ProviderError::Refused { code, .. }) if code == "charge_already_refunded" => {
                Ok(Refund::Done)
            }
            Err(error) => Err(error),
        }
    }
}

impl PaymentProvider for Stripe {
    fn name(&self) -> &Provider {
        &self.name
    }

    fn checkout<'a>(
        &'a self,
        reservation: &'a Reservation,
    ) -> BoxFuture<'a, Result<Checkout, ProviderError>> {
        Box::pin(self.make(reservation))
    }

    fn report<'a>(&'a self, reference: &'a PaymentReference) -> BoxFuture<'a, Report> {
        Box::pin(async move {
            let outcome = self.ask(reference).await;
            let outcome = outcome.unwrap_or_else(|error| silence(reference, &error));
            Report { provider: self.name.clone(), reference: reference.clone(), outcome }
        })
    }

    fn refund<'a>(&'a self, payment: &'a Payment) -> BoxFuture<'a, Result<Refund, ProviderError>> {
        Box::pin(self.send_back(payment))
    }
}

/// Where sending `owed` back stands by `refunds`, which may have been made by hand and in part.
/// Nothing if it takes another.
fn standing(refunds: &[RefundObject], owed: u64) -> Option<Refund> {
    let done = refunds.iter().filter(|refund| refund.progress() == Refund::Done);
    let returned = done.fold(0, |sum: u64, refund| sum.saturating_add(refund.amount));
    let is_under_way = refunds.iter().any(|refund| refund.progress() == Refund::Processing);
    if returned >= owed { Some(Refund::Done) } else { is_under_way.then_some(Refund::Processing) }
}

/// An amount as Stripe writes it, with the currency in small letters.
fn money(amount: u64, currency: &str) -> Result<Money, ProviderError> {
    let currency: Currency = currency.to_ascii_uppercase().parse()?;
    currency::from_stripe(amount, currency)
}

/// A `PaymentIntent` that was just made.
#[derive(serde::Deserialize)]
struct Made {
    id: PaymentReference,
    client_secret: String,
}

/// Stripe API, "The `PaymentIntent` object".
#[derive(serde::Deserialize)]
struct IntentObject {
    id: PaymentReference,
    amount: u64,
    #[serde(default)]
    amount_received: u64,
    currency: String,
    status: IntentStatus,
    livemode: Option<bool>,
    #[serde(default)]
    metadata: Metadata,
    last_payment_error: Option<IgnoredAny>,
    latest_charge: Option<Expandable<LatestCharge>>,
}

/// Stripe, "How `PaymentIntents` work".
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum IntentStatus {
    Succeeded,
    Canceled,
    RequiresPaymentMethod,
    /// The payer, the bank or we have something left to do; or a status that is new to us.
    #[serde(other)]
    OnItsWay,
}

/// What can be said of an intent's last attempt without asking again.
#[derive(serde::Deserialize)]
struct LatestCharge {
    /// Whether all of it went back.
    refunded: bool,
}

/// What was written into an object. It may be no id of ours.
#[derive(Default, serde::Deserialize)]
struct Metadata {
    reservation_id: Option<String>,
}

/// Stripe API, "The Refund object".
#[derive(serde::Deserialize)]
struct RefundObject {
    amount: u64,
    currency: String,
    status: Option<RefundStatus>,
    payment_intent: Option<Expandable<Named>>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefundStatus {
    Succeeded,
    Failed,
    Canceled,
    /// `pending`, `requires_action`, or a status that is new to us.
    #[serde(other)]
    OnItsWay,
}

/// The id of an object, or the object itself if it was asked for (Stripe API, "Expanding
/// responses").
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Expandable<T> {
    Id(String),
    Object(T),
}

#[derive(serde::Deserialize)]
struct Named {
    id: String,
}

#[derive(serde::Deserialize)]
struct List {
    data: Vec<RefundObject>,
}

/// Stripe API, "Errors". Not every error has a code; each has a type.
#[derive(serde::Deserialize)]
struct Failure {
    error: FailureDetails,
}

#[derive(Default, serde::Deserialize)]
struct FailureDetails {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl IntentObject {
    fn progress(&self) -> Progress {
        match self.status {
            IntentStatus::Succeeded if self.is_refunded() => Progress::Refunded,
            IntentStatus::Succeeded => Progress::Captured,
            IntentStatus::Canceled => Progress::Failed,
            // After a failed attempt an intent is where it began, but for the error.
            IntentStatus::RequiresPaymentMethod if self.last_payment_error.is_some() => {
                Progress::Failed
            }
            IntentStatus::RequiresPaymentMethod | IntentStatus::OnItsWay => Progress::Processing,
        }
    }

    fn is_refunded(&self) -> bool {
        matches!(&self.latest_charge, Some(Expandable::Object(charge)) if charge.refunded)
    }

    /// What was received counts, once something was: less than was asked for must not book.
    fn amount(&self) -> u64 {
        if self.amount_received > 0 { self.amount_received } else { self.amount }
    }

    /// This intent with this progress in our words.
    fn outcome(&self, progress: Progress) -> Result<Outcome, ProviderError> {
        let money = money(self.amount(), &self.currency)?;
        Ok(Outcome::Known { reservation_id: self.metadata.reservation_id(), money, progress })
    }
}

impl Metadata {
    fn reservation_id(&self) -> Option<ReservationId> {
        self.reservation_id.as_ref()?.parse().ok()
    }
}

impl RefundObject {
    fn progress(&self) -> Refund {
        match self.status {
            Some(RefundStatus::Succeeded) => Refund::Done,
            Some(RefundStatus::Failed | RefundStatus::Canceled) => Refund::Failed,
            Some(RefundStatus::OnItsWay) | None => Refund::Processing,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn intent(status: &str, extra: &Value) -> IntentObject {
        let mut object = json!({
            "id": "pi_1", "object": "payment_intent", "amount": 45_000, "amount_received": 0,
            "currency": "inr", "metadata": {"reservation_id": "r-1"}, "status": status,
            "last_payment_error": null, "latest_charge": null,
        });
        for (name, value) in extra.as_object().unwrap() {
            object[name] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    #[track_caller]
    fn check(status: &str, extra: &Value, expected: Progress) {
        assert_eq!(intent(status, extra).progress(), expected, "{status} {extra}");
    }

    #[test]
    fn every_status_has_a_meaning() {
        let none = json!({});
        check("succeeded", &none, Progress::Captured);
        check("succeeded", &json!({"latest_charge": "ch_1"}), Progress::Captured);
        check("succeeded", &json!({"latest_charge": {"refunded": false}}), Progress::Captured);
        check("succeeded", &json!({"latest_charge": {"refunded": true}}), Progress::Refunded);
        check("canceled", &none, Progress::Failed);
        check("requires_payment_method", &none, Progress::Processing);
        let declined = json!({"last_payment_error": {"code": "card_declined"}});
        check("requires_payment_method", &declined, Progress::Failed);
        for status in
            ["processing", "requires_action", "requires_capture", "requires_confirmation", "new"]
        {
            check(status, &none, Progress::Processing);
        }
    }

    #[test]
    fn what_was_received_counts_and_not_what_was_asked_for() {
        for (received, minor) in [(0, 45_000), (45_000, 45_000), (44_999, 44_999)] {
            let intent = intent("succeeded", &json!({"amount_received": received}));
            let Outcome::Known { money, reservation_id, .. } =
                intent.outcome(Progress::Captured).unwrap()
            else {
                panic!("Stripe knows it");
            };
            assert_eq!((money.minor(), money.currency().as_str()), (minor, "INR"));
            assert_eq!(reservation_id, Some("r-1".parse().unwrap()));
        }
    }

    #[test]
    fn metadata_that_is_not_ours_names_no_reservation() {
        for metadata in [json!({}), json!({"order": "7"}), json!({"reservation_id": "a b"})] {
            let intent = intent("succeeded", &json!({"metadata": metadata}));
            assert_eq!(intent.metadata.reservation_id(), None);
        }
    }

    #[test]
    fn a_refund_is_made_only_if_none_covers_it_or_is_under_way() {
        let refunds = |of: &[(u64, &str)]| -> Vec<RefundObject> {
            let object = |(amount, status): &(u64, &str)| {
                let refund = json!({"amount": amount, "currency": "inr", "status": status});
                serde_json::from_value(refund).unwrap()
            };
            of.iter().map(object).collect()
        };
        for (so_far, expected) in [
            (refunds(&[]), None),
            (refunds(&[(500, "failed"), (500, "canceled")]), None),
            (refunds(&[(499, "succeeded")]), None),
            (refunds(&[(500, "succeeded")]), Some(Refund::Done)),
            (refunds(&[(200, "succeeded"), (300, "succeeded")]), Some(Refund::Done)),
            (refunds(&[(500, "failed"), (500, "pending")]), Some(Refund::Processing)),
            (refunds(&[(500, "requires_action")]), Some(Refund::Processing)),
            (refunds(&[(500, "new")]), Some(Refund::Processing)),
        ] {
            assert_eq!(standing(&so_far, 500), expected);
        }
    }
}
