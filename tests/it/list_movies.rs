//! `GET /api/movies?city=`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::world::World;

fn titles(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_city_lists_each_film_once_by_title_while_it_is_shown() {
    let world = World::new().await;
    for city in ["Delhi", "delhi", "DELHI"] {
        let path = format!("/api/movies?city={city}");
        assert_eq!(titles(&world.get(&path).await.expect(200)), ["Amélie", "Inception"]);
    }
    assert_eq!(titles(&world.get("/api/movies?city=Mumbai").await.expect(200)), [""; 0]);
    assert_eq!(titles(&world.get("/api/movies?city=Atlantis").await.expect(200)), [""; 0]);
    assert_eq!(world.get("/api/movies").await.problem(400), "invalid_request");

    world.advance(TimeDelta::days(2));
    let later = world.get("/api/movies?city=delhi").await.expect(200);
    assert_eq!(titles(&later), ["Inception"], "Amélie was yesterday");
}

#[tokio::test]
async fn films_come_by_page() {
    let world = World::new().await;
    let first = world.get("/api/movies?city=delhi&limit=1").await.expect(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let path = format!("/api/movies?city=delhi&limit=1&cursor={cursor}");
    let second = world.get(&path).await.expect(200);
    assert_eq!(titles(&second), ["Inception"]);
    assert_eq!(second["nextCursor"], json!(null));
}
