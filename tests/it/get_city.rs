//! `GET /api/admin/cities/{city}`.

use serde_json::{Value, json};

use crate::create_city::{CITIES, tag};
use crate::world::World;

#[tokio::test]
async fn a_city_is_shown_with_its_version() {
    let world = World::new().await;
    let found = world.admin("GET", &format!("{CITIES}/delhi"), Value::Null).await;
    assert_eq!(tag(&found), "\"1\"");
    let delhi = json!({"city": "delhi", "name": "Delhi", "timeZone": "Asia/Kolkata"});
    assert_eq!(found.expect(200), delhi);
}

#[tokio::test]
async fn what_is_no_city_is_not_found() {
    let world = World::new().await;
    for id in ["atlantis", "a%20b"] {
        let answer = world.admin("GET", &format!("{CITIES}/{id}"), Value::Null).await;
        assert_eq!(answer.problem(404), "not_found", "{id}");
    }
}
