//! The line that each invocation logs, with its metrics.

use chrono::TimeDelta;
use domain::limits::{REFUND_CHECK_AFTER_SECS, REFUND_OVERDUE_AFTER_SECS};
use serde_json::{Value, json};

use crate::engine::only_embedded;
use crate::wire::Fault;
use crate::world::{HOLD_SECS, World};

/// The value of a metric in the last line, if the line declares it.
fn metric(world: &World, name: &str) -> Option<Value> {
    let line = world.last_line();
    let declared = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    declared.iter().any(|metric| metric["Name"] == name).then(|| line[name].clone())
}

#[tokio::test]
async fn a_booking_is_counted_with_the_time_it_took() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(metric(&world, "round_trips"), Some(json!(3)), "show, layout, hold");
    if only_embedded("capacity is what DynamoDB's rules say, which other engines do not follow") {
        assert_eq!(metric(&world, "write_units"), Some(json!(6.0)));
    }
    let payment = world.pay(&held, "succeed").await;
    world.advance(TimeDelta::milliseconds(2_500));
    world.confirm("ann", "t1", &payment).await.expect(200);
    assert_eq!(metric(&world, "reservation_success"), Some(json!(1)));
    assert_eq!(metric(&world, "reservation_time"), Some(json!(2_500)));
    let line = world.last_line();
    assert_eq!((&line["user_id"], &line["show_id"]), (&json!("ann"), &json!("show-1")));
    assert_eq!((&line["hold_token"], &line["request_id"]), (&json!("t1"), &json!("request-1")));

    world.confirm("ann", "t1", &payment).await.expect(200);
    assert_eq!(metric(&world, "reservation_success"), Some(json!(0)), "a repetition is none");
    world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
    assert_eq!(metric(&world, "refunds"), Some(json!(1)));
}

#[tokio::test]
async fn a_lost_seat_and_a_late_payment_are_counted() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.hold("bob", &["A1", "A2", "A3"], "t1").await.expect(409);
    assert_eq!(metric(&world, "seat_reservation_conflicts"), Some(json!(2)));
    assert_eq!(world.last_line()["code"], "seats_unavailable");
    let payment = world.pay(&held, "succeed").await;
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.confirm("ann", "t1", &payment).await.expect(409);
    assert_eq!(metric(&world, "payments_late"), Some(json!(1)));
    assert_eq!(metric(&world, "refunds"), Some(json!(1)));
}

#[tokio::test(start_paused = true)]
async fn lost_races_and_lost_answers_are_counted() {
    let world = World::new().await;
    world.wire.inject("TransactWriteItems", Fault::TransactionConflict, 2);
    world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(metric(&world, "transaction_conflicts"), Some(json!(2)));
    assert_eq!(metric(&world, "seat_lock_failures"), None);
    for fault in [Fault::TransactionConflict, Fault::Down] {
        world.wire.inject("TransactWriteItems", fault, if fault == Fault::Down { 3 } else { 6 });
        world.hold("ann", &["A2"], "t2").await.expect(503);
        assert_eq!(metric(&world, "seat_lock_failures"), Some(json!(1)), "{fault:?}");
    }
}

#[tokio::test]
async fn the_first_call_of_a_sandbox_is_a_cold_start() {
    let world = World::new().await;
    let mut starts = Vec::new();
    for (seat, token) in [("A1", "t1"), ("A2", "t2")] {
        world.hold("ann", &[seat], token).await.expect(201);
        starts.push(metric(&world, "cold_starts"));
    }
    let world = world.cold();
    world.hold("ann", &["A3"], "t3").await.expect(201);
    starts.push(metric(&world, "cold_starts"));
    assert_eq!(starts, [Some(json!(1)), None, Some(json!(1))]);
}

/// Goal: whoever buys and is not served is counted, and nobody else: a verdict is an answer.
#[tokio::test]
async fn what_sells_is_counted_with_what_fails_of_it() {
    let world = World::new().await;
    let sold = |world: &World| {
        ["selling_requests", "selling_failures", "holds"].map(|name| metric(world, name))
    };
    let [none, one] = [0, 1].map(|count| Some(json!(count)));
    world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(sold(&world), [one.clone(), none.clone(), one.clone()]);
    world.hold("bob", &["A1"], "t1").await.expect(409);
    assert_eq!(sold(&world), [one.clone(), none.clone(), none.clone()]);
    assert_eq!(metric(&world, "internal_errors"), None);

    world.wire.inject("TransactWriteItems", Fault::AccessDenied, 1);
    world.hold("bob", &["A2"], "t2").await.expect(500);
    assert_eq!(sold(&world), [one.clone(), one.clone(), none.clone()]);
    assert_eq!(metric(&world, "internal_errors"), one);

    world.checkout("ann", "t1").await.expect(200);
    assert_eq!(sold(&world), [one.clone(), none.clone(), None]);
    world.confirm("bob", "t1", "nothing").await.expect(404);
    assert_eq!(sold(&world), [one, none, None]);
    world.get("/api/cities").await.expect(200);
    assert_eq!(sold(&world), [None, None, None], "nobody buys there");
}

/// Goal: no flood of strangers hides that nobody can buy. Method: everybody who is turned away, for want
/// of a token, of a role, of patience.
#[tokio::test]
async fn who_is_turned_away_does_not_count_as_a_buyer() {
    let world = World::new().await;
    let path = "/api/reservations/hold";
    let hold = json!({"showId": "show-1", "seatIds": ["A1"], "holdToken": "t1"});
    let sold = |world: &World| {
        ["selling_requests", "selling_failures", "holds"].map(|name| metric(world, name))
    };
    let nothing = [0, 0, 0].map(|count| Some(json!(count)));
    world.raw("POST", path, &[], &hold.to_string()).await.expect(401);
    assert_eq!(sold(&world), nothing);
    world.admin("POST", path, hold).await.expect(403);
    assert_eq!(sold(&world), nothing);
    let world = world.with_limits("hold=1/60");
    world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(sold(&world), [1, 0, 1].map(|count| Some(json!(count))));
    world.hold("ann", &["A2"], "t2").await.expect(429);
    assert_eq!(sold(&world), nothing);
}

#[tokio::test]
async fn webhooks_are_counted_by_whether_they_are_believed() {
    let world = World::new().await;
    let told = |world: &World| ["webhooks_taken", "webhooks_refused"].map(|of| metric(world, of));
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
        assert_eq!(told(&world), [1, 0].map(|count| Some(json!(count))));
    }
    world.webhook("sandbox", &[], "{}").await.expect(400);
    assert_eq!(told(&world), [0, 1].map(|count| Some(json!(count))));
}

/// Goal: a refund that does not get through is told of until it does, by every run of the schedule: also
/// by those that do not try it.
#[tokio::test]
async fn a_refund_that_is_owed_for_a_day_is_overdue() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let payment = booked["payment"]["reference"].as_str().unwrap();
    world.change(payment, &json!({"failRefunds": true})).await;
    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    let owed_at = world.now();
    world.refund().await;

    let (mut overdue, mut tries) = (Vec::new(), 0);
    let a_day = TimeDelta::seconds(REFUND_OVERDUE_AFTER_SECS);
    let moments = [a_day / 2, a_day - TimeDelta::milliseconds(1), a_day, a_day * 5 / 4];
    for after in moments {
        world.set_now(owed_at + after);
        world.reconcile().await.unwrap();
        overdue.push(world.last_line()["refunds_overdue"].as_u64().unwrap());
        tries += world.last_line()["refund_failures"].as_u64().unwrap();
    }
    assert_eq!((overdue, tries), (vec![0, 0, 1, 1], 2), "the second and last one found it put off");

    world.change(payment, &json!({"failRefunds": false})).await;
    world.advance(a_day);
    world.reconcile().await.unwrap();
    assert_eq!(metric(&world, "refunds_done"), Some(json!(1)));
    assert_eq!(metric(&world, "refunds_overdue"), Some(json!(0)));
}

/// Goal: nobody who waits for money is forgotten for others. Method: more new refunds than a run looks at,
/// all of them to be looked at before the old one.
#[tokio::test]
async fn a_flood_of_new_refunds_hides_no_overdue_one() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let payment = booked["payment"]["reference"].as_str().unwrap();
    world.change(payment, &json!({"failRefunds": true})).await;
    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.refund().await;
    world.advance(TimeDelta::seconds(REFUND_OVERDUE_AFTER_SECS));
    world.reconcile().await.unwrap();
    assert_eq!(metric(&world, "refunds_overdue"), Some(json!(1)));

    let overdue = world.items(&world.tables.payments).remove(0);
    let check_at = world.now() + TimeDelta::seconds(REFUND_CHECK_AFTER_SECS);
    let [now, check_at] = [world.now(), check_at].map(domain::time::text);
    assert!(overdue["check_at"]["S"].as_str().unwrap() > check_at.as_str(), "it was put off");
    for number in 1..=50 {
        let mut new = overdue.clone();
        new["pk"] = json!({"S": format!("PAYMENT#sandbox#new-{number}")});
        new["updated_at"] = json!({"S": now});
        new["check_at"] = json!({"S": check_at});
        world.db.put(&world.tables.payments, &new);
    }
    world.advance(TimeDelta::minutes(5));
    world.reconcile().await.unwrap();
    assert_eq!(metric(&world, "refunds_overdue"), Some(json!(1)));
}

/// Goal: what there is an alarm on is counted once more, whatever function it comes from.
/// `monitoring.rs` compares these with the alarms.
#[tokio::test]
async fn what_is_alarming_is_counted_over_all_functions() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let second = world.pay(&booked, "succeed").await;
    world.confirm("ann", "t1", &second).await.expect(409);
    let mut counted = vec![alarming(&world)];
    world.change(&second, &json!({"failRefunds": true})).await;
    world.refund().await;
    counted.push(alarming(&world));
    world.reconcile().await.unwrap();
    counted.push(alarming(&world));
    let expected = [
        json!({"selling_requests": 1, "selling_failures": 0, "payments_late": 0,
            "payments_misdirected": 1}),
        json!({"refund_failures": 1}),
        json!({"payments_late": 0, "refund_failures": 0, "parked_now": 0, "refunds_overdue": 0}),
    ];
    assert_eq!(counted, expected);
}

/// What the last line counts under the dimension that all functions share.
fn alarming(world: &World) -> Value {
    let line = world.last_line();
    let shared = &line["_aws"]["CloudWatchMetrics"][1];
    assert_eq!(shared["Dimensions"], json!([["service"]]));
    assert_eq!(line["service"], "marquee");
    let names = shared["Metrics"].as_array().unwrap().iter();
    let names = names.map(|metric| metric["Name"].as_str().unwrap().to_owned());
    names.map(|name| (name.clone(), line[&name].clone())).collect()
}

#[tokio::test]
async fn no_line_holds_a_token() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let line = world.last_line().to_string();
    assert!(!line.contains(&world.token("ann")) && !line.contains("Bearer"), "{line}");
}
