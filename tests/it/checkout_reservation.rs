//! `POST /api/reservations/checkout`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::books::balance;
use crate::cinema::REGULAR;
use crate::world::{HOLD_SECS, World};

#[tokio::test]
async fn a_hold_gets_one_payment_for_exactly_what_it_costs() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "C1"], "t1").await.expect(201);
    let checkout = world.checkout("ann", "t1").await.expect(200);
    assert_eq!(checkout["reservationId"], held["reservationId"]);
    assert_eq!((&checkout["provider"], &checkout["amount"]), (&json!("sandbox"), &held["amount"]));
    let payment = checkout["paymentReference"].as_str().unwrap();
    let there = world.at_provider(payment).await;
    assert_eq!(there["amount"], held["amount"]["amount"]);
    assert_eq!(there["reservationId"], held["reservationId"]);
    assert_eq!(there["payUrl"], checkout["payUrl"]);
    for _ in 0..2 {
        assert_eq!(world.checkout("ann", "t1").await.expect(200), checkout, "a double click");
    }
    assert_eq!(world.payments(), [("PENDING".to_owned(), None)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_checkouts_at_once_are_one_payment() {
    for _ in 0..10 {
        let world = World::new().await;
        world.hold("ann", &["A1"], "t1").await.expect(201);
        let (one, two) = tokio::join!(world.checkout("ann", "t1"), world.checkout("ann", "t1"));
        assert_eq!(one.expect(200), two.expect(200));
        assert_eq!(world.payments().len(), 1);
    }
}

#[tokio::test]
async fn it_extends_the_hold_once() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let end = domain::time::text(world.now() + TimeDelta::seconds(3 * HOLD_SECS));
    for _ in 0..3 {
        world.advance(TimeDelta::seconds(100));
        assert_eq!(world.checkout("ann", "t1").await.expect(200)["holdExpiresAt"], end);
    }
    world.advance(TimeDelta::seconds(HOLD_SECS));
    assert_eq!(world.hold("bob", &["A1"], "t").await.problem(409), "seats_unavailable");
    let payment = &world.references()[0];
    assert_eq!(world.confirm("ann", "t1", payment).await.expect(202)["holdExpiresAt"], end);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    assert_eq!(world.checkout("ann", "t1").await.problem(409), "hold_expired");
    world.hold("bob", &["A1"], "t").await.expect(201);
}

#[tokio::test]
async fn it_is_its_owners_and_only_for_what_is_held() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(world.checkout("bob", "t1").await.problem(404), "not_found");
    assert_eq!(world.checkout("ann", "t2").await.problem(404), "not_found");
    let booked = world.book("ann", &["A2"], "t2").await;
    assert_eq!(world.checkout("ann", "t2").await.problem(409), "already_confirmed");
    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    assert_eq!(world.checkout("ann", "t2").await.problem(409), "already_cancelled");
    assert_eq!(world.payments().iter().filter(|(status, _)| status == "PENDING").count(), 0);
}

#[tokio::test]
async fn who_was_declined_pays_the_same_payment_with_another_card() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let checkout = world.checkout("ann", "t1").await.expect(200);
    let payment = checkout["paymentReference"].as_str().unwrap();
    world.payer_pays(payment, "fail").await;
    world.rest().await;
    let again = world.checkout("ann", "t1").await.expect(200);
    assert_eq!(again, checkout);
    world.payer_pays(payment, "succeed").await;
    let booked = world.confirm("ann", "t1", payment).await.expect(200);
    assert_eq!(booked["payment"], json!({"status": "SUCCESS", "reference": payment}));
    world.rest().await;
    balance(&world, REGULAR);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_is_told_as_such_and_nothing_is_written() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let away = world.with_provider_at("http://127.0.0.1:9");
    let answer = away.checkout("ann", "t1").await;
    assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("1"));
    assert_eq!(answer.problem(503), "try_again");
    assert_eq!(world.payments().len(), 0);
    let path = format!("/api/reservations/{}", held["reservationId"].as_str().unwrap());
    assert_eq!(world.call("ann", "GET", &path, Value::Null).await.expect(200), held);
}
