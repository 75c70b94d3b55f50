//! Stripe, as far as `.ci/stripe`, which uses an independent stand-in, cannot see it: refunds that
//! take their time.

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

/// The status of the one refund there is, of the one payment there is.
type Refund = Arc<Mutex<&'static str>>;

/// Stripe with one payment, for this reservation, that is on its way back.
async fn stripe(reservation: Value, refund: &Refund) -> String {
    let intent = json!({
        "id": "pi_1", "amount": REGULAR, "amount_received": REGULAR, "currency": "inr",
        "status": "succeeded", "livemode": false,
        "metadata": {"reservation_id": reservation}, "latest_charge": {"refunded": true},
    });
    let refunds = async |State(refund): State<Refund>| {
        let status = *refund.lock().unwrap();
        Json(json!({"data": [{"amount": REGULAR, "currency": "inr", "status": status}]}))
    };
    let router = Router::new()
        .route("/v1/payment_intents/pi_1", get(async move || Json(intent.clone())))
        .route("/v1/refunds", get(refunds))
        .with_state(Arc::clone(refund));
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
        let refund = Refund::new(Mutex::new("pending"));
        let url = stripe(held["reservationId"].clone(), &refund).await;
        let world = world.with_provider("stripe", &url);
        world.confirm("ann", "t1", "pi_1").await.expect(200);
        let charge = json!({
            "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "currency": "inr",
            "amount": REGULAR, "amount_captured": REGULAR, "amount_refunded": REGULAR,
            "refunded": true, "metadata": {"reservation_id": held["reservationId"]},
        });
        tell(&world, "charge.refunded", charge.clone()).await;
        assert_eq!(balance(&world, REGULAR).confirmed, REGULAR, "it may still fail");

        *refund.lock().unwrap() = "succeeded";
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
