//! `GET /api/reservations`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::world::World;

async fn page(world: &World, user: &str, query: &str) -> Value {
    let path = format!("/api/reservations{query}");
    world.call(user, "GET", &path, json!(null)).await.expect(200)
}

fn tokens(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["holdToken"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn mine_newest_first_page_by_page() {
    let world = World::new().await;
    for number in 1..=5 {
        let (seat, token) = (format!("A{number}"), format!("t{number}"));
        world.hold("ann", &[&seat], &token).await.expect(201);
        world.advance(TimeDelta::milliseconds(1));
    }
    world.hold("bob", &["B1"], "bobs").await.expect(201);

    let first = page(&world, "ann", "?limit=2").await;
    assert_eq!(tokens(&first), ["t5", "t4"]);
    let next = first["nextCursor"].as_str().unwrap();
    let second = page(&world, "ann", &format!("?limit=2&cursor={next}")).await;
    assert_eq!(tokens(&second), ["t3", "t2"]);
    let next = second["nextCursor"].as_str().unwrap();
    let third = page(&world, "ann", &format!("?limit=2&cursor={next}")).await;
    assert_eq!(tokens(&third), ["t1"]);
    assert_eq!(third["nextCursor"], Value::Null);
    assert_eq!(tokens(&page(&world, "ann", "").await).len(), 5);
}

#[tokio::test]
async fn anothers_cursor_opens_nothing() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(1));
    world.hold("ann", &["A2"], "t2").await.expect(201);
    let first = page(&world, "ann", "?limit=1").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(tokens(&page(&world, "bob", &format!("?cursor={cursor}")).await), [""; 0]);
}
