//! `POST /api/admin/shows/{showId}/cancel`.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use chrono::TimeDelta;
use domain::limits::SWEEP_SETTLES_AFTER_SECS;
use domain::payment::RefundReason;
use serde_json::{Value, json};
use store::CancelError;

use crate::books::balance;
use crate::cinema::{REGULAR, movie};
use crate::wire::Fault;
use crate::world::World;

const CANCEL: &str = "/api/admin/shows/show-1/cancel";
const PROGRESS: &str = "/api/admin/shows/show-1/cancellation";

async fn cancel(world: &World) -> Value {
    world.admin("POST", CANCEL, Value::Null).await.expect(202)
}

#[tokio::test]
async fn a_dry_run_tells_what_would_end_and_ends_nothing() {
    let world = World::new().await;
    world.book("ann", &["A1", "A2"], "t1").await;
    world.book("bob", &["C1"], "t2").await;
    world.hold("cat", &["B1", "B2", "B3"], "t3").await.expect(201);
    world.hold("dan", &["B9"], "t4").await.expect(201);
    let given_up = world.hold("eve", &["B10"], "t5").await.expect(201);
    world.cancel("eve", given_up["reservationId"].as_str().unwrap()).await.expect(200);
    let before = world.items(&world.tables.reservations);
    let plan = world.admin("POST", CANCEL, json!({"dryRun": true})).await.expect(200);
    let total = json!({"amount": 2 * REGULAR + 60_000, "currency": "INR"});
    assert_eq!(
        plan,
        json!({
            "showId": "show-1", "dryRun": true,
            "bookings": 2, "holds": 2, "seats": 7, "refundTotal": total,
        })
    );
    assert_eq!(world.items(&world.tables.reservations), before);
    assert_eq!(world.queues.depth("ShowCancellations"), 0);
    world.admin("GET", PROGRESS, Value::Null).await.expect(404);
    world.hold("fay", &["B11"], "t6").await.expect(201);
}

#[tokio::test]
async fn a_hold_that_lapsed_is_not_counted() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(300));
    let plan = world.admin("POST", CANCEL, json!({"dryRun": true})).await.expect(200);
    assert_eq!((&plan["holds"], &plan["seats"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn sales_stop_at_once() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let answer = cancel(&world).await;
    assert_eq!(answer["status"], "IN_PROGRESS");
    assert_eq!((&answer["requestedBy"], &answer["reservationsLeft"]), (&json!("boss"), &json!(1)));
    assert_eq!(world.hold("bob", &["A2"], "t2").await.problem(409), "show_cancelled");
    assert_eq!(world.checkout("ann", "t1").await.problem(409), "show_cancelled");
    let show = world.get("/api/shows/show-1").await.expect(200);
    assert_eq!(show["status"], "CANCELLED");
}

/// Goal: whoever pays while the show is being cancelled gets their money back. Method: before the sweep
/// came to them, and after; by confirm and by webhook; by functions that had the show in memory.
#[tokio::test]
async fn confirm_during_it_is_refused_and_the_money_goes_back() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let swept = world.hold("bob", &["A2"], "t2").await.expect(201);
    let told = world.hold("cat", &["A3"], "t3").await.expect(201);
    let elsewhere = world.cold();
    cancel(&elsewhere).await;
    let payment = world.pay(&held, "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "show_cancelled");
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "show_cancelled");
    world.sweep().await;
    let payment = world.pay(&swept, "succeed").await;
    assert_eq!(world.confirm("bob", "t2", &payment).await.problem(409), "show_cancelled");
    world.take_deliveries();
    world.pay(&told, "succeed").await;
    world.rest().await;
    assert_eq!(balance(&world, 3 * REGULAR).refunded, 3 * REGULAR);
}

/// Goal: also who confirms in the very moment is told the reason. Method: the show is cancelled and the
/// hold swept between confirm's look at the show and its transaction.
#[tokio::test]
async fn confirm_in_the_very_moment_is_told_that_the_show_is_off() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    let (db, tables) = (world.db.clone(), world.tables.clone());
    let find = |table: &str, pk: &str| {
        world.items(table).into_iter().find(|item| item["pk"]["S"] == pk).unwrap()
    };
    let mut show = find(&tables.catalog, "SHOW#show-1");
    show["show_status"] = json!({"S": "CANCELLED"});
    let id = held["reservationId"].as_str().unwrap();
    let mut swept = find(&tables.reservations, &format!("RESERVATION#{id}"));
    swept["reservation_status"] = json!({"S": "CANCELLED"});
    let calls = AtomicUsize::new(0);
    world.wire.at_each_call(move || {
        // The reservation, the show, the transaction.
        if calls.fetch_add(1, SeqCst) == 2 {
            for (table, item) in [(&tables.catalog, &show), (&tables.reservations, &swept)] {
                db.put(table, item);
            }
        }
    });
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "show_cancelled");
    let back = ("REFUND_DUE".to_owned(), Some("SHOW_CANCELLED".to_owned()));
    assert_eq!(world.payments(), [back]);
    assert_eq!(world.last_line().get("payments_misdirected"), None, "nobody need look");
}

#[tokio::test]
async fn everything_ends_and_each_booking_is_refunded_once() {
    let world = World::new().await.with_holds_of(60 * 60);
    let one = world.book("ann", &["A1", "A2"], "t1").await;
    world.book("bob", &["C1"], "t2").await;
    world.hold("cat", &["B1"], "t3").await.expect(201);
    let other = world.hold_of("dan", "show-2", &["A1"], "t4").await.expect(201);
    cancel(&world).await;
    world.sweep().await;
    world.rest().await;
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    let done = world.admin("GET", PROGRESS, Value::Null).await.expect(200);
    let total = json!({"amount": 2 * REGULAR + 60_000, "currency": "INR"});
    assert_eq!(done["status"], "COMPLETED");
    assert_eq!((&done["bookingsCancelled"], &done["holdsReleased"]), (&json!(2), &json!(1)));
    assert_eq!((&done["refundTotal"], &done["refundedTotal"]), (&total, &total));
    assert_eq!((&done["refundsDone"], &done["refundsDue"]), (&json!(2), &json!(0)));
    assert_eq!(done["reservationsLeft"], 0);
    let path = format!("/api/reservations/{}", one["reservationId"].as_str().unwrap());
    let booking = world.call("ann", "GET", &path, Value::Null).await.expect(200);
    assert_eq!(
        (&booking["status"], &booking["payment"]["status"]),
        (&json!("CANCELLED"), &json!("REFUNDED"))
    );
    let reasons: Vec<_> = world.payments().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, vec![Some("SHOW_CANCELLED".to_owned()); 2]);
    let left = world.items(&world.tables.seats);
    assert_eq!(left.len(), 1, "the other show's: {left:?}");
    world.cancel("dan", other["reservationId"].as_str().unwrap()).await.expect(200);
    assert_eq!(balance(&world, 2 * REGULAR + 60_000).refunded, 2 * REGULAR + 60_000);
}

#[tokio::test]
async fn cancelling_twice_is_one_cancellation() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    let first = cancel(&world).await;
    world.advance(TimeDelta::seconds(30));
    assert_eq!(cancel(&world).await["requestedAt"], first["requestedAt"]);
    for _ in 0..4 {
        world.sweep().await;
        world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    }
    let done = cancel(&world).await;
    assert_eq!((&done["status"], &done["bookingsCancelled"]), (&json!("COMPLETED"), &json!(1)));
    assert_eq!(world.queues.depth("ShowCancellations"), 0, "what is at its end is not begun again");
}

/// A show that was called off before anybody asked for this, with nothing sold.
#[tokio::test]
async fn a_show_that_is_off_already_can_still_be_swept() {
    let world = World::new().await;
    let path = "/api/admin/shows/cancelled/cancel";
    let answer = world.admin("POST", path, Value::Null).await.expect(202);
    assert_eq!(answer["reservationsLeft"], 0);
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    let path = "/api/admin/shows/cancelled/cancellation";
    let done = world.admin("GET", path, Value::Null).await.expect(200);
    assert_eq!(done["status"], "COMPLETED");
}

/// A show that is on sale again after it was cancelled, by whatever mistake.
#[tokio::test]
async fn cancelling_again_stops_sales_again() {
    let world = World::new().await;
    cancel(&world).await;
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    world.put_show(&movie("inception", "Inception"), |_| {}).await;
    let world = world.cold();
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let again = cancel(&world).await;
    assert_eq!((&again["status"], &again["completedAt"]), (&json!("IN_PROGRESS"), &Value::Null));
    assert_eq!(again["reservationsLeft"], 1);
    assert_eq!(world.hold("bob", &["A2"], "t2").await.problem(409), "show_cancelled");
    world.sweep().await;
    let swept = world.admin("GET", PROGRESS, Value::Null).await.expect(200);
    assert_eq!((&swept["holdsReleased"], &swept["reservationsLeft"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_show_can_be_cancelled_until_it_is_over() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.advance(TimeDelta::hours(27) - TimeDelta::milliseconds(1));
    cancel(&world).await;
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.advance(TimeDelta::hours(27));
    for body in [json!({"dryRun": true}), Value::Null] {
        let refused = world.admin("POST", CANCEL, body).await;
        assert_eq!(refused.problem(409), "cancellation_closed");
    }
    assert_eq!(world.seat("A1").await, "BOOKED");
    world.advance(TimeDelta::hours(-2));
    cancel(&world).await;
    world.advance(TimeDelta::hours(5));
    assert_eq!(cancel(&world).await["reservationsLeft"], 1, "it was ordered in time");
    world.sweep().await;
    world.rest().await;
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
}

#[tokio::test]
async fn only_admins_cancel_shows() {
    let world = World::new().await;
    for (method, path) in [("POST", CANCEL), ("GET", PROGRESS)] {
        assert_eq!(world.call("ann", method, path, Value::Null).await.problem(403), "forbidden");
        assert_eq!(world.raw(method, path, &[], "").await.problem(401), "unauthenticated");
    }
    world.hold("ann", &["A1"], "t1").await.expect(201);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let world = World::new().await;
    let nowhere = "/api/admin/shows/nowhere/cancel";
    assert_eq!(world.admin("POST", nowhere, Value::Null).await.problem(404), "not_found");
    let plan = json!({"dryRun": true});
    assert_eq!(world.admin("POST", nowhere, plan).await.problem(404), "not_found");
    for body in [json!({"dryRun": "yes"}), json!({"dry_run": true}), json!([])] {
        let answer = world.admin("POST", CANCEL, body).await;
        assert_eq!(answer.problem(400), "invalid_request");
    }
    world.hold("ann", &["A1"], "t1").await.expect(201);
}

/// Goal: a show is never cancelled without somebody who will sweep it, wherever the function dies.
/// Method: it dies at each of its calls in turn; nobody asks again.
#[tokio::test]
async fn dying_anywhere_leaves_it_not_begun_or_to_be_finished() {
    let mut finished = 0;
    for calls in 0.. {
        let world = World::new().await;
        world.book("ann", &["A1"], "t1").await;
        let alive = world.wire.kill_after(calls, async { drop(cancel(&world).await) }).await;
        if alive {
            break;
        }
        world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
        world.cold().sweep().await;
        let progress = world.admin("GET", PROGRESS, Value::Null).await;
        if progress.status == 200 {
            assert_eq!(progress.body["status"], "COMPLETED", "killed after {calls} calls");
            assert_eq!(progress.body["bookingsCancelled"], 1);
            finished += 1;
        } else {
            let world = world.cold();
            world.hold("bob", &["A2"], "t2").await.expect(201);
        }
    }
    assert!(finished > 0, "it never died after the order");
}

#[tokio::test(start_paused = true)]
async fn with_the_queue_away_nothing_is_cancelled() {
    let world = World::new().await;
    world.queues.remove("ShowCancellations");
    assert_eq!(world.admin("POST", CANCEL, Value::Null).await.problem(503), "try_again");
    world.hold("ann", &["A1"], "t1").await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_given_again() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    assert_eq!(world.admin("POST", CANCEL, Value::Null).await.problem(503), "try_again");
    assert_eq!(cancel(&world).await["reservationsLeft"], 1);
}

/// Goal: a cancellation is ordered of what was seen, or not at all. Method: somebody else ordered it first,
/// or once more, or the show is gone.
#[tokio::test]
async fn an_order_upon_what_was_seen_before_orders_nothing() {
    let world = World::new().await;
    let boss = "boss".to_owned().try_into().unwrap();
    let show = world.store.show(&"show-1".parse().unwrap()).await.unwrap().unwrap();
    let order = async |before| world.store.cancel_show(&show, before, &boss, world.now()).await;
    let first = order(None).await.unwrap().unwrap();
    let second = order(Some(&first)).await.unwrap().unwrap();
    let before = world.items(&world.tables.reservations);
    let version = world.store.show(&show.id).await.unwrap().unwrap().version;
    for seen in [None, Some(&first)] {
        assert_eq!(order(seen).await.unwrap(), None, "{seen:?}");
        assert_eq!(world.items(&world.tables.reservations), before, "{seen:?}");
        assert_eq!(world.store.show(&show.id).await.unwrap().unwrap().version, version);
    }

    let key = json!({"pk": {"S": "SHOW#show-1"}, "sk": {"S": "SHOW"}});
    world.db.delete(&world.tables.catalog, &key);
    assert_eq!(order(Some(&second)).await.unwrap(), None);
    assert_eq!(world.db.get(&world.tables.catalog, &key), Value::Null, "it stays gone");
    assert_eq!(world.items(&world.tables.reservations), before);
}

/// Goal: nothing ends for the house, and nothing is counted, if nobody ordered that. Method: what the sweep
/// and its refunds ask for, without an order.
#[tokio::test]
async fn what_nobody_ordered_is_not_counted() {
    let world = World::new().await;
    let (reason, now) = (RefundReason::ShowCancelled, world.now());
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.book("bob", &["A2"], "t2").await;
    let before = world.items(&world.tables.reservations);
    for item in &before {
        let id = item["pk"]["S"].as_str().unwrap().trim_start_matches("RESERVATION#");
        let stands = world.store.reservation(&id.parse().unwrap()).await.unwrap().unwrap();
        let refused = world.store.cancel(stands, reason, now).await;
        assert!(
            matches!(refused, Err(CancelError::Fault(store::Fault::Corrupt(_)))),
            "{refused:?}"
        );
    }
    let completed = world.store.complete_cancellation(&"show-1".parse().unwrap(), now).await;
    assert!(matches!(completed, Err(store::Fault::Corrupt(_))), "{completed:?}");
    assert_eq!(world.items(&world.tables.reservations), before);

    // A booking that says it ended for the house, and of whose money nobody counts that it went back.
    let booked = world.book("cat", &["A3"], "t3").await;
    world.cancel("cat", booked["reservationId"].as_str().unwrap()).await.expect(200);
    let mut payments = world.items(&world.tables.payments).into_iter();
    let mut owed = payments.find(|payment| payment["payment_status"]["S"] == "REFUND_DUE").unwrap();
    owed["refund_reason"] = json!({"S": "SHOW_CANCELLED"});
    world.db.put(&world.tables.payments, &owed);
    let before = world.items(&world.tables.reservations);
    let reference = owed["pk"]["S"].as_str().unwrap().trim_start_matches("PAYMENT#sandbox#");
    let provider = "sandbox".parse().unwrap();
    let refunded = world.store.refunded(&provider, &reference.parse().unwrap(), now).await;
    assert!(matches!(refunded, Err(store::Fault::Corrupt(_))), "{refunded:?}");
    assert_eq!(world.items(&world.tables.reservations), before);
}
