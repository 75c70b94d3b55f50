//! The sandbox provider: play money, real HTTP.

use std::time::Duration;

use domain::id::{PaymentReference, Provider, ReservationId};
use domain::money::{Currency, Money, MoneyError};
use domain::payment::{Outcome, Progress, Report};
use lambda_http::BoxFuture;
use reqwest::StatusCode;

use super::{PaymentProvider, Settings};

/// How long it is waited for. A customer is waiting too, and a payment that is on its way is told
/// as such.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Tries of one question. It only reads, so asking twice is safe.
const ATTEMPTS: u32 = 2;

pub(super) struct Sandbox {
    name: Provider,
    base_url: String,
    http: reqwest::Client,
}

/// A payment as the sandbox tells it. What its payer wrote into it may be no id of ours.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    reservation_id: String,
    amount: u64,
    currency: Currency,
    status: Status,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Succeeded,
    Failed,
}

/// Why there is no answer, or none that makes sense. Either way the payment may be anything.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the provider did not answer")]
    Http(#[from] reqwest::Error),
    #[error("the provider names an amount that is none")]
    Money(#[from] MoneyError),
}

impl Sandbox {
    pub(super) fn new(settings: &Settings) -> Self {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(1))
            .build()
            .expect("a client without TLS has nothing to fail on");
        let base_url = settings.base_url.clone();
        Self { name: settings.provider.clone(), base_url, http }
    }

    /// The provider's answer.
    async fn ask(&self, reference: &PaymentReference) -> Result<Outcome, NoAnswer> {
        let url = format!("{}/sandbox/payments/{reference}", self.base_url);
        let answer = self.http.get(url).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Outcome::Unknown);
        }
        let payment: Payment = answer.error_for_status()?.json().await?;
        let money = Money::new(payment.amount, payment.currency)?;
        let progress = match payment.status {
            Status::Pending => Progress::Processing,
            Status::Succeeded => Progress::Captured,
            Status::Failed => Progress::Failed,
        };
        let reservation_id: Option<ReservationId> = payment.reservation_id.parse().ok();
        Ok(Outcome::Known { reservation_id, money, progress })
    }
}

impl PaymentProvider for Sandbox {
    fn name(&self) -> &Provider {
        &self.name
    }

    fn report<'a>(&'a self, reference: &'a PaymentReference) -> BoxFuture<'a, Report> {
        Box::pin(async move {
            let mut outcome = Outcome::Away;
            for _ in 0..ATTEMPTS {
                match self.ask(reference).await {
                    Ok(answer) => {
                        outcome = answer;
                        break;
                    }
                    Err(error) => {
                        let cause = crate::log::causes(&error);
                        tracing::error!(%reference, cause, "the provider gave no report");
                    }
                }
            }
            Report { provider: self.name.clone(), reference: reference.clone(), outcome }
        })
    }
}
