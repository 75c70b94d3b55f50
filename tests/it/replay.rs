//! Repetitions and faults on the wire: the first answer stands.

use chrono::TimeDelta;
use domain::show::{PriceList, Status};

use crate::cinema::movie;
use crate::wire::Fault;
use crate::world::{HOLD_SECS, World};

#[tokio::test]
async fn a_repeated_hold_answers_as_the_first_did() {
    let world = World::new().await;
    let first = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(10));
    let again = world.hold("ann", &["A2", "A1"], "t1").await.expect(201);
    assert_eq!(again, first, "never with a later end, whatever the order of the seats");
    assert_eq!(world.items(&world.tables.reservations).len(), 1);
}

#[tokio::test]
async fn a_repeated_hold_is_answered_with_what_became_of_it() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    assert_eq!(world.hold("ann", &["A1"], "t1").await.expect(201), booked);

    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    assert_eq!(world.hold("ann", &["A1"], "t1").await.problem(409), "already_cancelled");

    world.hold("ann", &["A2"], "t2").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    assert_eq!(world.hold("ann", &["A2"], "t2").await.problem(409), "hold_expired");
}

#[tokio::test]
async fn the_same_token_for_something_else_is_refused() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    for seats in [&["A1"][..], &["A1", "A3"], &["B1", "B2"]] {
        assert_eq!(world.hold("ann", seats, "t1").await.problem(422), "hold_token_reused");
    }
    let elsewhere = world.hold_of("ann", "show-2", &["A1", "A2"], "t1").await;
    assert_eq!(elsewhere.problem(422), "hold_token_reused");
    assert_eq!(world.seat("B1").await, "AVAILABLE");
}

#[tokio::test]
async fn a_repetition_is_answered_after_the_show_closed() {
    let world = World::new().await;
    let first = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.put_show(&movie("inception", "Inception"), |show| show.status = Status::Scheduled).await;
    world.advance(TimeDelta::seconds(6));
    assert_eq!(world.hold("ann", &["A1"], "t1").await.expect(201), first);
    assert_eq!(world.hold("ann", &["A2"], "t1").await.problem(422), "hold_token_reused");
    assert_eq!(world.hold("ann", &["A2"], "t2").await.problem(409), "show_not_on_sale");
}

#[tokio::test]
async fn a_repetition_is_answered_after_its_seats_stopped_selling() {
    let world = World::new().await;
    let first = world.hold("ann", &["C1"], "t1").await.expect(201);
    world
        .put_show(&movie("inception", "Inception"), |show| {
            let only_regular = [("REGULAR".parse().unwrap(), 45_000)].into();
            show.prices = PriceList::new("INR".parse().unwrap(), only_regular).unwrap();
        })
        .await;
    world.advance(TimeDelta::seconds(6));
    assert_eq!(world.hold("ann", &["C1"], "t1").await.expect(201), first);
    assert_eq!(world.hold("ann", &["C1"], "t2").await.problem(422), "unknown_seats");
}

/// Goal: an answer lost after the write is found again. Method: the SDK's retries find it by
/// their own token; when every one of them is lost too, the client's repetition finds it by key.
#[tokio::test(start_paused = true)]
async fn a_hold_whose_answer_was_lost_is_found_again() {
    for lost in [1, 2, 3] {
        let world = World::new().await;
        world.get("/api/shows/show-1/seats").await.expect(200);
        world.wire.inject("TransactWriteItems", Fault::LoseAnswer, lost);
        let first = world.hold("ann", &["A1", "A2"], "t1").await;
        let status = if lost < 3 { 201 } else { 503 };
        assert_eq!(first.status, status, "{lost} lost");
        assert_eq!(world.wire.faults_left(), 0);
        world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
        assert_eq!(world.items(&world.tables.seats).len(), 2);
    }
}

/// The same for confirm and cancel, with the answers of both the SDK's and our attempts lost.
#[tokio::test]
async fn a_confirmation_and_a_cancellation_whose_answers_were_lost_are_found_again() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(503), "try_again");
    let booked = world.confirm("ann", "t1", &payment).await.expect(200);
    assert_eq!(booked["status"], "CONFIRMED");
    assert_eq!(world.payments(), [("SUCCESS".to_owned(), None)]);

    let id = booked["reservationId"].as_str().unwrap();
    world.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    assert_eq!(world.cancel("ann", id).await.problem(503), "try_again");
    let cancelled = world.cancel("ann", id).await.expect(200);
    assert_eq!(cancelled["payment"]["status"], "REFUND_DUE");
}

#[tokio::test(start_paused = true)]
async fn a_lost_race_is_run_again() {
    let world = World::new().await;
    world.wire.inject("TransactWriteItems", Fault::TransactionConflict, 5);
    world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(world.wire.faults_left(), 0, "five lost races, and the sixth is won");
}

#[tokio::test(start_paused = true)]
async fn a_race_that_is_always_lost_is_no_taken_seat() {
    let world = World::new().await;
    world.wire.inject("TransactWriteItems", Fault::TransactionConflict, 6);
    let answer = world.hold("ann", &["A1"], "t1").await;
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.problem(503), "try_again");
    assert_eq!(world.wire.faults_left(), 0, "the tries are bounded");
    assert_eq!(world.items(&world.tables.seats).len(), 0);
    world.hold("ann", &["A1"], "t1").await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn a_busy_or_absent_table_is_told_as_try_again() {
    let world = World::new().await;
    world.get("/api/shows/show-1/seats").await.expect(200);
    for fault in [Fault::Throttle, Fault::Down] {
        world.wire.inject("TransactWriteItems", fault, 3);
        let answer = world.hold("ann", &["A1"], "t1").await;
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(answer.problem(503), "try_again", "{fault:?}");
        world.wire.inject("Query", fault, 3);
        let answer = world.get("/api/shows/show-1/seats").await;
        assert_eq!(answer.problem(503), "try_again", "{fault:?}");
    }
    world.hold("ann", &["A1"], "t1").await.expect(201);
}

/// Goal: half a judgement is none. Method: in a repetition our own seats refuse; if throttling
/// hides that the reservation refuses too, the seats must not be told as taken by someone else.
#[tokio::test(start_paused = true)]
async fn a_throttled_step_says_nothing_and_is_tried_again() {
    let world = World::new().await;
    let first = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.wire.inject("TransactWriteItems", Fault::ThrottledStep, 2);
    assert_eq!(world.hold("ann", &["A1", "A2"], "t1").await.expect(201), first);
    assert_eq!(world.wire.faults_left(), 0);
}

#[tokio::test]
async fn a_call_that_can_never_work_is_not_told_as_try_again() {
    let world = World::new().await;
    world.get("/api/shows/show-1/seats").await.expect(200);
    world.wire.inject("TransactWriteItems", Fault::AccessDenied, 1);
    assert_eq!(world.hold("ann", &["A1"], "t1").await.problem(500), "internal");
    world.wire.inject("Query", Fault::AccessDenied, 1);
    assert_eq!(world.get("/api/shows/show-1/seats").await.problem(500), "internal");
}
