//! Uses of every function, in every way that changes what it calls.

use chrono::TimeDelta;
use domain::limits::{EVENT_LOG_SETTLES_AFTER_SECS, SWEEP_SETTLES_AFTER_SECS};
use domain::show::OrphanRule;
use edge::Role;
use serde_json::{Value, json};

use crate::cinema::movie;
use crate::wire::Fault;
use crate::world::{HOLD_SECS, World};

/// Uses what anybody and customers call, each in all its ways.
pub(super) async fn what_customers_call(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    for (function, path) in [
        ("ListCities", "/api/cities"),
        ("ListMovies", "/api/movies?city=delhi"),
        ("SearchShows", "/api/shows?city=delhi&date=2026-11-23"),
        ("GetShow", "/api/shows/show-1"),
        ("GetSeatMap", "/api/shows/show-2/seats"),
        ("GetBestSeats", "/api/shows/arena-show/seats/best?count=2&section=NORTH"),
    ] {
        world.get(path).await.expect(200);
        seen(&world, function);
    }
    holds(&world, seen).await;

    let world = world.cold();
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    seen(&world, "HoldSeats");

    let world = world.with_provider_at(&world.provider_url);
    world.checkout("ann", "t1").await.expect(200);
    seen(&world, "CheckoutReservation");

    let world = world.with_provider_at(&world.provider_url);
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
    let again = world.hold("ann", &["A2"], "t2").await.expect(201);
    world.wire.take_calls();
    let slow = world.pay(&again, "stay_pending").await;
    world.confirm("ann", "t2", &slow).await.expect(202);
    let returned = world.pay(&again, "succeed").await;
    world.give_back(&returned).await;
    world.confirm("ann", "t2", &returned).await.expect(409);
    let payment = world.pay(&held, "succeed").await;
    world.confirm("ann", "t1", &payment).await.expect(200);
    seen(&world, "ConfirmReservation");

    let id = held["reservationId"].as_str().unwrap();
    let path = format!("/api/reservations/{id}");
    world.call("ann", "GET", &path, Value::Null).await.expect(200);
    seen(&world, "GetReservation");
    world.call("ann", "GET", "/api/reservations", Value::Null).await.expect(200);
    seen(&world, "ListReservations");
    world.cancel("ann", id).await.expect(200);
    seen(&world, "CancelReservation");
    world.refund().await;
    seen(&world, "RefundPayments");
}

/// Holds seats in all the ways that there are: of a show that has begun, of one that warns, near the
/// cap, and against others.
async fn holds(world: &World, seen: &mut impl FnMut(&World, &'static str)) {
    let amelie = movie("amelie", "Amélie");
    world
        .put_show(&amelie, |show| {
            show.id = "tidy".parse().unwrap();
            show.orphan_rule = OrphanRule::Warn;
        })
        .await;
    world.wire.take_calls();
    world.hold_of("bob", "begun", &["A1"], "t1").await.expect(409);
    world.hold_of("bob", "tidy", &["A2"], "t2").await.expect(201);
    for (row, token) in [("B", "t3"), ("C", "t4")] {
        let seats: Vec<String> = (1..=9).map(|number| format!("{row}{number}")).collect();
        let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
        let status = if row == "B" { 201 } else { 422 };
        world.hold_of("bob", "tidy", &seats, token).await.expect(status);
    }
    world.wire.inject("TransactWriteItems", Fault::TransactionConflict, 6);
    world.hold_of("cat", "tidy", &["A12"], "t5").await.expect(503);
    seen(world, "HoldSeats");
}

/// Uses the functions behind a webhook, the queue and the schedule, each in all its ways.
pub(super) async fn what_payments_drive(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let one = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&one, "succeed").await;
    world.wire.take_calls();
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    seen(&world, "ReceivePaymentWebhook");
    world.process().await;
    world.give_back(&payment).await;
    world.rest().await;
    seen(&world, "ProcessPaymentEvents");

    let world = World::new().await;
    let [one, two, three] = [("A1", "t1"), ("A2", "t2"), ("A3", "t3")];
    for (seat, token) in [one, two, three] {
        world.hold("ann", &[seat], token).await.expect(201);
        world.checkout("ann", token).await.expect(200);
    }
    let payments = world.references();
    world.finish(&payments[0], "succeed").await;
    world.finish(&payments[1], "succeed").await;
    world.give_back(&payments[1]).await;
    world.take_deliveries();
    world.advance(TimeDelta::minutes(16));
    let world = world.with_provider_at(&world.provider_url);
    world.wire.take_calls();
    world.reconcile().await.unwrap();
    seen(&world, "ReconcilePayments");
}

/// Uses what ends holds and shows, each in all its ways.
pub(super) async fn what_ends_holds_and_shows(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.wire.take_calls();
    world.release().await;
    seen(&world, "ReleaseExpiredHolds");
    world.read_once("CountAvailableSeats").await;
    seen(&world, "CountAvailableSeats");

    world.book("ann", &["A2"], "t2").await;
    let world = world.cold();
    world.wire.take_calls();
    let path = "/api/admin/shows/show-1/cancel";
    world.admin("POST", path, json!({"dryRun": true})).await.expect(200);
    for _ in 0..2 {
        world.admin("POST", path, Value::Null).await.expect(202);
    }
    seen(&world, "CancelShow");
    let path = "/api/admin/shows/show-1/cancellation";
    world.admin("GET", path, Value::Null).await.expect(200);
    seen(&world, "GetShowCancellation");
    world.sweep().await;
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    seen(&world, "SweepCancelledShows");
    world.refund().await;
    seen(&world, "RefundPayments");
    let done = world.admin("GET", path, Value::Null).await.expect(200);
    assert_eq!((&done["status"], &done["refundsDone"]), (&json!("COMPLETED"), &json!(1)));
}

/// Uses what tells others of events, each in all its ways. Nobody is at the subscriber's address, so
/// that there is more to do.
pub(super) async fn what_tells_others(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let all = "/api/admin/subscriptions";
    let body = json!({"url": "http://127.0.0.1:9/"});
    let made = world.admin("POST", all, body).await.expect(201);
    seen(&world, "CreateSubscription");
    world.admin("GET", all, Value::Null).await.expect(200);
    seen(&world, "ListSubscriptions");
    let one = format!("{all}/{}", made["subscriptionId"].as_str().unwrap());
    world.admin("POST", &format!("{one}/rotate"), Value::Null).await.expect(200);
    seen(&world, "RotateSubscriptionSecret");
    world.admin("POST", &format!("{one}/enable"), Value::Null).await.expect(200);
    seen(&world, "EnableSubscription");

    let ann = "ann@example.com";
    let booked = world.book(ann, &["A1"], "t1").await;
    tell(&world, seen).await;
    world.cancel(ann, booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.refund().await;
    tell(&world, seen).await;

    world.advance(TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS));
    let events = world.admin("GET", "/api/admin/events", Value::Null).await.expect(200);
    let told = events["items"].as_array().unwrap().len();
    assert_eq!(told, 4, "held, confirmed, cancelled, refunded");
    seen(&world, "ListEvents");
    world.admin("DELETE", &one, Value::Null).await.expect(204);
    seen(&world, "DeleteSubscription");
}

/// Tells what happened, to whomever it concerns.
async fn tell(world: &World, seen: &mut impl FnMut(&World, &'static str)) {
    world.wire.take_calls();
    world.publish().await;
    seen(world, "PublishEvents");
    world.deliver().await;
    seen(world, "DeliverEvents");
    world.mail().await;
    seen(world, "SendEmails");
}

/// Uses what lets people in.
pub(super) async fn a_ticket(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let id = booked["reservationId"].as_str().unwrap().parse().unwrap();
    let booking = world.store.reservation(&id).await.unwrap().unwrap();
    let ticket = world.app.ticket(&booking).unwrap();
    let scan = json!({"ticket": ticket, "gate": "Gate 1", "scanId": "s1"});
    world.wire.take_calls();
    world.admin("POST", "/api/admin/tickets/scan", scan).await.expect(200);
    seen(&world, "ScanTicket");
}

/// A request of an admin: of which function, by which method, for what below `/api/admin`, with which
/// body, and how it is answered.
type Row<'a> = (&'static str, &'a str, &'a str, &'a Value, u16);

/// Asks as an admin who changes whatever is there.
async fn ask(world: &World, seen: &mut impl FnMut(&World, &'static str), rows: &[Row<'_>]) {
    let token = local::token::mint(&world.tokens, "boss", Role::Admin, world.now());
    let token = format!("Bearer {token}");
    let headers = [("authorization", token.as_str()), ("if-match", "*")];
    for &(function, method, path, body, status) in rows {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/api/admin{path}");
        world.raw(method, &path, &headers, &body).await.expect(status);
        seen(world, function);
    }
}

/// Fills a house and empties it, and uses all that does so.
pub(super) async fn what_makes_a_house(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let none = &Value::Null;
    let pune = |name| json!({"name": name, "timeZone": "Asia/Kolkata"});
    let heat = |languages: &[&str]| {
        json!({"title": "Heat", "languages": languages, "genres": ["Crime"],
            "runtimeMinutes": 170, "certificate": "A"})
    };
    let mut new_heat = heat(&["English"]);
    new_heat["movieId"] = json!("heat");
    let roxy = json!({"theatreId": "roxy", "name": "Roxy", "city": "pune"});
    let screen = json!({"auditoriumId": "roxy-1", "name": "Screen 1", "theatreId": "roxy",
        "layout": one_row_of(8)});
    let renamed = json!({"name": "The best"});
    let made: [Row<'_>; 18] = [
        ("CreateCity", "POST", "/cities", &pune("Pune"), 201),
        ("GetCity", "GET", "/cities/pune", none, 200),
        ("UpdateCity", "PUT", "/cities/pune", &pune("PUNE"), 200),
        ("CreateMovie", "POST", "/movies", &new_heat, 201),
        ("GetMovie", "GET", "/movies/heat", none, 200),
        ("ListAllMovies", "GET", "/movies", none, 200),
        ("CreateTheatre", "POST", "/theatres", &roxy, 201),
        ("GetTheatre", "GET", "/theatres/roxy", none, 200),
        ("ListTheatres", "GET", "/theatres", none, 200),
        ("UpdateTheatre", "PUT", "/theatres/roxy", &renamed, 200),
        ("CreateAuditorium", "POST", "/auditoriums", &screen, 201),
        ("CreateAuditorium", "POST", "/auditoriums", &screen, 201),
        ("GetAuditorium", "GET", "/auditoriums/roxy-1", none, 200),
        ("ListAuditoriums", "GET", "/auditoriums", none, 200),
        ("UpdateAuditorium", "PUT", "/auditoriums/roxy-1", &renamed, 200),
        ("DeleteAuditorium", "DELETE", "/auditoriums/roxy-1", none, 204),
        // It had a layout before.
        ("CreateAuditorium", "POST", "/auditoriums", &screen, 201),
        ("GetLayout", "GET", "/auditoriums/roxy-1/layouts/2", none, 200),
    ];
    ask(&world, seen, &made).await;
    // As if another one was there for a while.
    let layout = json!({"pk": {"S": "AUDITORIUM#roxy-1"}, "sk": {"S": "LAYOUT#00000003"}});
    world.db.put(&world.tables.catalog, &layout);
    let changed: [Row<'_>; 6] = [
        ("UpdateMovie", "PUT", "/movies/heat", &heat(&["English", "Hindi"]), 200),
        ("AddLayout", "POST", "/auditoriums/roxy-1/layouts", &one_row_of(9), 201),
        ("DeleteAuditorium", "DELETE", "/auditoriums/roxy-1", none, 204),
        ("DeleteTheatre", "DELETE", "/theatres/roxy", none, 204),
        ("DeleteMovie", "DELETE", "/movies/heat", none, 204),
        ("DeleteCity", "DELETE", "/cities/pune", none, 204),
    ];
    ask(&world, seen, &changed).await;
}

/// A small layout.
fn one_row_of(seats: u16) -> Value {
    let row = json!({"row": "A", "runs": [{"first": 1, "last": seats, "seatType": "REGULAR"}]});
    json!({"sections": [{"section": "MAIN", "rows": [row]}]})
}

/// Plans shows, changes and removes them, and uses all that does so.
pub(super) async fn what_makes_shows(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let heat = json!({"movieId": "heat", "title": "Heat", "languages": ["English"],
        "genres": ["Crime"], "runtimeMinutes": 170, "certificate": "A"});
    let screen = |id: &str| json!({"auditoriumId": id, "name": id, "theatreId": "regal", "layout": one_row_of(8)});
    let prices = json!({"prices": {"REGULAR": {"amount": 35_000, "currency": "INR"}}});
    let (blocked, free) = (json!({"seatIds": ["A1"]}), json!({"seatIds": []}));
    let (late, early) = ("/shows/late", "/shows/early");
    let [late_seats, late_prices] = ["blocked-seats", "prices"].map(|of| format!("{late}/{of}"));
    let none = &Value::Null;
    let planned: [Row<'_>; 6] = [
        ("CreateMovie", "POST", "/movies", &heat, 201),
        ("CreateAuditorium", "POST", "/auditoriums", &screen("regal-1"), 201),
        ("CreateAuditorium", "POST", "/auditoriums", &screen("regal-2"), 201),
        ("CreateShow", "POST", "/shows", &new_show("late", "regal-1", 22), 201),
        ("UpdateBlockedSeats", "PUT", &late_seats, &blocked, 200),
        ("GetBlockedSeats", "GET", &late_seats, none, 200),
    ];
    ask(&world, seen, &planned).await;
    world.read_once("CountAvailableSeats").await;
    seen(&world, "CountAvailableSeats");
    let mut a_day_later = plan("regal-1", 22);
    a_day_later["startsAt"] = json!("2026-12-02T22:00");
    let changed: [Row<'_>; 7] = [
        // Its seats are counted for that day.
        ("UpdateShow", "PUT", late, &a_day_later, 200),
        ("UpdateBlockedSeats", "PUT", &late_seats, &free, 200),
        // With its only show gone, the first screen has no schedule.
        ("UpdateShow", "PUT", late, &plan("regal-2", 22), 200),
        ("UpdatePrices", "PUT", &late_prices, &prices, 200),
        ("CreateShow", "POST", "/shows", &new_show("early", "regal-2", 10), 201),
        // With what was counted.
        ("DeleteShow", "DELETE", late, none, 204),
        ("DeleteShow", "DELETE", early, none, 204),
    ];
    ask(&world, seen, &changed).await;
    world.book("ann", &["A1"], "t1").await;
    world.wire.take_calls();
    let (schedule, path) = (json!({"shows": [new_show("late", "regal-1", 22)]}), "/schedules");
    let forced = json!({"seatIds": ["A1"], "force": true});
    let loaded: [Row<'_>; 4] = [
        ("LoadSchedule", "POST", path, &schedule, 201),
        ("UpdateBlockedSeats", "PUT", "/shows/show-1/blocked-seats", &forced, 200),
        ("CancelShow", "POST", "/shows/late/cancel", none, 202),
        // Its only show is off.
        ("DeleteAuditorium", "DELETE", "/auditoriums/regal-1", none, 204),
    ];
    ask(&world, seen, &loaded).await;
}

/// A plan for an evening, that begins at this hour.
fn plan(screen: &str, hour: u8) -> Value {
    json!({
        "movieId": "heat", "auditoriumId": screen, "startsAt": format!("2026-12-01T{hour}:00"),
        "language": "English", "screenType": "2D", "status": "SCHEDULED",
    })
}

/// A new show of this plan.
fn new_show(id: &str, screen: &str, hour: u8) -> Value {
    let mut show = plan(screen, hour);
    show["showId"] = json!(id);
    show["prices"] = json!({"REGULAR": {"amount": 30_000, "currency": "INR"}});
    show
}

/// Looks at the books of a show.
pub(super) async fn what_looks_at_shows(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.wire.take_calls();
    for (function, path) in [
        ("AuditShow", "/api/admin/shows/show-1/audit"),
        ("GetShowSales", "/api/admin/shows/show-1/sales"),
    ] {
        world.admin("GET", path, Value::Null).await.expect(200);
        seen(&world, function);
    }
}
