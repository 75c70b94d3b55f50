//! The line that each invocation logs, with its metrics.

use chrono::TimeDelta;
use serde_json::{Value, json};

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
    assert_eq!(metric(&world, "write_units"), Some(json!(6.0)));
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

/// Goal: what there is an alarm on in the template is counted, whatever function it comes from.
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
    assert_eq!(
        counted,
        [
            vec![("payments_misdirected".to_owned(), json!(1))],
            vec![("refund_failures".to_owned(), json!(1))],
            vec![("refund_failures".to_owned(), json!(0)), ("parked_now".to_owned(), json!(0))],
        ]
    );
    let alarms = include_str!("../../template.yaml");
    for name in [
        "payments_misdirected",
        "refund_failures",
        "parked_now",
        "cancellation_failures",
        "subscriptions_disabled",
    ] {
        assert!(alarms.contains(&format!("MetricName: {name}")), "no alarm on {name}");
    }
}

/// What the last line counts under the dimension that all functions share.
fn alarming(world: &World) -> Vec<(String, Value)> {
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
