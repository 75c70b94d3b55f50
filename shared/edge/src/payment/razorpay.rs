//! Razorpay: an order for each reservation, which a browser pays in Razorpay's Checkout.
//!
//! An order takes any number of tries, and each is a payment with a name of its own. (So it is for
//! accounts in India and the United States. In Malaysia and Singapore an order takes one try, and
//! whose card is refused cannot try another: <https://razorpay.com/docs/my/api/orders/create>.)
//! What we make carries the reservation's id in its notes. Razorpay does not promise to copy an
//! order's notes to its payments, so a payment that names nothing is looked up at its order.
//!
//! Each rule that is not ours is cited by its page in Razorpay's documentation.

use domain::id::{PaymentReference, Provider};
use domain::limits::{HOLD_EXTENDED_FACTOR, HOLD_TTL_SECS};
use domain::payment::{self, Outcome, Progress, Report};
use domain::reservation::Reservation;
use lambda_http::BoxFuture;
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;

use self::objects::{
    Collection, Order, Payment, Refund, RefundStatus, Refunds, Refusal, RefusalBody, notes,
};
use super::client::Client;
use super::secrets::Secrets;
use super::webhook::Scheme;
use super::{Checkout, Payer, PaymentProvider, ProviderError, currency, silence};

mod objects;
mod webhook;

pub(super) const WEBHOOKS: Scheme = Scheme { is_signed: webhook::is_signed, read: webhook::read };

/// Minutes in which a payment that was authorised is captured. What is authorised later was never
/// ours, and Razorpay sends it back by itself.
///
/// At least 12 (<https://razorpay.com/docs/payments/payments/capture-settings/api>).
const CAPTURE_WITHIN_MINS: u32 = 30;

/// What comes within a hold is captured.
const _: () = assert!(CAPTURE_WITHIN_MINS * 60 > HOLD_TTL_SECS * HOLD_EXTENDED_FACTOR);

pub(super) struct Razorpay {
    name: Provider,
    client: Client,
    secrets: Secrets,
    live: bool,
}

impl Razorpay {
    pub(super) fn new(name: Provider, client: Client, secrets: Secrets, live: bool) -> Self {
        Self { name, client, secrets, live }
    }

    /// Sends a request with our keys. A refusal is an answer too.
    async fn call<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Result<T, Refusal>, ProviderError> {
        let keys = self.secrets.of(&self.name).await?;
        // Play money is no money where real money moves, and only the key tells them apart.
        if self.live && keys.key_id.starts_with("rzp_test_") {
            return Err(ProviderError::Nonsense("a test key where real money moves".to_owned()));
        }
        let request = request.basic_auth(&keys.key_id, Some(&keys.api_key));
        let answer = self.client.send(request).await?;
        if answer.status.is_success() {
            return answer.json().map(Ok);
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            // The key was replaced, perhaps.
            self.secrets.again(&self.name).await;
            return Err(ProviderError::Away("the key is not known there".into()));
        }
        let RefusalBody { error } = answer.json().unwrap_or_default();
        Ok(Err(Refusal { status: answer.status, error }))
    }

    async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ProviderError> {
        match self.call(self.client.get(path)).await? {
            Ok(found) => Ok(Some(found)),
            Err(refusal) if refusal.is_of_unknown_id() => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ProviderError> {
        let Collection { items } = self.call(self.client.get(path)).await??;
        Ok(items)
    }

    async fn find_order(&self, id: &PaymentReference) -> Result<Option<Order>, ProviderError> {
        self.find(&format!("/v1/orders/{id}")).await
    }

    /// The order that a reservation is paid by, made if there is none.
    ///
    /// Making one takes no idempotency key (<https://razorpay.com/docs/api/orders/create>), so it
    /// is looked for by its receipt: the reservation's id, which fits the 40 characters. Two calls
    /// at once, or an answer lost on the wire, can make two orders. Should both be paid, the second
    /// payment goes back as any second payment does. (The flag `unique_receipt`, which a page for
    /// server-to-server integrations tells of, is not on the page of this call, and a field that a
    /// call does not know is refused.)
    async fn order(&self, reservation: &Reservation) -> Result<Order, ProviderError> {
        let receipt = reservation.id.as_str();
        let amount = currency::to_razorpay(reservation.amount)?;
        let currency = reservation.amount.currency();
        let orders: Vec<Order> = self.list(&format!("/v1/orders?receipt={receipt}")).await?;
        let is_ours = |order: &Order| {
            order.receipt.as_deref() == Some(receipt)
                && (order.amount, order.currency) == (amount, currency)
        };
        if let Some(order) = orders.into_iter().find(is_ours) {
            return Ok(order);
        }
        let body = json!({
            "amount": amount,
            "currency": currency,
            "receipt": receipt,
            "notes": notes(Some(&reservation.id)),
            "payment": {
                "capture": "automatic",
                "capture_options": {
                    "automatic_expiry_period": CAPTURE_WITHIN_MINS,
                    // Until when we could capture by hand, which we never do.
                    "manual_expiry_period": CAPTURE_WITHIN_MINS,
                    "refund_speed": "normal",
                },
            },
        });
        Ok(self.call(self.client.post("/v1/orders").json(&body)).await??)
    }

    async fn ask(&self, reference: &PaymentReference) -> Result<Report, ProviderError> {
        let report = match reference.as_str() {
            order if order.starts_with("order_") => self.report_of_order(reference).await?,
            payment if payment.starts_with("pay_") => self.report_of_payment(reference).await?,
            _nothing_to_pay => None,
        };
        Ok(report.unwrap_or_else(|| self.without_answer(reference, Outcome::Unknown)))
    }

    /// How far a payment has come. It may count as sent back as soon as a refund is made, so its
    /// refunds are asked how far they are.
    async fn progress(&self, payment: &Payment) -> Result<Progress, ProviderError> {
        match payment.progress() {
            Progress::Refunded if self.refunds(&payment.id).await?.processed < payment.amount => {
                Ok(Progress::Captured)
            }
            progress => Ok(progress),
        }
    }

    /// A report of the payment that paid an order; of the order itself while none did. An order
    /// whose payments all failed can still be paid.
    async fn report_of_order(
        &self,
        id: &PaymentReference,
    ) -> Result<Option<Report>, ProviderError> {
        let Some(order) = self.find_order(id).await? else { return Ok(None) };
        let mut payments: Vec<Payment> = self.list(&format!("/v1/orders/{id}/payments")).await?;
        for progress in [Progress::Captured, Progress::Refunded] {
            if let Some(at) = payments.iter().position(|of| of.progress() == progress) {
                let payment = payments.swap_remove(at);
                let progress = self.progress(&payment).await?;
                return payment.report(&self.name, progress, order.reservation_id).map(Some);
            }
        }
        let Order { id: reference, amount, currency, reservation_id, .. } = order;
        let money = currency::from_razorpay(amount, currency)?;
        let outcome = Outcome::Known { reservation_id, money, progress: Progress::Processing };
        Ok(Some(Report { provider: self.name.clone(), reference, outcome }))
    }

    async fn report_of_payment(
        &self,
        id: &PaymentReference,
    ) -> Result<Option<Report>, ProviderError> {
        let payment: Option<Payment> = self.find(&format!("/v1/payments/{id}")).await?;
        let Some(payment) = payment else { return Ok(None) };
        let order = match (&payment.reservation_id, &payment.order_id) {
            (None, Some(order_id)) => self.find_order(order_id).await?,
            (Some(_), _) | (None, None) => None,
        };
        let progress = self.progress(&payment).await?;
        payment.report(&self.name, progress, order.and_then(|of| of.reservation_id)).map(Some)
    }

    fn without_answer(&self, reference: &PaymentReference, outcome: Outcome) -> Report {
        Report { provider: self.name.clone(), reference: reference.clone(), outcome }
    }

    /// 10 refunds are listed if nothing is said, and 100 at most
    /// (<https://razorpay.com/docs/api/refunds/fetch-multiple-refund-payment>).
    async fn refunds(&self, of: &PaymentReference) -> Result<Refunds, ProviderError> {
        let refunds: Vec<Refund> =
            self.list(&format!("/v1/payments/{of}/refunds?count=100")).await?;
        let in_status = |status| refunds.iter().filter(move |refund| refund.status == status);
        let processed = in_status(RefundStatus::Processed).map(|refund| refund.amount);
        Ok(Refunds {
            processed: processed.fold(0, u64::saturating_add),
            is_one_pending: in_status(RefundStatus::Pending).count() > 0,
            failed: in_status(RefundStatus::Failed).count(),
        })
    }

    /// Sends back what has not gone back yet. The sum of a payment's refunds can never exceed it
    /// (<https://razorpay.com/docs/payments/refunds/issue>).
    ///
    /// The idempotency key has letters, digits, `-` and `_`, 10 or more, and may not come again
    /// with another body (<https://razorpay.com/docs/api/refunds/normal-refunds-idempotent>): so it
    /// names the amount too, which changes if the house sends back a part by hand.
    async fn send_back(
        &self,
        payment: &payment::Payment,
    ) -> Result<payment::Refund, ProviderError> {
        let reference = &payment.reference;
        let owed = currency::to_razorpay(payment.money)?;
        let refunds = self.refunds(reference).await?;
        let rest = owed.saturating_sub(refunds.processed);
        if rest == 0 {
            return Ok(payment::Refund::Done);
        }
        if refunds.is_one_pending {
            return Ok(payment::Refund::Processing);
        }
        let key = format!("refund-{reference}-{}-{rest}", refunds.failed);
        let notes = notes(payment.reservation_id.as_ref());
        let body = json!({"amount": rest, "speed": "normal", "notes": notes});
        let path = format!("/v1/payments/{reference}/refund");
        let request = self.client.post(&path).header("X-Refund-Idempotency", key).json(&body);
        match self.call::<Refund>(request).await? {
            Ok(made) => Ok(made.status.into()),
            Err(refusal) if refusal.is_beside_another_refund() => {
                let is_done = self.refunds(reference).await?.processed >= owed;
                Ok(if is_done { payment::Refund::Done } else { payment::Refund::Processing })
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}

impl PaymentProvider for Razorpay {
    fn name(&self) -> &Provider {
        &self.name
    }

    fn checkout<'a>(
        &'a self,
        reservation: &'a Reservation,
    ) -> BoxFuture<'a, Result<Checkout, ProviderError>> {
        Box::pin(async move {
            let order = self.order(reservation).await?;
            let key_id = self.secrets.of(&self.name).await?.key_id.clone();
            let payer = Payer::Order { order_id: order.id.to_string(), key_id };
            Ok(Checkout { reference: order.id, payer })
        })
    }

    fn report<'a>(&'a self, reference: &'a PaymentReference) -> BoxFuture<'a, Report> {
        Box::pin(async move {
            let told = self.ask(reference).await;
            told.unwrap_or_else(|error| self.without_answer(reference, silence(reference, &error)))
        })
    }

    fn refund<'a>(
        &'a self,
        payment: &'a payment::Payment,
    ) -> BoxFuture<'a, Result<payment::Refund, ProviderError>> {
        Box::pin(self.send_back(payment))
    }
}
