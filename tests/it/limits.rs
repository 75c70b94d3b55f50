//! The largest things there may be, tried.

use domain::catalog::Auditorium;
use domain::layout::{Feature, Layout, RawLayout, Row, Run, Section};
use domain::limits::{
    AISLES_PER_ROW_MAX, LAYOUT_ROWS_MAX, LAYOUT_RUNS_MAX, LAYOUT_SEATS_MAX, SEAT_TYPE_CHARS_MAX,
    SECTION_ID_CHARS_MAX, SECTIONS_MAX,
};

use serde_json::json;

use crate::cinema::{movie, name};
use crate::world::World;

/// Every limit of a layout reached at once, each name as long as it may be.
fn largest() -> Layout {
    let rows_each = LAYOUT_ROWS_MAX.div_ceil(SECTIONS_MAX);
    let aisles = u16::try_from(AISLES_PER_ROW_MAX).unwrap();
    let mut rows_left = LAYOUT_ROWS_MAX;
    let mut runs_left = LAYOUT_RUNS_MAX;
    let mut sections = Vec::new();
    while rows_left > 0 {
        let number = sections.len();
        let mut rows = Vec::new();
        for row in 0..rows_each.min(rows_left) {
            let letter = |index: usize| char::from(b'A' + u8::try_from(index % 26).unwrap());
            let runs = (runs_left / rows_left).clamp(1, 2);
            let run = |index: u16| Run {
                first: 101 + index * 30,
                last: 130 + index * 30,
                seat_type: "T".repeat(SEAT_TYPE_CHARS_MAX).parse().unwrap(),
                feature: Feature::Accessible,
            };
            rows.push(Row {
                label: [letter(row / 26), letter(row), 'Z'].iter().collect(),
                runs: (0..u16::try_from(runs).unwrap()).map(run).collect(),
                aisles_after: (1..=aisles).map(|aisle| 100 + aisle).collect(),
            });
            runs_left -= runs;
            rows_left -= 1;
        }
        let id = format!("{number:0>width$}", width = SECTION_ID_CHARS_MAX);
        sections.push(Section { id: id.parse().unwrap(), rows });
    }
    RawLayout { sections }.try_into().unwrap()
}

#[tokio::test]
async fn the_largest_layout_fits_an_item_and_sells() {
    let world = World::new().await;
    let layout = largest();
    assert!(layout.seat_count() >= 75_000 && layout.seat_count() <= LAYOUT_SEATS_MAX);
    let auditorium = Auditorium {
        id: "stadium".parse().unwrap(),
        name: name("Stadium"),
        theatre_id: "regal".parse().unwrap(),
        layout_version: 1,
    };
    world.store.create_auditorium(&auditorium, &layout).await.unwrap();
    let first = layout.sections()[0].places().next().unwrap();
    let seat = layout.seat_id(&first).to_string();
    world
        .put_show(&movie("inception", "Inception"), |show| {
            show.id = "final".parse().unwrap();
            show.auditorium.id = "stadium".parse().unwrap();
            let one = [(first.seat_type.clone(), 500_000)].into();
            show.prices = domain::show::PriceList::new("INR".parse().unwrap(), one).unwrap();
        })
        .await;
    let body = json!({
        "showId": "final", "seatIds": [seat], "holdToken": "t1", "accessible": true,
    });
    world.call("ann", "POST", "/api/reservations/hold", body).await.expect(201);
    let sections = world.get("/api/shows/final/seats").await.expect(200);
    let first = &sections["sections"][0];
    let available = first["total"].as_u64().unwrap() - 1;
    assert_eq!(first["available"], available);
}

/// Goal: the costs in the documents hold for ids of usual length, and are known for the longest.
#[tokio::test]
async fn ids_of_any_legal_length_can_be_held() {
    let world = World::new().await;
    let (user, token) = ("ü".repeat(128), "t".repeat(128));
    let seats: Vec<String> = (1..=10).map(|number| format!("A{number}")).collect();
    let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
    let held = world.hold(&user, &seats, &token).await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.confirm(&user, &token, &payment).await.expect(200);
    world.cancel(&user, held["reservationId"].as_str().unwrap()).await.expect(200);
}
