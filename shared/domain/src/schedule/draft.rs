//! What a house asks for, and the show that becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;

use super::When;
use crate::catalog::{Auditorium, City, Movie, Name, Theatre};
use crate::id::{AuditoriumId, MovieId, SeatType, ShowId};
use crate::layout::Layout;
use crate::limits::{
    PRICES_PER_SHOW_MAX, SCHEDULE_SHOWS_MAX, SHOW_HOURS_MAX, SHOWS_AHEAD_DAYS_MAX,
};
use crate::money::{Currency, Money};
use crate::show::{AuditoriumRef, MovieRef, OrphanRule, PriceList, Show, Status, TheatreRef};
use crate::time::{Timestamp, text};

/// Which film is shown where and when, and how it is sold; all of a show but its name and its prices.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The film.
    pub movie_id: MovieId,
    /// The room.
    pub auditorium_id: AuditoriumId,
    /// When it begins.
    pub starts_at: When,
    /// When it ends; as long after its begin as its film takes, if nobody says.
    #[serde(default)]
    pub ends_at: Option<When>,
    /// The language it is shown in.
    pub language: Name,
    /// `2D`, `3D`, `IMAX`.
    pub screen_type: Name,
    /// Whether it is sold: SCHEDULED or ON_SALE.
    pub status: Status,
    /// What becomes of a choice that leaves a single seat free.
    #[serde(default)]
    pub orphan_rule: OrphanRule,
    /// Whether anybody may have the seats that are kept for those who need them.
    #[serde(default)]
    pub accessible_released: bool,
}

/// A show as somebody writes it down.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(from = "RawDraft")]
pub struct Draft {
    /// Its id, which whoever makes it chooses: made twice, it is one.
    pub show_id: ShowId,
    /// What it is.
    pub plan: Plan,
    /// What its seats cost, by their types.
    pub prices: BTreeMap<SeatType, Money>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawDraft {
    show_id: ShowId,
    movie_id: MovieId,
    auditorium_id: AuditoriumId,
    starts_at: When,
    #[serde(default)]
    ends_at: Option<When>,
    language: Name,
    screen_type: Name,
    prices: BTreeMap<SeatType, Money>,
    #[serde(default = "announced")]
    status: Status,
    #[serde(default)]
    orphan_rule: OrphanRule,
    #[serde(default)]
    accessible_released: bool,
}

/// What a new show is if nobody says more.
fn announced() -> Status {
    Status::Scheduled
}

impl From<RawDraft> for Draft {
    fn from(raw: RawDraft) -> Self {
        Self {
            show_id: raw.show_id,
            plan: Plan {
                movie_id: raw.movie_id,
                auditorium_id: raw.auditorium_id,
                starts_at: raw.starts_at,
                ends_at: raw.ends_at,
                language: raw.language,
                screen_type: raw.screen_type,
                status: raw.status,
                orphan_rule: raw.orphan_rule,
                accessible_released: raw.accessible_released,
            },
            prices: raw.prices,
        }
    }
}

/// What the catalogue knows of the film and the room that a plan names.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The film.
    pub movie: &'a Movie,
    /// The room, and which of its layouts `layout` is.
    pub auditorium: &'a Auditorium,
    /// The building.
    pub theatre: &'a Theatre,
    /// The city.
    pub city: &'a City,
    /// How the seats stand.
    pub layout: &'a Layout,
}

/// Why a plan is no show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShow {
    /// Its city's zone is not known to this build.
    #[error("`{0}` is not a time zone")]
    TimeZone(String),
    /// Clocks are put forward, and skip it.
    #[error("the clocks of {zone} skip {local}")]
    NoSuchTime {
        /// The time.
        local: NaiveDateTime,
        /// Whose clocks.
        zone: Tz,
    },
    /// Clocks are put back, and show it twice.
    #[error("the clocks of {zone} show {local} twice; write it with its offset from UTC")]
    Twice {
        /// The time.
        local: NaiveDateTime,
        /// Whose clocks.
        zone: Tz,
    },
    /// It would have begun.
    #[error("it would begin at {}, which is not ahead", text(*.0))]
    Past(Timestamp),
    /// Nobody plans that far.
    #[error("it would begin more than {SHOWS_AHEAD_DAYS_MAX} days from now")]
    TooFarAhead,
    /// It would not take any time.
    #[error("it would not end after it began")]
    EndsFirst,
    /// It would take more than a day.
    #[error("it would take more than {SHOW_HOURS_MAX} hours")]
    TooLong,
    /// Nothing could be sold.
    #[error("no type of seat has a price")]
    NoPrices,
    /// More prices than a show has.
    #[error("a show has at most {PRICES_PER_SHOW_MAX} prices")]
    TooManyPrices,
    /// Prices in several currencies.
    #[error("its prices are not all in one currency")]
    Currencies,
    /// A price for seats that are not there.
    #[error("the auditorium has no seats of the type `{0}`")]
    UnknownSeatType(SeatType),
    /// Cancelling a show is more than a word.
    #[error("`status` is SCHEDULED or ON_SALE")]
    Cancelled,
    /// Another currency than what was paid in.
    #[error("it has been on sale, so its prices stay in {}", .0.as_str())]
    CurrencyFixed(Currency),
    /// No price for seats that may be sold.
    #[error("it has been on sale, so seats of the type `{0}` keep a price")]
    SeatTypeFixed(SeatType),
    /// More shows than a schedule holds.
    #[error("an auditorium has at most {SCHEDULE_SHOWS_MAX} shows ahead")]
    TooManyShows,
}

/// Why a show stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotChanged {
    /// It will not take place.
    Cancelled,
    /// It has been on sale, so its film, its room and its times stand.
    Fixed,
    /// It would be no show.
    Invalid(InvalidShow),
}

impl From<InvalidShow> for NotChanged {
    fn from(invalid: InvalidShow) -> Self {
        Self::Invalid(invalid)
    }
}

impl Draft {
    /// The show that this is, new at `now`. Whether it is ahead, [`begins_ahead`] says: a draft that
    /// is told again may have begun meanwhile.
    ///
    /// # Errors
    ///
    /// [`InvalidShow`].
    pub fn show(&self, known: &Known<'_>, now: Timestamp) -> Result<Show, InvalidShow> {
        let prices = price_list(&self.prices, known.layout)?;
        self.plan.show(&self.show_id, prices, known, &known.city.time_zone, now)
    }

    /// Whether `there` is what this draft would make, `made` today: who sends it again is told so.
    #[must_use]
    pub fn is_of(&self, there: &Show, made: &Show) -> bool {
        there.status == made.status && self.differences(there, made).is_empty()
    }

    /// What is otherwise in `there` than in what this draft would make, `made` today, but for whether it
    /// is sold: a schedule that was loaded is put on sale show by show.
    #[must_use]
    pub fn differences(&self, there: &Show, made: &Show) -> Vec<&'static str> {
        let ends_otherwise = self.plan.ends_at.is_some() && there.ends_at != made.ends_at;
        let each = [
            (there.movie.id != made.movie.id, "another movie"),
            (there.auditorium.id != made.auditorium.id, "another auditorium"),
            (there.starts_at != made.starts_at, "another begin"),
            (ends_otherwise, "another end"),
            (there.language != made.language, "another language"),
            (there.screen_type != made.screen_type, "another screen type"),
            (there.prices != made.prices, "other prices"),
            (there.orphan_rule != made.orphan_rule, "another orphan rule"),
            (there.accessible_released != made.accessible_released, "another `accessibleReleased`"),
        ];
        each.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect()
    }
}

impl Plan {
    /// The show that this is, on the clocks of `time_zone`.
    fn show(
        &self,
        id: &ShowId,
        prices: PriceList,
        known: &Known<'_>,
        time_zone: &str,
        now: Timestamp,
    ) -> Result<Show, InvalidShow> {
        let Known { movie, auditorium, theatre, city, layout } = *known;
        let unknown = |_| InvalidShow::TimeZone(time_zone.to_owned());
        let clocks: Tz = time_zone.parse().map_err(unknown)?;
        let starts_at = self.starts_at.at(clocks)?;
        let ends_at = match self.ends_at {
            Some(ends_at) => ends_at.at(clocks)?,
            None => starts_at + TimeDelta::minutes(i64::from(movie.runtime_minutes)),
        };
        if ends_at <= starts_at {
            return Err(InvalidShow::EndsFirst);
        }
        if ends_at - starts_at > TimeDelta::hours(SHOW_HOURS_MAX) {
            return Err(InvalidShow::TooLong);
        }
        let opened_at = match self.status {
            Status::Scheduled => None,
            Status::OnSale => Some(now),
            Status::Cancelled => return Err(InvalidShow::Cancelled),
        };
        Ok(Show {
            id: id.clone(),
            movie: MovieRef { id: movie.id.clone(), title: movie.title.clone() },
            theatre: TheatreRef { id: theatre.id.clone(), name: theatre.name.clone() },
            auditorium: AuditoriumRef {
                id: auditorium.id.clone(),
                name: auditorium.name.clone(),
                layout_version: auditorium.layout_version,
            },
            city_id: city.id.clone(),
            date: starts_at.with_timezone(&clocks).date_naive(),
            starts_at,
            ends_at,
            language: self.language.as_str().to_owned(),
            screen_type: self.screen_type.as_str().to_owned(),
            seat_count: seats_sold(layout, &prices),
            prices,
            status: self.status,
            time_zone: time_zone.to_owned(),
            orphan_rule: self.orphan_rule,
            accessible_released: self.accessible_released,
            opened_at,
            version: 1,
        })
    }

    /// What becomes of `before` by this plan: its next version. Once it was on sale, its clocks are
    /// those that its tickets were sold by, and so is the day that it is listed under, whatever became
    /// of its city's.
    ///
    /// # Errors
    ///
    /// [`NotChanged`].
    pub fn change(
        &self,
        before: &Show,
        known: &Known<'_>,
        now: Timestamp,
    ) -> Result<Show, NotChanged> {
        if before.status == Status::Cancelled {
            return Err(NotChanged::Cancelled);
        }
        every_type_is_there(before.prices.iter().map(|(of, _)| of), known.layout)?;
        let zone = match before.opened_at {
            Some(_) => &before.time_zone,
            None => &known.city.time_zone,
        };
        let mut show = self.show(&before.id, before.prices.clone(), known, zone, now)?;
        let is_moved = show.starts_at != before.starts_at;
        if self.ends_at.is_none() && !is_moved && show.movie.id == before.movie.id {
            show.ends_at = before.ends_at;
        }
        if before.opened_at.is_some() && !stands_as(before, &show) {
            return Err(NotChanged::Fixed);
        }
        if is_moved {
            begins_ahead(show.starts_at, now)?;
        }
        show.opened_at = before.opened_at.or(show.opened_at);
        show.version = before.version.saturating_add(1);
        Ok(show)
    }
}

/// `before` with other prices: its next version.
///
/// # Errors
///
/// [`NotChanged`]. Once it was on sale, what was sold keeps its currency and a price.
pub fn reprice(
    before: &Show,
    prices: &BTreeMap<SeatType, Money>,
    layout: &Layout,
) -> Result<Show, NotChanged> {
    if before.status == Status::Cancelled {
        return Err(NotChanged::Cancelled);
    }
    let prices = price_list(prices, layout)?;
    if before.opened_at.is_some() {
        let currency = before.prices.currency();
        if prices.currency() != currency {
            return Err(InvalidShow::CurrencyFixed(currency).into());
        }
        let mut sold = before.prices.iter().map(|(seat_type, _)| seat_type);
        if let Some(gone) = sold.find(|seat_type| prices.of(seat_type).is_none()) {
            return Err(InvalidShow::SeatTypeFixed(gone.clone()).into());
        }
    }
    let seat_count = seats_sold(layout, &prices);
    Ok(Show { prices, seat_count, version: before.version.saturating_add(1), ..before.clone() })
}

/// Whether a show may begin then, as seen at `now`.
///
/// # Errors
///
/// [`InvalidShow::Past`], [`InvalidShow::TooFarAhead`].
pub fn begins_ahead(starts_at: Timestamp, now: Timestamp) -> Result<(), InvalidShow> {
    if starts_at <= now {
        return Err(InvalidShow::Past(starts_at));
    }
    if starts_at - now > TimeDelta::days(SHOWS_AHEAD_DAYS_MAX) {
        return Err(InvalidShow::TooFarAhead);
    }
    Ok(())
}

/// Whether what was bought a ticket for is the same.
fn stands_as(before: &Show, after: &Show) -> bool {
    before.movie.id == after.movie.id
        && before.auditorium.id == after.auditorium.id
        && before.auditorium.layout_version == after.auditorium.layout_version
        && before.starts_at == after.starts_at
        && before.ends_at == after.ends_at
}

fn price_list(
    prices: &BTreeMap<SeatType, Money>,
    layout: &Layout,
) -> Result<PriceList, InvalidShow> {
    let mut currencies = prices.values().map(|price| price.currency());
    let currency = currencies.next().ok_or(InvalidShow::NoPrices)?;
    if prices.len() > PRICES_PER_SHOW_MAX {
        return Err(InvalidShow::TooManyPrices);
    }
    if currencies.any(|other| other != currency) {
        return Err(InvalidShow::Currencies);
    }
    every_type_is_there(prices.keys(), layout)?;
    let minor = prices.iter().map(|(seat_type, price)| (seat_type.clone(), price.minor()));
    Ok(PriceList::new(currency, minor.collect()).expect("money is checked when it is read"))
}

fn every_type_is_there<'a>(
    mut types: impl Iterator<Item = &'a SeatType>,
    layout: &Layout,
) -> Result<(), InvalidShow> {
    let rows = layout.sections().iter().flat_map(|section| &section.rows);
    let there: BTreeSet<&SeatType> =
        rows.flat_map(|row| &row.runs).map(|run| &run.seat_type).collect();
    match types.find(|seat_type| !there.contains(seat_type)) {
        Some(unknown) => Err(InvalidShow::UnknownSeatType(unknown.clone())),
        None => Ok(()),
    }
}

/// How many seats there are of the types that have a price.
fn seats_sold(layout: &Layout, prices: &PriceList) -> u32 {
    let sold = |seat_type: &SeatType| prices.of(seat_type).is_some();
    let seats: usize = layout.sections().iter().map(|section| section.seat_count_of(sold)).sum();
    u32::try_from(seats).expect("limits.rs bounds the seats of a layout")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::RawLayout;

    const NOW: &str = "2026-11-22T06:30:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn name(text: &str) -> Name {
        text.to_owned().try_into().unwrap()
    }

    fn when(text: &str) -> When {
        text.parse().unwrap()
    }

    fn inr(minor: u64) -> Money {
        Money::new(minor, "INR".parse().unwrap()).unwrap()
    }

    fn prices(of: &[(&str, Money)]) -> BTreeMap<SeatType, Money> {
        of.iter().map(|(seat_type, price)| (seat_type.parse().unwrap(), *price)).collect()
    }

    struct House {
        movie: Movie,
        auditorium: Auditorium,
        theatre: Theatre,
        city: City,
        layout: Layout,
    }

    impl House {
        fn new() -> Self {
            let row = |label: &str, last: u16, seat_type: &str| crate::layout::Row {
                label: label.to_owned(),
                runs: vec![crate::layout::Run {
                    first: 1,
                    last,
                    seat_type: seat_type.parse().unwrap(),
                    feature: crate::layout::Feature::Standard,
                }],
                aisles_after: Vec::new(),
            };
            let rows = vec![row("A", 10, "REGULAR"), row("B", 4, "SOFA")];
            let sections = vec![crate::layout::Section { id: "MAIN".parse().unwrap(), rows }];
            Self {
                movie: Movie {
                    id: "inception".parse().unwrap(),
                    title: name("Inception"),
                    languages: vec!["English".to_owned()],
                    genres: vec!["Thriller".to_owned()],
                    runtime_minutes: 148,
                    certificate: "UA".to_owned(),
                },
                auditorium: Auditorium {
                    id: "regal-1".parse().unwrap(),
                    name: name("Screen 1"),
                    theatre_id: "regal".parse().unwrap(),
                    layout_version: 3,
                },
                theatre: Theatre {
                    id: "regal".parse().unwrap(),
                    name: name("Regal"),
                    city_id: "delhi".parse().unwrap(),
                },
                city: City::new(name("Delhi"), "Asia/Kolkata".to_owned()).unwrap(),
                layout: RawLayout { sections }.try_into().unwrap(),
            }
        }

        fn known(&self) -> Known<'_> {
            let Self { movie, auditorium, theatre, city, layout } = self;
            Known { movie, auditorium, theatre, city, layout }
        }
    }

    fn draft() -> Draft {
        Draft {
            show_id: "s1".parse().unwrap(),
            plan: Plan {
                movie_id: "inception".parse().unwrap(),
                auditorium_id: "regal-1".parse().unwrap(),
                starts_at: when("2026-11-24T00:15"),
                ends_at: None,
                language: name("English"),
                screen_type: name("2D"),
                status: Status::Scheduled,
                orphan_rule: OrphanRule::Warn,
                accessible_released: false,
            },
            prices: prices(&[("REGULAR", inr(45_000))]),
        }
    }

    #[test]
    fn a_draft_becomes_a_show_on_its_citys_day() {
        let show = draft().show(&House::new().known(), now()).unwrap();
        assert_eq!(text(show.starts_at), "2026-11-23T18:45:00.000Z");
        assert_eq!(show.date.to_string(), "2026-11-24");
        assert_eq!(show.ends_at - show.starts_at, TimeDelta::minutes(148));
        assert_eq!((show.seat_count, show.auditorium.layout_version), (10, 3), "no sofas are sold");
        assert_eq!((show.opened_at, show.version), (None, 1));
        assert_eq!(begins_ahead(show.starts_at, now()), Ok(()));
    }

    #[test]
    fn what_cannot_be_a_show_is_told() {
        let house = House::new();
        let dollars = Money::new(5, "USD".parse().unwrap()).unwrap();
        let start = "2026-11-24T00:15";
        let cases: [(Draft, InvalidShow); 7] = [
            (with(|draft| draft.plan.ends_at = Some(when(start))), InvalidShow::EndsFirst),
            (
                with(|draft| draft.plan.ends_at = Some(when("2026-11-25T00:16"))),
                InvalidShow::TooLong,
            ),
            (with(|draft| draft.prices = prices(&[])), InvalidShow::NoPrices),
            (
                with(|draft| draft.prices = prices(&[("REGULAR", inr(1)), ("SOFA", dollars)])),
                InvalidShow::Currencies,
            ),
            (
                with(|draft| draft.prices = prices(&[("BED", inr(1))])),
                InvalidShow::UnknownSeatType("BED".parse().unwrap()),
            ),
            (with(|draft| draft.plan.status = Status::Cancelled), InvalidShow::Cancelled),
            (with(|_| {}), InvalidShow::TimeZone("Asia/Dehli".to_owned())),
        ];
        for (number, (draft, expected)) in cases.into_iter().enumerate() {
            let mut house = House::new();
            if matches!(expected, InvalidShow::TimeZone(_)) {
                house.city.time_zone = "Asia/Dehli".to_owned();
            }
            assert_eq!(draft.show(&house.known(), now()), Err(expected), "case {number}");
        }
        let day_long = with(|draft| draft.plan.ends_at = Some(when("2026-11-25T00:15")));
        day_long.show(&house.known(), now()).unwrap();
    }

    fn with(change: impl FnOnce(&mut Draft)) -> Draft {
        let mut draft = draft();
        change(&mut draft);
        draft
    }

    #[test]
    fn a_show_begins_later_than_now_and_not_in_years() {
        let second = TimeDelta::seconds(1);
        let far = now() + TimeDelta::days(SHOWS_AHEAD_DAYS_MAX);
        assert_eq!(begins_ahead(now(), now()), Err(InvalidShow::Past(now())));
        assert_eq!(begins_ahead(now() + second, now()), Ok(()));
        assert_eq!(begins_ahead(far, now()), Ok(()));
        assert_eq!(begins_ahead(far + second, now()), Err(InvalidShow::TooFarAhead));
    }

    /// Goal: what people bought a ticket for stands, from the first sale on. Method: each change of a
    /// plan, before and after.
    #[test]
    fn once_it_was_on_sale_film_room_and_times_stand() {
        let house = House::new();
        let mut other = House::new();
        other.movie.id = "amelie".parse().unwrap();
        other.auditorium.id = "regal-2".parse().unwrap();
        let mut rebuilt = House::new();
        rebuilt.auditorium.layout_version = 4;
        let moved = |plan: &mut Plan| plan.starts_at = when("2026-11-24T00:16");
        let longer = |plan: &mut Plan| plan.ends_at = Some(when("2026-11-24T04:00"));
        let renamed = |plan: &mut Plan| plan.language = name("Hindi");
        let paused = |plan: &mut Plan| plan.status = Status::Scheduled;
        let freed = |plan: &mut Plan| plan.accessible_released = true;
        type Change<'a> = (&'a House, &'a dyn Fn(&mut Plan), bool);
        let cases: [Change<'_>; 7] = [
            (&house, &moved, false),
            (&house, &longer, false),
            (&other, &|_| {}, false),
            (&rebuilt, &|_| {}, false),
            (&house, &renamed, true),
            (&house, &paused, true),
            (&house, &freed, true),
        ];
        for (number, (house, change, may_change)) in cases.into_iter().enumerate() {
            for status in [Status::Scheduled, Status::OnSale] {
                let mut draft = with(|draft| draft.plan.status = status);
                let before = draft.show(&House::new().known(), now()).unwrap();
                change(&mut draft.plan);
                let after = draft.plan.change(&before, &house.known(), now());
                let is_open = status == Status::OnSale;
                if is_open && !may_change {
                    assert_eq!(after, Err(NotChanged::Fixed), "case {number}");
                    continue;
                }
                let after = after.unwrap();
                assert_eq!(after.version, 2, "case {number}");
                assert_eq!(after.opened_at, before.opened_at, "it was opened once");
            }
        }
    }

    /// Goal: a ticket's day and time stand, whatever becomes of the city's clocks. Method: a show late in
    /// the evening, whose city then has clocks on which it is the next day.
    #[test]
    fn once_it_was_on_sale_its_clocks_and_its_day_stand() {
        for status in [Status::Scheduled, Status::OnSale] {
            let mut house = House::new();
            let mut draft = with(|draft| draft.plan.status = status);
            for starts_at in ["2026-11-24T22:00", "2026-11-24T22:00:00+05:30"] {
                house.city.time_zone = "Asia/Kolkata".to_owned();
                draft.plan.starts_at = when(starts_at);
                let before = draft.show(&house.known(), now()).unwrap();
                house.city.time_zone = "Asia/Tokyo".to_owned();
                let after = draft.plan.change(&before, &house.known(), now()).unwrap();
                if status == Status::OnSale {
                    assert_eq!(Show { version: 1, ..after }, before, "{starts_at}");
                } else {
                    assert_eq!(after.time_zone, "Asia/Tokyo", "{starts_at}");
                }
            }
        }
    }

    #[test]
    fn a_show_keeps_its_end_if_nobody_says_another() {
        let mut house = House::new();
        let draft = with(|draft| draft.plan.status = Status::OnSale);
        let before = draft.show(&house.known(), now()).unwrap();
        house.movie.runtime_minutes = 200;
        let after = draft.plan.change(&before, &house.known(), now()).unwrap();
        assert_eq!(after.ends_at, before.ends_at);
    }

    #[test]
    fn an_end_that_nobody_says_moves_with_the_begin_and_the_film() {
        let house = House::new();
        let before = draft().show(&house.known(), now()).unwrap();
        let minutes = |plan: &Plan, house: &House| {
            let after = plan.change(&before, &house.known(), now()).unwrap();
            (after.ends_at - after.starts_at).num_minutes()
        };
        let later = with(|draft| draft.plan.starts_at = when("2026-11-24T00:16"));
        assert_eq!(minutes(&later.plan, &house), 148);
        let mut other = House::new();
        other.movie = Movie { id: "amelie".parse().unwrap(), runtime_minutes: 122, ..other.movie };
        assert_eq!(minutes(&draft().plan, &other), 122);
    }

    #[test]
    fn a_show_that_is_moved_begins_ahead() {
        let house = House::new();
        let before = draft().show(&house.known(), now()).unwrap();
        let late = before.starts_at;
        let plan = draft().plan;
        assert!(plan.change(&before, &house.known(), late).is_ok(), "it stays where it is");
        let earlier = Plan { starts_at: when("2026-11-24T00:14"), ..plan };
        let gone = late - TimeDelta::minutes(1);
        let past = NotChanged::Invalid(InvalidShow::Past(gone));
        assert_eq!(earlier.change(&before, &house.known(), gone), Err(past));
    }

    #[test]
    fn a_cancelled_show_stays_as_it_is() {
        let house = House::new();
        let mut before = draft().show(&house.known(), now()).unwrap();
        before.status = Status::Cancelled;
        let change = draft().plan.change(&before, &house.known(), now());
        assert_eq!(change, Err(NotChanged::Cancelled));
        let prices = prices(&[("REGULAR", inr(1))]);
        assert_eq!(reprice(&before, &prices, &house.layout), Err(NotChanged::Cancelled));
    }

    #[test]
    fn what_may_be_sold_keeps_its_currency_and_a_price() {
        let house = House::new();
        let dollars = Money::new(5, "USD".parse().unwrap()).unwrap();
        let invalid = |error| Err(NotChanged::Invalid(error));
        for status in [Status::Scheduled, Status::OnSale] {
            let before =
                with(|draft| draft.plan.status = status).show(&house.known(), now()).unwrap();
            let reprice = |of: &[(&str, Money)]| {
                reprice(&before, &prices(of), &house.layout).map(|after| after.seat_count)
            };
            let fixed = status == Status::OnSale;
            let currency = before.prices.currency();
            let abroad = reprice(&[("REGULAR", dollars)]);
            let other = reprice(&[("SOFA", inr(1))]);
            if fixed {
                assert_eq!(abroad, invalid(InvalidShow::CurrencyFixed(currency)));
                let regular = "REGULAR".parse().unwrap();
                assert_eq!(other, invalid(InvalidShow::SeatTypeFixed(regular)));
            } else {
                assert_eq!((abroad, other), (Ok(10), Ok(4)));
            }
            assert_eq!(reprice(&[("REGULAR", inr(1)), ("SOFA", inr(2))]), Ok(14));
        }
    }

    #[test]
    fn other_prices_change_nothing_else() {
        let house = House::new();
        let before = draft().show(&house.known(), now()).unwrap();
        let after =
            with(|draft| draft.prices = prices(&[("SOFA", inr(9))])).show(&house.known(), now());
        let expected = Show { version: 2, ..after.unwrap() };
        assert_eq!(reprice(&before, &prices(&[("SOFA", inr(9))]), &house.layout), Ok(expected));
    }

    #[test]
    fn a_show_has_so_many_prices_and_no_more() {
        let type_of = |number: usize| format!("T{number}");
        let row = |number: usize| crate::layout::Row {
            label: "A".to_owned(),
            runs: vec![crate::layout::Run {
                first: 1,
                last: 2,
                seat_type: type_of(number).parse().unwrap(),
                feature: crate::layout::Feature::Standard,
            }],
            aisles_after: Vec::new(),
        };
        let section = |number: usize| crate::layout::Section {
            id: format!("S{number}").parse().unwrap(),
            rows: vec![row(number)],
        };
        let sections = (0..=PRICES_PER_SHOW_MAX).map(section).collect();
        let mut house = House::new();
        house.layout = RawLayout { sections }.try_into().unwrap();
        let priced = |count: usize| {
            (0..count).map(|number| (type_of(number).parse().unwrap(), inr(1))).collect()
        };
        let most = with(|draft| draft.prices = priced(PRICES_PER_SHOW_MAX));
        let show = most.show(&house.known(), now()).unwrap();
        let more = priced(PRICES_PER_SHOW_MAX + 1);
        let refused = with(|draft| draft.prices = more.clone()).show(&house.known(), now());
        assert_eq!(refused, Err(InvalidShow::TooManyPrices));
        let refused = reprice(&show, &more, &house.layout);
        assert_eq!(refused, Err(NotChanged::Invalid(InvalidShow::TooManyPrices)));
    }

    #[test]
    fn a_draft_is_known_again_and_a_changed_one_is_not() {
        let house = House::new();
        let there = Show { version: 4, ..draft().show(&house.known(), now()).unwrap() };
        let is_known =
            |draft: Draft| draft.is_of(&there, &draft.show(&house.known(), now()).unwrap());
        assert!(is_known(draft()));
        assert!(!is_known(with(|draft| draft.plan.orphan_rule = OrphanRule::Off)));
        assert!(!is_known(with(|draft| draft.plan.status = Status::OnSale)));
        assert!(!is_known(with(|draft| draft.prices = prices(&[("REGULAR", inr(1))]))));
        assert!(!is_known(with(|draft| draft.plan.starts_at = when("2026-11-24T00:16"))));
        let differences = |change: fn(&mut Draft)| {
            let draft = with(change);
            draft.differences(&there, &draft.show(&house.known(), now()).unwrap())
        };
        assert!(differences(|draft| draft.plan.status = Status::OnSale).is_empty());
        let two = differences(|draft| {
            draft.prices = prices(&[("REGULAR", inr(1))]);
            draft.plan.language = name("Hindi");
        });
        assert_eq!(two, ["another language", "other prices"]);
    }

    /// Goal: who says no end means any; who says one means that. Method: the end that there is, another,
    /// and none, where the film has become longer since.
    #[test]
    fn an_end_is_another_only_for_who_says_one() {
        let mut house = House::new();
        let there = draft().show(&house.known(), now()).unwrap();
        house.movie.runtime_minutes += 1;
        for (ends_at, expected) in [
            (None, &[][..]),
            (Some("2026-11-24T02:43"), &[]),
            (Some("2026-11-24T02:44"), &["another end"]),
        ] {
            let draft = with(|draft| draft.plan.ends_at = ends_at.map(when));
            let made = draft.show(&house.known(), now()).unwrap();
            assert_eq!(draft.differences(&there, &made), expected, "{ends_at:?}");
        }
    }
}
