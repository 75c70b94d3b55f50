//! `GET /api/admin/movies/{movieId}`.

use serde_json::Value;

use crate::create_city::tag;
use crate::create_movie::{MOVIES, film};
use crate::world::World;

#[tokio::test]
async fn a_film_is_shown_with_its_version() {
    let world = World::new().await;
    let heat = film("heat", |_| {});
    world.admin("POST", MOVIES, heat.clone()).await.expect(201);
    let found = world.admin("GET", &format!("{MOVIES}/heat"), Value::Null).await;
    assert_eq!(tag(&found), "\"1\"");
    assert_eq!(found.expect(200), heat);
    let unknown = world.admin("GET", &format!("{MOVIES}/cold"), Value::Null).await;
    assert_eq!(unknown.problem(404), "not_found");
}
