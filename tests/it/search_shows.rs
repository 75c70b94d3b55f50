//! `GET /api/shows`.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::show::PriceList;
use serde_json::{Value, json};

use crate::cinema::movie;
use crate::world::World;

async fn search(world: &World, query: &str) -> Vec<String> {
    let answer = world.get(&format!("/api/shows?{query}")).await.expect(200);
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["showId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_citys_day_by_start_as_far_as_it_matches() {
    let world = World::new().await;
    let cases: [(&str, &[&str]); 11] = [
        ("city=Delhi&date=2026-11-23", &["show-1", "show-2"]),
        ("city=delhi&date=2026-11-23&movie=Inception", &["show-1"]),
        ("city=DELHI&date=2026-11-23&movie=incep", &["show-1"]),
        ("city=delhi&date=2026-11-23&movie=amelie", &["show-2"]),
        ("city=delhi&date=2026-11-23&movie=ception", &[]),
        ("city=delhi&date=2026-11-23&language=french", &["show-2"]),
        ("city=delhi&date=2026-11-23&screenType=imax", &["show-2"]),
        ("city=delhi&date=2026-11-23&screenType=imax&language=english", &[]),
        ("city=delhi&date=2026-11-22", &["begun"]),
        ("city=mumbai&date=2026-11-23", &[]),
        ("city=Delhi&movie=Inception&date=2025-07-01", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(search(&world, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_percent_sign_and_an_accent_in_a_query_are_only_text() {
    let world = World::new().await;
    let found = search(&world, "city=delhi&date=2026-11-23&movie=Am%C3%A9lie").await;
    assert_eq!(found, ["show-2"]);
    assert!(search(&world, "city=delhi&date=2026-11-23&movie=100%25").await.is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let world = World::new().await;
    let first = world.get("/api/shows?city=delhi&date=2026-11-23&limit=1").await.expect(200);
    assert_eq!(first["items"][0]["showId"], "show-1");
    let cursor = first["nextCursor"].as_str().unwrap();
    let path = format!("/api/shows?city=delhi&date=2026-11-23&limit=1&cursor={cursor}");
    let second = world.get(&path).await.expect(200);
    assert_eq!(
        (&second["items"][0]["showId"], &second["nextCursor"]),
        (&json!("show-2"), &Value::Null)
    );
}

#[tokio::test]
async fn a_search_costs_one_query_and_then_none() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.count().await;
    world.wire.take_calls();
    search(&world, "city=delhi&date=2026-11-23").await;
    let calls: Vec<_> = world.wire.take_calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["Query"], "what is left comes with it");
    search(&world, "city=delhi&date=2026-11-23&movie=inception").await;
    assert_eq!(world.wire.take_calls().len(), 0);
}

#[tokio::test]
async fn a_search_needs_a_city_and_a_day_that_exist() {
    let world = World::new().await;
    for query in [
        "",
        "?city=delhi",
        "?date=2026-11-23",
        "?city=delhi&date=2025-13-40",
        "?city=delhi&date=today",
        "?city=delhi&date=2026-1-2",
    ] {
        let answer = world.get(&format!("/api/shows{query}")).await;
        assert_eq!(answer.problem(400), "invalid_request", "{query}");
    }
}

#[tokio::test]
async fn what_no_filter_can_mean_is_told() {
    let world = World::new().await;
    for (filter, detail) in [
        ("timeOfDay=noon", "a time of day is MORNING, AFTERNOON, EVENING or NIGHT"),
        ("minPrice=-1", "a price is a whole number of minor units"),
        ("maxPrice=450.00", "a price is a whole number of minor units"),
        ("minPrice=2&maxPrice=1", "the lowest price is above the highest"),
        ("available=yes", "whether seats must be available is `true` or `false`"),
    ] {
        let path = format!("/api/shows?city=delhi&date=2026-11-23&{filter}");
        let answer = world.get(&path).await.expect(400);
        let told = (&answer["code"], &answer["detail"]);
        assert_eq!(told, (&json!("invalid_request"), &json!(detail)), "{filter}");
    }
}

#[tokio::test]
async fn a_time_of_day_is_that_of_the_theatre() {
    let world = World::new().await;
    // At noon, at three, and then at nine in the evening and at five in the morning.
    for (id, hours) in [("late", 9), ("early", -7)] {
        let change = |show: &mut domain::show::Show| {
            show.id = id.parse().unwrap();
            show.starts_at += TimeDelta::hours(hours);
        };
        world.put_show(&movie("inception", "Inception"), change).await;
    }
    let cases: [(&str, &[&str]); 5] = [
        ("MORNING", &["early"]),
        ("afternoon", &["show-1", "show-2"]),
        ("Evening", &[]),
        ("NIGHT", &["late"]),
        ("", &["early", "show-1", "show-2", "late"]),
    ];
    for (time, expected) in cases {
        let query = format!("city=delhi&date=2026-11-23&timeOfDay={time}");
        assert_eq!(search(&world, &query).await, expected, "{time:?}");
    }
}

/// Goal: times are those on the theatre's wall, also in the night in which its clocks move on. Method: shows
/// on both sides of two o'clock, when it is three in Berlin.
#[tokio::test]
async fn local_times_stand_beside_utc_when_the_clocks_change() {
    let world = World::new().await;
    let nights = [
        (
            "before",
            "2027-03-28T00:30:00Z",
            "2027-03-28T01:30:00+01:00",
            "2027-03-28T05:30:00+02:00",
        ),
        ("after", "2027-03-28T01:30:00Z", "2027-03-28T03:30:00+02:00", "2027-03-28T06:30:00+02:00"),
        ("later", "2027-03-28T03:30:00Z", "2027-03-28T05:30:00+02:00", "2027-03-28T08:30:00+02:00"),
    ];
    for (id, starts_at, ..) in nights {
        let change = |show: &mut domain::show::Show| {
            show.id = id.parse().unwrap();
            show.starts_at = starts_at.parse().unwrap();
            show.date = "2027-03-28".parse().unwrap();
            show.time_zone = "Europe/Berlin".to_owned();
        };
        world.put_show(&movie("inception", "Inception"), change).await;
    }
    let found = world.get("/api/shows?city=delhi&date=2027-03-28").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), nights.len());
    for ((id, _, starts, ends), show) in nights.iter().zip(found["items"].as_array().unwrap()) {
        assert_eq!(show["showId"], *id);
        assert_eq!(show["timeZone"], "Europe/Berlin");
        assert_eq!((&show["startsAtLocal"], &show["endsAtLocal"]), (&json!(starts), &json!(ends)));
    }
    let night = search(&world, "city=delhi&date=2027-03-28&timeOfDay=NIGHT").await;
    assert_eq!(night, ["before", "after"]);
    let morning = search(&world, "city=delhi&date=2027-03-28&timeOfDay=MORNING").await;
    assert_eq!(morning, ["later"], "by the winter's clocks it would be night");
}

#[tokio::test]
async fn a_price_fits_if_some_seat_has_it() {
    let world = World::new().await;
    let matinee = |show: &mut domain::show::Show| {
        show.id = "cheap".parse().unwrap();
        show.starts_at += TimeDelta::hours(1);
        let prices = BTreeMap::from([("REGULAR".parse().unwrap(), 20_000)]);
        show.prices = PriceList::new("INR".parse().unwrap(), prices).unwrap();
    };
    world.put_show(&movie("inception", "Inception"), matinee).await;
    // The others have seats at 45,000 and at 60,000.
    let cases: [(&str, &[&str]); 7] = [
        ("minPrice=20000", &["show-1", "cheap", "show-2"]),
        ("minPrice=20001", &["show-1", "show-2"]),
        ("minPrice=60000", &["show-1", "show-2"]),
        ("minPrice=60001", &[]),
        ("maxPrice=20000", &["cheap"]),
        ("maxPrice=45000", &["show-1", "cheap", "show-2"]),
        ("minPrice=46000&maxPrice=59999", &[]),
    ];
    for (filter, expected) in cases {
        let query = format!("city=delhi&date=2026-11-23&{filter}");
        assert_eq!(search(&world, &query).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn only_shows_with_seats_left_if_asked_so() {
    let world = World::new().await;
    let path = "/api/admin/shows/show-1/blocked-seats";
    let rows = ['A', 'B', 'C'].into_iter();
    let seats = rows.flat_map(|row| (1..=12).map(move |number| format!("{row}{number}")));
    let seats: Vec<String> = seats.collect();
    world.admin("PUT", path, json!({"seatIds": seats})).await.expect(200);
    world.count().await;
    let day = "city=delhi&date=2026-11-23";
    let found = search(&world, &format!("{day}&available=true")).await;
    assert_eq!(found, ["show-2"]);
    let found = search(&world, &format!("{day}&available=false")).await;
    assert_eq!(found, ["show-1", "show-2"]);
    let tomorrow = search(&world, "city=delhi&date=2026-11-24&available=true").await;
    assert_eq!(tomorrow, ["arena-show"], "and none that does not sell");
}

#[tokio::test]
async fn an_unchanged_list_is_not_sent_again_and_anybody_may_keep_it_for_a_moment() {
    let world = World::new().await;
    let path = "/api/shows?city=delhi&date=2026-11-23";
    let first = world.get(path).await;
    assert_eq!(first.headers["cache-control"], "public, max-age=5");
    let tag = first.headers["etag"].clone();
    let again = world.raw("GET", path, &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, &again.headers["etag"]), (304, &tag));
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.count().await;
    let early = world.raw("GET", path, &[("if-none-match", &tag)], "").await;
    assert_eq!(early.status, 304, "a warm function looks every ten seconds");
    world.advance(TimeDelta::seconds(10));
    let changed = world.raw("GET", path, &[("if-none-match", &tag)], "").await;
    assert_ne!(changed.headers["etag"], tag);
    assert_eq!(changed.expect(200)["items"][0]["availability"]["available"], 35);
}
