//! Razorpay, as far as Marquee calls it: orders, their payments, and refunds, by its documentation
//! (<https://razorpay.com/docs/api>). A test pays in the browser's stead, decides how refunds end,
//! and passes on what Razorpay would tell.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

/// Serves its [`Books`]. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Razorpay(Arc<Mutex<Books>>);

#[derive(Default)]
pub(super) struct Books {
    /// Orders, payments and refunds, the oldest first.
    entities: Vec<Value>,
    /// The next refund is made `pending` or `failed`, and not `processed`.
    pub(super) next_refund: Option<&'static str>,
}

impl Razorpay {
    /// Serves the API to whoever has these keys, and says where.
    pub(super) async fn serve(&self, key_id: &str, api_key: &str) -> String {
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{key_id}:{api_key}")));
        let check = move |request, next| authenticate(expected.clone(), request, next);
        let router = Router::new()
            .route("/v1/orders", get(orders).post(make_order))
            .route("/v1/orders/{id}", get(entity))
            .route("/v1/orders/{id}/payments", get(parts))
            .route("/v1/payments/{id}", get(entity))
            .route("/v1/payments/{id}/refunds", get(parts))
            .route("/v1/payments/{id}/refund", post(make_refund))
            .layer(from_fn(check))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }
}

impl Books {
    /// Tries to pay an order, and says what the payment is called. `status` is what becomes of it.
    pub(super) fn pay(&mut self, order_id: &str, status: &str, notes: &Value) -> String {
        let Json(order) = self.find(order_id).unwrap();
        let payment = json!({
            "entity": "payment", "amount": order["amount"], "currency": order["currency"],
            "status": status, "order_id": order_id, "method": "upi", "amount_refunded": 0,
            "captured": false, "notes": notes,
        });
        let id = self.add("pay", payment);
        if status == "captured" {
            self.capture(&id);
        }
        id
    }

    /// Captures a payment, or sends it back as it came if its order is paid already.
    pub(super) fn capture(&mut self, payment: &str) {
        let Json(found) = self.find(payment).unwrap();
        let order_id = found["order_id"].as_str().unwrap();
        if self.with("order_id", order_id).any(|of| of["captured"] == true) {
            self.send_back(payment, &json!({"amount": found["amount"]}), "processed");
        } else {
            self.change(payment, &[("status", json!("captured")), ("captured", json!(true))]);
        }
    }

    /// Makes a refund as a call asks for it, and says what it is called.
    pub(super) fn send_back(&mut self, payment: &str, call: &Value, status: &str) -> String {
        let refund = json!({
            "entity": "refund", "amount": call["amount"], "currency": "INR", "payment_id": payment,
            "notes": call["notes"], "status": status, "call": call,
        });
        let id = self.add("rfnd", refund);
        self.add_up(payment);
        id
    }

    /// The newest refund, which was pending, ends as `processed` or `failed`.
    pub(super) fn end_refund(&mut self, status: &str) {
        let refund = self.entities.last_mut().unwrap();
        refund["status"] = json!(status);
        let payment = refund["payment_id"].as_str().unwrap().to_owned();
        self.add_up(&payment);
    }

    /// Every `order`, `payment` or `refund`. A refund has the idempotency key that came with it.
    pub(super) fn every(&self, kind: &str) -> Vec<Value> {
        self.with("entity", kind).cloned().collect()
    }

    /// The body of a webhook about a payment, or about its newest refund.
    pub(super) fn event(&self, kind: &str, payment: &str) -> String {
        let mut payload = json!({"payment": {"entity": self.find(payment).unwrap().0}});
        if kind.starts_with("refund.") {
            payload["refund"] = json!({"entity": self.with("payment_id", payment).next_back()});
        }
        json!({"entity": "event", "event": kind, "payload": payload}).to_string()
    }

    fn add(&mut self, kind: &str, mut entity: Value) -> String {
        let id = format!("{kind}_{:014}", self.entities.len());
        entity["id"] = json!(id);
        self.entities.push(entity);
        id
    }

    fn find(&self, id: &str) -> Answer {
        let refused = || refusal("The id provided does not exist");
        self.with("id", id).next().cloned().map(Json).ok_or_else(refused)
    }

    fn with(&self, field: &str, value: &str) -> impl DoubleEndedIterator<Item = &Value> {
        self.entities.iter().filter(move |of| of[field] == value)
    }

    fn change(&mut self, id: &str, fields: &[(&str, Value)]) {
        let entity = self.entities.iter_mut().find(|of| of["id"] == id).unwrap();
        fields.iter().for_each(|(name, value)| entity[*name] = value.clone());
    }

    /// A payment counts what is on its way back as gone.
    fn add_up(&mut self, payment: &str) {
        let stands = self.with("payment_id", payment).filter(|of| of["status"] != "failed");
        let gone: u64 = stands.map(|of| of["amount"].as_u64().unwrap()).sum();
        let is_all = self.find(payment).unwrap()["amount"] == gone;
        let status = json!(if is_all { "refunded" } else { "captured" });
        self.change(payment, &[("amount_refunded", json!(gone)), ("status", status)]);
    }
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

async fn authenticate(expected: String, request: Request, next: Next) -> Response {
    match request.headers().get(header::AUTHORIZATION) {
        Some(given) if *given == expected => next.run(request).await,
        _ => (StatusCode::UNAUTHORIZED, refusal("Authentication failed").1).into_response(),
    }
}

async fn entity(State(razorpay): State<Razorpay>, Path(id): Path<String>) -> Answer {
    razorpay.books().find(&id)
}

/// The payments of an order, or the refunds of a payment, the newest first.
async fn parts(State(razorpay): State<Razorpay>, Path(id): Path<String>) -> Answer {
    let books = razorpay.books();
    books.find(&id).map(drop)?;
    let parts = books.with("order_id", &id).chain(books.with("payment_id", &id));
    Ok(Json(json!({"entity": "collection", "items": parts.rev().collect::<Vec<_>>()})))
}

async fn orders(State(razorpay): State<Razorpay>, RawQuery(query): RawQuery) -> Json<Value> {
    let receipt = query.as_deref().and_then(|query| query.strip_prefix("receipt=")).unwrap();
    let orders: Vec<Value> = razorpay.books().with("receipt", receipt).rev().cloned().collect();
    Json(json!({"entity": "collection", "items": orders}))
}

async fn make_order(State(razorpay): State<Razorpay>, Json(mut order): Json<Value>) -> Answer {
    assert_fields(&order, &["amount", "currency", "receipt", "notes", "payment"]);
    let capture = &order["payment"]["capture_options"];
    assert!(capture["automatic_expiry_period"].as_u64() >= Some(12));
    assert!(order["receipt"].as_str().unwrap().len() <= 40);
    order["entity"] = json!("order");
    let mut books = razorpay.books();
    let id = books.add("order", order);
    books.find(&id)
}

async fn make_refund(
    State(razorpay): State<Razorpay>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let key = headers["x-refund-idempotency"].to_str().unwrap();
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    assert!(key.len() >= 10 && key.bytes().all(is_legal), "{key}");
    assert_fields(&body, &["amount", "speed", "notes", "receipt"]);
    let mut books = razorpay.books();
    if let Some(before) = books.with("key", key).next() {
        assert_eq!(before["call"], body, "{key} came with another body");
        return Ok(Json(before.clone()));
    }
    let Json(payment) = books.find(&id)?;
    let amounts = [&payment["amount"], &payment["amount_refunded"], &body["amount"]];
    let [whole, gone, amount] = amounts.map(|of| of.as_u64().unwrap());
    if gone == whole {
        return Err(refusal("The payment has been fully refunded already"));
    }
    assert!(payment["captured"] == true && gone + amount <= whole, "{payment}");
    let status = books.next_refund.take().unwrap_or("processed");
    let refund = books.send_back(&id, &body, status);
    books.change(&refund, &[("key", json!(key))]);
    books.find(&refund)
}

/// Razorpay refuses a field that a call does not have.
fn assert_fields(body: &Value, known: &[&str]) {
    assert!(body.as_object().unwrap().keys().all(|field| known.contains(&field.as_str())));
}

fn refusal(description: &str) -> (StatusCode, Json<Value>) {
    let error = json!({"code": "BAD_REQUEST_ERROR", "description": description, "source": "NA"});
    (StatusCode::BAD_REQUEST, Json(json!({"error": error})))
}
