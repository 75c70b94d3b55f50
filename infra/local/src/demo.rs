//! A catalogue to play with: real films and cities, made-up theatres, shows for seven days.

use std::collections::BTreeMap;

use chrono::{Days, NaiveTime, TimeDelta};
use domain::catalog::{Auditorium, City, Movie, Name, Theatre};
use domain::id::{SeatId, SectionId, ShowId};
use domain::layout::{Feature, Layout, RawLayout, Row, Run, Section};
use domain::schedule::Slot;
use domain::show::{AuditoriumRef, MovieRef, OrphanRule, PriceList, Show, Status, TheatreRef};
use domain::time::Timestamp;
use store::{CreateError, HouseSeatsError, Reschedule, ScheduleError, Store};

use crate::template::Error;

/// Days that have shows, today included.
const DAYS: u64 = 7;

/// All demo cities are in one zone, which has no summer time.
const TIME_ZONE: &str = "Asia/Kolkata";
const UTC_OFFSET_MINUTES: i64 = 330;

const CITIES: [&str; 6] = ["Delhi", "Mumbai", "Bengaluru", "Chennai", "Hyderabad", "Kolkata"];

/// Id, title, languages, genres, minutes, certificate.
type Film = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    u16,
    &'static str,
);

const FILMS: [Film; 10] = [
    ("inception", "Inception", &["English", "Hindi"], &["Science Fiction", "Thriller"], 148, "UA"),
    ("interstellar", "Interstellar", &["English"], &["Science Fiction", "Drama"], 169, "UA"),
    ("the-dark-knight", "The Dark Knight", &["English", "Hindi"], &["Action", "Crime"], 152, "UA"),
    ("3-idiots", "3 Idiots", &["Hindi"], &["Comedy", "Drama"], 170, "U"),
    ("dangal", "Dangal", &["Hindi", "Tamil"], &["Drama", "Sport"], 161, "U"),
    ("rrr", "RRR", &["Telugu", "Hindi", "Tamil"], &["Action", "Drama"], 182, "UA"),
    ("lagaan", "Lagaan", &["Hindi"], &["Drama", "Sport"], 224, "U"),
    ("parasite", "Parasite", &["Korean"], &["Thriller", "Drama"], 132, "A"),
    (
        "spirited-away",
        "Spirited Away",
        &["Japanese", "English"],
        &["Animation", "Fantasy"],
        125,
        "U",
    ),
    ("amelie", "Amélie", &["French"], &["Comedy", "Romance"], 122, "A"),
];

/// A theatre with one auditorium.
struct House {
    id: &'static str,
    name: &'static str,
    city: &'static str,
    auditorium: &'static str,
    screen_type: &'static str,
    layout: fn() -> Result<Layout, Error>,
    /// Minor units of rupees by seat type.
    prices: &'static [(&'static str, u64)],
    /// When its shows begin, on its own clock, and how far its films are along the list.
    starts: &'static [(u32, u32)],
    first_film: usize,
    /// Seats that the house keeps for itself.
    house_seats: &'static [&'static str],
    /// What it thinks of single seats that are left over.
    orphan_rule: OrphanRule,
}

const HOUSES: [House; 6] = [
    House {
        id: "regal-delhi",
        name: "Regal, Connaught Place",
        city: "delhi",
        auditorium: "Screen 1",
        screen_type: "IMAX",
        layout: grand_hall,
        prices: &[("REGULAR", 35_000), ("PREMIUM", 45_000), ("RECLINER", 80_000)],
        starts: &[(10, 0), (13, 30), (17, 0), (20, 30)],
        first_film: 0,
        house_seats: &["L12", "L13"],
        orphan_rule: OrphanRule::Off,
    },
    House {
        id: "odeon-delhi",
        name: "Odeon, Saket",
        city: "delhi",
        auditorium: "The Studio",
        screen_type: "2D",
        layout: || hall(5, 8, &[], 1),
        prices: &[("REGULAR", 28_000), ("PREMIUM", 36_000)],
        starts: &[(11, 0), (15, 0), (19, 0), (22, 30)],
        first_film: 0,
        house_seats: &[],
        orphan_rule: OrphanRule::Off,
    },
    House {
        id: "liberty-mumbai",
        name: "Liberty, Marine Lines",
        city: "mumbai",
        auditorium: "Main Hall",
        screen_type: "3D",
        layout: || hall(10, 18, &[4, 14], 3),
        prices: &[("REGULAR", 30_000), ("PREMIUM", 42_000)],
        starts: &[(10, 30), (14, 0), (17, 30), (21, 0)],
        first_film: 3,
        house_seats: &["J9"],
        orphan_rule: OrphanRule::Off,
    },
    House {
        id: "rex-bengaluru",
        name: "Rex, Brigade Road",
        city: "bengaluru",
        auditorium: "Audi 2",
        screen_type: "2D",
        layout: || with_wheelchairs(hall(8, 15, &[5], 2)?),
        prices: &[("REGULAR", 25_000), ("PREMIUM", 35_000)],
        starts: &[(9, 30), (13, 0), (16, 30), (20, 0)],
        first_film: 0,
        house_seats: &[],
        orphan_rule: OrphanRule::Off,
    },
    House {
        id: "devi-chennai",
        name: "Devi, Anna Salai",
        city: "chennai",
        auditorium: "Devi Paradise",
        screen_type: "2D",
        layout: || hall(11, 20, &[6, 14], 2),
        prices: &[("REGULAR", 19_000), ("PREMIUM", 24_000)],
        starts: &[(10, 0), (14, 15), (18, 30), (22, 0)],
        first_film: 5,
        house_seats: &[],
        orphan_rule: OrphanRule::Warn,
    },
    House {
        id: "arena-hyderabad",
        name: "Charminar Arena",
        city: "hyderabad",
        auditorium: "The Bowl",
        screen_type: "3D",
        layout: arena,
        prices: &[("FLOOR", 150_000), ("STAND", 60_000)],
        starts: &[(19, 0)],
        first_film: 5,
        house_seats: &[],
        orphan_rule: OrphanRule::Off,
    },
];

/// Fills the catalogue: the same ids every time, so doing it again only adds new days. What is there
/// stays as it is, since somebody may have changed it.
///
/// # Errors
///
/// Those of the store.
pub async fn fill(store: &Store, now: Timestamp) -> Result<(), Error> {
    let mut cities = BTreeMap::new();
    for name in CITIES {
        let city = City::new(name_of(name)?, TIME_ZONE.to_owned())?;
        unless_there(store.create(&city).await)?;
        cities.insert(city.id.to_string(), city);
    }
    let films = FILMS.iter().map(film).collect::<Result<Vec<_>, Error>>()?;
    for film in &films {
        unless_there(store.create(film).await)?;
    }
    for house in &HOUSES {
        let city = cities.get(house.city).ok_or("a house stands in no city")?;
        open(store, house, city, &films, now).await?;
    }
    Ok(())
}

/// What is there already stays as it is.
fn unless_there<T>(created: Result<T, CreateError>) -> Result<(), Error> {
    match created {
        Ok(_) | Err(CreateError::Exists) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn name_of(text: &str) -> Result<Name, Error> {
    Ok(text.to_owned().try_into()?)
}

fn film(film: &Film) -> Result<Movie, Error> {
    let (id, title, languages, genres, runtime_minutes, certificate) = *film;
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Ok(Movie {
        id: id.parse()?,
        title: name_of(title)?,
        languages: owned(languages),
        genres: owned(genres),
        runtime_minutes,
        certificate: certificate.to_owned(),
    })
}

/// Writes a house and its shows.
async fn open(
    store: &Store,
    house: &House,
    city: &City,
    films: &[Movie],
    now: Timestamp,
) -> Result<(), Error> {
    let theatre =
        Theatre { id: house.id.parse()?, name: name_of(house.name)?, city_id: city.id.clone() };
    unless_there(store.create(&theatre).await)?;
    let auditorium = Auditorium {
        id: format!("{}-1", house.id).parse()?,
        name: name_of(house.auditorium)?,
        theatre_id: theatre.id.clone(),
        layout_version: 1,
    };
    let layout = (house.layout)()?;
    unless_there(store.create_auditorium(&auditorium, &layout).await)?;
    let currency = "INR".parse()?;
    let prices = house.prices.iter().map(|(seat_type, minor)| Ok((seat_type.parse()?, *minor)));
    let prices = PriceList::new(currency, prices.collect::<Result<_, Error>>()?)?;
    let sold =
        |section: &Section| section.seat_count_of(|seat_type| prices.of(seat_type).is_some());
    let seat_count = layout.sections().iter().map(sold).sum::<usize>();

    let first = Show {
        id: house.id.parse()?,
        movie: MovieRef { id: films[0].id.clone(), title: films[0].title.clone() },
        theatre: TheatreRef { id: theatre.id, name: theatre.name },
        auditorium: AuditoriumRef {
            id: auditorium.id.clone(),
            name: auditorium.name.clone(),
            layout_version: auditorium.layout_version,
        },
        city_id: city.id.clone(),
        date: city.date_at(now)?,
        starts_at: now,
        ends_at: now,
        language: String::new(),
        screen_type: house.screen_type.to_owned(),
        prices,
        status: Status::OnSale,
        time_zone: city.time_zone.clone(),
        seat_count: seat_count.try_into()?,
        orphan_rule: house.orphan_rule,
        accessible_released: false,
        opened_at: Some(now),
        version: 1,
    };
    let mut shows = week_of(house, &first, films)?;
    plan(store, &auditorium, &mut shows, now).await?;
    for show in &shows {
        keep(store, show, &layout, house.house_seats, now).await?;
    }
    Ok(())
}

/// The shows of a house from the day of `first` on, which are like it but for film and time.
fn week_of(house: &House, first: &Show, films: &[Movie]) -> Result<Vec<Show>, Error> {
    let mut shows = Vec::new();
    for day in 0..DAYS {
        let date = first.date + Days::new(day);
        for (slot, (hour, minute)) in house.starts.iter().enumerate() {
            let film = &films[(house.first_film + slot) % films.len()];
            let clock = NaiveTime::from_hms_opt(*hour, *minute, 0).ok_or("no such time")?;
            let starts_at = date.and_time(clock).and_utc() - TimeDelta::minutes(UTC_OFFSET_MINUTES);
            let minutes = TimeDelta::minutes(i64::from(film.runtime_minutes) + 15);
            shows.push(Show {
                id: format!("{}-{date}-{hour:02}{minute:02}", house.id).parse()?,
                movie: MovieRef { id: film.id.clone(), title: film.title.clone() },
                date,
                starts_at,
                ends_at: starts_at + minutes,
                language: film.languages[0].clone(),
                ..first.clone()
            });
        }
    }
    Ok(shows)
}

/// Makes those of the shows that are not there, and leaves no others in the list. With `--data` some
/// are, and something else may be in their room.
async fn plan(
    store: &Store,
    auditorium: &Auditorium,
    shows: &mut Vec<Show>,
    now: Timestamp,
) -> Result<(), Error> {
    let ids: Vec<ShowId> = shows.iter().map(|show| show.id.clone()).collect();
    let there = store.shows_by_id(&ids).await?;
    let seen = store.schedule(&auditorium.id).await?;
    let mut then = seen.clone();
    shows.retain(|show| {
        let slot = Slot::of(show);
        let is_new = there.iter().all(|there| there.id != show.id);
        is_new && then.overlap(&slot).is_none() && then.insert(slot).is_ok()
    });
    then.forget_past(now);
    if shows.is_empty() {
        return Ok(());
    }
    store.list_films(shows).await?;
    let within = Reschedule { auditorium: auditorium.id.clone(), seen, then };
    match store.create_shows(shows, &within).await {
        // Another desk on the same tables fills them, too.
        Ok(()) | Err(ScheduleError::Changed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Blocks the house's seats, unless that was done before.
async fn keep(
    store: &Store,
    show: &Show,
    layout: &Layout,
    seats: &[&str],
    now: Timestamp,
) -> Result<(), Error> {
    if seats.is_empty() {
        return Ok(());
    }
    let mut places: Vec<(SectionId, SeatId)> = Vec::new();
    for seat in seats {
        let seat: SeatId = seat.parse()?;
        let place = layout.find(&seat).ok_or("the house keeps a seat that is not there")?;
        places.push((place.section.id.clone(), seat));
    }
    match store.change_house_seats(show, &places, &[], now).await {
        Ok(()) | Err(HouseSeatsError::Claimed(_) | HouseSeatsError::Changed) => Ok(()),
        Err(HouseSeatsError::Fault(fault)) => Err(fault.into()),
    }
}

/// A hall of `rows` by `seats`, with its last rows PREMIUM.
fn hall(rows: u8, seats: u16, aisles: &[u16], premium: u8) -> Result<Layout, Error> {
    let row = |number: u8| {
        let seat_type = if number + premium >= rows { "PREMIUM" } else { "REGULAR" };
        Ok(Row {
            label: char::from(b'A' + number).to_string(),
            runs: vec![run(1, seats, seat_type)?],
            aisles_after: aisles.to_vec(),
        })
    };
    let rows = (0..rows).map(row).collect::<Result<Vec<Row>, Error>>()?;
    let sections = vec![Section { id: "MAIN".parse()?, rows }];
    Ok(RawLayout { sections }.try_into()?)
}

fn run(first: u16, last: u16, seat_type: &str) -> Result<Run, Error> {
    Ok(Run { first, last, seat_type: seat_type.parse()?, feature: Feature::Standard })
}

/// The same hall with places for two wheelchairs at the end of its first row, and between them a seat
/// for who comes along with each.
fn with_wheelchairs(hall: Layout) -> Result<Layout, Error> {
    let mut layout = RawLayout::from(hall);
    let first = layout.sections.first_mut().and_then(|section| section.rows.first_mut());
    let row = first.ok_or("a hall without rows")?;
    let all = row.runs.pop().ok_or("a row without seats")?;
    let end = all.last;
    let parts = [
        (all.first, end - 4, Feature::Standard),
        (end - 3, end - 3, Feature::Accessible),
        (end - 2, end - 1, Feature::Companion),
        (end, end, Feature::Accessible),
    ];
    row.runs.extend(parts.map(|(first, last, feature)| Run {
        first,
        last,
        feature,
        ..all.clone()
    }));
    Ok(layout.try_into()?)
}

/// 300 seats: twelve rows of 25, the last but one PREMIUM, the last RECLINER.
fn grand_hall() -> Result<Layout, Error> {
    let mut layout = RawLayout::from(hall(12, 25, &[6, 19], 5)?);
    for section in &mut layout.sections {
        if let Some(last) = section.rows.last_mut() {
            for run in &mut last.runs {
                run.seat_type = "RECLINER".parse()?;
            }
        }
    }
    Ok(layout.try_into()?)
}

/// 20,000 seats: four floor blocks of 500 and thirty stands of 600.
fn arena() -> Result<Layout, Error> {
    let section = |id: String, rows: u8, seats: u16, seat_type: &str| {
        let row = |number: u8| {
            Ok(Row {
                label: char::from(b'A' + number).to_string(),
                runs: vec![run(1, seats, seat_type)?],
                aisles_after: Vec::new(),
            })
        };
        let rows = (0..rows).map(row).collect::<Result<Vec<Row>, Error>>()?;
        Ok(Section { id: id.parse()?, rows })
    };
    let floor = (1..=4).map(|number| section(format!("F{number}"), 20, 25, "FLOOR"));
    let stands = (1..=30).map(|number| section(format!("S{number}"), 20, 30, "STAND"));
    let sections = floor.chain(stands).collect::<Result<Vec<_>, Error>>()?;
    Ok(RawLayout { sections }.try_into()?)
}
