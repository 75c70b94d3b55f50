//! `DELETE /api/admin/theatres/{theatreId}`.

use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, studio};
use crate::create_city::CITIES;
use crate::create_theatre::THEATRES;
use crate::world::World;

async fn open(world: &World, id: &str) -> String {
    let body = json!({"theatreId": id, "name": "Liberty", "city": "mumbai"});
    world.admin("POST", THEATRES, body).await.expect(201);
    format!("{THEATRES}/{id}")
}

#[tokio::test(start_paused = true)]
async fn a_removed_theatre_is_gone_and_its_city_may_go() {
    let world = World::new().await;
    let path = open(&world, "liberty").await;
    let blind = world.admin("DELETE", &path, Value::Null).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let stale = world.admin_at("\"2\"", "DELETE", &path, Value::Null).await;
    assert_eq!(stale.problem(412), "precondition_failed");

    world.lose_a_write();
    let lost = world.admin_at("\"1\"", "DELETE", &path, Value::Null).await;
    assert_eq!(lost.problem(503), "try_again");
    for _ in 0..2 {
        world.admin_at("\"1\"", "DELETE", &path, Value::Null).await.expect(204);
        assert_eq!(world.admin("GET", &path, Value::Null).await.problem(404), "not_found");
    }
    let city = format!("{CITIES}/mumbai");
    world.admin_at("\"1\"", "DELETE", &city, Value::Null).await.expect(204);
}

#[tokio::test]
async fn a_theatre_with_auditoriums_is_in_use() {
    let world = World::new().await;
    let path = open(&world, "liberty").await;
    world.admin("POST", AUDITORIUMS, studio("liberty-1", "liberty")).await.expect(201);
    let in_use = world.admin_at("*", "DELETE", &path, Value::Null).await;
    assert_eq!(in_use.problem(409), "in_use");
    let auditorium = format!("{AUDITORIUMS}/liberty-1");
    world.admin_at("*", "DELETE", &auditorium, Value::Null).await.expect(204);
    world.admin_at("*", "DELETE", &path, Value::Null).await.expect(204);
}

/// Goal: no auditorium stands in a theatre that is gone. Method: both at once, in many theatres.
#[tokio::test]
async fn a_theatre_is_removed_or_gets_an_auditorium_and_never_both() {
    let world = World::new().await;
    for round in 0..20 {
        let theatre = format!("theatre-{round}");
        let path = open(&world, &theatre).await;
        let body = studio(&format!("auditorium-{round}"), &theatre);
        let (removed, made) = tokio::join!(
            world.admin_at("*", "DELETE", &path, Value::Null),
            world.admin("POST", AUDITORIUMS, body),
        );
        match (removed.status, made.status) {
            (204, 422) => assert_eq!(made.problem(422), "unknown_reference"),
            (409, 201) => assert_eq!(removed.problem(409), "in_use"),
            both => panic!("round {round}: {both:?}"),
        }
    }
}
