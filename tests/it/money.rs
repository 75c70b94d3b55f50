//! Money, and the right outcome: a test for each row of the design that is about payments, under the
//! row's name, through the functions. Each ends with the provider having told everything, the queue
//! and the stream being empty, and the books in balance.

use chrono::TimeDelta;
use domain::show::Status;
use serde_json::{Value, json};

use crate::books::{Money, balance};
use crate::cinema::{REGULAR, movie};
use crate::world::{HOLD_SECS, World};

const NOTHING: Money = Money { confirmed: 0, refund_due: 0, refunded: 0, parked: 0 };
const BOOKED: Money = Money { confirmed: REGULAR, ..NOTHING };
const BACK: Money = Money { refunded: REGULAR, ..NOTHING };

/// A reservation as its customer sees it: status, and the payment's.
async fn shown(world: &World, reservation: &Value) -> (String, String) {
    let path = format!("/api/reservations/{}", reservation["reservationId"].as_str().unwrap());
    let shown = world.call("ann", "GET", &path, Value::Null).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    (text(&shown["status"]), text(&shown["payment"]["status"]))
}

fn both(status: &str, payment: &str) -> (String, String) {
    (status.to_owned(), payment.to_owned())
}

fn reasons(world: &World) -> Vec<String> {
    let mut reasons: Vec<String> =
        world.payments().into_iter().filter_map(|(_, reason)| reason).collect();
    reasons.sort();
    reasons
}

#[tokio::test]
async fn a_payment_that_nobody_confirms() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    assert_eq!(shown(&world, &held).await, both("PENDING", "none"));
    world.rest().await;
    assert_eq!(shown(&world, &held).await, both("CONFIRMED", "SUCCESS"));
    assert_eq!(world.seat("A1").await, "BOOKED");
    assert_eq!(balance(&world, REGULAR), BOOKED);
}

/// Goal: one booking and the same answer. Method: two confirms and the queue at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn confirm_twice_or_beside_the_webhook() {
    for _ in 0..10 {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        let payment = world.pay(&held, "succeed").await;
        for delivery in world.take_deliveries() {
            world.tell(&delivery).await.expect(200);
        }
        let (one, two, ()) = tokio::join!(
            world.confirm("ann", "t1", &payment),
            world.confirm("ann", "t1", &payment),
            world.process()
        );
        assert_eq!(one.expect(200), two.expect(200), "one booking, the same answer");
        world.rest().await;
        assert_eq!(world.payments(), [("SUCCESS".to_owned(), None)]);
        assert_eq!(balance(&world, REGULAR), BOOKED);
    }
}

#[tokio::test]
async fn payment_after_expiry_all_seats_free() {
    for swept in [false, true] {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        world.advance(TimeDelta::seconds(HOLD_SECS));
        if swept {
            world.advance(TimeDelta::seconds(1));
            assert_eq!(world.db.sweep_ttl(), 1);
        }
        world.pay(&held, "succeed").await;
        world.rest().await;
        assert_eq!(shown(&world, &held).await, both("CONFIRMED", "SUCCESS"));
        assert_eq!(world.seat("A1").await, "BOOKED");
        assert_eq!(balance(&world, REGULAR), BOOKED);
    }
}

#[tokio::test]
async fn payment_after_expiry_one_seat_gone() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.hold("bob", &["A2"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    world.pay(&held, "succeed").await;
    world.rest().await;
    assert_eq!(shown(&world, &held).await, both("FAILED", "REFUNDED"));
    assert_eq!(reasons(&world), ["SEATS_TAKEN", "SEATS_TAKEN"], "each once");
    assert_ne!(world.seat("A1").await, "BOOKED", "never half");
    let back = Money { refunded: 4 * REGULAR, ..NOTHING };
    assert_eq!(balance(&world, 4 * REGULAR), back);
}

#[tokio::test]
async fn payment_after_expiry_and_the_show_has_begun() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::days(1));
    world.pay(&held, "succeed").await;
    world.rest().await;
    assert_eq!(reasons(&world), ["SHOW_BEGUN"]);
    assert_eq!(balance(&world, REGULAR), BACK);
}

#[tokio::test]
async fn payment_after_cancel() {
    for confirms in [true, false] {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        let payment = world.pay(&held, "succeed").await;
        world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
        for _ in 0..if confirms { 2 } else { 0 } {
            let answer = world.confirm("ann", "t1", &payment).await;
            assert_eq!(answer.problem(409), "already_cancelled");
        }
        world.rest().await;
        assert_eq!(reasons(&world), ["PAID_AFTER_CANCEL"]);
        assert_eq!(world.seat("A1").await, "AVAILABLE");
        assert_eq!(balance(&world, REGULAR), BACK);
    }
}

#[tokio::test]
async fn a_second_payment() {
    for confirms in [true, false] {
        let world = World::new().await;
        let booked = world.book("ann", &["A1"], "t1").await;
        let second = world.pay(&booked, "succeed").await;
        for _ in 0..if confirms { 2 } else { 0 } {
            let answer = world.confirm("ann", "t1", &second).await;
            assert_eq!(answer.problem(409), "already_confirmed");
        }
        world.rest().await;
        assert_eq!(reasons(&world), ["SECOND_PAYMENT"]);
        let first = booked["payment"]["reference"].as_str().unwrap();
        assert_eq!(world.confirm("ann", "t1", first).await.expect(200), booked);
        let money = balance(&world, 2 * REGULAR);
        assert_eq!((money.confirmed, money.refunded), (REGULAR, REGULAR));
    }
}

#[tokio::test]
async fn a_wrong_amount_or_currency() {
    for confirms in [true, false] {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        for (amount, currency) in [(1, "INR"), (45_001, "INR"), (45_000, "USD")] {
            let wrong = world.pay_amount(&held, &json!(amount), &json!(currency), "succeed").await;
            if confirms {
                let answer = world.confirm("ann", "t1", &wrong).await;
                assert_eq!(answer.problem(422), "payment_mismatch", "{amount} {currency}");
            }
        }
        world.rest().await;
        assert_eq!(reasons(&world), ["WRONG_AMOUNT"; 3]);
        assert_eq!(shown(&world, &held).await.0, "PENDING", "the right money can still book");
        let right = world.pay(&held, "succeed").await;
        world.confirm("ann", "t1", &right).await.expect(200);
        let money = balance(&world, 1 + 45_001 + 45_000 + REGULAR);
        assert_eq!((money.confirmed, money.refund_due), (REGULAR, 0));
    }
}

#[tokio::test]
async fn failed_then_captured() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.checkout("ann", "t1").await.expect(200);
    let payment = &world.references()[0];
    world.payer_pays(payment, "fail").await;
    world.rest().await;
    assert_eq!(shown(&world, &held).await, both("PENDING", "FAILED"));
    assert_eq!(world.confirm("ann", "t1", payment).await.problem(402), "payment_failed");
    world.payer_pays(payment, "succeed").await;
    world.rest().await;
    assert_eq!(shown(&world, &held).await, both("CONFIRMED", "SUCCESS"));
    assert_eq!(balance(&world, REGULAR), BOOKED);
}

#[tokio::test]
async fn captured_then_failed() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.checkout("ann", "t1").await.expect(200);
    let payment = &world.references()[0];
    world.payer_pays(payment, "fail").await;
    let failed = world.take_deliveries();
    world.payer_pays(payment, "succeed").await;
    world.rest().await;
    for delivery in failed {
        world.tell(&delivery).await.expect(200);
    }
    world.rest().await;
    assert_eq!(shown(&world, &held).await, both("CONFIRMED", "SUCCESS"));
    assert_eq!(balance(&world, REGULAR), BOOKED);
}

#[tokio::test]
async fn refund_before_capture() {
    for refund_first in [true, false] {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        let payment = world.pay(&held, "succeed").await;
        let captured = world.take_deliveries();
        world.give_back(&payment).await;
        let mut told = world.take_deliveries();
        if refund_first {
            told.extend(captured);
        } else {
            told = captured.into_iter().chain(told).collect();
        }
        for delivery in told {
            world.tell(&delivery).await.expect(200);
            world.process().await;
        }
        world.rest().await;
        assert_eq!(shown(&world, &held).await, both("CANCELLED", "REFUNDED"), "{refund_first}");
        assert_eq!(world.seat("A1").await, "AVAILABLE");
        assert_eq!(balance(&world, REGULAR), BACK);
    }
}

/// What went back is told to whoever confirms, and nothing stays booked for it.
#[tokio::test]
async fn refund_before_confirm() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.give_back(&payment).await;
    for _ in 0..2 {
        assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "already_cancelled");
    }
    assert_eq!(world.seat("A1").await, "AVAILABLE");
    assert_eq!(balance(&world, REGULAR), BACK);
}

#[tokio::test]
async fn duplicate_webhook_also_with_a_new_event_id() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    let told = world.take_deliveries();
    for round in 0..3 {
        for delivery in &told {
            let mut delivery = delivery.clone();
            delivery.id = format!("msg_{round}");
            world.tell(&delivery).await.expect(200);
            world.tell(&delivery).await.expect(200);
        }
        world.rest().await;
    }
    assert_eq!(world.payments(), [("SUCCESS".to_owned(), None)]);
    world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
    for delivery in &told {
        world.tell(delivery).await.expect(200);
    }
    world.rest().await;
    assert_eq!(shown(&world, &held).await, both("CANCELLED", "REFUNDED"), "not booked again");
    assert_eq!(balance(&world, REGULAR), BACK);
}

#[tokio::test]
async fn show_cancelled_while_held() {
    for confirms in [true, false] {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        let payment = world.pay(&held, "succeed").await;
        let inception = movie("inception", "Inception");
        world.put_show(&inception, |show| show.status = Status::Cancelled).await;
        world.advance(TimeDelta::seconds(6));
        assert_eq!(world.checkout("ann", "t1").await.problem(409), "show_cancelled");
        for _ in 0..if confirms { 2 } else { 0 } {
            let answer = world.confirm("ann", "t1", &payment).await;
            assert_eq!(answer.problem(409), "show_cancelled");
        }
        world.rest().await;
        assert_eq!(reasons(&world), ["SHOW_CANCELLED"]);
        assert_eq!(balance(&world, REGULAR), BACK);
    }
}

#[tokio::test]
async fn price_changed_between_hold_and_confirm() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world
        .put_show(&movie("inception", "Inception"), |show| {
            let dearer = [("REGULAR".parse().unwrap(), 99_000)];
            let list = domain::show::PriceList::new("INR".parse().unwrap(), dearer.into());
            show.prices = list.unwrap();
        })
        .await;
    world.advance(TimeDelta::seconds(6));
    let checkout = world.checkout("ann", "t1").await.expect(200);
    assert_eq!(checkout["amount"], held["amount"], "the hold's price");
    let payment = world.pay(&held, "succeed").await;
    let booked = world.confirm("ann", "t1", &payment).await.expect(200);
    assert_eq!(booked["amount"], held["amount"], "the hold's price");
    let other = world.hold("bob", &["A2"], "t1").await.expect(201);
    assert_eq!(other["amount"]["amount"], 99_000, "the new price for a new hold");
    assert_eq!(balance(&world, REGULAR), BOOKED);
}

/// A booking that the customer gives up goes back once, whoever asks for it how often.
#[tokio::test]
async fn a_cancelled_booking() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    for _ in 0..2 {
        world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    }
    assert_eq!(shown(&world, &booked).await, both("CANCELLED", "REFUND_DUE"));
    world.rest().await;
    assert_eq!(shown(&world, &booked).await, both("CANCELLED", "REFUNDED"));
    assert_eq!(balance(&world, REGULAR), BACK);
}
