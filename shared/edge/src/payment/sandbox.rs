//! The sandbox provider: play money, real HTTP.

use std::time::Duration;

use domain::id::{PaymentReference, Provider, ReservationId};
use domain::money::{Currency, Money};
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

/// A payment as the sandbox tells it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    reservation_id: Option<ReservationId>,
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

    /// The provider's answer, or nothing if there was none.
    async fn ask(&self, reference: &PaymentReference) -> Result<Outcome, reqwest::Error> {
        let url = format!("{}/sandbox/payments/{reference}", self.base_url);
        let answer = self.http.get(url).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(Outcome::Unknown);
        }
        let payment: Payment = answer.error_for_status()?.json().await?;
        let Ok(money) = Money::new(payment.amount, payment.currency) else {
            return Ok(Outcome::Unknown);
        };
        let progress = match payment.status {
            Status::Pending => Progress::Processing,
            Status::Succeeded => Progress::Captured,
            Status::Failed => Progress::Failed,
        };
        Ok(Outcome::Known { reservation_id: payment.reservation_id, money, progress })
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
                    Err(error) => tracing::warn!(%error, "the payment provider did not answer"),
                }
            }
            Report { provider: self.name.clone(), reference: reference.clone(), outcome }
        })
    }
}
