//! What every world shows: a small catalogue.

use chrono::TimeDelta;
use domain::catalog::{Auditorium, City, Movie, Theatre};
use domain::layout::{Feature, Layout, RawLayout, Row, Run, Section};
use domain::show::{AuditoriumRef, MovieRef, OrphanRule, PriceList, Show, Status, TheatreRef};
use domain::time::Timestamp;

use crate::world::{START, World};

/// The price of a REGULAR seat, in paise.
pub(crate) const REGULAR: u64 = 45_000;

impl World {
    /// Writes the catalogue.
    pub(crate) async fn fill(&self) {
        let delhi = City::new(name("Delhi"), "Asia/Kolkata".to_owned()).unwrap();
        let mumbai = City::new(name("Mumbai"), "Asia/Kolkata".to_owned()).unwrap();
        self.store.create(&delhi).await.unwrap();
        self.store.create(&mumbai).await.unwrap();
        let theatre = Theatre {
            id: "regal".parse().unwrap(),
            name: name("Regal"),
            city_id: delhi.id.clone(),
        };
        self.store.create(&theatre).await.unwrap();
        self.put_layout("screen-1", hall()).await;
        self.put_layout("arena", arena()).await;
        let day = TimeDelta::days(1);
        let inception = movie("inception", "Inception");
        self.put_show(&inception, |_| {}).await;
        self.put_show(&movie("amelie", "Amélie"), |show| {
            show.id = "show-2".parse().unwrap();
            show.starts_at += TimeDelta::hours(3);
            show.language = "French".to_owned();
            show.screen_type = "IMAX".to_owned();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "begun".parse().unwrap();
            show.starts_at -= day + TimeDelta::minutes(1);
            show.date = show.date.pred_opt().unwrap();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "cancelled".parse().unwrap();
            show.status = Status::Cancelled;
            show.starts_at += day;
            show.date = show.date.succ_opt().unwrap();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "announced".parse().unwrap();
            show.status = Status::Scheduled;
            show.starts_at += day;
            show.date = show.date.succ_opt().unwrap();
        })
        .await;
        self.put_show(&inception, |show| {
            show.id = "arena-show".parse().unwrap();
            show.auditorium.id = "arena".parse().unwrap();
            show.seat_count = 6_000;
            show.starts_at += day;
            show.date = show.date.succ_opt().unwrap();
        })
        .await;
    }

    async fn put_layout(&self, id: &str, layout: Layout) {
        let auditorium = Auditorium {
            id: id.parse().unwrap(),
            name: name("Screen 1"),
            theatre_id: "regal".parse().unwrap(),
            layout_version: 1,
        };
        self.store.create_auditorium(&auditorium, &layout).await.unwrap();
    }

    /// Writes show-1, changed by `change`.
    pub(crate) async fn put_show(&self, movie: &Movie, change: impl FnOnce(&mut Show)) {
        let starts_at = START.parse::<Timestamp>().unwrap() + TimeDelta::days(1);
        let prices = [("REGULAR", REGULAR), ("PREMIUM", 60_000)];
        let prices = prices.map(|(seat_type, minor)| (seat_type.parse().unwrap(), minor));
        let mut show = Show {
            id: "show-1".parse().unwrap(),
            movie: MovieRef { id: movie.id.clone(), title: movie.title.clone() },
            theatre: TheatreRef { id: "regal".parse().unwrap(), name: name("Regal") },
            auditorium: AuditoriumRef {
                id: "screen-1".parse().unwrap(),
                name: name("Screen 1"),
                layout_version: 1,
            },
            city_id: "delhi".parse().unwrap(),
            date: "2026-11-23".parse().unwrap(),
            starts_at,
            ends_at: starts_at,
            language: "English".to_owned(),
            screen_type: "2D".to_owned(),
            prices: PriceList::new("INR".parse().unwrap(), prices.into_iter().collect()).unwrap(),
            status: Status::OnSale,
            time_zone: "Asia/Kolkata".to_owned(),
            seat_count: 36,
            orphan_rule: OrphanRule::Off,
            accessible_released: false,
            opened_at: None,
            version: 1,
        };
        change(&mut show);
        show.ends_at = show.starts_at + TimeDelta::hours(3);
        show.opened_at = (show.status != Status::Scheduled).then(|| self.now());
        self.store.create(movie).await.unwrap();
        self.store.put_show(&show).await.unwrap();
    }
}

pub(crate) fn name(text: &str) -> domain::catalog::Name {
    text.to_owned().try_into().unwrap()
}

pub(crate) fn movie(id: &str, title: &str) -> Movie {
    Movie {
        id: id.parse().unwrap(),
        title: name(title),
        languages: vec!["English".to_owned()],
        genres: vec!["Drama".to_owned()],
        runtime_minutes: 148,
        certificate: "UA".to_owned(),
    }
}

fn row(label: char, seats: u16, seat_type: &str) -> Row {
    Row {
        label: label.to_string(),
        runs: vec![Run {
            first: 1,
            last: seats,
            seat_type: seat_type.parse().unwrap(),
            feature: Feature::Standard,
        }],
        aisles_after: Vec::new(),
    }
}

/// Rows A to C of 12 seats, the last one PREMIUM.
fn hall() -> Layout {
    let rows = vec![row('A', 12, "REGULAR"), row('B', 12, "REGULAR"), row('C', 12, "PREMIUM")];
    let sections = vec![Section { id: "MAIN".parse().unwrap(), rows }];
    RawLayout { sections }.try_into().unwrap()
}

/// Three sections of 2,000 seats: more than one seat map lists.
fn arena() -> Layout {
    let section = |id: &str| Section {
        id: id.parse().unwrap(),
        rows: ('A'..='T').map(|label| row(label, 100, "REGULAR")).collect(),
    };
    let sections = ["NORTH", "SOUTH", "EAST"].map(section).to_vec();
    RawLayout { sections }.try_into().unwrap()
}
