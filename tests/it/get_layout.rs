//! `GET /api/admin/auditoriums/{auditoriumId}/layouts/{layoutVersion}`.

use serde_json::{Value, json};

use crate::create_auditorium::{AUDITORIUMS, one_row, studio};
use crate::create_city::tag;
use crate::world::World;

#[tokio::test]
async fn a_layout_is_shown_as_it_was_sent() {
    let world = World::new().await;
    world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
    let found = world.admin("GET", &format!("{AUDITORIUMS}/studio/layouts/1"), Value::Null).await;
    assert_eq!(tag(&found), "\"1\"");
    let expected = json!({
        "auditoriumId": "studio", "layoutVersion": 1, "seatCount": 8, "layout": one_row(8),
    });
    assert_eq!(found.expect(200), expected);
}

#[tokio::test]
async fn a_layout_that_never_was_is_not_found() {
    let world = World::new().await;
    for path in ["screen-1/layouts/2", "screen-1/layouts/0", "screen-1/layouts/x", "none/layouts/1"]
    {
        let answer = world.admin("GET", &format!("{AUDITORIUMS}/{path}"), Value::Null).await;
        assert_eq!(answer.problem(404), "not_found", "{path}");
    }
}
