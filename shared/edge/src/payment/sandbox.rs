//! The sandbox provider: play money, real HTTP.

use domain::id::{PaymentReference, Provider};
use domain::money::{Currency, Money};
use domain::payment::{self, Outcome, Progress, Report};
use domain::reservation::Reservation;
use lambda_http::BoxFuture;
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::client::Client;
use super::webhook::Scheme;
use super::{Checkout, Payer, PaymentProvider, ProviderError, silence};

mod webhook;

pub(super) const WEBHOOKS: Scheme = Scheme { is_signed: webhook::is_signed, read: webhook::read };

/// The first answer to a key is given again.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

pub(super) struct Sandbox {
    name: Provider,
    client: Client,
}

/// A payment as the sandbox tells it. What its payer wrote into it may be no id of ours.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    payment_reference: PaymentReference,
    reservation_id: String,
    amount: u64,
    currency: Currency,
    status: Status,
    pay_url: String,
    refunded_amount: u64,
    refunds: Vec<Refund>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Succeeded,
    Failed,
    Refunded,
}

#[derive(serde::Deserialize)]
struct Refund {
    status: RefundStatus,
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefundStatus {
    Succeeded,
    Failed,
}

/// Why the sandbox refuses, in its words.
#[derive(Default, serde::Deserialize)]
struct Refusal {
    error: String,
}

impl Sandbox {
    pub(super) fn new(name: Provider, client: Client) -> Self {
        Self { name, client }
    }

    /// Sends a request, and reads what it makes.
    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ProviderError> {
        let answer = self.client.send(request).await?;
        if answer.status.is_success() {
            return answer.json();
        }
        let Refusal { error: code } = answer.json().unwrap_or_default();
        Err(ProviderError::Refused { status: answer.status.as_u16(), code })
    }

    async fn make(&self, reservation: &Reservation) -> Result<Checkout, ProviderError> {
        let Reservation { id, amount: money, .. } = reservation;
        let order = json!({
            "reservationId": id,
            "amount": money.minor(),
            "currency": money.currency(),
            "outcome": "stay_pending",
        });
        let request = self.client.post("/sandbox/payments");
        let request = request.header(IDEMPOTENCY_KEY, format!("checkout-{id}")).json(&order);
        let Payment { payment_reference: reference, pay_url, .. } = self.call(request).await?;
        Ok(Checkout { reference, payer: Payer::Url(pay_url) })
    }

    async fn find(&self, reference: &PaymentReference) -> Result<Payment, ProviderError> {
        self.call(self.client.get(&format!("/sandbox/payments/{reference}"))).await
    }

    async fn ask(&self, reference: &PaymentReference) -> Result<Outcome, ProviderError> {
        let payment = match self.find(reference).await {
            Ok(payment) => payment,
            Err(ProviderError::Refused { status: 404, .. }) => return Ok(Outcome::Unknown),
            Err(error) => return Err(error),
        };
        Ok(Outcome::Known {
            reservation_id: payment.reservation_id.parse().ok(),
            money: Money::new(payment.amount, payment.currency)?,
            progress: payment.status.into(),
        })
    }

    async fn send_back(
        &self,
        reference: &PaymentReference,
    ) -> Result<payment::Refund, ProviderError> {
        let Payment { amount, refunded_amount, refunds, .. } = self.find(reference).await?;
        if refunded_amount >= amount {
            return Ok(payment::Refund::Done);
        }
        let failures =
            refunds.iter().filter(|refund| refund.status == RefundStatus::Failed).count();
        let request = self.client.post(&format!("/sandbox/payments/{reference}/refunds"));
        let key = format!("refund-{reference}-{failures}");
        // No amount: that refunds what is left.
        let request = request.header(IDEMPOTENCY_KEY, key).json(&json!({}));
        let Refund { status } = self.call(request).await?;
        Ok(status.into())
    }
}

impl PaymentProvider for Sandbox {
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

    fn refund<'a>(
        &'a self,
        payment: &'a payment::Payment,
    ) -> BoxFuture<'a, Result<payment::Refund, ProviderError>> {
        Box::pin(self.send_back(&payment.reference))
    }
}

impl From<Status> for Progress {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Processing,
            Status::Succeeded => Self::Captured,
            Status::Failed => Self::Failed,
            Status::Refunded => Self::Refunded,
        }
    }
}

impl From<RefundStatus> for payment::Refund {
    fn from(status: RefundStatus) -> Self {
        match status {
            RefundStatus::Succeeded => Self::Done,
            RefundStatus::Failed => Self::Failed,
        }
    }
}
