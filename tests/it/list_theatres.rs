//! `GET /api/admin/theatres?city=`.

use serde_json::{Value, json};

use crate::create_city::ids;
use crate::create_theatre::THEATRES;
use crate::world::World;

async fn listed(world: &World, query: &str) -> Vec<String> {
    let path = format!("{THEATRES}{query}");
    ids(&world.admin("GET", &path, Value::Null).await.expect(200), "theatreId")
}

#[tokio::test]
async fn theatres_come_by_id_of_all_cities_or_of_one() {
    let world = World::new().await;
    for (id, city) in [("liberty", "mumbai"), ("plaza", "delhi")] {
        let body = json!({"theatreId": id, "name": "A theatre", "city": city});
        world.admin("POST", THEATRES, body).await.expect(201);
    }
    assert_eq!(listed(&world, "").await, ["liberty", "plaza", "regal"]);
    assert_eq!(listed(&world, "?city=mumbai").await, ["liberty"]);
    assert_eq!(listed(&world, "?city=DELHI").await, ["plaza", "regal"]);
    assert_eq!(listed(&world, "?city=atlantis").await, [""; 0]);
    assert_eq!(listed(&world, "?city=--").await, [""; 0]);

    let path = format!("{THEATRES}?city=delhi&limit=1");
    let first = world.admin("GET", &path, Value::Null).await.expect(200);
    assert_eq!(ids(&first, "theatreId"), ["plaza"]);
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(listed(&world, &format!("?city=delhi&limit=1&cursor={cursor}")).await, ["regal"]);
}
