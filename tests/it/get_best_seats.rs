//! `GET /api/shows/{showId}/seats/best`.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::show::OrphanRule;
use serde_json::{Value, json};

use crate::seat_rules::open;
use crate::world::{HOLD_SECS, World};

/// The seats that are proposed.
async fn best(world: &World, show: &str, query: &str) -> Vec<String> {
    let answer = world.get(&format!("/api/shows/{show}/seats/best?{query}")).await.expect(200);
    let seats = answer["items"].as_array().unwrap().iter();
    seats.map(|seat| seat["seatId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn seats_side_by_side_two_thirds_back_are_proposed_with_their_price() {
    let world = World::new().await;
    let answer = world.get("/api/shows/show-1/seats/best?count=2").await.expect(200);
    let seat = |id: &str, number: u16| {
        json!({
            "seatId": id, "section": "MAIN", "row": "B", "number": number, "seatType": "REGULAR",
            "price": {"amount": 45_000, "currency": "INR"}, "status": "AVAILABLE",
        })
    };
    let expected = json!({
        "showId": "show-1",
        "items": [seat("B6", 6), seat("B7", 7)],
        "amount": {"amount": 90_000, "currency": "INR"},
    });
    assert_eq!(answer, expected);
    assert_eq!(world.items(&world.tables.seats), Vec::<Value>::new(), "nothing is held");
}

#[tokio::test]
async fn seats_are_proposed_by_number() {
    let world = World::new().await;
    let seats = best(&world, "show-1", "count=10").await;
    let expected: Vec<String> = (1..=10).map(|number| format!("B{number}")).collect();
    assert_eq!(seats, expected, "two are left at one end, and not one at each");
}

#[tokio::test]
async fn seats_of_a_type_are_proposed_if_it_is_sold() {
    let world = World::new().await;
    assert_eq!(best(&world, "show-1", "count=2&seatType=PREMIUM").await, ["C6", "C7"]);
    let none = world.get("/api/shows/show-1/seats/best?count=2&seatType=SOFA").await.expect(200);
    assert_eq!(none, json!({"showId": "show-1", "items": [], "amount": null}));
}

/// Goal: what is proposed can be held, until nothing is left. Method: take every proposal.
#[tokio::test]
async fn every_proposal_can_be_held_until_the_house_is_full() {
    let world = World::new().await;
    let mut held = BTreeSet::new();
    for buyer in 1..=9 {
        let seats = best(&world, "show-1", "count=4").await;
        let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
        world.hold(&format!("buyer-{buyer}"), &seats, "t1").await.expect(201);
        held.extend(seats.into_iter().map(str::to_owned));
    }
    assert_eq!(held.len(), 36);
    assert_eq!(best(&world, "show-1", "count=1").await, Vec::<String>::new());
    world.advance(TimeDelta::seconds(HOLD_SECS));
    assert_eq!(best(&world, "show-1", "count=4").await, ["B5", "B6", "B7", "B8"]);
}

#[tokio::test]
async fn a_large_house_is_asked_section_by_section() {
    let world = World::new().await;
    let path = "/api/shows/arena-show/seats/best?count=2";
    assert_eq!(world.get(path).await.problem(400), "invalid_request");
    let south = best(&world, "arena-show", "count=2&section=SOUTH").await;
    assert_eq!(south, ["SOUTH-N50", "SOUTH-N51"]);
    for nowhere in ["WEST", "%23"] {
        let answer = world.get(&format!("{path}&section={nowhere}")).await;
        assert_eq!(answer.problem(404), "not_found");
    }
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    for query in [
        "",
        "count=",
        "count=0",
        "count=11",
        "count=-1",
        "count=two",
        "count=2&accessible=maybe",
        "count=2&seatType=%23",
    ] {
        let answer = world.get(&format!("/api/shows/show-1/seats/best?{query}")).await;
        assert_eq!(answer.problem(400), "invalid_request", "{query}");
    }
}

#[tokio::test]
async fn a_show_that_does_not_sell_proposes_nothing() {
    let world = World::new().await;
    for (show, status, code) in [
        ("nowhere", 404, "not_found"),
        ("begun", 409, "show_not_on_sale"),
        ("announced", 409, "show_not_on_sale"),
        ("cancelled", 409, "show_cancelled"),
    ] {
        let answer = world.get(&format!("/api/shows/{show}/seats/best?count=2")).await;
        assert_eq!(answer.problem(status), code, "{show}");
    }
}

#[tokio::test]
async fn accessible_seats_are_proposed_to_those_who_need_them() {
    let world = World::new().await;
    open(&world, |_| {}).await;
    assert_eq!(best(&world, "studio-show", "count=2&accessible=true").await, ["A8", "A9"]);
    let answer = world.get("/api/shows/studio-show/seats/best?count=1&accessible=true").await;
    assert_eq!(answer.expect(200)["items"][0]["feature"], "ACCESSIBLE");
    for query in ["count=8", "count=8&accessible=false"] {
        let seats = best(&world, "studio-show", query).await;
        assert!(!seats.is_empty() && seats.iter().all(|seat| seat.starts_with("AA")), "{seats:?}");
    }
    for number in 1..=9 {
        let seat = format!("AA{number}");
        world.hold_of(&format!("u{number}"), "studio-show", &[&seat], "t1").await.expect(201);
    }
    assert_eq!(best(&world, "studio-show", "count=9").await, Vec::<String>::new());
    open_to_anybody(&world).await;
    assert_eq!(best(&world.cold(), "studio-show", "count=9").await.len(), 9);
}

/// Writes the show again, with its accessible seats released.
async fn open_to_anybody(world: &World) {
    let show = world.store.show(&"studio-show".parse().unwrap()).await.unwrap().unwrap();
    let show = domain::show::Show { accessible_released: true, ..show };
    world.store.put_show(&show).await.unwrap();
}

/// Goal: a show does not propose what it would refuse. Method: two PREMIUM seats with a single one on
/// either side, which no other choice of that type can help.
#[tokio::test]
async fn a_proposal_is_never_refused_by_the_shows_own_rule() {
    for (rule, expected) in [
        (OrphanRule::Off, &["B2", "B3"][..]),
        (OrphanRule::Warn, &["B2", "B3"]),
        (OrphanRule::Enforce, &[]),
    ] {
        let world = World::new().await;
        open(&world, |show| show.orphan_rule = rule).await;
        assert_eq!(best(&world, "studio-show", "count=2&seatType=PREMIUM").await, expected);
        let seats = best(&world, "studio-show", "count=2").await;
        let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
        let held = world.hold_of("ann", "studio-show", &seats, "t1").await.expect(201);
        assert_eq!(held.get("warnings"), None, "{rule:?}");
    }
}

#[tokio::test]
async fn a_proposal_costs_a_query_for_each_section_that_could_have_it() {
    let world = World::new().await;
    best(&world, "show-1", "count=2").await;
    world.wire.take_calls();
    best(&world, "show-1", "count=2").await;
    let calls = world.wire.take_calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, ["Query"]);
    best(&world, "show-1", "count=2&seatType=SOFA").await;
    assert_eq!(world.wire.take_calls().len(), 0, "what is not sold is not looked for");
}
