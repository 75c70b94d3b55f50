//! `POST /api/admin/tickets/scan`.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::limits::SCAN_RETRY_SECS;
use domain::reservation::{Reservation, Status};
use edge::{App, Clients, Keys, Settings};
use serde_json::{Value, json};

use crate::wire::Fault;
use crate::world::{Answer, World};

const SCAN: &str = "/api/admin/tickets/scan";

fn id(reservation: &Value) -> &str {
    reservation["reservationId"].as_str().unwrap()
}

/// A booking of ann's, and its ticket.
async fn booked(world: &World) -> (Value, String) {
    let booked = world.book("ann", &["A1", "A2"], "t1").await;
    let ticket = ticket_of(world, &booked).await;
    (booked, ticket)
}

async fn stored(world: &World, booked: &Value) -> Reservation {
    world.store.reservation(&id(booked).parse().unwrap()).await.unwrap().unwrap()
}

async fn ticket_of(world: &World, booked: &Value) -> String {
    world.app.ticket(&stored(world, booked).await).unwrap()
}

/// Cold functions of a world, with these settings about tickets.
fn functions(world: &World, about_tickets: &[(&str, &str)]) -> App {
    let (tables, tokens) = (&world.tables, &world.tokens);
    let Keys::Secret(secret) = &tokens.keys else { panic!("a world has a secret") };
    let others = [
        ("CATALOG_TABLE", tables.catalog.as_str()),
        ("SEATS_TABLE", tables.seats.as_str()),
        ("RESERVATIONS_TABLE", tables.reservations.as_str()),
        ("PAYMENTS_TABLE", tables.payments.as_str()),
        ("EVENTS_TABLE", tables.events.as_str()),
        ("LIMITS_TABLE", tables.limits.as_str()),
        ("JWT_SECRET", secret.as_str()),
        ("JWT_ISSUER", tokens.issuer.as_str()),
        ("JWT_AUDIENCE", tokens.audience.as_str()),
    ];
    let all = others.iter().chain(about_tickets);
    let all: BTreeMap<String, String> =
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let settings = Settings::from_variables(&all).unwrap();
    App::new(world.store.clone(), Clients::default(), settings, world.clock())
}

async fn scan(world: &World, ticket: &str, gate: &str, scan_id: &str) -> Answer {
    world.admin("POST", SCAN, json!({"ticket": ticket, "gate": gate, "scanId": scan_id})).await
}

/// A ticket that says something else under the same signature.
fn changed(ticket: &str) -> String {
    let (signed, signature) = ticket.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let first = if payload.starts_with('e') { 'f' } else { 'e' };
    format!("{header}.{first}{}.{signature}", &payload[1..])
}

#[tokio::test]
async fn a_ticket_lets_its_seats_in_once() {
    let world = World::new().await;
    let (booked, ticket) = booked(&world).await;
    world.wire.take_calls();
    let entered = scan(&world, &ticket, "Gate 1", "s1").await.expect(200);
    let entry = json!({"at": domain::time::text(world.now()), "gate": "Gate 1"});
    assert_eq!(
        entered,
        json!({
            "reservationId": id(&booked),
            "showId": "show-1",
            "startsAt": "2026-11-23T06:30:00.000Z",
            "seats": [
                {"seatId": "A1", "seatType": "REGULAR"},
                {"seatId": "A2", "seatType": "REGULAR"},
            ],
            "entry": entry,
        })
    );
    assert_eq!(world.last_line()["tickets_entered"], 1);
    let calls = world.wire.take_calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, ["GetItem", "TransactWriteItems"]);

    let tick = TimeDelta::milliseconds(1);
    world.advance(TimeDelta::seconds(SCAN_RETRY_SECS) - tick);
    let again = scan(&world, &ticket, "Gate 1", "s1").await.expect(200);
    assert_eq!(again, entered, "the same scan, told again");
    assert_eq!(world.last_line()["tickets_entered"], Value::Null);
    let now = TimeDelta::zero();
    for (gate, scan_id, later) in [
        ("Gate 1", "s2", now),
        ("Gate 2", "s1", now),
        ("Gate 2", "s3", now),
        ("Gate 1", "s1", tick),
    ] {
        world.advance(later);
        let second = scan(&world, &ticket, gate, scan_id).await.expect(409);
        assert_eq!(second["code"], "already_entered");
        assert_eq!(second["entry"], entry, "when and where the first one was");
    }
}

/// The answer to the scan is lost, so nobody went in; its scanner asks again.
#[tokio::test(start_paused = true)]
async fn a_scan_whose_answer_was_lost_lets_in() {
    let world = World::new().await;
    let (_, ticket) = booked(&world).await;
    world.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    assert_eq!(scan(&world, &ticket, "Gate 1", "s1").await.problem(503), "try_again");
    assert_eq!(world.wire.faults_left(), 0);
    let at = domain::time::text(world.now());
    world.advance(TimeDelta::seconds(2));
    let entered = scan(&world, &ticket, "Gate 1", "s1").await.expect(200);
    assert_eq!(entered["entry"]["at"], at);
    assert_eq!(scan(&world, &ticket, "Gate 1", "s2").await.problem(409), "already_entered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_gates_at_once_one_lets_in() {
    for _ in 0..10 {
        let world = World::new().await;
        let (_, ticket) = booked(&world).await;
        let (north, south) = tokio::join!(
            scan(&world, &ticket, "North", "s1"),
            scan(&world, &ticket, "South", "s1"),
        );
        let (first, second, gate) =
            if north.status == 200 { (north, south, "North") } else { (south, north, "South") };
        assert_eq!(first.expect(200)["entry"]["gate"], gate);
        assert_eq!(second.expect(409)["entry"]["gate"], gate);
    }
}

/// Two functions that are told of the same scan at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_scan_told_twice_at_once_lets_in() {
    for _ in 0..10 {
        let world = World::new().await;
        let (_, ticket) = booked(&world).await;
        let (one, other) = tokio::join!(
            scan(&world, &ticket, "North", "s1"),
            scan(&world, &ticket, "North", "s1"),
        );
        assert_eq!(one.expect(200), other.expect(200));
    }
}

/// Goal: nobody goes in and gets the money back, too. Method: both at once, and one after the
/// other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_customer_goes_in_or_cancels() {
    for _ in 0..10 {
        let world = World::new().await;
        let (booked, ticket) = booked(&world).await;
        let (scanned, cancelled) =
            tokio::join!(scan(&world, &ticket, "North", "s1"), world.cancel("ann", id(&booked)));
        if scanned.status == 200 {
            assert_eq!(cancelled.problem(409), "cancellation_closed");
        } else {
            assert_eq!(scanned.problem(409), "already_cancelled");
            cancelled.expect(200);
        }
    }
    let world = World::new().await;
    let (booked, ticket) = booked(&world).await;
    scan(&world, &ticket, "North", "s1").await.expect(200);
    let refused = world.cancel("ann", id(&booked)).await;
    assert_eq!(refused.problem(409), "cancellation_closed");
    assert_eq!(world.seat("A1").await, "BOOKED");
}

#[tokio::test]
async fn a_cancelled_booking_does_not_let_in() {
    let world = World::new().await;
    let (booked, ticket) = booked(&world).await;
    world.cancel("ann", id(&booked)).await.expect(200);
    assert_eq!(scan(&world, &ticket, "Gate 1", "s1").await.problem(409), "already_cancelled");
}

/// Before the sweep comes to the booking, and after it.
#[tokio::test]
async fn nobody_goes_in_to_a_show_that_is_cancelled() {
    let world = World::new().await;
    let (booked, ticket) = booked(&world).await;
    world.admin("POST", "/api/admin/shows/show-1/cancel", Value::Null).await.expect(202);
    world.advance(TimeDelta::seconds(5));
    assert_eq!(scan(&world, &ticket, "Gate 1", "s1").await.problem(409), "show_cancelled");
    let booking = stored(&world, &booked).await;
    assert_eq!((booking.status, booking.entry), (Status::Confirmed, None));
    world.sweep().await;
    assert_eq!(stored(&world, &booked).await.status, Status::Cancelled);
    assert_eq!(scan(&world, &ticket, "Gate 1", "s1").await.problem(409), "show_cancelled");
}

#[tokio::test]
async fn the_secret_before_verifies_tickets_and_signs_none() {
    let mut world = World::new().await;
    let (booked, _) = booked(&world).await;
    let (old, new) = (
        "the secret that the tickets out there have",
        "the secret that the tickets to come will have",
    );
    world.app = functions(&world, &[("TICKET_SECRET", old)]);
    let ticket = ticket_of(&world, &booked).await;
    world.app = functions(&world, &[("TICKET_SECRET", new)]);
    let newer = ticket_of(&world, &booked).await;
    assert_eq!(scan(&world, &ticket, "Gate 1", "s1").await.problem(400), "invalid_ticket");
    world.app = functions(&world, &[("TICKET_SECRET", new), ("TICKET_SECRET_PREVIOUS", old)]);
    assert_eq!(ticket_of(&world, &booked).await, newer);
    let entered = scan(&world, &ticket, "Gate 1", "s1").await.expect(200);
    assert_eq!(scan(&world, &newer, "Gate 1", "s1").await.expect(200), entered);
}

#[tokio::test]
async fn a_gate_of_a_show_lets_in_no_other() {
    let world = World::new().await;
    let (_, ticket) = booked(&world).await;
    let at =
        |show: &str| json!({"ticket": ticket, "gate": "Gate 1", "scanId": "s1", "showId": show});
    let refused = world.admin("POST", SCAN, at("show-2")).await;
    assert_eq!(refused.problem(422), "wrong_show");
    world.admin("POST", SCAN, at("show-1")).await.expect(200);
}

#[tokio::test]
async fn what_is_no_ticket_of_ours_does_not_let_in() {
    let world = World::new().await;
    let (_, ticket) = booked(&world).await;
    let broken = [
        String::new(),
        "A1".to_owned(),
        changed(&ticket),
        ticket[..ticket.len() - 1].to_owned(),
        world.token("ann"),
        format!("{ticket}{}", " ".repeat(10_000)),
    ];
    for broken in broken {
        let answer = scan(&world, &broken, "Gate 1", "s1").await;
        assert_eq!(answer.problem(400), "invalid_ticket", "{broken:.60}");
    }
    let (start, end) = ticket.split_at(70);
    scan(&world, &format!("{start}\r\n {end}"), "Gate 1", "s1").await.expect(200);
}

#[tokio::test]
async fn a_ticket_is_no_token() {
    let world = World::new().await;
    let (_, ticket) = booked(&world).await;
    let bearer = format!("Bearer {ticket}");
    let headers = [("authorization", bearer.as_str())];
    let list = world.raw("GET", "/api/reservations", &headers, "").await;
    assert_eq!(list.problem(401), "unauthenticated");
    let body = json!({"ticket": ticket, "gate": "Gate 1", "scanId": "s1"});
    let scan = world.raw("POST", SCAN, &headers, &body.to_string()).await;
    assert_eq!(scan.problem(401), "unauthenticated");
    let customers = world.call("ann", "POST", SCAN, body).await;
    assert_eq!(customers.problem(403), "forbidden");
}

#[tokio::test]
async fn a_reservation_that_is_gone_is_not_found() {
    let world = World::new().await;
    let (booked, ticket) = booked(&world).await;
    let key = json!({"pk": {"S": format!("RESERVATION#{}", id(&booked))}});
    world.db.delete(&world.tables.reservations, &key);
    assert_eq!(scan(&world, &ticket, "Gate 1", "s1").await.problem(404), "not_found");
}

#[tokio::test]
async fn a_scan_says_where_and_which_it_is() {
    let world = World::new().await;
    let (_, ticket) = booked(&world).await;
    for body in [
        json!({"ticket": ticket, "gate": "Gate 1"}),
        json!({"ticket": ticket, "scanId": "s1"}),
        json!({"gate": "Gate 1", "scanId": "s1"}),
        json!({"ticket": ticket, "gate": "", "scanId": "s1"}),
        json!({"ticket": ticket, "gate": "x".repeat(65), "scanId": "s1"}),
        json!({"ticket": ticket, "gate": "a\nb", "scanId": "s1"}),
        json!({"ticket": ticket, "gate": "Gate 1", "scanId": "a b"}),
        json!({"ticket": ticket, "gate": "Gate 1", "scanId": "s1", "showId": "#"}),
        json!({"ticket": ticket, "gate": "Gate 1", "scanId": "s1", "at": "now"}),
        json!({"ticket": 7, "gate": "Gate 1", "scanId": "s1"}),
    ] {
        let answer = world.admin("POST", SCAN, body.clone()).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
    scan(&world, &ticket, "Gate 1", "s1").await.expect(200);
}
