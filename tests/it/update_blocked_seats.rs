//! `PUT /api/admin/shows/{showId}/blocked-seats`.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;

use serde_json::{Value, json};

use crate::books::balance;
use crate::cinema::REGULAR;
use crate::create_city::tag;
use crate::engine::Engine;
use crate::wire::Fault;
use crate::world::{Answer, World};

const BLOCKED: &str = "/api/admin/shows/show-1/blocked-seats";

async fn put(world: &World, body: Value) -> Answer {
    world.admin("PUT", BLOCKED, body).await
}

async fn keep(world: &World, seats: &[&str]) -> Answer {
    put(world, json!({"seatIds": seats})).await
}

async fn force(world: &World, seats: &[&str]) -> Value {
    put(world, json!({"seatIds": seats, "force": true})).await.expect(200)
}

/// The seats that nobody can have now, with how.
async fn taken(world: &World) -> Vec<(String, String)> {
    let map = world.get("/api/shows/show-1/seats").await.expect(200);
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = map["items"].as_array().unwrap().iter();
    let items = items.map(|item| (text(item, "seatId"), text(item, "status")));
    items.filter(|(_, status)| status != "AVAILABLE").collect()
}

/// Begins `one`, and when it makes the call after `calls` of them, has `other` done as a whole before it
/// goes on.
pub(crate) async fn one_within_the_other<One, Other>(
    world: &World,
    calls: usize,
    one: impl Future<Output = One>,
    other: impl Future<Output = Other>,
) -> (One, Other) {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    world.wire.at_each_call(move || {
        counted.fetch_add(1, SeqCst);
    });
    let mut one = pin!(one);
    let begun = std::future::poll_fn(|context| {
        if made.load(SeqCst) >= calls {
            return Poll::Ready(None);
        }
        one.as_mut().poll(context).map(Some)
    });
    let begun = begun.await;
    let other = other.await;
    let one = match begun {
        Some(done) => done,
        None => one.await,
    };
    (one, other)
}

fn blocked(seats: &[&str]) -> Vec<(String, String)> {
    seats.iter().map(|seat| ((*seat).to_owned(), "BLOCKED".to_owned())).collect()
}

#[tokio::test]
async fn the_house_keeps_exactly_the_seats_it_names() {
    let world = World::new().await;
    let answer = keep(&world, &["A2", "A1"]).await.expect(200);
    assert_eq!(answer, json!({"showId": "show-1", "seatIds": ["A1", "A2"], "cancelled": []}));
    assert_eq!(world.hold("ann", &["A1"], "t1").await.problem(409), "seats_unavailable");
    keep(&world, &["A2", "A3"]).await.expect(200);
    assert_eq!(taken(&world).await, blocked(&["A2", "A3"]));
    world.hold("ann", &["A1"], "t2").await.expect(201);
    keep(&world, &[]).await.expect(200);
    world.hold("ann", &["A2", "A3"], "t3").await.expect(201);
}

#[tokio::test]
async fn seats_that_somebody_has_refuse_and_nothing_changes() {
    let world = World::new().await;
    keep(&world, &["A1"]).await.expect(200);
    world.hold("ann", &["A2"], "t1").await.expect(201);
    world.book("bob", &["A3"], "t2").await;
    let refused = keep(&world, &["A2", "A3", "A4"]).await;
    let conflicts = refused.body["conflicts"].as_array().unwrap();
    let conflicts: Vec<_> =
        conflicts.iter().map(|of| (of["seatId"].clone(), of["status"].clone())).collect();
    assert_eq!(
        conflicts,
        [(json!("A2"), json!("HELD")), (json!("A3"), json!("BOOKED"))],
        "{}",
        refused.body
    );
    assert_eq!(refused.problem(409), "seats_unavailable");
    assert_eq!(
        (world.seat("A1").await, world.seat("A4").await),
        ("BLOCKED".into(), "AVAILABLE".into())
    );
    world.advance(chrono::TimeDelta::seconds(300));
    keep(&world, &["A2", "A4"]).await.expect(200);
    assert_eq!(world.seat("A2").await, "BLOCKED", "the hold was over");
}

#[tokio::test]
async fn by_force_whoever_has_a_seat_loses_the_reservation_and_gets_the_money_back() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let booked = world.book("bob", &["B1", "B2"], "t2").await;
    world.book("cat", &["C1"], "t3").await;
    let answer = force(&world, &["A1", "B2", "C12"]).await;
    let mut ended = [held["reservationId"].clone(), booked["reservationId"].clone()];
    ended.sort_by_key(ToString::to_string);
    assert_eq!(answer["cancelled"], json!(ended));
    let mut expected = blocked(&["A1", "B2"]);
    expected.push(("C1".to_owned(), "BOOKED".to_owned()));
    expected.extend(blocked(&["C12"]));
    assert_eq!(taken(&world).await, expected);

    world.rest().await;
    let path = format!("/api/reservations/{}", booked["reservationId"].as_str().unwrap());
    let booking = world.call("bob", "GET", &path, Value::Null).await.expect(200);
    assert_eq!(
        (&booking["status"], &booking["payment"]["status"]),
        (&json!("CANCELLED"), &json!("REFUNDED"))
    );
    let reasons: Vec<_> = world.payments().into_iter().filter_map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["SEATS_BLOCKED"]);
    assert_eq!(balance(&world, 2 * REGULAR + 60_000).refunded, 2 * REGULAR);
    let payment = world.pay(&held, "succeed").await;
    let late = world.confirm("ann", "t1", &payment).await;
    assert_eq!(late.problem(409), "already_cancelled");
    assert_eq!(force(&world, &["A1", "B2", "C12"]).await["cancelled"], json!([]));
}

/// Goal: nobody is thrown out of their seat, and nobody else loses theirs over it, in whatever order they
/// would end. Method: each of three bookings in turn has its ticket scanned.
#[tokio::test]
async fn by_force_nobody_loses_a_seat_if_one_of_them_went_in() {
    let seats = ["A1", "A2", "A3"];
    for inside in seats {
        let world = World::new().await;
        for seat in seats {
            let booked = world.book("ann", &[seat], seat).await;
            if seat == inside {
                enter(&world, &booked).await;
            }
        }
        let before = taken(&world).await;
        let wanted = json!({"seatIds": ["A1", "A2", "A3", "A4"], "force": true});
        assert_eq!(put(&world, wanted).await.problem(409), "cancellation_closed");
        assert_eq!(taken(&world).await, before, "{inside} is taken");
        assert!(world.payments().iter().all(|(_, reason)| reason.is_none()), "no refund");
        let others: Vec<&str> = seats.into_iter().filter(|seat| *seat != inside).collect();
        assert_eq!(force(&world, &others).await["cancelled"].as_array().unwrap().len(), 2);
    }
}

/// Scans the ticket of a booking.
async fn enter(world: &World, booked: &Value) {
    let id = booked["reservationId"].as_str().unwrap().parse().unwrap();
    let stored = world.store.reservation(&id).await.unwrap().unwrap();
    let scan = json!({"ticket": world.app.ticket(&stored).unwrap(), "gate": "G", "scanId": "s1"});
    world.admin("POST", "/api/admin/tickets/scan", scan).await.expect(200);
}

#[tokio::test]
async fn by_force_nobody_loses_a_seat_once_the_show_has_begun() {
    let world = World::new().await;
    world.book("bob", &["A2"], "t2").await;
    world.advance(chrono::TimeDelta::days(1));
    let wanted = json!({"seatIds": ["A1", "A2"], "force": true});
    assert_eq!(put(&world, wanted).await.problem(409), "cancellation_closed");
    assert_eq!(
        (world.seat("A1").await, world.seat("A2").await),
        ("AVAILABLE".into(), "BOOKED".into())
    );
    force(&world, &["A1"]).await;
}

/// A claim, as it would be stored.
fn claim(db: &Engine, table: &str, seat: &str, with: &Value) {
    let mut item = with.clone();
    item["pk"] = json!({"S": "SHOW#show-1#MAIN"});
    item["sk"] = json!({"S": format!("SEAT#{seat}")});
    db.put(table, &item);
}

/// Goal: force takes the seats it names, and no others. Method: while a seat is given back, somebody has it
/// already.
#[tokio::test]
async fn by_force_nobody_loses_a_seat_that_is_given_back() {
    let world = World::new().await;
    keep(&world, &["A1"]).await.expect(200);
    let held = world.hold("ann", &["B1"], "t1").await.expect(201);
    let claimed = json!({
        "seat_status": {"S": "HELD"},
        "reservation_id": {"S": held["reservationId"]},
        "expires_at": {"N": (world.now().timestamp() + 60).to_string()},
    });
    let (db, table) = (world.db.clone(), world.tables.seats.clone());
    let calls = AtomicUsize::new(0);
    world.wire.at_each_call(move || {
        // The show, its claims, and now they change.
        if calls.fetch_add(1, SeqCst) == 2 {
            claim(&db, &table, "A1", &claimed);
        }
    });
    assert_eq!(force(&world, &["A2"]).await["cancelled"], json!([]));
    assert_eq!(world.seat("B1").await, "HELD");
}

/// A show that was moved to another room may have claims that mean nothing there.
#[tokio::test]
async fn what_is_kept_and_not_there_is_passed_over_and_given_back() {
    let world = World::new().await;
    for seat in ["A13", "NORTH-A1"] {
        claim(&world.db, &world.tables.seats, seat, &json!({"seat_status": {"S": "BLOCKED"}}));
    }
    let kept = world.admin("GET", BLOCKED, Value::Null).await.expect(200);
    assert_eq!(kept["seatIds"], json!([]));
    keep(&world, &["A1"]).await.expect(200);
    assert_eq!(world.items(&world.tables.seats).len(), 1);
}

/// Goal: whoever changes what they saw changes nothing else. Method: tags of now and of before, lists of
/// them, none, any, and nonsense.
#[tokio::test]
async fn a_change_may_be_of_what_is_known() {
    let world = World::new().await;
    let at = async |tag: &str, seats: &[&str]| {
        world.admin_at(tag, "PUT", BLOCKED, json!({"seatIds": seats})).await
    };
    let first = tag(&keep(&world, &["A1", "A2"]).await).to_owned();
    let second = at(&first, &["A3"]).await;
    assert_ne!(tag(&second), first);
    for stale in [first.as_str(), "\"1\"", "W/\"1\"", "A3", ""] {
        assert_eq!(at(stale, &["A4"]).await.problem(412), "precondition_failed", "{stale}");
    }
    assert_eq!(taken(&world).await, blocked(&["A3"]));
    at(&first, &["A3"]).await.expect(200); // Only the answer was lost.
    at(&format!("{first}, {}", tag(&second)), &["A4"]).await.expect(200);
    at("*", &["A5"]).await.expect(200);
    let back = keep(&world, &["A2", "A1"]).await;
    assert_eq!(tag(&back), first, "the same seats");
}

/// Goal: the seats are the house's in the end, and each booking is refunded once, wherever this dies.
/// Method: it dies at each of its calls in turn, and is asked again.
#[tokio::test]
async fn dying_anywhere_is_finished_by_asking_again() {
    for calls in 0.. {
        let world = World::new().await;
        world.book("ann", &["A1"], "t1").await;
        world.hold("bob", &["A2"], "t2").await.expect(201);
        let wanted = ["A1", "A2", "A3"];
        let work = async { drop(force(&world, &wanted).await) };
        let alive = world.wire.kill_after(calls, work).await;
        let cold = world.cold();
        force(&cold, &wanted).await;
        assert_eq!(taken(&cold).await, blocked(&wanted), "killed after {calls} calls");
        let back = ("REFUND_DUE".to_owned(), Some("SEATS_BLOCKED".to_owned()));
        assert_eq!(cold.payments(), [back], "killed after {calls} calls");
        if alive {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_given_again() {
    let world = World::new().await;
    keep(&world, &["A1"]).await.expect(200);
    world.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    assert_eq!(keep(&world, &["A2"]).await.problem(503), "try_again");
    keep(&world, &["A2"]).await.expect(200);
    assert_eq!(taken(&world).await, blocked(&["A2"]));
}

#[tokio::test]
async fn two_who_keep_seats_at_once_both_get_an_answer() {
    let world = World::new().await;
    let (one, two) = tokio::join!(keep(&world, &["A1", "A2"]), keep(&world, &["A2", "A3"]));
    one.expect(200);
    two.expect(200);
    let kept = taken(&world).await;
    let may_be = [blocked(&["A1", "A2"]), blocked(&["A2", "A3"])];
    assert!(may_be.contains(&kept), "{kept:?}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused() {
    let world = World::new().await;
    let unknown = keep(&world, &["A1", "Z1"]).await;
    assert!(unknown.body["detail"].as_str().unwrap().contains("Z1"));
    assert_eq!(unknown.problem(422), "unknown_seats");
    assert!(taken(&world).await.is_empty());

    let arena = "/api/admin/shows/arena-show/blocked-seats";
    let row: Vec<String> = (1..=99).map(|number| format!("NORTH-A{number}")).collect();
    world.admin("PUT", arena, json!({"seatIds": row})).await.expect(200);
    let mut more = row.clone();
    more.extend((1..=99).map(|number| format!("SOUTH-A{number}")));
    world.admin("PUT", arena, json!({"seatIds": more})).await.expect(200);
    let too_many = world.admin("PUT", arena, json!({"seatIds": []})).await;
    let detail = too_many.body["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("at most 99 of") && detail.ends_with("not 198"), "{detail}");
    assert_eq!(too_many.problem(422), "too_many_seats");

    let cancelled = "/api/admin/shows/cancelled/blocked-seats";
    let refused = world.admin("PUT", cancelled, json!({"seatIds": ["A1"]})).await;
    assert_eq!(refused.problem(409), "show_cancelled");
    let nowhere =
        world.admin("PUT", "/api/admin/shows/nowhere/blocked-seats", json!({"seatIds": []}));
    assert_eq!(nowhere.await.problem(404), "not_found");
    for body in [json!({}), json!({"seatIds": "A1"}), json!({"seatIds": ["A 1"]})] {
        assert_eq!(put(&world, body).await.problem(400), "invalid_request");
    }
    world.advance(chrono::TimeDelta::hours(27));
    assert_eq!(keep(&world, &["A1"]).await.problem(409), "cancellation_closed", "it is over");
}
