//! `GET /api/shows/{showId}`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::cinema::movie;
use crate::world::World;

#[tokio::test]
async fn a_show_has_its_film_house_times_and_prices() {
    let world = World::new().await;
    let show = world.get("/api/shows/show-1").await.expect(200);
    assert_eq!(show["movie"], json!({"movieId": "inception", "title": "Inception"}));
    assert_eq!(show["theatre"], json!({"theatreId": "regal", "name": "Regal"}));
    assert_eq!((&show["city"], &show["status"]), (&json!("delhi"), &json!("ON_SALE")));
    assert_eq!(show["startsAt"], "2026-11-23T06:30:00.000Z");
    assert_eq!(show["startsAtLocal"], "2026-11-23T12:00:00+05:30");
    assert_eq!(show["endsAtLocal"], "2026-11-23T15:00:00+05:30");
    assert_eq!(show["timeZone"], "Asia/Kolkata");
    assert_eq!(show["prices"]["PREMIUM"], json!({"amount": 60_000, "currency": "INR"}));
    assert_eq!(show.get("availability"), None, "a list tells it, and the map of seats");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    for path in ["/api/shows/nowhere", "/api/shows/a%23b", "/api/shows/SHOW%23show-1"] {
        assert_eq!(world.get(path).await.problem(404), "not_found", "{path}");
    }
}

/// Its tag is its version, as a change of it names it.
#[tokio::test]
async fn a_show_is_sent_again_when_its_version_is_another() {
    let world = World::new().await;
    let path = "/api/shows/show-1";
    let first = world.get(path).await;
    assert_eq!(first.headers["etag"], "\"1\"");
    assert_eq!(first.headers["cache-control"], "public, max-age=5");
    let again = world.raw("GET", path, &[("if-none-match", "\"1\"")], "").await;
    assert_eq!((again.status, again.body), (304, Value::Null));
    let inception = movie("inception", "Inception");
    world.put_show(&inception, |show| (show.version, show.language) = (2, "Hindi".into())).await;
    world.advance(TimeDelta::seconds(5));
    let changed = world.raw("GET", path, &[("if-none-match", "\"1\"")], "").await;
    assert_eq!(changed.headers["etag"], "\"2\"");
    assert_eq!(changed.expect(200)["language"], "Hindi");
}
