//! The sandbox payment provider: play money over real HTTP.
//!
//! `POST /sandbox/payments` is the payer's side. `GET /sandbox/payments/{reference}` is what
//! Marquee asks. `PUT /sandbox/payments/{reference}` ends a payment that is pending.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type Payments = Arc<Mutex<HashMap<String, Payment>>>;

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    payment_reference: String,
    reservation_id: String,
    amount: u64,
    currency: String,
    status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Succeeded,
    Failed,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    #[default]
    Succeed,
    Fail,
    StayPending,
}

impl From<Outcome> for Status {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeed => Self::Succeeded,
            Outcome::Fail => Self::Failed,
            Outcome::StayPending => Self::Pending,
        }
    }
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ending {
    outcome: Outcome,
}

/// The provider.
pub fn router() -> Router {
    Router::new()
        .route("/sandbox/payments", post(pay))
        .route("/sandbox/payments/{reference}", get(show).put(end))
        .with_state(Payments::default())
}

/// A body as JSON, whatever its content type says: `curl -d` sends a form's.
struct AnyJson<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for AnyJson<T> {
    type Rejection = (StatusCode, Json<Value>);

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let told = |error: String| (StatusCode::BAD_REQUEST, Json(json!({"error": error})));
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| told(error.body_text()))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| told(error.to_string()))
    }
}

async fn pay(State(payments): State<Payments>, AnyJson(order): AnyJson<Order>) -> Response {
    #[expect(clippy::disallowed_methods, reason = "the provider draws its own references")]
    let drawn = || format!("pay_{}", uuid::Uuid::new_v4().simple());
    let reference = order.payment_reference.unwrap_or_else(drawn);
    let payment = Payment {
        payment_reference: reference.clone(),
        reservation_id: order.reservation_id,
        amount: order.amount,
        currency: order.currency,
        status: order.outcome.into(),
    };
    let mut payments = payments.lock().unwrap_or_else(PoisonError::into_inner);
    if payments.contains_key(&reference) {
        return (StatusCode::CONFLICT, Json(json!({"error": "reference exists"}))).into_response();
    }
    payments.insert(reference, payment.clone());
    (StatusCode::CREATED, Json(payment)).into_response()
}

async fn show(State(payments): State<Payments>, Path(reference): Path<String>) -> Response {
    let payments = payments.lock().unwrap_or_else(PoisonError::into_inner);
    match payments.get(&reference) {
        Some(payment) => Json(payment.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn end(
    State(payments): State<Payments>,
    Path(reference): Path<String>,
    AnyJson(ending): AnyJson<Ending>,
) -> Response {
    let mut payments = payments.lock().unwrap_or_else(PoisonError::into_inner);
    match payments.get_mut(&reference) {
        Some(payment) if payment.status == Status::Pending => {
            payment.status = ending.outcome.into();
            Json(payment.clone()).into_response()
        }
        Some(payment) => (StatusCode::CONFLICT, Json(payment.clone())).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
