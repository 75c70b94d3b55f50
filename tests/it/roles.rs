//! Who may do what: every route, asked by nobody, by a user, by another user and by an admin.
//!
//! `openapi.yaml` says by `x-access` whom an operation is for: `public`, `user`, `owner` (the user
//! whose it is), `admin`, or `signature` (whoever signs it). [`ASKED`] has a request for each. A new
//! route without either fails.

use std::collections::{BTreeMap, BTreeSet};

use edge::Role;
use serde_json::{Value, json};

use crate::contract;
use crate::world::{Answer, World};

/// What each operation is asked and how whoever may ask is answered, in an order in which all of it
/// can happen. `<name>` is what an answer before said of `name`.
const ASKED: [(&str, &str, &str, u16); 52] = [
    ("listCities", "/api/cities", "", 200),
    ("listMovies", "/api/movies?city=delhi", "", 200),
    ("searchShows", "/api/shows?city=delhi&date=2026-11-23", "", 200),
    ("getShow", "/api/shows/show-1", "", 200),
    ("getSeatMap", "/api/shows/show-1/seats", "", 200),
    ("getBestSeats", "/api/shows/show-1/seats/best?count=2", "", 200),
    ("holdSeats", "/api/reservations/hold", HOLD, 201),
    ("checkoutReservation", "/api/reservations/checkout", r#"{"holdToken": "t1"}"#, 200),
    ("getReservation", "/api/reservations/<reservationId>", "", 200),
    ("listReservations", "/api/reservations", "", 200),
    ("confirmReservation", "/api/reservations/confirm", CONFIRM, 200),
    ("cancelReservation", "/api/reservations/cancel", CANCEL, 200),
    ("receivePaymentWebhook", "/api/payments/webhooks/sandbox", "{}", 400),
    ("createCity", "/api/admin/cities", PUNE, 201),
    ("getCity", "/api/admin/cities/pune", "", 200),
    ("updateCity", "/api/admin/cities/pune", PUNE, 200),
    ("createMovie", "/api/admin/movies", HEAT, 201),
    ("listAllMovies", "/api/admin/movies", "", 200),
    ("getMovie", "/api/admin/movies/heat", "", 200),
    ("updateMovie", "/api/admin/movies/heat", HEAT_CHANGED, 200),
    ("createTheatre", "/api/admin/theatres", ROXY, 201),
    ("listTheatres", "/api/admin/theatres?city=pune", "", 200),
    ("getTheatre", "/api/admin/theatres/roxy", "", 200),
    ("updateTheatre", "/api/admin/theatres/roxy", r#"{"name": "The Roxy"}"#, 200),
    ("createAuditorium", "/api/admin/auditoriums", ROXY_1, 201),
    ("listAuditoriums", "/api/admin/auditoriums?theatre=roxy", "", 200),
    ("getAuditorium", "/api/admin/auditoriums/roxy-1", "", 200),
    ("updateAuditorium", "/api/admin/auditoriums/roxy-1", r#"{"name": "Screen 1"}"#, 200),
    ("addLayout", "/api/admin/auditoriums/roxy-1/layouts", LAYOUT, 201),
    ("getLayout", "/api/admin/auditoriums/roxy-1/layouts/1", "", 200),
    ("createShow", "/api/admin/shows", LATE, 201),
    ("updateShow", "/api/admin/shows/late", LATE_CHANGED, 200),
    ("updatePrices", "/api/admin/shows/late/prices", PRICES, 200),
    ("deleteShow", "/api/admin/shows/late", "", 204),
    ("loadSchedule", "/api/admin/schedules", SCHEDULE, 201),
    ("deleteAuditorium", "/api/admin/auditoriums/roxy-1", "", 204),
    ("deleteTheatre", "/api/admin/theatres/roxy", "", 204),
    ("deleteMovie", "/api/admin/movies/rush", "", 204),
    ("deleteCity", "/api/admin/cities/pune", "", 204),
    ("updateBlockedSeats", "/api/admin/shows/show-1/blocked-seats", r#"{"seatIds": ["C1"]}"#, 200),
    ("getBlockedSeats", "/api/admin/shows/show-1/blocked-seats", "", 200),
    ("auditShow", "/api/admin/shows/show-1/audit", "", 200),
    ("getShowSales", "/api/admin/shows/show-1/sales", "", 200),
    ("cancelShow", "/api/admin/shows/show-2/cancel", "", 202),
    ("getShowCancellation", "/api/admin/shows/show-2/cancellation", "", 200),
    ("listEvents", "/api/admin/events", "", 200),
    ("createSubscription", "/api/admin/subscriptions", r#"{"url": "http://127.0.0.1:9/"}"#, 201),
    ("listSubscriptions", "/api/admin/subscriptions", "", 200),
    ("rotateSubscriptionSecret", "/api/admin/subscriptions/<subscriptionId>/rotate", "", 200),
    ("enableSubscription", "/api/admin/subscriptions/<subscriptionId>/enable", "", 200),
    ("deleteSubscription", "/api/admin/subscriptions/<subscriptionId>", "", 204),
    ("scanTicket", "/api/admin/tickets/scan", SCAN, 200),
];

const HOLD: &str = r#"{"showId": "show-1", "seatIds": ["A1", "A2"], "holdToken": "t1"}"#;
const CONFIRM: &str = r#"{"holdToken": "t1", "paymentReference": "<paymentReference>"}"#;
const CANCEL: &str = r#"{"reservationId": "<reservationId>"}"#;
const SCAN: &str = r#"{"ticket": "<ticket>", "gate": "Gate 1", "scanId": "s1"}"#;
const PUNE: &str = r#"{"name": "Pune", "timeZone": "Asia/Kolkata"}"#;
const HEAT: &str = r#"{"movieId": "heat", "title": "Heat", "languages": ["English"],
    "genres": ["Crime"], "runtimeMinutes": 170, "certificate": "A"}"#;
const HEAT_CHANGED: &str = r#"{"title": "Heat", "languages": ["English", "Hindi"],
    "genres": ["Crime"], "runtimeMinutes": 170, "certificate": "A"}"#;
const ROXY: &str = r#"{"theatreId": "roxy", "name": "Roxy", "city": "pune"}"#;
const ROXY_1: &str = r#"{"auditoriumId": "roxy-1", "name": "Screen 1", "theatreId": "roxy",
    "layout": {"sections": [{"section": "MAIN", "rows": [
        {"row": "A", "runs": [{"first": 1, "last": 8, "seatType": "REGULAR"}]}]}]}}"#;
const LAYOUT: &str = r#"{"sections": [{"section": "MAIN", "rows": [
    {"row": "A", "runs": [{"first": 1, "last": 9, "seatType": "REGULAR"}], "aislesAfter": [4]}]}]}"#;
const LATE: &str = r#"{"showId": "late", "movieId": "heat", "auditoriumId": "roxy-1",
    "startsAt": "2026-12-01T22:00", "language": "English", "screenType": "2D",
    "prices": {"REGULAR": {"amount": 30000, "currency": "INR"}}, "status": "SCHEDULED"}"#;
const LATE_CHANGED: &str = r#"{"movieId": "heat", "auditoriumId": "roxy-1",
    "startsAt": "2026-12-01T22:30", "language": "Hindi", "screenType": "2D",
    "status": "SCHEDULED", "orphanRule": "WARN"}"#;
const PRICES: &str = r#"{"prices": {"REGULAR": {"amount": 35000, "currency": "INR"}}}"#;
const SCHEDULE: &str = r#"{"shows": [{"showId": "matinee", "movieId": "heat",
    "auditoriumId": "arena", "startsAt": "2026-12-01T11:00", "language": "English",
    "screenType": "2D", "prices": {"REGULAR": {"amount": 30000, "currency": "INR"}},
    "status": "ON_SALE"}]}"#;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Nobody,
    /// Ann, whose the reservation is.
    Owner,
    /// Bob, who is a user too.
    Other,
    Admin,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// What the table says.
    Answered,
    /// Something, but not that they may not ask.
    Heard,
    /// To show who they are.
    Unauthenticated,
    /// That it is not for them.
    Forbidden,
    /// Nothing about what is not theirs.
    NotFound,
}

/// The matrix: what each caller is told where `x-access` says this. Whoever changes something comes
/// last but for those who find it changed.
fn matrix(access: &str) -> Option<[(Caller, Told); 4]> {
    use Caller::{Admin, Nobody, Other, Owner};
    use Told::{Answered, Forbidden, Heard, NotFound, Unauthenticated};
    Some(match access {
        // No token makes up for a signature.
        "public" | "signature" => {
            [(Nobody, Answered), (Owner, Answered), (Other, Answered), (Admin, Answered)]
        }
        "user" => [
            (Nobody, Unauthenticated),
            (Admin, Forbidden),
            (Owner, Answered),
            // What ann holds bob cannot hold.
            (Other, Heard),
        ],
        "owner" => {
            [(Nobody, Unauthenticated), (Admin, Forbidden), (Other, NotFound), (Owner, Answered)]
        }
        "admin" => {
            [(Nobody, Unauthenticated), (Owner, Forbidden), (Other, Forbidden), (Admin, Answered)]
        }
        _unknown => return None,
    })
}

/// An operation of the document.
struct Operation {
    id: String,
    method: String,
    path: String,
    access: String,
    wants_a_token: bool,
    wants_a_version: bool,
}

/// The operations of the document.
fn operations() -> Vec<Operation> {
    let paths = contract::document()["paths"].as_object().expect("there are paths");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().expect("a path has methods").iter().map(move |(method, operation)| {
            let security = operation["security"].as_array();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let mut parameters = parameters.filter_map(|parameter| parameter["$ref"].as_str());
            Operation {
                id: text(&operation["operationId"]),
                method: method.to_uppercase(),
                path: path.clone(),
                access: text(&operation["x-access"]),
                wants_a_token: security.is_some_and(|schemes| !schemes.is_empty()),
                wants_a_version: parameters.any(|name| name.ends_with("/IfMatch")),
            }
        })
    });
    operations.collect()
}

/// Goal: no route without an expectation, and none whose expectation the document does not bear out.
#[test]
fn every_route_says_whom_it_is_for() {
    let operations = operations();
    for Operation { id, path, access, wants_a_token, .. } in &operations {
        assert!(matrix(access).is_some(), "{id} does not say whom it is for: `{access}`");
        let by_token = ["user", "owner", "admin"].contains(&access.as_str());
        assert_eq!(*wants_a_token, by_token, "{id}: x-access and security agree");
        assert_eq!(path.starts_with("/api/admin/"), access == "admin", "{id}");
    }
    let described: BTreeSet<&str> = operations.iter().map(|it| it.id.as_str()).collect();
    let asked: BTreeSet<&str> = ASKED.iter().map(|row| row.0).collect();
    assert_eq!(asked, described, "every operation is asked something");
    assert_eq!(asked.len(), ASKED.len(), "and each once");
}

/// Goal: everybody gets what is theirs, and nobody changes or learns what is not. Method: ask for
/// every operation as everybody, and compare answers with the matrix; who is turned away leaves all
/// tables as they were, and only ann and the admin ever read of her reservation.
#[tokio::test]
async fn every_route_is_for_those_it_says() {
    let world = World::new().await;
    let operations: BTreeMap<String, Operation> =
        operations().into_iter().map(|operation| (operation.id.clone(), operation)).collect();
    let mut known = BTreeMap::new();
    for (id, path, body, status) in ASKED {
        let operation = &operations[id];
        prepare(&world, id, &mut known).await;
        let (path, body) = (filled(path, &known), filled(body, &known));
        for (caller, told) in matrix(&operation.access).unwrap() {
            let before = tables(&world);
            let answer = ask(&world, operation, caller, &path, &body).await;
            let who = format!("{id} for {caller:?}: {:#}", answer.body);
            match told {
                Told::Answered => assert_eq!(answer.status, status, "{who}"),
                Told::Heard => assert!(![401, 403, 404].contains(&answer.status), "{who}"),
                Told::Unauthenticated => assert_eq!(answer.status, 401, "{who}"),
                Told::Forbidden => assert_eq!(answer.status, 403, "{who}"),
                Told::NotFound => assert_eq!(answer.status, 404, "{who}"),
            }
            assert!(answer.status < 500, "{who}");
            let is_of_ann = known.get("reservationId").is_some_and(|id| names(&answer, id));
            let may_know = matches!(caller, Caller::Owner | Caller::Admin);
            assert!(may_know || !is_of_ann, "{who}");
            assert!(id != "listReservations" || is_of_ann == (caller == Caller::Owner), "{who}");
            if [401, 403, 404].contains(&answer.status) {
                assert_eq!(tables(&world), before, "{who}");
            } else {
                learn(&answer, &mut known);
            }
        }
    }
}

/// Asks for an operation as somebody.
async fn ask(
    world: &World,
    operation: &Operation,
    caller: Caller,
    path: &str,
    body: &str,
) -> Answer {
    let (route, _) = world.event(&operation.method, path, &[], "");
    assert_eq!(route.path, operation.path, "the path is that of {}", operation.id);
    let token = |user, role| {
        format!("Bearer {}", local::token::mint(&world.tokens, user, role, world.now()))
    };
    let token = match caller {
        Caller::Nobody => None,
        Caller::Owner => Some(token("ann", Role::User)),
        Caller::Other => Some(token("bob", Role::User)),
        Caller::Admin => Some(token("boss", Role::Admin)),
    };
    let mut headers: Vec<(&str, &str)> = Vec::new();
    headers.extend(token.as_ref().map(|token| ("authorization", token.as_str())));
    headers.extend(operation.wants_a_version.then_some(("if-match", "*")));
    world.raw(&operation.method, path, &headers, body).await
}

/// What must have happened elsewhere before an operation can go well.
async fn prepare(world: &World, operation: &str, known: &mut BTreeMap<String, String>) {
    match operation {
        "confirmReservation" => world.finish(&known["paymentReference"], "succeed").await,
        "scanTicket" => {
            let booked = world.book("ann", &["B1"], "t2").await;
            let id = booked["reservationId"].as_str().unwrap().parse().unwrap();
            let booking = world.store.reservation(&id).await.unwrap().unwrap();
            known.insert("ticket".to_owned(), world.app.ticket(&booking).unwrap());
        }
        // Heat is showing.
        "deleteMovie" => {
            let rush = serde_json::from_str(&HEAT.replace("heat", "rush")).unwrap();
            world.admin("POST", "/api/admin/movies", rush).await.expect(201);
        }
        _nothing => {}
    }
}

/// `text` with what is known in place of its names.
fn filled(text: &str, known: &BTreeMap<String, String>) -> String {
    let filled = known
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value));
    assert!(!filled.contains('<'), "nobody has said yet: {filled}");
    filled
}

/// Notes what an answer says. What bob or a later row says of his own does not count.
fn learn(answer: &Answer, known: &mut BTreeMap<String, String>) {
    for name in ["reservationId", "paymentReference", "subscriptionId"] {
        if let Some(value) = answer.body[name].as_str() {
            known.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
}

/// Whether an answer says this anywhere.
fn names(answer: &Answer, id: &str) -> bool {
    answer.body.to_string().contains(id)
}

/// Every item, but for those that count who asks how often.
fn tables(world: &World) -> Value {
    let store::Tables { catalog, seats, reservations, payments, events, limits: _ } = &world.tables;
    let all = [catalog, seats, reservations, payments, events];
    all.into_iter().map(|table| json!(world.items(table))).collect()
}
