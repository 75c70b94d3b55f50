//! What every history sells: three shows in one small hall, so that people meet.

use chrono::TimeDelta;
use domain::catalog::{Auditorium, City, Movie, Name, Theatre};
use domain::layout::{Feature, Layout, RawLayout, Row, Run, Section};
use domain::show::{AuditoriumRef, MovieRef, OrphanRule, PriceList, Show, Status, TheatreRef};
use domain::time::Timestamp;
use store::Store;

/// The shows.
pub(in crate::simulation) const SHOWS: [&str; 3] = ["show-1", "show-2", "show-3"];

/// When they begin, after the start: two of them while people still buy.
pub(in crate::simulation) const BEGIN_AFTER: [TimeDelta; 3] =
    [TimeDelta::hours(2), TimeDelta::hours(6), TimeDelta::days(10)];

/// Seats of the hall.
const SEATS: u32 = 12;

/// What a seat costs at first, by its type, in paise.
const PRICES: [(&str, u64); 2] = [("REGULAR", 45_000), ("PREMIUM", 60_000)];

/// Rows A to C of four seats, the last one PREMIUM.
pub(super) fn hall() -> Layout {
    let row = |label: &str, seat_type: &str| Row {
        label: label.to_owned(),
        runs: vec![Run {
            first: 1,
            last: 4,
            seat_type: seat_type.parse().expect("it is a type"),
            feature: Feature::Standard,
        }],
        aisles_after: Vec::new(),
    };
    let rows = vec![row("A", "REGULAR"), row("B", "REGULAR"), row("C", "PREMIUM")];
    let sections = vec![Section { id: "MAIN".parse().expect("it is an id"), rows }];
    RawLayout { sections }.try_into().expect("it is a layout")
}

fn name(text: &str) -> Name {
    text.to_owned().try_into().expect("it is a name")
}

/// Writes the catalogue.
pub(super) async fn fill(store: &Store, start: Timestamp) {
    let delhi = City::new(name("Delhi"), "Asia/Kolkata".to_owned()).expect("it is a city");
    let theatre = Theatre {
        id: "regal".parse().expect("it is an id"),
        name: name("Regal"),
        city_id: delhi.id.clone(),
    };
    let auditorium = Auditorium {
        id: "screen-1".parse().expect("it is an id"),
        name: name("Screen 1"),
        theatre_id: theatre.id.clone(),
        layout_version: 1,
    };
    let movie = Movie {
        id: "inception".parse().expect("it is an id"),
        title: name("Inception"),
        languages: vec!["English".to_owned()],
        genres: vec!["Drama".to_owned()],
        runtime_minutes: 148,
        certificate: "UA".to_owned(),
    };
    store.create(&delhi).await.expect("the tables are empty");
    store.create(&theatre).await.expect("its city is there");
    store.create_auditorium(&auditorium, &hall()).await.expect("its theatre is there");
    store.create(&movie).await.expect("the tables are empty");
    for (after, id) in BEGIN_AFTER.into_iter().zip(SHOWS) {
        let show = show(id, &auditorium, &movie, start, after);
        store.put_show(&show).await.expect("the tables are empty");
    }
}

fn show(
    id: &str,
    auditorium: &Auditorium,
    movie: &Movie,
    start: Timestamp,
    after: TimeDelta,
) -> Show {
    let starts_at = start + after;
    let prices = PRICES.map(|(of, minor)| (of.parse().expect("it is a type"), minor));
    let currency = "INR".parse().expect("it is a currency");
    Show {
        id: id.parse().expect("it is an id"),
        movie: MovieRef { id: movie.id.clone(), title: movie.title.clone() },
        theatre: TheatreRef { id: auditorium.theatre_id.clone(), name: name("Regal") },
        auditorium: AuditoriumRef {
            id: auditorium.id.clone(),
            name: auditorium.name.clone(),
            layout_version: auditorium.layout_version,
        },
        city_id: "delhi".parse().expect("it is an id"),
        date: starts_at.date_naive(),
        starts_at,
        ends_at: starts_at + TimeDelta::hours(3),
        language: "English".to_owned(),
        screen_type: "2D".to_owned(),
        prices: PriceList::new(currency, prices.into_iter().collect()).expect("they are prices"),
        status: Status::OnSale,
        time_zone: "Asia/Kolkata".to_owned(),
        seat_count: SEATS,
        orphan_rule: OrphanRule::Off,
        accessible_released: false,
        opened_at: Some(start),
        version: 1,
    }
}
