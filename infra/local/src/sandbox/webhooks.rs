//! What the sandbox tells by itself: events, signed as the Standard Webhooks specification says
//! (<https://github.com/standard-webhooks/standard-webhooks>), and how badly they may arrive.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::time::{self, Timestamp};
use edge::Clock;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;
use tokio::time::Instant;

use super::account::{Payment, drawn};

/// How long an event takes if nothing is said. With real providers it is about as much. A client that
/// pays and confirms is there first, so both ways are seen at work.
const LATE_SECS: u32 = 3;

/// Pauses before an event is sent again. Real providers go on for days.
const PAUSES_SECS: [u64; 5] = [1, 2, 4, 8, 16];

/// How long an answer is waited for: the least that the specification asks of a sender.
const TIMEOUT: Duration = Duration::from_secs(15);

/// An event on its way to Marquee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Names the event; a second delivery of it has the same.
    pub id: String,
    /// What is sent, as JSON.
    pub body: String,
    /// How long after the change it is sent.
    pub delay: Duration,
}

/// Takes the deliveries of one change, in the order to send them in. It must not wait, and must
/// not call the sandbox.
pub type Deliver = Arc<dyn Fn(Vec<Delivery>) + Send + Sync>;

impl Delivery {
    /// The headers of this delivery if it is sent at `now`. A secret is `whsec_` and Base64, or
    /// any other text as it is.
    #[must_use]
    pub fn signed(&self, secret: &str, now: Timestamp) -> [(&'static str, String); 3] {
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        let key = BASE64.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
        let time = now.timestamp().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key has any length");
        mac.update(format!("{}.{time}.{}", self.id, self.body).as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        [
            ("webhook-id", self.id.clone()),
            ("webhook-timestamp", time),
            ("webhook-signature", format!("v1,{signature}")),
        ]
    }
}

/// What happened.
#[derive(Clone, Copy, Serialize)]
pub(super) enum Kind {
    #[serde(rename = "payment.processing")]
    Processing,
    #[serde(rename = "payment.succeeded")]
    Succeeded,
    #[serde(rename = "payment.failed")]
    Failed,
    #[serde(rename = "payment.refunded")]
    Refunded,
    #[serde(rename = "refund.failed")]
    RefundFailed,
}

/// How a payment misbehaves, as far as it is said.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flags {
    /// How many seconds its events take.
    late: Option<u32>,
    /// Each event is sent twice.
    duplicate: Option<bool>,
    /// The events of a change are sent last first, and a single one waits for the next change.
    reorder: Option<bool>,
    /// No event is sent.
    drop: Option<bool>,
    /// No money goes back.
    fail_refunds: Option<bool>,
}

impl Flags {
    /// Changes what `to` says, and leaves the rest.
    pub(super) fn change(&mut self, to: Self) {
        let Self { late, duplicate, reorder, drop, fail_refunds } = *self;
        *self = Self {
            late: to.late.or(late),
            duplicate: to.duplicate.or(duplicate),
            reorder: to.reorder.or(reorder),
            drop: to.drop.or(drop),
            fail_refunds: to.fail_refunds.or(fail_refunds),
        };
    }

    pub(super) fn fail_refunds(self) -> bool {
        self.fail_refunds.unwrap_or(false)
    }

    /// An event about a payment as it stands.
    pub(super) fn event(self, kind: Kind, payment: &Payment, now: Timestamp) -> Delivery {
        let body = json!({
            "type": kind,
            "timestamp": time::text(now),
            "data": {
                "paymentReference": payment.payment_reference,
                "reservationId": payment.reservation_id,
                "amount": payment.amount,
                "currency": payment.currency,
                "status": payment.status,
                "refundedAmount": payment.refunded_amount,
            },
        });
        let delay = Duration::from_secs(self.late.unwrap_or(LATE_SECS).into());
        Delivery { id: drawn("msg"), body: body.to_string(), delay }
    }

    /// Takes what is to be sent now out of `unsent`.
    pub(super) fn due(self, unsent: &mut Vec<Delivery>) -> Vec<Delivery> {
        if self.drop.unwrap_or(false) {
            unsent.clear();
        }
        let reorder = self.reorder.unwrap_or(false);
        if reorder && unsent.len() == 1 {
            return Vec::new();
        }
        let mut due = std::mem::take(unsent);
        if reorder {
            due.reverse();
        }
        if self.duplicate.unwrap_or(false) {
            due.extend_from_within(..);
        }
        due
    }
}

/// Posts deliveries to `url`, signed by `secret` at the moment they are sent. One that is not
/// taken is sent again, five times at most, and holds up those of the same change.
///
/// What it returns must be called within a tokio runtime.
#[must_use]
pub fn deliver_to(url: String, secret: String, clock: Clock) -> Deliver {
    let receiver = Arc::new(Receiver { http: plain_http(), url, secret, clock });
    Arc::new(move |deliveries| {
        let receiver = Arc::clone(&receiver);
        let changed_at = Instant::now();
        tokio::spawn(async move {
            for delivery in &deliveries {
                tokio::time::sleep_until(changed_at + delivery.delay).await;
                receiver.send(delivery).await;
            }
        });
    })
}

struct Receiver {
    http: reqwest::Client,
    url: String,
    secret: String,
    clock: Clock,
}

impl Receiver {
    async fn send(&self, delivery: &Delivery) {
        let mut pauses_secs = PAUSES_SECS.into_iter();
        while let Err(why) = self.post(delivery).await {
            let Some(pause_secs) = pauses_secs.next() else {
                eprintln!("the sandbox gave up its webhook {}: {why}", delivery.body);
                return;
            };
            tokio::time::sleep(Duration::from_secs(pause_secs)).await;
        }
    }

    async fn post(&self, delivery: &Delivery) -> Result<(), String> {
        let mut request = self.http.post(&self.url).header(CONTENT_TYPE, "application/json");
        for (name, value) in delivery.signed(&self.secret, (self.clock)()) {
            request = request.header(name, value);
        }
        let answer = request.body(delivery.body.clone()).send().await;
        let status = answer.map_err(|error| error.to_string())?.status();
        if status.is_success() { Ok(()) } else { Err(status.to_string()) }
    }
}

/// A client for servers on this machine: it trusts no certificate and uses no proxy.
///
/// `reqwest::Client::new` would panic: its TLS, which the payment providers need, comes without a
/// provider of cryptography, so that no second one is linked.
#[must_use]
pub fn plain_http() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .expect("ring speaks the versions that rustls holds safe")
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()
        .expect("a client with its own TLS has nothing to look for")
}
