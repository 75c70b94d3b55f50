//! Seats: the map, the sections of a large house, and a proposal.

use domain::id::SeatId;
use domain::layout::{Feature, Layout, Place};
use domain::money::Money;
use domain::seat;
use domain::show::{Quote, Show};
use serde::Serialize;

use super::{MoneyView, money};

/// A seat on the map.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatView<'a> {
    seat_id: SeatId,
    section: &'a str,
    row: &'a str,
    number: u16,
    seat_type: &'a str,
    #[serde(skip_serializing_if = "Feature::is_standard")]
    feature: Feature,
    price: MoneyView,
    status: seat::Status,
}

/// The seats of a show, or of a section of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatMapView<'a> {
    show_id: &'a str,
    items: Vec<SeatView<'a>>,
}

/// How many seats of each section can be had.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SectionsView<'a> {
    show_id: &'a str,
    sections: Vec<SectionView<'a>>,
}

/// How many seats of a section can be had.
#[derive(Serialize)]
pub struct SectionView<'a> {
    section: &'a str,
    total: usize,
    available: usize,
}

/// The seats at `places` of a show. A seat of a type that the show does not sell is not shown.
pub fn seat_map<'a>(
    show: &'a Show,
    layout: &'a Layout,
    places: impl Iterator<Item = Place<'a>>,
    status: impl Fn(&SeatId) -> seat::Status,
) -> SeatMapView<'a> {
    let items = places.filter_map(|place| {
        let seat_id = layout.seat_id(&place);
        let price = show.prices.of(place.seat_type)?;
        let status = status(&seat_id);
        Some(seat_view(place, seat_id, price, status))
    });
    SeatMapView { show_id: show.id.as_str(), items: items.collect() }
}

fn seat_view(
    place: Place<'_>,
    seat_id: SeatId,
    price: Money,
    status: seat::Status,
) -> SeatView<'_> {
    SeatView {
        seat_id,
        section: place.section.id.as_str(),
        row: &place.row.label,
        number: place.number,
        seat_type: place.seat_type.as_str(),
        feature: place.feature,
        price: money(price),
        status,
    }
}

/// Seats to propose, with what they cost together.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BestSeatsView<'a> {
    show_id: &'a str,
    items: Vec<SeatView<'a>>,
    amount: Option<MoneyView>,
}

/// Seats of a show to propose, all of which can be had; `quote` is their price, and `None` where there
/// are no such seats.
#[must_use]
pub fn best_seats<'a>(
    show: &'a Show,
    layout: &'a Layout,
    quote: Option<&Quote>,
) -> BestSeatsView<'a> {
    let seats = quote.into_iter().flat_map(|quote| &quote.seats);
    let items = seats.filter_map(|seat| {
        let place = layout.find(&seat.seat_id)?;
        Some(seat_view(place, seat.seat_id.clone(), seat.price, seat::Status::Available))
    });
    BestSeatsView {
        show_id: show.id.as_str(),
        items: items.collect(),
        amount: quote.map(|quote| money(quote.amount)),
    }
}

/// The sections of a show with how many of their seats are taken. Seats of a type that the show
/// does not sell do not count.
pub fn sections<'a>(show: &'a Show, layout: &'a Layout, taken: &[usize]) -> SectionsView<'a> {
    let sections = layout.sections().iter().zip(taken).map(|(section, taken)| {
        let total = section.seat_count_of(|seat_type| show.prices.of(seat_type).is_some());
        SectionView { section: section.id.as_str(), total, available: total.saturating_sub(*taken) }
    });
    SectionsView { show_id: show.id.as_str(), sections: sections.collect() }
}
