//! The five example calls of the original request, with their very paths and bodies.

use domain::catalog::Auditorium;
use domain::layout::{Feature, RawLayout, Row, Run, Section};
use serde_json::json;

use crate::cinema::{movie, name};
use crate::world::World;

#[tokio::test]
async fn the_five_example_calls_work_as_written() {
    let world = World::new().await;
    // A show `abc` whose hall has the seats `s1` and `s2`.
    let seat_type = "REGULAR".parse().unwrap();
    let run = Run { first: 1, last: 4, seat_type, feature: Feature::Standard };
    let row = Row { label: "s".to_owned(), runs: vec![run], aisles_after: Vec::new() };
    let sections = vec![Section { id: "MAIN".parse().unwrap(), rows: vec![row] }];
    let auditorium = Auditorium {
        id: "studio".parse().unwrap(),
        name: name("Studio"),
        theatre_id: "regal".parse().unwrap(),
        layout_version: 1,
    };
    let layout = RawLayout { sections }.try_into().unwrap();
    world.store.create_auditorium(&auditorium, &layout).await.unwrap();
    world
        .put_show(&movie("inception", "Inception"), |show| {
            show.id = "abc".parse().unwrap();
            show.auditorium.id = "studio".parse().unwrap();
        })
        .await;

    let found = world.get("/api/shows?city=Delhi&movie=Inception&date=2025-07-01").await;
    assert_eq!(found.expect(200), json!({"items": [], "nextCursor": null}), "a day long past");
    let seats = world.get("/api/shows/abc/seats").await.expect(200);
    assert_eq!(seats["items"][0]["seatId"], "s1");

    let body = json!({"showId": "abc", "seatIds": ["s1", "s2"], "holdToken": "uuid-1234"});
    let held = world.call("ann", "POST", "/api/reservations/hold", body).await.expect(201);

    let payment = json!({
        "reservationId": held["reservationId"], "amount": held["amount"]["amount"],
        "currency": "INR", "outcome": "succeed", "paymentReference": "txn-789",
    });
    world.order(&payment).await;
    let body = json!({"holdToken": "uuid-1234", "paymentReference": "txn-789"});
    let booked = world.call("ann", "POST", "/api/reservations/confirm", body).await.expect(200);
    assert_eq!(booked["status"], "CONFIRMED");

    let body = json!({"reservationId": "res-123"});
    let unknown = world.call("ann", "POST", "/api/reservations/cancel", body).await;
    assert_eq!(unknown.problem(404), "not_found", "well formed, and nobody's");
    let body = json!({"reservationId": booked["reservationId"]});
    let cancelled = world.call("ann", "POST", "/api/reservations/cancel", body).await.expect(200);
    assert_eq!(cancelled["status"], "CANCELLED");
}
