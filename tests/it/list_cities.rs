//! `GET /api/cities`.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn cities_come_by_id_and_by_page() {
    let world = World::new().await;
    let all = world.get("/api/cities").await.expect(200);
    let delhi = json!({"city": "delhi", "name": "Delhi", "timeZone": "Asia/Kolkata"});
    assert_eq!((&all["items"][0], &all["items"][1]["city"]), (&delhi, &json!("mumbai")));
    assert_eq!(all["nextCursor"], Value::Null);

    let first = world.get("/api/cities?limit=1").await.expect(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = world.get(&format!("/api/cities?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(
        (&second["items"][0]["city"], &second["nextCursor"]),
        (&json!("mumbai"), &Value::Null)
    );
}

#[tokio::test]
async fn an_unchanged_list_is_not_sent_again_and_anybody_may_keep_it_for_a_minute() {
    let world = World::new().await;
    let first = world.get("/api/cities").await;
    assert_eq!(first.headers["cache-control"], "public, max-age=60");
    let tag = first.headers["etag"].clone();
    let again = world.raw("GET", "/api/cities", &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, again.body), (304, Value::Null));
}
