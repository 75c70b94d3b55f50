//! Payment events from the queue: whatever comes, in whatever order, how often ever.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use domain::show::Status;
use lambda_http::{Context, LambdaEvent};
use local::sandbox::Delivery;
use serde_json::{Value, json};

use crate::books::{audit, balance, text};
use crate::cinema::{REGULAR, movie};
use crate::wire::Fault;
use crate::world::{HOLD_SECS, World};

/// What is the matter with a reservation before its payment is heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matter {
    Nothing,
    HoldOver,
    SeatTaken,
    Cancelled,
    PaidBefore,
    WrongAmount,
    ShowCancelled,
    ShowBegun,
    NoSuchReservation,
}

const MATTERS: [Matter; 9] = [
    Matter::Nothing,
    Matter::HoldOver,
    Matter::SeatTaken,
    Matter::Cancelled,
    Matter::PaidBefore,
    Matter::WrongAmount,
    Matter::ShowCancelled,
    Matter::ShowBegun,
    Matter::NoSuchReservation,
];

/// A seat of its own for each order, of the 36 there are.
fn seat(number: usize) -> String {
    format!("{}{}", char::from(b'A' + u8::try_from(number / 12).unwrap()), number % 12 + 1)
}

fn orders(kinds: &[&'static str]) -> Vec<Vec<&'static str>> {
    if kinds.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (position, first) in kinds.iter().enumerate() {
        let rest: Vec<_> = [&kinds[..position], &kinds[position + 1..]].concat();
        for mut order in orders(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

fn event(kind: &str, payment: &str, reservation: &str, amount: u64) -> Delivery {
    let body = json!({
        "type": kind,
        "timestamp": "2026-11-22T06:30:00.000Z",
        "data": {
            "paymentReference": payment, "reservationId": reservation,
            "amount": amount, "currency": "INR", "status": "whatever", "refundedAmount": 0,
        },
    });
    Delivery { id: format!("msg_{kind}"), body: body.to_string(), delay: Duration::ZERO }
}

/// One hold for each order, all with the same thing the matter.
async fn prepare(world: &World, matter: Matter, count: usize) -> Vec<Value> {
    let mut held = Vec::new();
    for number in 0..count {
        let (user, seat) = (format!("user-{number}"), seat(number));
        let hold = world.hold(&user, &[&seat], "t").await.expect(201);
        let id = hold["reservationId"].as_str().unwrap();
        match matter {
            Matter::Cancelled => drop(world.cancel(&user, id).await.expect(200)),
            Matter::PaidBefore => {
                let payment = world.pay(&hold, "succeed").await;
                world.confirm(&user, "t", &payment).await.expect(200);
            }
            _later => {}
        }
        held.push(hold);
    }
    match matter {
        Matter::HoldOver => world.advance(TimeDelta::seconds(HOLD_SECS)),
        Matter::ShowBegun => world.advance(TimeDelta::days(1)),
        Matter::SeatTaken => {
            world.advance(TimeDelta::seconds(HOLD_SECS));
            for number in 0..count {
                world.hold("bob", &[&seat(number)], &format!("t{number}")).await.expect(201);
            }
        }
        Matter::ShowCancelled => {
            let inception = movie("inception", "Inception");
            world.put_show(&inception, |show| show.status = Status::Cancelled).await;
            world.advance(TimeDelta::seconds(6));
        }
        _there_already => {}
    }
    world.take_deliveries();
    held
}

/// What is stored of an order's payment, reservation and seat, without the names that are its own.
fn end_of(world: &World, number: usize, reservation: &str) -> Value {
    let find = |table: &str, end: &str| {
        let items = world.items(table);
        let mut item = items.into_iter().find(|item| text(item, "pk").ends_with(end))?;
        let its_own = ["pk", "user_id", "email", "seats", "reservation_id", "payment_reference"];
        let item = item.as_object_mut()?;
        item.retain(|name, _| !its_own.contains(&name.as_str()));
        // Which of the shards a payment is in depends on its reference.
        for name in ["check_shard", "show_shard"] {
            if let Some(shard) = item.get_mut(name) {
                *shard = json!(shard["S"].as_str()?.split('#').next()?);
            }
        }
        Some(item.clone())
    };
    let seats = world.items(&world.tables.seats);
    let sort_key = format!("SEAT#{}", seat(number));
    let seat = seats.iter().find(|item| text(item, "sk") == sort_key);
    json!({
        "payment": find(&world.tables.payments, &format!("#pay-{number}")),
        "reservation": find(&world.tables.reservations, reservation),
        "seat": seat.map(|seat| text(seat, "seat_status")),
        "is_ours": seat.map(|seat| text(seat, "reservation_id") == reservation),
    })
}

/// Goal: the order of a payment's events does not matter, and neither do repetitions. Method: every
/// order of every set of the four things that can happen, a reservation for each, with repetitions
/// and a failed refund thrown in; whatever is the matter, all orders of a set end the same.
#[tokio::test]
async fn every_order_of_a_payments_events_ends_the_same() {
    let sets: [&[&'static str]; 4] = [
        &["payment.processing", "payment.failed", "payment.succeeded", "payment.refunded"],
        &["payment.processing", "payment.failed", "payment.succeeded"],
        &["payment.processing", "payment.failed"],
        &["payment.succeeded", "payment.refunded"],
    ];
    for matter in MATTERS {
        for set in sets {
            let world = World::new().await.with_limits("held_seats=100");
            let orders = orders(set);
            let held = prepare(&world, matter, orders.len()).await;
            let mut ends = BTreeSet::new();
            for (number, order) in orders.iter().enumerate() {
                let payment = format!("pay-{number}");
                let id = held[number]["reservationId"].as_str().unwrap();
                let named = if matter == Matter::NoSuchReservation { "nobody" } else { id };
                let amount =
                    if matter == Matter::WrongAmount { 1 } else { held_amount(&held[number]) };
                let mut told = order.clone();
                if set.contains(&"payment.succeeded") {
                    told.insert(fastrand::usize(..=told.len()), "refund.failed");
                }
                for _ in 0..2 {
                    let again = told[fastrand::usize(..told.len())];
                    told.insert(fastrand::usize(..=told.len()), again);
                }
                for kind in &told {
                    world.tell(&event(kind, &payment, named, amount)).await.expect(200);
                    if fastrand::bool() {
                        world.process().await;
                    }
                }
                world.process().await;
                audit(&world, &format!("{matter:?} {told:?}"));
                ends.insert(end_of(&world, number, id).to_string().replace(&seat(number), "SEAT"));
            }
            assert_eq!(ends.len(), 1, "{matter:?} {set:?}: {ends:#?}");
            let end: Value = serde_json::from_str(ends.first().unwrap()).unwrap();
            assert_eq!(end["payment"]["payment_status"]["S"], status_of(matter, set), "{matter:?}");
            assert_eq!(world.queues.depth("PaymentEventsFailed"), 0);
        }
    }
}

/// What each seat of the hall costs is on the hold.
fn held_amount(hold: &Value) -> u64 {
    hold["amount"]["amount"].as_u64().unwrap()
}

fn status_of(matter: Matter, set: &[&str]) -> Value {
    let came = set.contains(&"payment.succeeded");
    if set.contains(&"payment.refunded") {
        return json!("REFUNDED");
    }
    match matter {
        Matter::NoSuchReservation if !came => Value::Null,
        _any if !came => json!("FAILED"),
        Matter::Nothing | Matter::HoldOver => json!("SUCCESS"),
        Matter::NoSuchReservation => json!("PARKED"),
        _obstacle => json!("REFUND_DUE"),
    }
}

/// Goal: killed after the settlement and before SQS was told, nothing is lost and nothing done twice.
/// Method: what the function answers is thrown away, and the message comes again in its time.
#[tokio::test]
async fn the_processor_dies_after_settling_and_before_the_delete() {
    for cancelled in [false, true] {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        world.pay(&held, "succeed").await;
        for delivery in world.take_deliveries() {
            world.tell(&delivery).await.expect(200);
        }
        let waiting = world.queues.depth("PaymentEvents");
        let messages = world.queues.bodies("PaymentEvents");
        world.deliver_and_die("ProcessPaymentEvents", &messages).await;
        assert_eq!(world.queues.depth("PaymentEvents"), waiting, "they are still there");
        assert_eq!(balance(&world, REGULAR).confirmed, REGULAR, "settled all the same");
        if cancelled {
            world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
        }
        let before = world.items(&world.tables.payments);
        world.process().await;
        assert_eq!(world.items(&world.tables.payments), before, "nothing is done twice");
        assert_eq!(world.queues.depth("PaymentEvents"), 0);
    }
}

/// Goal: what fails comes again, five times, and then waits for a person; what is beside it does not.
#[tokio::test]
async fn a_message_that_cannot_be_settled_waits_for_a_person() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.enqueue("{\"no\": \"event of ours\"}").await;
    world.pay(&held, "succeed").await;
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    for attempt in 1..=5 {
        world.process().await;
        assert_eq!(world.queues.depth("PaymentEvents"), 1, "attempt {attempt}");
        world.advance(TimeDelta::seconds(361));
    }
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR, "the others are settled");
    world.process().await;
    assert_eq!(world.queues.depth("PaymentEvents"), 0);
    assert_eq!(world.queues.bodies("PaymentEventsFailed"), ["{\"no\": \"event of ours\"}"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_meets_a_busy_table_comes_again() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    world.wire.inject("GetItem", Fault::Throttle, 3 * 2);
    world.process().await;
    assert_eq!(world.wire.faults_left(), 0);
    assert_eq!(balance(&world, 0).confirmed, 0);
    world.advance(TimeDelta::seconds(361));
    world.process().await;
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR);
}

/// Goal: money for nobody is kept, counted and told, and finds its way if somebody says what it is for.
#[tokio::test]
async fn money_for_no_reservation_that_we_know_is_parked() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let id = held["reservationId"].as_str().unwrap();
    let stray = event("payment.succeeded", "stray", "nobody", REGULAR);
    world.tell(&stray).await.expect(200);
    world.process().await;
    assert_eq!(balance(&world, REGULAR).parked, REGULAR);
    assert_eq!(world.last_line()["payments_parked"], 1);
    world.tell(&stray).await.expect(200);
    world.process().await;
    assert_eq!(world.last_line()["payments_parked"], 0, "counted once");

    let away = world.with_provider_at("http://127.0.0.1:9");
    let waiting = away.confirm("ann", "t1", "stray").await.expect(202);
    assert_eq!(waiting["payment"], json!({"status": "PENDING", "reference": "stray"}));
    let failed = event("payment.failed", "stray", id, REGULAR);
    world.tell(&failed).await.expect(200);
    world.process().await;
    assert_eq!(balance(&world, REGULAR).parked, REGULAR, "it is here, whatever is said later");
    let now_named = event("payment.succeeded", "stray", id, REGULAR);
    world.tell(&now_named).await.expect(200);
    world.process().await;
    assert_eq!(balance(&world, REGULAR).confirmed, REGULAR);
}

/// Goal: a message is not begun that could be cut off in the middle, which would fail its whole batch.
/// Method: the function is called when little of its time is left.
#[tokio::test]
async fn a_message_that_there_is_no_time_for_is_given_back() {
    let world = World::new().await;
    let function = local::functions::by_id("ProcessPaymentEvents", &world.app).unwrap();
    let stray = json!({"payment": {
        "provider": "sandbox", "reference": "stray",
        "outcome": {"known": {
            "reservation_id": "nobody", "money": {"amount": 5, "currency": "INR"},
            "progress": "captured",
        }},
    }});
    let event = json!({"Records": [{"messageId": "m1", "body": stray.to_string()}]});
    for (left_secs, given_back, parked) in
        [(20, json!([{"itemIdentifier": "m1"}]), 0), (21, json!([]), 5)]
    {
        let mut context = Context::default();
        let deadline = world.now() + TimeDelta::seconds(left_secs);
        context.deadline = deadline.timestamp_millis().unsigned_abs();
        let answer = function(LambdaEvent::new(event.clone(), context)).await.unwrap();
        assert_eq!(answer["batchItemFailures"], given_back, "{left_secs} s left");
        assert_eq!(balance(&world, parked).parked, parked);
    }
}
