//! `GET /api/reservations/{reservationId}`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::world::{HOLD_SECS, World};

async fn get(world: &World, user: &str, reservation: &Value) -> crate::world::Answer {
    let id = reservation["reservationId"].as_str().unwrap();
    world.call(user, "GET", &format!("/api/reservations/{id}"), json!(null)).await
}

#[tokio::test]
async fn the_owner_sees_booking_and_payment() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    assert_eq!(get(&world, "ann", &booked).await.expect(200), booked);
}

#[tokio::test]
async fn to_others_it_is_not_there() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(get(&world, "bob", &held).await.problem(404), "not_found");
    let nothing = json!({"reservationId": "res-123"});
    assert_eq!(get(&world, "ann", &nothing).await.problem(404), "not_found");
    let broken = json!({"reservationId": "a%20b"});
    assert_eq!(get(&world, "ann", &broken).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_hold_is_shown_as_expired_at_its_second_though_nobody_swept() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS) - TimeDelta::milliseconds(1));
    assert_eq!(get(&world, "ann", &held).await.expect(200)["status"], "PENDING");
    world.advance(TimeDelta::milliseconds(1));
    assert_eq!(get(&world, "ann", &held).await.expect(200)["status"], "EXPIRED");
}
