//! `PUT /api/admin/auditoriums/{auditoriumId}`.

use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, one_row};
use crate::create_city::tag;
use crate::world::{Answer, World};

const SCREEN: &str = "/api/admin/auditoriums/screen-1";

async fn rename(world: &World, at: &str, name: &str) -> Answer {
    world.admin_at(at, "PUT", SCREEN, json!({"name": name})).await
}

#[tokio::test(start_paused = true)]
async fn an_auditorium_is_renamed_and_keeps_its_seats() {
    let world = World::new().await;
    world.lose_a_write();
    assert_eq!(rename(&world, "\"1\"", "Audi 1").await.problem(503), "try_again");
    let renamed = rename(&world, "\"1\"", "Audi 1").await;
    assert_eq!(tag(&renamed), "\"2\"");
    let expected = json!({
        "auditoriumId": "screen-1", "name": "Audi 1", "theatreId": "regal", "layoutVersion": 1,
    });
    assert_eq!(renamed.expect(200), expected);
    let more = world.admin_at("*", "PUT", SCREEN, json!({"name": "A", "theatreId": "regal"})).await;
    assert_eq!(more.problem(400), "invalid_request");
}

#[tokio::test]
async fn a_change_names_the_version_that_it_is_of() {
    let world = World::new().await;
    assert_eq!(rename(&world, "\"2\"", "One").await.problem(412), "precondition_failed");
    let blind = world.admin("PUT", SCREEN, json!({"name": "One"})).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let unknown = format!("{AUDITORIUMS}/screen-9");
    let unknown = world.admin_at("*", "PUT", &unknown, json!({"name": "One"})).await;
    assert_eq!(unknown.problem(404), "not_found");

    let layouts = format!("{SCREEN}/layouts");
    let (one, two) = tokio::join!(
        rename(&world, "\"1\"", "One"),
        world.admin_at("\"1\"", "POST", &layouts, one_row(8)),
    );
    match (one.status, two.status) {
        (200, 412) | (412, 201) => {}
        both => panic!("{both:?}"),
    }
    let now = world.admin("GET", SCREEN, Value::Null).await;
    assert_eq!(tag(&now), "\"2\"", "one of them changed it");
}
