//! Money that is owed back: the stream of payments, and the provider.

use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};

use crate::books::balance;
use crate::cinema::REGULAR;
use crate::wire::Fault;
use crate::world::World;

/// A cancelled booking, whose money is owed back: its payment.
async fn owed(world: &World) -> String {
    owed_of(world, "A1", "t1").await
}

async fn owed_of(world: &World, seat: &str, token: &str) -> String {
    let booked = world.book("ann", &[seat], token).await;
    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.take_deliveries();
    booked["payment"]["reference"].as_str().unwrap().to_owned()
}

/// The refunds of a payment at the provider.
async fn refunds(world: &World, payment: &str) -> Vec<(u64, String)> {
    let payment = world.at_provider(payment).await;
    let refund = |refund: &Value| {
        (refund["amount"].as_u64().unwrap(), refund["status"].as_str().unwrap().to_owned())
    };
    payment["refunds"].as_array().unwrap().iter().map(refund).collect()
}

fn one_refund() -> Vec<(u64, String)> {
    vec![(REGULAR, "succeeded".to_owned())]
}

#[tokio::test]
async fn what_is_owed_goes_back_and_is_shown() {
    let world = World::new().await;
    let payment = owed(&world).await;
    assert_eq!(balance(&world, REGULAR).refund_due, REGULAR);
    world.refund().await;
    assert_eq!(world.last_line()["refunds_done"], 1);
    assert_eq!(refunds(&world, &payment).await, one_refund());
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
    let list = world.call("ann", "GET", "/api/reservations", Value::Null).await.expect(200);
    assert_eq!(list["items"][0]["payment"], json!({"status": "REFUNDED", "reference": payment}));
}

/// Goal: only what is owed calls the function. Method: what passes the template's filter.
#[tokio::test]
async fn nothing_else_wakes_the_function() {
    let world = World::new().await;
    world.book("bob", &["B1"], "t1").await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
    assert_eq!(world.take_refunds().await.len(), 0);
    let world = World::new().await;
    owed(&world).await;
    let records = world.take_refunds().await;
    assert_eq!(records.len(), 1);
    world.deliver_changes(&records).await;
    assert_eq!(world.take_refunds().await.len(), 0, "and what became of it does not");
}

/// Goal: records come twice, late and in any order, and money goes back once.
#[tokio::test]
async fn a_record_that_comes_twice_or_late_refunds_once() {
    let world = World::new().await;
    let payment = owed(&world).await;
    let records = world.take_refunds().await;
    for _ in 0..3 {
        world.deliver_changes(&[records.clone(), records.clone()].concat()).await;
    }
    assert_eq!(refunds(&world, &payment).await, one_refund());
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
}

/// Goal: the refund was sent and the answer lost, or the function died before it wrote that down: it
/// is found again, not sent again. Method: the write that follows the refund is lost.
#[tokio::test(start_paused = true)]
async fn the_refund_is_sent_and_the_answer_is_lost() {
    let world = World::new().await;
    let payment = owed(&world).await;
    world.wire.inject("TransactWriteItems", Fault::Down, 3);
    world.refund().await;
    assert_eq!(world.wire.faults_left(), 0, "it fell between the refund and the books");
    assert_eq!(refunds(&world, &payment).await, one_refund());
    assert_eq!(balance(&world, REGULAR).refund_due, REGULAR, "the books do not know yet");
    world.refund().await;
    assert_eq!(refunds(&world, &payment).await, one_refund());
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
}

/// Two functions that have the same record at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_refunds_at_once_are_one() {
    for _ in 0..10 {
        let world = World::new().await;
        let payment = owed(&world).await;
        let records = world.take_refunds().await;
        tokio::join!(world.deliver_changes(&records), world.deliver_changes(&records));
        assert_eq!(refunds(&world, &payment).await, one_refund());
        assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
    }
}

#[tokio::test]
async fn the_providers_webhook_may_come_first() {
    let world = World::new().await;
    let payment = owed(&world).await;
    world.give_back(&payment).await;
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    world.process().await;
    assert_eq!(world.last_line()["refunds_done"], 1);
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
    world.refund().await;
    assert_eq!(refunds(&world, &payment).await, one_refund());
}

/// A refund that the provider refuses stays owed. It is not tried again at once: the next refund
/// would fail as well.
#[tokio::test]
async fn a_refund_that_fails_at_the_provider_stays_owed() {
    let world = World::new().await;
    let payment = owed(&world).await;
    world.change(&payment, &json!({"failRefunds": true})).await;
    world.refund().await;
    let line = world.last_line();
    assert_eq!((&line["refunds_done"], &line["refund_failures"]), (&json!(0), &json!(1)));
    assert_eq!(refunds(&world, &payment).await, [(REGULAR, "failed".to_owned())]);
    world.rest().await;
    assert_eq!(balance(&world, REGULAR).refund_due, REGULAR);
}

/// Goal: bounded retries. Method: nobody is at the provider's address; the pump gives up as Lambda
/// does, by the template's `MaximumRetryAttempts`, and the payment is still owed.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_is_asked_again_but_not_for_ever() {
    let world = World::new().await;
    owed(&world).await;
    let away = world.with_provider_at("http://127.0.0.1:9");
    let mut tries = 0;
    while away.refund_once().await == 0 {
        tries += 1;
        assert!(tries < 20, "for ever");
    }
    assert_eq!(tries, 5, "and once before them");
    assert_eq!(balance(&world, REGULAR).refund_due, REGULAR);
}

/// Goal: all parts together are the whole, whatever each one's event says. Method: two halves by hand.
#[tokio::test]
async fn two_halves_that_went_back_by_hand_end_the_booking() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let payment = booked["payment"]["reference"].as_str().unwrap();
    for _ in 0..2 {
        assert_eq!(balance(&world, REGULAR).confirmed, REGULAR);
        world.give_back_some(payment, REGULAR / 2).await;
        world.take_deliveries();
        let half = json!({"refund": {
            "provider": "sandbox", "reference": payment, "refund": "done",
            "money": {"amount": REGULAR / 2, "currency": "INR"},
        }});
        world.enqueue(&half.to_string()).await;
        world.process().await;
    }
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
    assert_eq!(world.seat("A1").await, "AVAILABLE");
}

/// A part that went back by hand is a gesture, and not the end of a booking; the rest goes back if
/// the booking is cancelled.
#[tokio::test]
async fn a_part_that_went_back_by_hand_changes_nothing() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let payment = booked["payment"]["reference"].as_str().unwrap();
    world.give_back_some(payment, 5_000).await;
    world.rest().await;
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR);
    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.rest().await;
    assert_eq!(world.at_provider(payment).await["refundedAmount"], REGULAR);
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
}

/// Goal: of a batch, whatever failed comes again. Method: two refunds fail, and Lambda goes on from
/// the record that is named.
#[tokio::test(start_paused = true)]
async fn a_batch_comes_again_from_the_first_record_that_failed() {
    let world = World::new().await;
    owed(&world).await;
    owed_of(&world, "A2", "t2").await;
    let records = world.take_refunds().await;
    let away = world.with_provider_at("http://127.0.0.1:9");
    let function = local::functions::by_id("RefundPayments", &away.app).unwrap();
    let event = LambdaEvent::new(json!({"Records": records}), Context::default());
    let answer = function(event).await.unwrap();
    let first = &records[0]["dynamodb"]["SequenceNumber"];
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": first}]}));
    assert_eq!(records.len(), 2);
}
