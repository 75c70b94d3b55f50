//! `GET /api/admin/auditoriums/{auditoriumId}`.

use serde_json::{Value, json};

use crate::create_auditorium::AUDITORIUMS;
use crate::create_city::tag;
use crate::world::World;

#[tokio::test]
async fn an_auditorium_is_shown_with_its_version() {
    let world = World::new().await;
    let found = world.admin("GET", &format!("{AUDITORIUMS}/screen-1"), Value::Null).await;
    assert_eq!(tag(&found), "\"1\"");
    let expected = json!({
        "auditoriumId": "screen-1", "name": "Screen 1", "theatreId": "regal", "layoutVersion": 1,
    });
    assert_eq!(found.expect(200), expected);
    let unknown = world.admin("GET", &format!("{AUDITORIUMS}/screen-9"), Value::Null).await;
    assert_eq!(unknown.problem(404), "not_found");
}
