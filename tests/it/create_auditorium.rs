//! `POST /api/admin/auditoriums`.

use serde_json::{Value, json};

use crate::create_city::tag;
use crate::world::World;

pub(crate) const AUDITORIUMS: &str = "/api/admin/auditoriums";

/// A layout of one row with so many seats, the first two of them for wheelchairs.
pub(crate) fn one_row(seats: u16) -> Value {
    let runs = json!([
        {"first": 1, "last": 2, "seatType": "REGULAR", "feature": "ACCESSIBLE"},
        {"first": 3, "last": seats, "seatType": "REGULAR"},
    ]);
    let row = json!({"row": "A", "runs": runs, "aislesAfter": [2]});
    json!({"sections": [{"section": "MAIN", "rows": [row]}]})
}

/// A new auditorium of 8 seats.
pub(crate) fn studio(id: &str, theatre: &str) -> Value {
    json!({"auditoriumId": id, "name": "Studio", "theatreId": theatre, "layout": one_row(8)})
}

/// A layout with as many mistakes as [`MISTAKES`] has.
pub(crate) fn full_of_mistakes() -> Value {
    let run =
        |first: i64, last: i64, of: &str| json!({"first": first, "last": last, "seatType": of});
    json!({"sections": [
        {"section": "A-1", "rows": [{"row": "A1", "runs": [run(0, 4, "REGULAR")]}]},
        {"section": "B C", "rows": []},
        {"section": "MAIN", "rows": [
            {"row": "A", "runs": [run(1, 1_000, "NO SUCH")], "aislesAfter": [-1]},
            {"row": "A", "runs": []},
        ]},
    ]})
}

/// What is wrong with it.
pub(crate) const MISTAKES: [&str; 10] = [
    "section `A-1`:",
    "row `A1`:",
    "row A1 of section A-1: seat numbers",
    "section `B C`:",
    "section section.2 has no seats",
    "seat type `NO SUCH`:",
    "row A of section MAIN: seat numbers",
    "row A of section MAIN: aisles",
    "row A of section MAIN is there twice",
    "row A of section MAIN has no seats",
];

/// Panics unless a problem tells all of [`MISTAKES`] and no others.
pub(crate) fn check_mistakes(problem: &Value) {
    assert_eq!(problem["code"], "invalid_layout");
    let errors = problem["errors"].as_array().unwrap();
    let details: Vec<&str> = errors.iter().map(|of| of["detail"].as_str().unwrap()).collect();
    for mistake in MISTAKES {
        let told = details.iter().filter(|detail| detail.starts_with(mistake)).count();
        assert_eq!(told, 1, "{mistake:?} in {details:#?}");
    }
    assert_eq!(details.len(), MISTAKES.len(), "{details:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_auditorium_is_made_with_its_first_layout_once() {
    let world = World::new().await;
    let body = studio("regal-2", "regal");
    world.lose_a_write();
    assert_eq!(world.admin("POST", AUDITORIUMS, body.clone()).await.problem(503), "try_again");
    let expected = json!({
        "auditoriumId": "regal-2", "name": "Studio", "theatreId": "regal", "layoutVersion": 1,
    });
    for _ in 0..2 {
        let made = world.admin("POST", AUDITORIUMS, body.clone()).await;
        assert_eq!(tag(&made), "\"1\"");
        assert_eq!(made.expect(201), expected);
    }
    let path = format!("{AUDITORIUMS}/regal-2/layouts/1");
    let layout = world.admin("GET", &path, Value::Null).await.expect(200);
    assert_eq!((&layout["layout"], &layout["seatCount"]), (&one_row(8), &json!(8)));

    let change = |name: &str, value: Value| {
        let mut other = body.clone();
        other[name] = value;
        other
    };
    for other in [
        change("name", json!("The Studio")),
        change("theatreId", json!("odeon")),
        change("layout", one_row(9)),
    ] {
        let answer = world.admin("POST", AUDITORIUMS, other.clone()).await;
        assert_eq!(answer.problem(409), "already_exists", "{other}");
    }
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_layout_is_told_at_once() {
    let world = World::new().await;
    let before = world.items(&world.tables.catalog);
    let mut body = studio("regal-2", "regal");
    body["layout"] = full_of_mistakes();
    check_mistakes(&world.admin("POST", AUDITORIUMS, body.clone()).await.expect(422));

    body["layout"] = json!({"sections": []});
    let empty = world.admin("POST", AUDITORIUMS, body).await.expect(422);
    assert_eq!(empty["errors"], json!([{"detail": "the layout has no seats"}]));
    assert_eq!(world.items(&world.tables.catalog), before);
}

/// Goal: an answer stays small, whatever is sent. Method: more mistakes than are told, with names
/// that are longer than any.
#[tokio::test]
async fn of_many_mistakes_as_many_are_told_as_somebody_reads() {
    let world = World::new().await;
    let row = json!({"row": "x".repeat(10_000), "runs": []});
    let mut body = studio("regal-2", "regal");
    body["layout"] = json!({"sections": [{"section": "MAIN", "rows": vec![row; 100]}]});
    let answer = world.admin("POST", AUDITORIUMS, body).await.expect(422);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 100);
    assert!(answer.to_string().len() < 50_000);
}

#[tokio::test]
async fn an_auditorium_stands_in_a_theatre_that_is_there() {
    let world = World::new().await;
    let nowhere = world.admin("POST", AUDITORIUMS, studio("regal-2", "odeon")).await;
    assert!(nowhere.body["detail"].as_str().unwrap().contains("odeon"), "{nowhere:?}");
    assert_eq!(nowhere.problem(422), "unknown_reference");
    for (name, value) in [
        ("auditoriumId", json!("a b")),
        ("name", json!("")),
        ("layout", json!("none")),
        ("layout", json!({"sections": [], "rows": []})),
        ("layoutVersion", json!(1)),
    ] {
        let mut body = studio("regal-2", "regal");
        body[name] = value;
        let answer = world.admin("POST", AUDITORIUMS, body.clone()).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
}
