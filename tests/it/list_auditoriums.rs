//! `GET /api/admin/auditoriums?theatre=`.

use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, studio};
use crate::create_city::ids;
use crate::create_theatre::THEATRES;
use crate::world::World;

async fn listed(world: &World, query: &str) -> Vec<String> {
    let path = format!("{AUDITORIUMS}{query}");
    ids(&world.admin("GET", &path, Value::Null).await.expect(200), "auditoriumId")
}

#[tokio::test]
async fn auditoriums_come_by_id_of_all_theatres_or_of_one() {
    let world = World::new().await;
    let body = json!({"theatreId": "liberty", "name": "Liberty", "city": "mumbai"});
    world.admin("POST", THEATRES, body).await.expect(201);
    for id in ["liberty-2", "liberty-1"] {
        world.admin("POST", AUDITORIUMS, studio(id, "liberty")).await.expect(201);
    }
    assert_eq!(listed(&world, "").await, ["arena", "liberty-1", "liberty-2", "screen-1"]);
    assert_eq!(listed(&world, "?theatre=liberty").await, ["liberty-1", "liberty-2"]);
    assert_eq!(listed(&world, "?theatre=regal").await, ["arena", "screen-1"]);
    assert_eq!(listed(&world, "?theatre=odeon").await, [""; 0]);

    let path = format!("{AUDITORIUMS}?theatre=liberty&limit=1");
    let first = world.admin("GET", &path, Value::Null).await.expect(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let query = format!("?theatre=liberty&limit=1&cursor={cursor}");
    assert_eq!(listed(&world, &query).await, ["liberty-2"]);
}
