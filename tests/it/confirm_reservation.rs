//! `POST /api/reservations/confirm`.

use chrono::TimeDelta;
use serde_json::json;

use crate::books::balance;
use crate::cinema::REGULAR;
use crate::world::{HOLD_SECS, World};

#[tokio::test]
async fn money_in_time_books_the_seats() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.advance(TimeDelta::milliseconds(1_500));
    let booked = world.confirm("ann", "t1", &payment).await.expect(200);
    assert_eq!(booked["status"], "CONFIRMED");
    assert_eq!(booked["confirmedAt"], domain::time::text(world.now()));
    assert_eq!(booked["payment"], json!({"status": "SUCCESS", "reference": payment}));
    assert_eq!(world.seat("A1").await, "BOOKED");
    let seats = world.items(&world.tables.seats);
    assert!(seats.iter().all(|seat| seat.get("expires_at").is_none()), "nothing for TTL to take");
}

#[tokio::test]
async fn a_failed_payment_leaves_the_hold_for_another_card() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let failed = world.pay(&held, "fail").await;
    assert_eq!(world.confirm("ann", "t1", &failed).await.problem(402), "payment_failed");
    let path = format!("/api/reservations/{}", held["reservationId"].as_str().unwrap());
    let shown = world.call("ann", "GET", &path, json!(null)).await.expect(200);
    assert_eq!(
        (&shown["status"], &shown["payment"]["status"]),
        (&json!("PENDING"), &json!("FAILED"))
    );

    let other = world.pay(&held, "succeed").await;
    let booked = world.confirm("ann", "t1", &other).await.expect(200);
    assert_eq!(booked["payment"]["reference"], other);
}

#[tokio::test]
async fn a_slow_payment_extends_the_hold_once_and_books_when_it_is_there() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let payment = world.pay(&held, "stay_pending").await;
    let waiting = world.confirm("ann", "t1", &payment).await.expect(202);
    assert_eq!(
        (&waiting["status"], &waiting["payment"]["status"]),
        (&json!("PENDING"), &json!("PENDING"))
    );
    let end = world.now() + TimeDelta::seconds(3 * HOLD_SECS);
    assert_eq!(waiting["holdExpiresAt"], domain::time::text(end), "15 minutes in all");

    world.advance(TimeDelta::seconds(HOLD_SECS + 1));
    assert_eq!(world.hold("bob", &["A1"], "t").await.problem(409), "seats_unavailable");
    world.wire.take_calls();
    let again = world.confirm("ann", "t1", &payment).await.expect(202);
    assert_eq!(again["holdExpiresAt"], waiting["holdExpiresAt"], "the end moves once");
    let mut writes = world.wire.take_calls();
    writes.retain(|call| !call.counts_a_user());
    assert!(writes.iter().all(|call| call.operation != "TransactWriteItems"), "nothing to write");

    world.finish(&payment, "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &payment).await.expect(200)["status"], "CONFIRMED");
    assert_eq!(world.payments(), [("SUCCESS".to_owned(), None)]);
}

#[tokio::test]
async fn a_provider_that_is_away_counts_as_working_on_it() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let cut_off = world.with_provider_at(&url);
    let waiting = cut_off.confirm("ann", "t1", &payment).await.expect(202);
    assert_eq!(waiting["payment"]["status"], "PENDING");

    let booked = world.confirm("ann", "t1", &payment).await.expect(200);
    assert_eq!(booked["status"], "CONFIRMED", "and the provider's word counts once it is back");
}

#[tokio::test]
async fn a_payment_for_something_else_is_refused_and_not_forgotten() {
    let world = World::new().await;
    let ann = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.hold("bob", &["A2"], "t1").await.expect(201);
    let anns = world.pay(&ann, "succeed").await;
    assert_eq!(world.confirm("bob", "t1", &anns).await.problem(422), "payment_mismatch");
    assert_eq!(world.confirm("bob", "t1", "no-such").await.problem(422), "payment_mismatch");
    assert_eq!(world.seat("A2").await, "HELD");
    assert_eq!(world.seat("A1").await, "BOOKED", "it is Ann's, whoever brings it");
    world.confirm("ann", "t1", &anns).await.expect(200);
    let nobodys = json!({"reservationId": "nobody", "amount": 5, "currency": "INR"});
    let nobodys = world.order(&nobodys).await;
    assert_eq!(world.confirm("bob", "t1", &nobodys).await.problem(422), "payment_mismatch");
    assert_eq!(balance(&world, REGULAR + 5).parked, 5);
}

#[tokio::test]
async fn somebody_elses_hold_does_not_exist() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    assert_eq!(world.confirm("bob", "t1", &payment).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_slow_payment_for_a_dead_hold_is_kept_in_sight_for_its_refund() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "stay_pending").await;
    world.advance(TimeDelta::seconds(HOLD_SECS));
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "hold_expired");
    assert_eq!(world.payments(), [("PENDING".to_owned(), None)]);

    world.finish(&payment, "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "hold_expired");
    let back = ("REFUND_DUE".to_owned(), Some("HOLD_EXPIRED".to_owned()));
    assert_eq!(world.payments(), [back]);
}

async fn shown(world: &World, user: &str) -> serde_json::Value {
    let mine = world.call(user, "GET", "/api/reservations", json!(null)).await.expect(200);
    mine["items"][0].clone()
}

#[tokio::test]
async fn a_payment_that_was_noted_and_came_to_nothing_is_not_left_pending() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &payment).await.expect(202);
    world.finish(&payment, "fail").await;
    world.advance(TimeDelta::seconds(3 * HOLD_SECS));
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "hold_expired");
    assert_eq!(world.payments(), [("FAILED".to_owned(), None)]);
    assert_eq!(shown(&world, "ann").await["payment"]["status"], "FAILED");
}

#[tokio::test]
async fn a_reference_that_was_noted_and_names_nothing_is_not_left_pending() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let cut_off = world.with_provider_at("http://127.0.0.1:1");
    cut_off.confirm("ann", "t1", "made-up").await.expect(202);
    assert_eq!(world.confirm("ann", "t1", "made-up").await.problem(422), "payment_mismatch");
    assert_eq!(world.payments(), [("FAILED".to_owned(), None)]);
    assert_eq!(shown(&world, "ann").await["payment"]["status"], "FAILED");
}

#[tokio::test]
async fn a_payment_that_comes_after_the_cancellation_is_shown_as_owed_back() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &payment).await.expect(202);
    world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
    world.finish(&payment, "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "already_cancelled");
    let mine = shown(&world, "ann").await;
    assert_eq!(
        (&mine["status"], &mine["payment"]["status"]),
        (&json!("CANCELLED"), &json!("REFUND_DUE"))
    );
}

#[tokio::test]
async fn a_report_that_makes_no_sense_is_no_report() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let too_much = json!(10_u64.pow(13));
    let payment = world.pay_amount(&held, &too_much, &json!("INR"), "succeed").await;
    world.confirm("ann", "t1", &payment).await.expect(202);
    assert_eq!(world.payments(), [("PENDING".to_owned(), None)], "kept in sight");
    let somebodys =
        json!({"reservationId": "a#b", "amount": {"amount": 45_000, "currency": "INR"}});
    let payment = world.pay(&somebodys, "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(422), "payment_mismatch");
}

/// A provider that nobody reaches.
const NOWHERE: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn money_on_its_way_back_is_never_shown_as_awaited_again() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let wrong = world.pay_amount(&held, &json!(1), &json!("INR"), "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &wrong).await.problem(422), "payment_mismatch");
    let cut_off = world.with_provider_at(NOWHERE);
    let again = cut_off.confirm("ann", "t1", &wrong).await;
    assert_eq!(again.problem(422), "payment_mismatch", "the stored reason");
    let mine = shown(&world, "ann").await;
    assert_eq!((&mine["payment"], &mine["holdExpiresAt"]), (&json!(null), &held["holdExpiresAt"]));
}

#[tokio::test]
async fn a_failed_payment_stays_failed_while_the_provider_is_away() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let failed = world.pay(&held, "fail").await;
    assert_eq!(world.confirm("ann", "t1", &failed).await.problem(402), "payment_failed");
    let cut_off = world.with_provider_at(NOWHERE);
    assert_eq!(cut_off.confirm("ann", "t1", &failed).await.problem(402), "payment_failed");
    assert_eq!(shown(&world, "ann").await["payment"]["status"], "FAILED");
}

#[tokio::test]
async fn a_reference_noted_after_the_end_that_names_nothing_is_not_left_pending() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    let cut_off = world.with_provider_at(NOWHERE);
    cut_off.set_now(world.now());
    assert_eq!(cut_off.confirm("ann", "t1", "made-up").await.problem(409), "hold_expired");
    assert_eq!(world.payments(), [("PENDING".to_owned(), None)]);
    assert_eq!(world.confirm("ann", "t1", "made-up").await.problem(422), "payment_mismatch");
    assert_eq!(world.payments(), [("FAILED".to_owned(), None)]);
}

/// Goal: nobody gains or breaks anything with another's payment, even while it cannot be asked
/// whose it is.
#[tokio::test]
async fn anothers_payment_that_was_noted_while_the_provider_was_away_stays_anothers() {
    let world = World::new().await;
    let ann = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.hold("bob", &["A2"], "t1").await.expect(201);
    let anns = world.pay(&ann, "succeed").await;
    let cut_off = world.with_provider_at(NOWHERE);
    cut_off.confirm("bob", "t1", &anns).await.expect(202);
    assert_eq!(world.confirm("ann", "t1", &anns).await.expect(200)["status"], "CONFIRMED");
    assert_eq!(cut_off.confirm("bob", "t1", &anns).await.expect(202)["status"], "PENDING");
    assert_eq!(world.confirm("bob", "t1", &anns).await.problem(422), "payment_mismatch");
    assert_eq!(shown(&world, "bob").await["payment"]["status"], "FAILED", "of his own hold");
    assert_eq!(world.payments(), [("SUCCESS".to_owned(), None)]);

    world.hold("cat", &["A3"], "t1").await.expect(201);
    assert_eq!(cut_off.confirm("cat", "t1", &anns).await.problem(422), "payment_mismatch");
}
