//! `POST /api/admin/auditoriums/{auditoriumId}/layouts`.

use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, check_mistakes, full_of_mistakes, one_row, studio};
use crate::create_city::tag;
use crate::world::{Answer, World};

const STUDIO: &str = "/api/admin/auditoriums/studio";
const LAYOUTS: &str = "/api/admin/auditoriums/studio/layouts";

async fn world_with_studio() -> World {
    let world = World::new().await;
    world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
    world
}

async fn rebuild(world: &World, at: &str, seats: u16) -> Answer {
    world.admin_at(at, "POST", LAYOUTS, one_row(seats)).await
}

async fn seats(world: &World, version: u32) -> Value {
    let path = format!("{LAYOUTS}/{version}");
    world.admin("GET", &path, Value::Null).await.expect(200)["seatCount"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_layout_is_added_once_and_the_old_ones_stay() {
    let world = world_with_studio().await;
    world.lose_a_write();
    assert_eq!(rebuild(&world, "\"1\"", 9).await.problem(503), "try_again");
    for _ in 0..2 {
        let added = rebuild(&world, "\"1\"", 9).await;
        assert_eq!(tag(&added), "\"2\"", "the auditorium's");
        assert_eq!(added.expect(201), json!({"auditoriumId": "studio", "layoutVersion": 2}));
    }
    let auditorium = world.admin("GET", STUDIO, Value::Null).await;
    assert_eq!((tag(&auditorium), &auditorium.body["layoutVersion"]), ("\"2\"", &json!(2)));
    assert_eq!((seats(&world, 1).await, seats(&world, 2).await), (json!(8), json!(9)));

    assert_eq!(tag(&rebuild(&world, "*", 8).await), "\"3\"", "as it was, and yet another");
    assert_eq!(seats(&world, 3).await, 8);
}

#[tokio::test]
async fn a_layout_is_for_the_auditorium_as_it_is_known() {
    let world = world_with_studio().await;
    assert_eq!(rebuild(&world, "\"2\"", 9).await.problem(412), "precondition_failed");
    let blind = world.admin("POST", LAYOUTS, one_row(9)).await;
    assert_eq!(blind.problem(428), "precondition_required");
    let unknown = format!("{AUDITORIUMS}/nowhere/layouts");
    let unknown = world.admin_at("*", "POST", &unknown, one_row(9)).await;
    assert_eq!(unknown.problem(404), "not_found");

    let (one, two) = tokio::join!(rebuild(&world, "\"1\"", 9), rebuild(&world, "\"1\"", 10));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412]);
    let won = if one.status == 201 { 9 } else { 10 };
    assert_eq!((seats(&world, 1).await, seats(&world, 2).await), (json!(8), json!(won)));
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_layout_is_told_at_once() {
    let world = world_with_studio().await;
    let before = world.items(&world.tables.catalog);
    let answer = world.admin_at("*", "POST", LAYOUTS, full_of_mistakes()).await;
    check_mistakes(&answer.expect(422));
    for body in [json!({}), json!({"sections": "MAIN"}), json!({"sections": [], "more": 1})] {
        let answer = world.admin_at("*", "POST", LAYOUTS, body.clone()).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
    assert_eq!(world.items(&world.tables.catalog), before);
}

/// Goal: a stadium can be loaded, and what nobody needs cannot. Method: a layout that is larger
/// than any other body, and one above the limit of uploads.
#[tokio::test]
async fn a_layout_may_be_as_large_as_a_stadium() {
    let world = world_with_studio().await;
    let rows = |section: u32| {
        let row = |number: u32| {
            let letter = char::from_u32(u32::from('A') + number).unwrap().to_string();
            json!({"row": letter, "runs": [{"first": 1, "last": 50, "seatType": "STAND"}]})
        };
        let rows: Vec<Value> = (0..24).map(row).collect();
        json!({"section": format!("S{section}"), "rows": rows})
    };
    let sections: Vec<Value> = (1..=100).map(rows).collect();
    let stadium = json!({"sections": sections});
    assert!(stadium.to_string().len() > 100_000, "more than other bodies may have");
    world.admin_at("\"1\"", "POST", LAYOUTS, stadium).await.expect(201);
    assert_eq!(seats(&world, 2).await, 100 * 24 * 50);

    let huge = json!({"sections": ["x".repeat(5 * 1024 * 1024)]});
    let huge = world.admin_at("*", "POST", LAYOUTS, huge).await;
    assert_eq!(huge.problem(413), "payload_too_large");
}
