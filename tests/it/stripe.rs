//! Stripe, as far as `.ci/stripe`, which uses an independent stand-in, cannot see it: payments and
//! refunds that take their time.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::books::balance;
use crate::cinema::REGULAR;
use crate::receive_payment_webhook::stripe_signature;
use crate::world::World;

/// Stripe's one payment, and its one refund.
#[derive(Debug, Clone, Copy)]
struct Statuses {
    intent: &'static str,
    refund: Option<&'static str>,
}

type Stripe = Arc<Mutex<Statuses>>;

/// Stripe with a payment for this reservation.
async fn stripe(reservation: Value, stripe: &Stripe) -> String {
    let intent = async move |State(stripe): State<Stripe>| {
        let Statuses { intent, refund } = *stripe.lock().unwrap();
        Json(json!({
            "id": "pi_1", "amount": REGULAR, "amount_received": REGULAR, "currency": "inr",
            "status": intent, "livemode": false, "metadata": {"reservation_id": reservation},
            "latest_charge": {"refunded": refund.is_some()},
        }))
    };
    let refunds = async |State(stripe): State<Stripe>| {
        let status = stripe.lock().unwrap().refund;
        Json(json!({"data": [{"amount": REGULAR, "currency": "inr", "status": status}]}))
    };
    let router = Router::new()
        .route("/v1/payment_intents/pi_1", get(intent))
        .route("/v1/refunds", get(refunds))
        .with_state(Arc::clone(stripe));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

async fn tell(world: &World, kind: &str, object: Value) {
    let body = json!({"type": kind, "livemode": false, "data": {"object": object}}).to_string();
    let signature = stripe_signature("whsec_new", world.now().timestamp(), &body);
    world.webhook("stripe", &[("stripe-signature", &signature)], &body).await.expect(200);
    world.process().await;
}

/// Goal: money counts as back when it is, and not when Stripe says that it will be. Method: a refund
/// is pending, of which Stripe tells as of one that is done; then it is done.
#[tokio::test]
async fn a_refund_that_is_under_way_is_none_yet() {
    for told_by_itself in [true, false] {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        let statuses = Statuses { intent: "succeeded", refund: None };
        let pending = Stripe::new(Mutex::new(statuses));
        let url = stripe(held["reservationId"].clone(), &pending).await;
        let world = world.with_provider("stripe", &url);
        world.confirm("ann", "t1", "pi_1").await.expect(200);
        let charge = json!({
            "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "currency": "inr",
            "amount": REGULAR, "amount_captured": REGULAR, "amount_refunded": REGULAR,
            "refunded": true, "metadata": {"reservation_id": held["reservationId"]},
        });
        pending.lock().unwrap().refund = Some("pending");
        tell(&world, "charge.refunded", charge.clone()).await;
        assert_eq!(balance(&world, REGULAR).confirmed, REGULAR, "it may still fail");

        pending.lock().unwrap().refund = Some("succeeded");
        if told_by_itself {
            let done = json!({
                "id": "re_1", "object": "refund", "payment_intent": "pi_1", "currency": "inr",
                "amount": REGULAR, "status": "succeeded",
            });
            tell(&world, "refund.updated", done).await;
        } else {
            tell(&world, "charge.refunded", charge).await;
        }
        assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
        assert_eq!(world.seat("A1").await, "AVAILABLE");
    }
}

/// Goal: who is declined and tries another card on the same payment is not sent away.
#[tokio::test]
async fn a_second_try_after_a_decline_is_waited_for() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let statuses = Statuses { intent: "processing", refund: None };
    let trying = Stripe::new(Mutex::new(statuses));
    let url = stripe(held["reservationId"].clone(), &trying).await;
    let world = world.with_provider("stripe", &url);
    let declined = json!({
        "id": "pi_1", "object": "payment_intent", "amount": REGULAR, "currency": "inr",
        "status": "requires_payment_method",
        "metadata": {"reservation_id": held["reservationId"]},
    });
    tell(&world, "payment_intent.payment_failed", declined).await;
    assert_eq!(world.payments(), [("FAILED".to_owned(), None)]);
    let waiting = world.confirm("ann", "t1", "pi_1").await.expect(202);
    assert_eq!(waiting["payment"], json!({"status": "PENDING", "reference": "pi_1"}));
    trying.lock().unwrap().intent = "succeeded";
    world.confirm("ann", "t1", "pi_1").await.expect(200);
    balance(&world, REGULAR);
}
