//! `POST /api/reservations/cancel`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::world::{HOLD_SECS, World};

fn id(reservation: &Value) -> &str {
    reservation["reservationId"].as_str().unwrap()
}

#[tokio::test]
async fn a_hold_that_is_given_up_frees_its_seats_at_once() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let cancelled = world.cancel("ann", id(&held)).await.expect(200);
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(cancelled["cancelledAt"], domain::time::text(world.now()));
    assert_eq!(world.items(&world.tables.seats).len(), 0, "a free seat has no item");
    world.hold("bob", &["A1"], "t1").await.expect(201);
}

#[tokio::test]
async fn a_cancelled_booking_owes_its_money() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1", "A2"], "t1").await;
    let cancelled = world.cancel("ann", id(&booked)).await.expect(200);
    assert_eq!(cancelled["payment"]["status"], "REFUND_DUE");
    let back = ("REFUND_DUE".to_owned(), Some("BOOKING_CANCELLED".to_owned()));
    assert_eq!(world.payments(), [back]);
    assert_eq!(world.items(&world.tables.seats).len(), 0);
}

#[tokio::test]
async fn cancelling_twice_answers_as_the_first_did() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let first = world.cancel("ann", id(&booked)).await.expect(200);
    world.advance(TimeDelta::seconds(30));
    world.wire.take_calls();
    assert_eq!(world.cancel("ann", id(&booked)).await.expect(200), first);
    let mut calls = world.wire.take_calls();
    calls.retain(|call| !call.counts_a_user());
    assert_eq!(calls.len(), 1, "one read, no write");
}

#[tokio::test]
async fn a_booking_can_be_cancelled_until_the_show_begins() {
    let world = World::new().await;
    let (first, second) =
        (world.book("ann", &["A1"], "t1").await, world.book("ann", &["A2"], "t2").await);
    world.advance(TimeDelta::days(1) - TimeDelta::milliseconds(1));
    world.cancel("ann", id(&first)).await.expect(200);
    world.advance(TimeDelta::milliseconds(1));
    assert_eq!(world.cancel("ann", id(&second)).await.problem(409), "cancellation_closed");
    assert_eq!(world.seat("A2").await, "BOOKED");
}

#[tokio::test]
async fn a_hold_that_ended_by_itself_is_not_cancelled() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    assert_eq!(world.cancel("ann", id(&held)).await.problem(409), "hold_expired");
}

#[tokio::test]
async fn only_the_owner_cancels() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(world.cancel("bob", id(&held)).await.problem(404), "not_found");
    assert_eq!(world.cancel("ann", "res-123").await.problem(404), "not_found");
    assert_eq!(world.seat("A1").await, "HELD");
}

/// Goal: giving up a hold never frees somebody else's seat. Method: another function's clock runs
/// ahead, so that A1 was taken over by its clock before the hold ended by ours.
#[tokio::test]
async fn a_seat_that_was_taken_over_by_a_fast_clock_is_left_to_its_new_owner() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let before_the_end = world.now() + TimeDelta::seconds(HOLD_SECS - 1);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.set_now(before_the_end);
    world.cancel("ann", id(&held)).await.expect(200);
    assert_eq!(
        (world.seat("A1").await, world.seat("A2").await),
        ("HELD".into(), "AVAILABLE".into())
    );
    let bobs = world.call("bob", "GET", "/api/reservations", json!(null)).await.expect(200);
    assert_eq!(bobs["items"][0]["status"], "PENDING");
}
