//! The sweep of a cancelled show, page by page.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::limits::{SWEEP_PAGE_CLAIMS, SWEEP_SETTLES_AFTER_SECS};
use domain::payment::RefundReason;
use domain::reservation::CancelRefusal;
use fastrand::Rng;
use serde_json::{Value, json};
use store::CancelError;

use crate::books::balance;
use crate::cinema::REGULAR;
use crate::wire::Fault;
use crate::world::World;

const BOOKINGS: usize = 300;
const HOLDS: usize = 50;
const KILLS: usize = 20;

const CANCEL: &str = "/api/admin/shows/arena-show/cancel";
const PROGRESS: &str = "/api/admin/shows/arena-show/cancellation";
const SHOW_1: &str = "/api/admin/shows/show-1/cancel";

/// The name of the arena's seat at a place of our own counting.
fn seat(number: usize) -> String {
    let section = ["NORTH", "SOUTH", "EAST"][number % 3];
    let row = char::from(b'A' + u8::try_from(number / 3 / 100).unwrap());
    format!("{section}-{row}{}", number / 3 % 100 + 1)
}

/// Bookings and live holds all over the arena, of one seat each.
async fn sell(world: &World, bookings: usize, holds: usize) {
    sell_from(world, 0, bookings, holds).await;
}

async fn sell_from(world: &World, first: usize, bookings: usize, holds: usize) {
    for number in 0..bookings + holds {
        let (user, token) = (format!("user-{number}"), format!("t{number}"));
        let seat = seat(3 * first + number);
        let held = world.hold_of(&user, "arena-show", &[&seat], &token).await.expect(201);
        if number < bookings {
            let payment = world.pay(&held, "succeed").await;
            world.confirm(&user, &token, &payment).await.expect(200);
        }
    }
    world.take_deliveries();
}

async fn progress(world: &World) -> Value {
    world.admin("GET", PROGRESS, Value::Null).await.expect(200)
}

/// Goal: 300 bookings and 50 live holds, killed at random points and restarted 20 times: 300 refunds, no
/// more, no less. Method: whoever works dies after a random number of calls, of which the last one is
/// carried out and not heard of; or it is done, and its message is not deleted. A cold function goes on
/// when the message is seen again. Afterwards the provider's own books are read.
#[tokio::test]
async fn killed_twenty_times_it_refunds_each_booking_once() {
    let given = std::env::var("MARQUEE_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("MARQUEE_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let world = World::new().await.with_holds_of(24 * 60 * 60);
    sell(&world, BOOKINGS, HOLDS).await;
    let payments = world.references();
    assert_eq!(payments.len(), BOOKINGS);
    world.admin("POST", CANCEL, Value::Null).await.expect(202);

    let (mut deaths, mut unheard) = (0, 0);
    while deaths + unheard < KILLS {
        let life = world.cold();
        let messages = world.queues.bodies("ShowCancellations");
        if !messages.is_empty() && rng.u8(..4) == 0 {
            life.deliver_and_die("SweepCancelledShows", &messages).await;
            unheard += 1;
        }
        let work = async {
            life.sweep().await;
            life.refund().await;
        };
        if !world.wire.kill_after(rng.usize(..60), work).await {
            deaths += 1;
        }
        world.advance(TimeDelta::seconds(400));
        if messages.is_empty() {
            // It is at its end, and the refunds go on. Who asks again is told so.
            world.admin("POST", CANCEL, Value::Null).await.expect(202);
        }
    }
    assert!(deaths >= KILLS / 2, "{deaths} deaths and {unheard} answers that nobody heard");
    let life = world.cold();
    for _ in 0..6 {
        life.sweep().await;
        life.rest().await;
        world.advance(TimeDelta::seconds(400));
    }

    let end = progress(&world).await;
    assert_eq!(end["status"], "COMPLETED", "{end:#}");
    let counted = (&end["bookingsCancelled"], &end["holdsReleased"], &end["reservationsLeft"]);
    assert_eq!(counted, (&json!(BOOKINGS), &json!(HOLDS), &json!(0)));
    assert_eq!((&end["refundsDone"], &end["refundsDue"]), (&json!(BOOKINGS), &json!(0)));
    let total = u64::try_from(BOOKINGS).unwrap() * REGULAR;
    assert_eq!(end["refundTotal"]["amount"], total);
    assert_eq!(end["refundedTotal"]["amount"], total);
    assert_eq!(world.queues.depth("ShowCancellationsFailed"), 0);
    assert_eq!(balance(&world, total).refunded, total);
    for payment in payments {
        let at_provider = world.at_provider(&payment).await;
        assert_eq!(at_provider["refunds"].as_array().unwrap().len(), 1, "{at_provider}");
        assert_eq!(at_provider["refundedAmount"], REGULAR);
    }
}

/// Goal: a hold or a booking that was made by a function which still had the show in memory ends too.
#[tokio::test]
async fn what_was_sold_a_moment_after_is_swept_by_the_last_pass() {
    let world = World::new().await.with_holds_of(60 * 60);
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let elsewhere = world.cold();
    elsewhere.admin("POST", SHOW_1, Value::Null).await.expect(202);
    elsewhere.sweep().await;
    world.hold("bob", &["A2"], "t2").await.expect(201);
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS - 1));
    elsewhere.sweep().await;
    assert_eq!(world.items(&world.tables.seats).len(), 1, "it is too early to be sure");
    world.advance(TimeDelta::seconds(1));
    elsewhere.sweep().await;
    assert_eq!(world.items(&world.tables.seats).len(), 0);
    let done = of_show_1(&world).await;
    assert_eq!((&done["status"], &done["holdsReleased"]), (&json!("COMPLETED"), &json!(2)));
}

/// Goal: the last pass never comes too early. Method: somebody orders it and fails to write that; his
/// last pass is on the queue when somebody else orders the same.
#[tokio::test(start_paused = true)]
async fn a_last_pass_of_an_order_that_failed_waits_for_the_one_that_did_not() {
    let world = World::new().await.with_holds_of(60 * 60);
    world.wire.inject("TransactWriteItems", Fault::Down, 3);
    assert_eq!(world.admin("POST", SHOW_1, Value::Null).await.problem(503), "try_again");
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS - 5));
    let elsewhere = world.cold();
    elsewhere.get("/api/shows/show-1").await.expect(200);
    world.cold().admin("POST", SHOW_1, Value::Null).await.expect(202);
    world.advance(TimeDelta::seconds(5));
    world.sweep().await;
    assert_eq!(of_show_1(&world).await["status"], "IN_PROGRESS");
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS - 5));
    world.sweep().await;
    assert_eq!(of_show_1(&world).await["status"], "COMPLETED");
}

/// A seat that is booked by a reservation which is over: nobody may say that all is done.
#[tokio::test]
async fn a_booking_that_contradicts_itself_is_left_over() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let id = held["reservationId"].as_str().unwrap();
    world.cancel("ann", id).await.expect(200);
    let mut seat = json!({"seat_status": {"S": "BOOKED"}, "reservation_id": {"S": id}});
    put_seat(&world, &seat);
    seat["pk"] = json!({"S": "SHOW#show-1#MAIN"});
    seat["sk"] = json!({"S": "SEAT#A1"});
    put(&world, &world.tables.seats, &seat);
    world.admin("POST", SHOW_1, Value::Null).await.expect(202);
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    assert_eq!(of_show_1(&world).await["status"], "IN_PROGRESS");
}

/// Goal: whoever orders it again does not start a second sweep beside the first.
#[tokio::test]
async fn only_the_sweep_that_was_ordered_last_goes_on() {
    let world = World::new().await;
    put_seat(&world, &json!({"seat_status": {"S": "BOOKED"}, "reservation_id": {"S": "nobody"}}));
    for _ in 0..5 {
        world.admin("POST", SHOW_1, Value::Null).await.expect(202);
    }
    for _ in 0..10 {
        world.sweep().await;
        world.advance(TimeDelta::minutes(15));
    }
    assert_eq!(world.queues.depth("ShowCancellations"), 1, "one comes back to what is left");
}

/// Goal: it ends where seats stay claimed that it does not end, however many. Method: more house seats
/// than a page has, in the first of three sections.
#[tokio::test]
async fn pages_of_seats_that_stay_are_passed_over() {
    let world = World::new().await;
    let blocked: Vec<_> = (0..2 * SWEEP_PAGE_CLAIMS + 50).map(|number| seat(3 * number)).collect();
    let blocked: Vec<&str> = blocked.iter().map(String::as_str).collect();
    for seats in blocked.chunks(50) {
        world.block("arena-show", "NORTH", seats).await;
    }
    sell_from(&world, 500, 6, 3).await;
    let plan = world.admin("POST", CANCEL, json!({"dryRun": true})).await.expect(200);
    assert_eq!(
        (&plan["bookings"], &plan["holds"], &plan["seats"]),
        (&json!(6), &json!(3), &json!(9))
    );
    world.admin("POST", CANCEL, Value::Null).await.expect(202);
    world.sweep().await;
    let swept = progress(&world).await;
    let counted =
        (&swept["bookingsCancelled"], &swept["holdsReleased"], &swept["reservationsLeft"]);
    assert_eq!(counted, (&json!(6), &json!(3), &json!(0)));
}

/// Goal: Lambda's time is not overrun, and the rest is done by the next call. Method: no time at all.
#[tokio::test]
async fn without_time_it_goes_on_page_by_page() {
    let world = World::new().await;
    sell(&world, 3, 0).await;
    world.admin("POST", CANCEL, Value::Null).await.expect(202);
    let mut calls = 0;
    while progress(&world).await["reservationsLeft"] != 0 {
        let bodies = world.queues.bodies("ShowCancellations");
        world.call_without_time("SweepCancelledShows", bodies.last().unwrap()).await;
        calls += 1;
    }
    assert_eq!(calls, 3, "a section each");
}

/// Goal: whoever went in is refunded too if the house ends the show, and the sweep does not stop at them.
#[tokio::test]
async fn whoever_went_in_is_refunded_too() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let id = booked["reservationId"].as_str().unwrap().parse().unwrap();
    let before = world.store.reservation(&id).await.unwrap().unwrap();
    let ticket = world.app.ticket(&before).unwrap();
    let scan = json!({"ticket": ticket, "gate": "1", "scanId": "s1"});
    world.admin("POST", "/api/admin/tickets/scan", scan).await.expect(200);
    // Their cancellation was decided upon before they went in.
    let refused = world.store.cancel(before, RefundReason::BookingCancelled, world.now()).await;
    let entered = CancelError::Refused(CancelRefusal::Entered);
    assert_eq!(refused.unwrap_err().to_string(), entered.to_string());
    assert_eq!(world.seat("A1").await, "BOOKED");
    world.admin("POST", SHOW_1, Value::Null).await.expect(202);
    world.sweep().await;
    world.rest().await;
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
}

/// A payment ended the reservation because its show is off; its seats are free when it is swept.
#[tokio::test]
async fn seats_of_a_hold_that_a_payment_ended_are_freed() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.admin("POST", SHOW_1, Value::Null).await.expect(202);
    let payment = world.pay(&held, "succeed").await;
    assert_eq!(world.confirm("ann", "t1", &payment).await.problem(409), "show_cancelled");
    assert_eq!(world.items(&world.tables.seats).len(), 2);
    world.sweep().await;
    assert_eq!(world.items(&world.tables.seats).len(), 0);
    assert_eq!(of_show_1(&world).await["reservationsLeft"], 0);
}

/// Goal: what is broken holds up nobody, is not forgotten, and nobody says that all is done. Method: a
/// claim that cannot be read, one of nobody, and a reservation that cannot be read.
#[tokio::test]
async fn what_is_broken_is_left_over_and_tried_again() {
    let world = World::new().await.with_holds_of(60 * 60);
    world.book("ann", &["A1"], "t1").await;
    let held = world.hold("bob", &["A2"], "t2").await.expect(201);
    world.book("cat", &["A3"], "t3").await;
    put_seat(&world, &json!({"seat_status": {"S": "BOOKED"}}));
    let id = format!("RESERVATION#{}", held["reservationId"].as_str().unwrap());
    let items = world.items(&world.tables.reservations);
    let whole = items.iter().find(|item| item["pk"]["S"] == id).unwrap().clone();
    let mut broken = whole.clone();
    broken["reservation_status"] = json!({"S": "NONSENSE"});
    put(&world, &world.tables.reservations, &broken);

    world.admin("POST", SHOW_1, Value::Null).await.expect(202);
    world.sweep().await;
    assert_eq!(world.last_line()["cancellation_failures"], 2);
    assert_eq!(world.last_line()["service"], "marquee");
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    let left: BTreeSet<_> =
        world.items(&world.tables.seats).iter().map(|item| item["sk"]["S"].to_string()).collect();
    assert_eq!(left, BTreeSet::from(["\"SEAT#A2\"".to_owned(), "\"SEAT#A9\"".to_owned()]));
    assert_eq!(of_show_1(&world).await["status"], "IN_PROGRESS");

    put(&world, &world.tables.reservations, &whole);
    let key = json!({"pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A9"}});
    world.db.delete(&world.tables.seats, &key);
    world.advance(TimeDelta::seconds(2 * SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    assert_eq!(of_show_1(&world).await["status"], "COMPLETED");
    assert_eq!(world.items(&world.tables.seats).len(), 0);
}

/// Puts a claim on A9.
fn put_seat(world: &World, claim: &Value) {
    let mut item = json!({"pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A9"}});
    item.as_object_mut().unwrap().extend(claim.as_object().unwrap().clone());
    put(world, &world.tables.seats, &item);
}

fn put(world: &World, table: &str, item: &Value) {
    world.db.put(table, item);
}

async fn of_show_1(world: &World) -> Value {
    world.admin("GET", "/api/admin/shows/show-1/cancellation", Value::Null).await.expect(200)
}

#[tokio::test(start_paused = true)]
async fn with_dynamodb_away_the_page_comes_again() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.admin("POST", SHOW_1, Value::Null).await.expect(202);
    world.wire.inject("TransactWriteItems", Fault::Down, 3);
    world.sweep().await;
    assert_eq!(world.items(&world.tables.seats).len(), 1);
    world.advance(TimeDelta::minutes(10));
    world.sweep().await;
    assert_eq!(world.items(&world.tables.seats).len(), 0);
    world.rest().await;
    assert_eq!(balance(&world, REGULAR).refunded, REGULAR);
}

/// A message for a show that was never cancelled: whoever ordered it died before that.
#[tokio::test]
async fn a_sweep_that_was_never_ordered_does_nothing() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    let page = json!({
        "showId": "show-1", "order": 1, "pass": 1, "section": null, "after": null, "left": 0,
    });
    world.deliver_and_die("SweepCancelledShows", &[page.to_string()]).await;
    assert_eq!(world.seat("A1").await, "BOOKED");
    assert_eq!(world.queues.depth("ShowCancellations"), 0);
}
