//! `GET /api/shows/{showId}`.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_show_has_its_film_house_times_and_prices() {
    let world = World::new().await;
    let show = world.get("/api/shows/show-1").await.expect(200);
    assert_eq!(show["movie"], json!({"movieId": "inception", "title": "Inception"}));
    assert_eq!(show["theatre"], json!({"theatreId": "regal", "name": "Regal"}));
    assert_eq!((&show["city"], &show["status"]), (&json!("delhi"), &json!("ON_SALE")));
    assert_eq!(show["startsAt"], "2026-11-23T06:30:00.000Z");
    assert_eq!(show["prices"]["PREMIUM"], json!({"amount": 60_000, "currency": "INR"}));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    for path in ["/api/shows/nowhere", "/api/shows/a%23b", "/api/shows/SHOW%23show-1"] {
        assert_eq!(world.get(path).await.problem(404), "not_found", "{path}");
    }
}
