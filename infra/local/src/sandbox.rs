//! The sandbox payment provider: play money over real HTTP, and webhooks with real signatures.
//!
//! `POST /sandbox/payments` makes a payment, `GET /sandbox/payments/{reference}` tells how it
//! stands, `POST /sandbox/payments/{reference}/refunds` sends its money back: that is what Marquee
//! asks for. `/sandbox/pay/{reference}` is the payer's page. `PUT /sandbox/payments/{reference}` is
//! what no real provider has: it ends a payment by hand, or makes it misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::time::Timestamp;
use edge::Clock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use self::account::{Account, Outcome, Payment, Status, drawn};
use self::webhooks::Flags;

mod account;
mod webhooks;

pub use self::webhooks::{Deliver, Delivery, deliver_to, plain_http};

/// The provider. Cheap to clone; clones share their payments.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

struct Shared {
    pay_base: Option<String>,
    clock: Clock,
    deliver: Deliver,
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    /// By reference.
    accounts: HashMap<String, Account>,
    /// The references of payments that were made under an idempotency key.
    references: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    reservation_id: String,
    amount: u64,
    currency: String,
    #[serde(default)]
    outcome: Outcome,
    /// What the payment is to be called; drawn if it is not said.
    payment_reference: Option<String>,
    #[serde(flatten)]
    flags: Flags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    outcome: Option<Outcome>,
    #[serde(flatten)]
    flags: Flags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundOrder {
    /// How much; all that is left if it is not said.
    amount: Option<u64>,
}

impl Sandbox {
    /// A provider without payments. `pay_base` is where payers find it, if that is not where
    /// Marquee does. `deliver` is given the events of one change at a time, in the order to send
    /// them in.
    #[must_use]
    pub fn new(pay_base: Option<String>, clock: Clock, deliver: Deliver) -> Self {
        Self(Arc::new(Shared { pay_base, clock, deliver, ledger: Mutex::default() }))
    }

    /// Its HTTP.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/sandbox/payments", post(create))
            .route("/sandbox/payments/{reference}", get(show).put(change))
            .route("/sandbox/payments/{reference}/refunds", post(refund))
            .route("/sandbox/pay/{reference}", get(pay_page).post(pay))
            .with_state(self.clone())
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    /// Does something with a payment, and sends what there is to tell. The ledger is locked all the
    /// while, so that no later change is told before this one.
    fn with(
        &self,
        reference: &str,
        change: impl FnOnce(&mut Account, Timestamp) -> Response,
    ) -> Response {
        let mut ledger = self.ledger();
        let Some(account) = ledger.accounts.get_mut(reference) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let answer = change(account, self.now());
        self.send(account);
        answer
    }

    fn send(&self, account: &mut Account) {
        let deliveries = account.due();
        if !deliveries.is_empty() {
            (self.0.deliver)(deliveries);
        }
    }

    fn pay_url(&self, headers: &HeaderMap, reference: &str) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let here = || format!("http://{}", host.unwrap_or("localhost"));
        let base = self.0.pay_base.clone().unwrap_or_else(here);
        format!("{base}/sandbox/pay/{reference}")
    }
}

/// A body as JSON, whatever its content type says: `curl -d` sends a form's. None is `{}`.
struct AnyJson<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for AnyJson<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| refused(StatusCode::BAD_REQUEST, &error.body_text()))?;
        let json = if body.is_empty() { b"{}" } else { &body[..] };
        serde_json::from_slice(json)
            .map(Self)
            .map_err(|error| refused(StatusCode::BAD_REQUEST, &error.to_string()))
    }
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    headers.get("idempotency-key")?.to_str().ok().map(str::to_owned)
}

async fn create(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    AnyJson(order): AnyJson<Order>,
) -> Response {
    let key = idempotency_key(&headers);
    let mut ledger = sandbox.ledger();
    let made = key.as_ref().and_then(|key| ledger.references.get(key));
    if let Some(account) = made.and_then(|reference| ledger.accounts.get(reference)) {
        return (StatusCode::CREATED, Json(&account.payment)).into_response();
    }
    let reference = order.payment_reference.unwrap_or_else(|| drawn("pay"));
    if ledger.accounts.contains_key(&reference) {
        return refused(StatusCode::CONFLICT, "reference exists");
    }
    let payment = Payment {
        payment_reference: reference.clone(),
        reservation_id: order.reservation_id,
        amount: order.amount,
        currency: order.currency,
        status: Status::Pending,
        pay_url: sandbox.pay_url(&headers, &reference),
        refunded_amount: 0,
        refunds: Vec::new(),
    };
    let now = sandbox.now();
    let mut account = Account::new(payment, order.flags, now);
    account.end(order.outcome, now);
    sandbox.send(&mut account);
    let answer = (StatusCode::CREATED, Json(&account.payment)).into_response();
    if let Some(key) = key {
        ledger.references.insert(key, reference.clone());
    }
    ledger.accounts.insert(reference, account);
    answer
}

async fn show(State(sandbox): State<Sandbox>, Path(reference): Path<String>) -> Response {
    sandbox.with(&reference, |account, _now| Json(&account.payment).into_response())
}

async fn change(
    State(sandbox): State<Sandbox>,
    Path(reference): Path<String>,
    AnyJson(change): AnyJson<Change>,
) -> Response {
    sandbox.with(&reference, |account, now| {
        if change.outcome.is_some() && account.payment.status != Status::Pending {
            return (StatusCode::CONFLICT, Json(&account.payment)).into_response();
        }
        account.flags.change(change.flags);
        if let Some(outcome) = change.outcome {
            account.end(outcome, now);
        }
        Json(&account.payment).into_response()
    })
}

async fn refund(
    State(sandbox): State<Sandbox>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    AnyJson(order): AnyJson<RefundOrder>,
) -> Response {
    let key = idempotency_key(&headers);
    sandbox.with(&reference, |account, now| match account.refund(key, order.amount, now) {
        Ok(refund) => (StatusCode::CREATED, Json(refund)).into_response(),
        Err(why) => refused(StatusCode::CONFLICT, why),
    })
}

async fn pay_page(State(sandbox): State<Sandbox>, Path(reference): Path<String>) -> Response {
    sandbox.with(&reference, |account, _now| page(&account.payment).into_response())
}

async fn pay(
    State(sandbox): State<Sandbox>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    form: String,
) -> Response {
    let outcome = match form.as_str() {
        "" | "outcome=succeed" => Outcome::Succeed,
        "outcome=fail" => Outcome::Fail,
        _neither => return refused(StatusCode::BAD_REQUEST, "outcome is succeed or fail"),
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let is_browser = accept.is_some_and(|accept| accept.contains("text/html"));
    sandbox.with(&reference, |account, now| {
        account.pay(outcome, now);
        if is_browser {
            page(&account.payment).into_response()
        } else {
            Json(&account.payment).into_response()
        }
    })
}

/// The payer's page.
fn page(payment: &Payment) -> Html<String> {
    const BUTTONS: &str = "<form method=\"post\">\
        <button name=\"outcome\" value=\"succeed\">Pay</button> \
        <button name=\"outcome\" value=\"fail\">Decline</button></form>";
    let (heading, form) = match payment.status {
        Status::Pending => ("To pay", BUTTONS),
        Status::Failed => ("Declined", BUTTONS),
        Status::Succeeded => ("Paid", ""),
        Status::Refunded => ("Refunded", ""),
    };
    let amount = payment.amount;
    let currency = payment.currency.replace('&', "&amp;").replace('<', "&lt;");
    Html(format!(
        "<!doctype html><html lang=\"en\"><title>Sandbox</title><h1>{heading}</h1>\
         <p>{amount} {currency}, in minor units. It is play money.</p>{form}</html>\n"
    ))
}
