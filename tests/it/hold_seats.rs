//! `POST /api/reservations/hold`.

use serde_json::{Value, json};

use crate::cinema::REGULAR;
use crate::world::{HOLD_SECS, World};

#[tokio::test]
async fn a_hold_has_its_seats_prices_and_end() {
    let world = World::new().await;
    let held = world.hold("ann", &["C1", "A2"], "t1").await.expect(201);
    assert_eq!(held["status"], "PENDING");
    assert_eq!(held["holdToken"], "t1");
    assert_eq!(held["seats"][0]["seatId"], "A2", "ordered by id");
    assert_eq!(held["seats"][0]["price"], json!({"amount": REGULAR, "currency": "INR"}));
    assert_eq!(held["amount"], json!({"amount": REGULAR + 60_000, "currency": "INR"}));
    assert_eq!(held["payment"], Value::Null);
    let end = world.now() + chrono::TimeDelta::seconds(HOLD_SECS);
    assert_eq!(held["holdExpiresAt"], domain::time::text(end));
    assert_eq!(world.seat("A2").await, "HELD");
    assert_eq!(world.seat("A3").await, "AVAILABLE");
}

#[tokio::test]
async fn a_taken_seat_is_told_with_the_seeds_words_and_when_it_may_be_free() {
    let world = World::new().await;
    let first = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let answer = world.hold("bob", &["A2", "A3"], "t1").await.expect(409);
    assert_eq!(answer["code"], "seats_unavailable");
    assert_eq!(
        answer["detail"],
        "Sorry, this seat was just taken by someone else. Please pick another seat."
    );
    let conflict =
        json!([{"seatId": "A2", "status": "HELD", "availableAt": first["holdExpiresAt"]}]);
    assert_eq!(answer["conflicts"], conflict);
    assert_eq!(world.seat("A3").await, "AVAILABLE", "the loser holds nothing");
}

#[tokio::test]
async fn every_seat_that_refused_is_named_with_its_status() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.hold("ann", &["A2"], "t2").await.expect(201);
    world.block("show-1", "MAIN", &["A3"]).await;

    let answer = world.hold("bob", &["A1", "A2", "A3", "A4"], "t").await.expect(409);
    let statuses = answer["conflicts"].as_array().unwrap().iter();
    let statuses: Vec<_> = statuses.map(|c| (c["seatId"].clone(), c["status"].clone())).collect();
    let expected = [("A1", "BOOKED"), ("A2", "HELD"), ("A3", "BLOCKED")];
    assert_eq!(statuses, expected.map(|(seat, status)| (json!(seat), json!(status))));
}

#[tokio::test]
async fn a_show_that_does_not_sell_is_told_apart() {
    let world = World::new().await;
    for (show, status, code) in [
        ("nowhere", 404, "not_found"),
        ("begun", 409, "show_not_on_sale"),
        ("announced", 409, "show_not_on_sale"),
        ("cancelled", 409, "show_cancelled"),
    ] {
        let answer = world.hold_of("ann", show, &["A1"], "t1").await;
        assert_eq!(answer.problem(status), code, "{show}");
    }
    assert_eq!(world.items(&world.tables.seats).len(), 0);
}

#[tokio::test]
async fn one_user_cannot_see_or_block_anothers_token() {
    let world = World::new().await;
    let ann = world.hold("ann", &["A1"], "t1").await.expect(201);
    let bob = world.hold("bob", &["A2"], "t1").await.expect(201);
    assert_ne!(ann["reservationId"], bob["reservationId"]);
}

#[tokio::test]
async fn a_hold_in_an_arena_goes_to_its_section() {
    let world = World::new().await;
    let held = world.hold_of("ann", "arena-show", &["SOUTH-B7", "EAST-A1"], "t1").await.expect(201);
    assert_eq!(held["seats"][1]["seatId"], "SOUTH-B7");
    let partitions: Vec<_> =
        world.items(&world.tables.seats).iter().map(|item| item["pk"]["S"].clone()).collect();
    assert!(partitions.contains(&json!("SHOW#arena-show#SOUTH")), "{partitions:?}");
    let unknown = world.hold_of("ann", "arena-show", &["A1"], "t2").await;
    assert_eq!(unknown.problem(422), "unknown_seats");
}
