//! `GET /api/shows`.

use serde_json::{Value, json};

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
    world.wire.take_calls();
    search(&world, "city=delhi&date=2026-11-23").await;
    let calls: Vec<_> = world.wire.take_calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["Query"]);
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
