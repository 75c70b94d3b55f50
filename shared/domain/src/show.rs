//! A show: one film in one auditorium at one time, and what its seats cost.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::catalog::Name;
use crate::id::{AuditoriumId, CityId, MovieId, SeatId, SeatType, ShowId, TheatreId};
use crate::layout::Layout;
use crate::money::{Currency, Money, MoneyError};
use crate::reservation::PricedSeat;
use crate::seats::Seats;
use crate::time::Timestamp;

/// Whether a show is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Announced, not sold yet.
    Scheduled,
    /// Sold until it begins.
    OnSale,
    /// It will not take place.
    Cancelled,
}

/// The film of a show.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MovieRef {
    /// Its id.
    pub id: MovieId,
    /// Its title, copied so that a search reads one item per show.
    pub title: Name,
}

/// The theatre of a show.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TheatreRef {
    /// Its id.
    pub id: TheatreId,
    /// Its name.
    pub name: Name,
}

/// The auditorium of a show, with the layout it was sold under.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AuditoriumRef {
    /// Its id.
    pub id: AuditoriumId,
    /// Its name.
    pub name: Name,
    /// Which layout. Layouts never change; a rebuilt auditorium gets a new version.
    pub layout_version: u32,
}

/// What each type of seat costs, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "RawPriceList", into = "RawPriceList")]
pub struct PriceList {
    currency: Currency,
    minor: BTreeMap<SeatType, u64>,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct RawPriceList {
    currency: Currency,
    minor: BTreeMap<SeatType, u64>,
}

impl TryFrom<RawPriceList> for PriceList {
    type Error = MoneyError;

    fn try_from(raw: RawPriceList) -> Result<Self, MoneyError> {
        Self::new(raw.currency, raw.minor)
    }
}

impl From<PriceList> for RawPriceList {
    fn from(list: PriceList) -> Self {
        Self { currency: list.currency, minor: list.minor }
    }
}

impl PriceList {
    /// A price list in minor units of `currency`.
    ///
    /// # Errors
    ///
    /// [`MoneyError::TooMuch`] if a price is above the limit.
    pub fn new(currency: Currency, minor: BTreeMap<SeatType, u64>) -> Result<Self, MoneyError> {
        for price in minor.values() {
            Money::new(*price, currency)?;
        }
        Ok(Self { currency, minor })
    }

    /// What a seat of this type costs, if it is sold at all.
    #[must_use]
    pub fn of(&self, seat_type: &SeatType) -> Option<Money> {
        let minor = *self.minor.get(seat_type)?;
        Some(Money::new(minor, self.currency).expect("prices are checked when the list is made"))
    }

    /// What the prices are in.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Every seat type with its price, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&SeatType, Money)> {
        self.minor.keys().filter_map(|seat_type| Some((seat_type, self.of(seat_type)?)))
    }
}

/// What becomes of a choice that leaves a single seat free between others, which hardly anybody buys.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrphanRule {
    /// Nothing.
    #[default]
    Off,
    /// It is held, and its customer is told.
    Warn,
    /// It is refused.
    Enforce,
}

/// One screening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// Its id.
    pub id: ShowId,
    /// The film.
    pub movie: MovieRef,
    /// The building.
    pub theatre: TheatreRef,
    /// The room, and how its seats stand.
    pub auditorium: AuditoriumRef,
    /// The city.
    pub city_id: CityId,
    /// The day it is listed under: the day it begins, in its city.
    pub date: NaiveDate,
    /// When it begins. Nothing is sold from then on.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The language it is shown in.
    pub language: String,
    /// `2D`, `3D`, `IMAX`.
    pub screen_type: String,
    /// What its seats cost.
    pub prices: PriceList,
    /// Whether it is sold.
    pub status: Status,
    /// The zone of its theatre in the IANA database.
    pub time_zone: String,
    /// How many seats its auditorium has of the types that it sells.
    pub seat_count: u32,
    /// What becomes of a choice that leaves a single seat free.
    pub orphan_rule: OrphanRule,
    /// Whether anybody may have the seats that are kept for those who need them.
    pub accessible_released: bool,
    /// When it was put on sale first. From then on its film, its room and its times stand.
    pub opened_at: Option<Timestamp>,
    /// How often it was written.
    pub version: u32,
}

/// Why a show does not sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotOnSale {
    /// Not yet, or not any more because it began.
    Closed,
    /// It will not take place.
    Cancelled,
}

/// Seats with their prices, ready to be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The seats, ordered by id.
    pub seats: Vec<PricedSeat>,
    /// The sum.
    pub amount: Money,
}

/// Why there is no price for some seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoQuote {
    /// The auditorium has no such seats, or they are of a type that this show does not sell.
    UnknownSeats(Vec<SeatId>),
    /// The sum is out of range.
    Amount(MoneyError),
}

impl Show {
    /// Whether seats can be held at `now`.
    ///
    /// # Errors
    ///
    /// [`NotOnSale`].
    pub fn sells_at(&self, now: Timestamp) -> Result<(), NotOnSale> {
        match self.status {
            Status::Cancelled => Err(NotOnSale::Cancelled),
            Status::OnSale if now < self.starts_at => Ok(()),
            Status::OnSale | Status::Scheduled => Err(NotOnSale::Closed),
        }
    }

    /// Whether it will take place, so that what is held can be paid.
    ///
    /// # Errors
    ///
    /// [`NotOnSale::Cancelled`].
    pub fn takes_place(&self) -> Result<(), NotOnSale> {
        match self.status {
            Status::Cancelled => Err(NotOnSale::Cancelled),
            Status::OnSale | Status::Scheduled => Ok(()),
        }
    }

    /// What `seats` cost, as they stand in `layout`, which is this show's.
    ///
    /// # Errors
    ///
    /// [`NoQuote`].
    pub fn quote(&self, seats: &Seats, layout: &Layout) -> Result<Quote, NoQuote> {
        let mut priced = Vec::with_capacity(seats.iter().len());
        let mut unknown = Vec::new();
        for seat_id in seats.iter() {
            let place = layout.find(seat_id);
            match place.and_then(|place| Some((place, self.prices.of(place.seat_type)?))) {
                Some((place, price)) => priced.push(PricedSeat {
                    seat_id: seat_id.clone(),
                    section_id: place.section.id.clone(),
                    seat_type: place.seat_type.clone(),
                    price,
                }),
                None => unknown.push(seat_id.clone()),
            }
        }
        if !unknown.is_empty() {
            return Err(NoQuote::UnknownSeats(unknown));
        }
        let mut prices = priced.iter().map(|seat| seat.price);
        let first = prices.next().expect("a choice has at least one seat");
        let amount = prices.try_fold(first, Money::checked_add).map_err(NoQuote::Amount)?;
        Ok(Quote { seats: priced, amount })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::layout::{Feature, RawLayout, Row, Run, Section};
    use crate::limits::AMOUNT_MINOR_MAX;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    /// Rows A of four REGULAR seats and B of two PREMIUM ones.
    pub(crate) fn layout() -> Layout {
        let row = |label: &str, last, seat_type: &str| Row {
            label: label.to_owned(),
            runs: vec![Run {
                first: 1,
                last,
                seat_type: seat_type.parse().unwrap(),
                feature: Feature::Standard,
            }],
            aisles_after: Vec::new(),
        };
        let rows = vec![row("A", 4, "REGULAR"), row("B", 2, "PREMIUM")];
        let sections = vec![Section { id: "MAIN".parse().unwrap(), rows }];
        RawLayout { sections }.try_into().unwrap()
    }

    fn priced(regular_minor: u64) -> PriceList {
        let prices = [("REGULAR".parse().unwrap(), regular_minor)];
        PriceList::new("INR".parse().unwrap(), prices.into()).unwrap()
    }

    /// A show on sale in a hall of this [`layout`], of which it sells the REGULAR seats.
    pub(crate) fn show() -> Show {
        let name = |text: &str| Name::try_from(text.to_owned()).unwrap();
        Show {
            id: "s-1".parse().unwrap(),
            movie: MovieRef { id: "m-1".parse().unwrap(), title: name("Inception") },
            theatre: TheatreRef { id: "regal".parse().unwrap(), name: name("Regal") },
            auditorium: AuditoriumRef {
                id: "screen-1".parse().unwrap(),
                name: name("Screen 1"),
                layout_version: 1,
            },
            city_id: "delhi".parse().unwrap(),
            date: "2026-11-23".parse().unwrap(),
            starts_at: at(9_000),
            ends_at: at(19_000),
            language: "English".to_owned(),
            screen_type: "2D".to_owned(),
            prices: priced(45_000),
            status: Status::OnSale,
            time_zone: "Asia/Kolkata".to_owned(),
            seat_count: 4,
            orphan_rule: OrphanRule::Off,
            accessible_released: false,
            opened_at: None,
            version: 1,
        }
    }

    #[test]
    fn a_show_sells_while_it_is_on_sale_until_it_begins() {
        let (closed, off) = (Err(NotOnSale::Closed), Err(NotOnSale::Cancelled));
        for (status, before, from_then_on, takes_place) in [
            (Status::Scheduled, closed, closed, Ok(())),
            (Status::OnSale, Ok(()), closed, Ok(())),
            (Status::Cancelled, off, off, off),
        ] {
            let show = Show { status, ..show() };
            let sells = [8_999, 9_000, 9_001].map(|second| show.sells_at(at(second)));
            assert_eq!(sells, [before, from_then_on, from_then_on], "{status:?}");
            assert_eq!(show.takes_place(), takes_place, "{status:?}");
        }
    }

    #[test]
    fn a_quote_has_each_seat_with_its_price_or_tells_all_that_are_not_sold() {
        let quote = |show: &Show, names: &[&str]| {
            let seats: Vec<SeatId> = names.iter().map(|name| name.parse().unwrap()).collect();
            show.quote(&seats.try_into().unwrap(), &layout())
        };
        let inr = |minor| Money::new(minor, "INR".parse().unwrap()).unwrap();
        let found = quote(&show(), &["A2", "A1"]).unwrap();
        let seat = |name: &str| PricedSeat {
            seat_id: name.parse().unwrap(),
            section_id: "MAIN".parse().unwrap(),
            seat_type: "REGULAR".parse().unwrap(),
            price: inr(45_000),
        };
        assert_eq!(found, Quote { seats: ["A1", "A2"].map(seat).into(), amount: inr(90_000) });
        let unknown = ["A9", "B1"].map(|name| name.parse().unwrap()).into();
        assert_eq!(quote(&show(), &["A1", "A9", "B1"]), Err(NoQuote::UnknownSeats(unknown)));
        let dearest = Show { prices: priced(AMOUNT_MINOR_MAX), ..show() };
        assert!(quote(&dearest, &["A1"]).is_ok());
        let too_much = Err(NoQuote::Amount(MoneyError::TooMuch));
        assert_eq!(quote(&dearest, &["A1", "A2"]), too_much);
    }
}
