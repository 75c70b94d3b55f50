//! `GET /api/shows/{showId}/seats`.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn every_seat_is_listed_with_its_price_and_status() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.book("ann", &["C12"], "t2").await;
    let map = world.get("/api/shows/show-1/seats").await.expect(200);
    let items = map["items"].as_array().unwrap();
    assert_eq!((items.len(), &map["showId"]), (36, &json!("show-1")));
    let first = json!({
        "seatId": "A1", "section": "MAIN", "row": "A", "number": 1, "seatType": "REGULAR",
        "price": {"amount": 45_000, "currency": "INR"}, "status": "HELD",
    });
    assert_eq!(items[0], first);
    assert_eq!(items[1]["status"], "AVAILABLE");
    assert_eq!((&items[35]["seatId"], &items[35]["status"]), (&json!("C12"), &json!("BOOKED")));
}

#[tokio::test]
async fn an_unchanged_map_is_not_sent_again() {
    let world = World::new().await;
    let path = "/api/shows/show-1/seats";
    let first = world.get(path).await;
    let tag = first.headers["etag"].clone();
    let weak = format!("\"other\", W/{tag}");
    for known in [tag.as_str(), weak.as_str(), "*"] {
        let again = world.raw("GET", path, &[("if-none-match", known)], "").await;
        assert_eq!((again.status, &again.headers["etag"]), (304, &tag));
    }
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let changed = world.raw("GET", path, &[("if-none-match", &tag)], "").await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.headers["etag"], tag);
}

#[tokio::test]
async fn a_large_house_tells_its_sections_and_each_of_them_its_seats() {
    let world = World::new().await;
    world
        .hold_of("ann", "arena-show", &["SOUTH-B7", "SOUTH-B8", "EAST-A1"], "t1")
        .await
        .expect(201);
    let sections = world.get("/api/shows/arena-show/seats").await.expect(200);
    assert_eq!(
        sections["sections"],
        json!([
            {"section": "NORTH", "total": 2_000, "available": 2_000},
            {"section": "SOUTH", "total": 2_000, "available": 1_998},
            {"section": "EAST", "total": 2_000, "available": 1_999},
        ])
    );
    assert_eq!(sections.get("items"), None);

    let south = world.get("/api/shows/arena-show/seats?section=SOUTH").await.expect(200);
    let items = south["items"].as_array().unwrap();
    let held: Vec<&Value> = items.iter().filter(|seat| seat["status"] == "HELD").collect();
    assert_eq!((items.len(), held.len()), (2_000, 2));
    assert_eq!(held[0]["seatId"], "SOUTH-B7");
    let nowhere = world.get("/api/shows/arena-show/seats?section=WEST").await;
    assert_eq!(nowhere.problem(404), "not_found");
}
