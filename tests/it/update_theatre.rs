//! `PUT /api/admin/theatres/{theatreId}`.

use serde_json::{Value, json};

use crate::create_city::tag;
use crate::create_theatre::THEATRES;
use crate::world::{Answer, World};

async fn rename(world: &World, at: &str, name: &str) -> Answer {
    world.admin_at(at, "PUT", &format!("{THEATRES}/regal"), json!({"name": name})).await
}

#[tokio::test(start_paused = true)]
async fn a_theatre_is_renamed_and_stays_where_it_is() {
    let world = World::new().await;
    world.lose_a_write();
    assert_eq!(rename(&world, "\"1\"", "The Regal").await.problem(503), "try_again");
    let renamed = rename(&world, "\"1\"", "The Regal").await;
    assert_eq!(tag(&renamed), "\"2\"");
    let regal = json!({"theatreId": "regal", "name": "The Regal", "city": "delhi"});
    assert_eq!(renamed.expect(200), regal);

    let path = format!("{THEATRES}/regal");
    let moved = json!({"name": "Regal", "city": "mumbai"});
    let moved = world.admin_at("*", "PUT", &path, moved).await;
    assert_eq!(moved.problem(400), "invalid_request");
    let in_use = world.admin_at("*", "DELETE", &path, Value::Null).await;
    assert_eq!(in_use.problem(409), "in_use", "what stands in it still counts");
}

#[tokio::test]
async fn a_change_names_the_version_that_it_is_of() {
    let world = World::new().await;
    assert_eq!(rename(&world, "\"2\"", "One").await.problem(412), "precondition_failed");
    let path = format!("{THEATRES}/regal");
    let blind = world.admin("PUT", &path, json!({"name": "One"})).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let unknown = format!("{THEATRES}/odeon");
    let unknown = world.admin_at("*", "PUT", &unknown, json!({"name": "One"})).await;
    assert_eq!(unknown.problem(404), "not_found");

    let (one, two) = tokio::join!(rename(&world, "\"1\"", "One"), rename(&world, "\"1\"", "Two"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}
