//! `POST /api/payments/webhooks/{provider}`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use local::sandbox::Delivery;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::books::balance;
use crate::cinema::REGULAR;
use crate::wire::Fault;
use crate::world::{WEBHOOK_SECRETS, World};

/// An event of Stripe's about a reservation, as Stripe writes it.
fn intent(kind: &str, reservation: &Value, live: bool) -> String {
    let amount = &reservation["amount"];
    json!({
        "id": "evt_1", "object": "event", "type": kind, "livemode": live,
        "data": {"object": {
            "id": "pi_1", "object": "payment_intent", "status": "succeeded",
            "amount": amount["amount"], "amount_received": amount["amount"], "currency": "inr",
            "metadata": {"reservation_id": reservation["reservationId"]},
        }},
    })
    .to_string()
}

pub(crate) fn hex_hmac(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn stripe_signature(secret: &str, second: i64, body: &str) -> String {
    format!("t={second},v1={}", hex_hmac(secret, &format!("{second}.{body}")))
}

/// Sends a body with a signature that was made for another one, perhaps, at another time.
async fn send(world: &World, sent: &str, signed: &str, secret: &str, age_secs: i64) -> u16 {
    let signature = stripe_signature(secret, world.now().timestamp() - age_secs, signed);
    let answer = world.webhook("stripe", &[("stripe-signature", &signature)], sent).await;
    if answer.status == 400 {
        assert_eq!(answer.body["code"], "invalid_signature");
    }
    answer.status
}

#[tokio::test]
async fn only_what_the_provider_signed_is_queued() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let body = intent("payment_intent.succeeded", &held, false);
    let changed = body.replacen("45000", "45001", 1);
    let parsed: Value = serde_json::from_str(&body).unwrap();
    let spaced = serde_json::to_string_pretty(&parsed).unwrap();
    for (sent, secret, age_secs, what) in [
        (changed.as_str(), "whsec_new", 0, "changed"),
        (&body[..body.len() - 1], "whsec_new", 0, "truncated"),
        (&spaced, "whsec_new", 0, "re-serialised"),
        (&body, "whsec_new", 301, "stale"),
        (&body, "whsec_new", -301, "from the future"),
        (&body, "whsec_other", 0, "by another secret"),
        (&body, "a webhook secret", 0, "by another provider's secret"),
        (&body, "", 0, "by no secret"),
    ] {
        assert_eq!(send(&world, sent, &body, secret, age_secs).await, 400, "{what}");
    }
    assert_eq!(world.webhook("stripe", &[], &body).await.problem(400), "invalid_signature");
    assert_eq!(world.queues.depth("PaymentEvents"), 0, "nothing is queued");
    for (secret, age_secs) in [("whsec_new", 300), ("whsec_old", 0)] {
        assert_eq!(send(&world, &body, &body, secret, age_secs).await, 200);
    }
    world.process().await;
    assert_eq!(world.seat("A1").await, "BOOKED");
    balance(&world, REGULAR);
}

#[tokio::test]
async fn every_provider_has_its_own_way_to_sign() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let stripe = intent("payment_intent.succeeded", &held, false);
    let razorpay = json!({
        "event": "payment.captured",
        "payload": {"payment": {"entity": {
            "id": "pay_1", "amount": REGULAR, "currency": "INR", "status": "captured",
            "notes": {"reservation_id": held["reservationId"]},
        }}},
    });
    let razorpay = razorpay.to_string();
    let signature = hex_hmac(WEBHOOK_SECRETS[3].1, &razorpay);
    let header = [("x-razorpay-signature", signature.as_str())];
    let answer = world.webhook("razorpay", &header, &razorpay).await.expect(200);
    assert_eq!(answer, json!({"event": "payment.captured", "queued": true}));
    assert_eq!(world.webhook("stripe", &header, &razorpay).await.problem(400), "invalid_signature");
    let now = world.now().timestamp();
    let signature = stripe_signature("whsec_new", now, &stripe);
    let header = [("stripe-signature", signature.as_str())];
    assert_eq!(world.webhook("razorpay", &header, &stripe).await.problem(400), "invalid_signature");
    for unknown in ["paypal", "Stripe", "stripe%20"] {
        let answer = world.webhook(unknown, &header, &stripe).await;
        assert_eq!(answer.problem(404), "not_found", "{unknown}");
    }
    world.process().await;
    assert_eq!(world.seat("A1").await, "BOOKED");
}

#[tokio::test]
async fn what_means_nothing_to_us_is_taken_and_not_queued() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let body = intent("customer.created", &held, false);
    let signature = stripe_signature("whsec_new", world.now().timestamp(), &body);
    let answer = world.webhook("stripe", &[("stripe-signature", &signature)], &body).await;
    assert_eq!(answer.expect(200), json!({"event": "customer.created", "queued": false}));
    assert_eq!(world.queues.depth("PaymentEvents"), 0);
    let line = world.last_line();
    assert_eq!(line["event"], "customer.created", "but it is in the log");
    assert!(!line.to_string().contains(&signature), "and its signature is not");
}

#[tokio::test]
async fn what_is_signed_and_cannot_be_read_is_told_so() {
    let world = World::new().await;
    for body in ["", "no json", "{}", "{\"type\": \"payment_intent.succeeded\"}"] {
        let signature = stripe_signature("whsec_new", world.now().timestamp(), body);
        let answer = world.webhook("stripe", &[("stripe-signature", &signature)], body).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body:?}");
    }
    let huge = "x".repeat(64 * 1024 + 1);
    assert_eq!(world.webhook("stripe", &[], &huge).await.problem(413), "payload_too_large");
    assert_eq!(world.queues.depth("PaymentEvents"), 0);
}

#[tokio::test]
async fn test_events_are_refused_where_real_money_moves() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let live = world.with_real_money();
    for (is_live, status) in [(false, 400), (true, 200)] {
        let body = intent("payment_intent.succeeded", &held, is_live);
        let signature = stripe_signature("whsec_new", world.now().timestamp(), &body);
        let answer = live.webhook("stripe", &[("stripe-signature", &signature)], &body).await;
        assert_eq!(answer.status, status, "live: {is_live}");
    }
    let play = Delivery {
        id: "msg_1".to_owned(),
        body: json!({
            "type": "payment.succeeded", "timestamp": "2026-11-22T06:30:00Z",
            "data": {
                "paymentReference": "p", "reservationId": held["reservationId"],
                "amount": REGULAR, "currency": "INR", "status": "succeeded", "refundedAmount": 0,
            },
        })
        .to_string(),
        delay: Duration::ZERO,
    };
    assert_eq!(live.tell(&play).await.problem(400), "invalid_request", "play money is no money");
    assert_eq!(world.queues.depth("PaymentEvents"), 1);
}

/// Goal: providers are answered while `DynamoDB` is not there. Method: every call of it fails.
#[tokio::test(start_paused = true)]
async fn a_throttled_table_keeps_no_provider_waiting() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    let told = world.take_deliveries();
    let world = world.with_provider_at(&world.provider_url);
    world.wire.take_calls();
    for operation in ["GetItem", "Query", "TransactWriteItems"] {
        world.wire.inject(operation, Fault::Throttle, 1_000);
    }
    for delivery in &told {
        world.tell(delivery).await.expect(200);
    }
    assert_eq!(world.wire.take_calls().len(), 0, "it does not touch it");
    world.wire.clear();
    world.process().await;
    assert_eq!(world.seat("A1").await, "BOOKED");
}

/// Goal: what is not on the queue is not told as taken. Method: the queue is not there.
#[tokio::test(start_paused = true)]
async fn a_provider_comes_back_if_the_queue_is_away() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    let told = world.take_deliveries();
    world.queues.remove("PaymentEvents");
    let answer = world.tell(&told[0]).await;
    assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("1"));
    assert_eq!(answer.problem(503), "try_again");
}

/// Goal: the handler dies after the enqueue, before it answers: the provider tells it again, and it
/// has one effect.
#[tokio::test]
async fn the_handler_dies_after_the_enqueue() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    let told = world.take_deliveries();
    for _the_answer_is_lost in 0..3 {
        for delivery in &told {
            world.tell(delivery).await.expect(200);
        }
    }
    assert_eq!(world.queues.depth("PaymentEvents"), 3 * told.len());
    world.process().await;
    assert_eq!(world.payments(), [("SUCCESS".to_owned(), None)]);
    balance(&world, REGULAR);
}

/// API Gateway sends bodies of some content types in Base64; the signature is of the bytes.
#[tokio::test]
async fn a_body_in_base64_is_the_body() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(1));
    let body = intent("payment_intent.succeeded", &held, false);
    let signature = stripe_signature("whsec_new", world.now().timestamp(), &body);
    let path = "/api/payments/webhooks/stripe";
    let headers = [("stripe-signature", signature.as_str())];
    let (route, mut event) = world.event("POST", path, &headers, &BASE64.encode(&body));
    event["isBase64Encoded"] = json!(true);
    world.invoke(&route, event).await.expect(200);
    world.process().await;
    assert_eq!(world.seat("A1").await, "BOOKED");
}

/// Goal: Stripe tells of a refund before its payment, and of the payment it tells nothing: the event
/// waits for its turn. Method: both in the wrong order, on a desk that cannot ask Stripe.
#[tokio::test]
async fn a_refund_that_is_told_of_before_its_payment_waits_for_it() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let refund = json!({
        "type": "refund.updated", "livemode": false,
        "data": {"object": {
            "id": "re_1", "object": "refund", "payment_intent": "pi_1", "status": "succeeded",
            "amount": REGULAR, "currency": "inr",
        }},
    });
    for body in [refund.to_string(), intent("payment_intent.succeeded", &held, false)] {
        assert_eq!(send(&world, &body, &body, "whsec_new", 0).await, 200);
        world.process().await;
    }
    assert_eq!(world.seat("A1").await, "BOOKED");
    world.advance(TimeDelta::seconds(180));
    world.process().await;
    assert_eq!(world.seat("A1").await, "AVAILABLE");
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
}
