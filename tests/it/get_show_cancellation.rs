//! `GET /api/admin/shows/{showId}/cancellation`.

use serde_json::{Value, json};

use crate::cinema::REGULAR;
use crate::world::World;

#[tokio::test]
async fn progress_is_told_as_it_is_made() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.hold("bob", &["B1"], "t2").await.expect(201);
    world.admin("POST", "/api/admin/shows/show-1/cancel", Value::Null).await.expect(202);
    let progress = async |world: &World| {
        let path = "/api/admin/shows/show-1/cancellation";
        let progress = world.admin("GET", path, Value::Null).await.expect(200);
        let of = |name: &str| progress[name].as_u64().unwrap();
        (of("bookingsCancelled"), of("holdsReleased"), of("reservationsLeft"), of("refundsDone"))
    };
    assert_eq!(progress(&world).await, (0, 0, 2, 0));
    world.sweep().await;
    assert_eq!(progress(&world).await, (1, 1, 0, 0));
    world.refund().await;
    assert_eq!(progress(&world).await, (1, 1, 0, 1));
    let path = "/api/admin/shows/show-1/cancellation";
    let progress = world.admin("GET", path, Value::Null).await.expect(200);
    assert_eq!(progress["refundedTotal"], json!({"amount": REGULAR, "currency": "INR"}));
    assert_eq!(progress["completedAt"], Value::Null, "somebody may still be about to sell it");
}

#[tokio::test]
async fn a_show_that_was_not_cancelled_has_none() {
    let world = World::new().await;
    for show in ["show-1", "nowhere"] {
        let path = format!("/api/admin/shows/{show}/cancellation");
        assert_eq!(world.admin("GET", &path, Value::Null).await.problem(404), "not_found");
    }
}
