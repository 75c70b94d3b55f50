//! A show, by itself and in a list.

use chrono::SecondsFormat;
use domain::availability::Availability;
use domain::show::Show;
use domain::time::{Timestamp, text};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::money;

/// A show.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShowView<'a> {
    show_id: &'a str,
    movie: MovieRefView<'a>,
    theatre: TheatreRefView<'a>,
    auditorium: AuditoriumRefView<'a>,
    city: &'a str,
    starts_at: String,
    ends_at: String,
    time_zone: &'a str,
    starts_at_local: String,
    ends_at_local: String,
    language: &'a str,
    screen_type: &'a str,
    #[serde(serialize_with = "price_list")]
    prices: &'a domain::show::PriceList,
    status: domain::show::Status,
    orphan_rule: domain::show::OrphanRule,
    accessible_released: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MovieRefView<'a> {
    movie_id: &'a str,
    title: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TheatreRefView<'a> {
    theatre_id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuditoriumRefView<'a> {
    auditorium_id: &'a str,
    name: &'a str,
    layout_version: u32,
}

fn price_list<S: Serializer>(list: &&domain::show::PriceList, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    for (seat_type, price) in list.iter() {
        map.serialize_entry(seat_type.as_str(), &money(price))?;
    }
    map.end()
}

/// A show as it looks.
#[must_use]
pub fn show(show: &Show) -> ShowView<'_> {
    let local = |instant: Timestamp| local_text(instant, &show.time_zone);
    ShowView {
        show_id: show.id.as_str(),
        movie: MovieRefView { movie_id: show.movie.id.as_str(), title: show.movie.title.as_str() },
        theatre: TheatreRefView {
            theatre_id: show.theatre.id.as_str(),
            name: show.theatre.name.as_str(),
        },
        auditorium: AuditoriumRefView {
            auditorium_id: show.auditorium.id.as_str(),
            name: show.auditorium.name.as_str(),
            layout_version: show.auditorium.layout_version,
        },
        city: show.city_id.as_str(),
        starts_at: text(show.starts_at),
        ends_at: text(show.ends_at),
        time_zone: &show.time_zone,
        starts_at_local: local(show.starts_at),
        ends_at_local: local(show.ends_at),
        language: &show.language,
        screen_type: &show.screen_type,
        prices: &show.prices,
        status: show.status,
        orphan_rule: show.orphan_rule,
        accessible_released: show.accessible_released,
    }
}

/// A show in a list, with how many of its seats can be had if it sells.
#[derive(Serialize)]
pub struct ListedShowView<'a> {
    #[serde(flatten)]
    show: ShowView<'a>,
    availability: Option<Availability>,
}

/// A show in a list, as it looks.
#[must_use]
pub fn listed_show(show: &Show, availability: Option<Availability>) -> ListedShowView<'_> {
    ListedShowView { show: self::show(show), availability }
}

/// An instant on the clocks of a zone, with their offset from UTC; in UTC where this build does not know
/// the zone.
fn local_text(instant: Timestamp, zone: &str) -> String {
    match zone.parse::<chrono_tz::Tz>() {
        Ok(zone) => instant.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false),
        Err(_unknown) => text(instant),
    }
}
