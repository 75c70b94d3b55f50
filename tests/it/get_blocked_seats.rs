//! `GET /api/admin/shows/{showId}/blocked-seats`.

use serde_json::{Value, json};

use crate::create_city::tag;
use crate::world::{Answer, World};

const BLOCKED: &str = "/api/admin/shows/show-1/blocked-seats";

async fn kept(world: &World) -> Answer {
    world.admin("GET", BLOCKED, Value::Null).await
}

#[tokio::test]
async fn the_seats_that_the_house_keeps_are_told_as_they_are_now() {
    let world = World::new().await;
    let none = kept(&world).await;
    let empty = tag(&none).to_owned();
    assert_eq!(none.expect(200), json!({"showId": "show-1", "seatIds": []}));

    let body = json!({"seatIds": ["B2", "A1", "A10"]});
    let changed = world.admin_at(&empty, "PUT", BLOCKED, body).await;
    let some = kept(&world.cold()).await;
    assert_eq!(tag(&some), tag(&changed), "who changed it need not ask");
    assert_ne!(tag(&some), empty);
    let digits = tag(&some).trim_matches('"');
    assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digits}");
    assert_eq!(some.expect(200), json!({"showId": "show-1", "seatIds": ["A1", "A10", "B2"]}));

    world.hold("ann", &["A2"], "t1").await.expect(201);
    world.admin("PUT", BLOCKED, json!({"seatIds": []})).await.expect(200);
    assert_eq!(tag(&kept(&world).await), empty, "what customers hold is not the house's");
}

#[tokio::test]
async fn a_cancelled_show_tells_it_too_and_one_that_is_not_there_does_not() {
    let world = World::new().await;
    let path = |show: &str| format!("/api/admin/shows/{show}/blocked-seats");
    let cancelled = world.admin("GET", &path("cancelled"), Value::Null).await;
    assert_eq!(cancelled.expect(200)["seatIds"], json!([]));
    for nowhere in ["nowhere", "a b"] {
        let answer = world.admin("GET", &path(nowhere), Value::Null).await;
        assert_eq!(answer.problem(404), "not_found");
    }
}
