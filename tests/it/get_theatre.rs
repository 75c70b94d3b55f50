//! `GET /api/admin/theatres/{theatreId}`.

use serde_json::{Value, json};

use crate::create_city::tag;
use crate::create_theatre::THEATRES;
use crate::world::World;

#[tokio::test]
async fn a_theatre_is_shown_with_its_version() {
    let world = World::new().await;
    let found = world.admin("GET", &format!("{THEATRES}/regal"), Value::Null).await;
    assert_eq!(tag(&found), "\"1\"", "what is built in it is no change of it");
    let regal = json!({"theatreId": "regal", "name": "Regal", "city": "delhi"});
    assert_eq!(found.expect(200), regal);
    let unknown = world.admin("GET", &format!("{THEATRES}/odeon"), Value::Null).await;
    assert_eq!(unknown.problem(404), "not_found");
}
