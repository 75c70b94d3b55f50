//! How things look on the wire. One shape each, wherever they appear.

use domain::catalog::{City, Movie};
use domain::id::{Provider, SeatId};
use domain::money::Money;
use domain::reservation::Reservation;
use domain::seat;
use domain::time::{Timestamp, text};
use serde::Serialize;

pub mod audit;
pub mod cancellation;
pub mod catalog;
pub mod event;
mod seats;
mod show;
pub mod subscription;
pub mod ticket;

pub use seats::{
    BestSeatsView, SeatMapView, SeatView, SectionView, SectionsView, best_seats, seat_map, sections,
};
pub use show::{ListedShowView, ShowView, listed_show, show};

use crate::cursor;
use crate::payment::{Checkout, Payer, Webhook};

/// A list with the cursor of what follows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// `items`, and `next` as a cursor.
pub fn list<T: Serialize, P: Serialize>(items: Vec<T>, next: Option<&P>) -> List<T> {
    List { items, next_cursor: next.map(cursor::encode) }
}

/// The items behind `after`, `limit` at most, of a list that is ordered by `place`.
pub fn page_of<'a, T, P: Ord>(
    all: impl Iterator<Item = &'a T>,
    after: Option<&P>,
    limit: usize,
    place: impl Fn(&T) -> P,
) -> (Vec<&'a T>, Option<P>) {
    let is_behind = |item: &&T| after.is_none_or(|after| place(item) > *after);
    let mut items: Vec<&T> = all.filter(is_behind).take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| place(last));
    (items, next)
}

/// An amount of money.
#[derive(Serialize)]
pub struct MoneyView {
    amount: u64,
    currency: String,
}

fn money(money: Money) -> MoneyView {
    MoneyView { amount: money.minor(), currency: money.currency().into() }
}

/// A city.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CityView<'a> {
    city: &'a str,
    name: &'a str,
    time_zone: &'a str,
}

/// A city as it looks.
#[must_use]
pub fn city(city: &City) -> CityView<'_> {
    CityView { city: city.id.as_str(), name: city.name.as_str(), time_zone: &city.time_zone }
}

/// A film.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MovieView<'a> {
    movie_id: &'a str,
    title: &'a str,
    languages: &'a [String],
    genres: &'a [String],
    runtime_minutes: u16,
    certificate: &'a str,
}

/// A film as it looks.
#[must_use]
pub fn movie(movie: &Movie) -> MovieView<'_> {
    MovieView {
        movie_id: movie.id.as_str(),
        title: movie.title.as_str(),
        languages: &movie.languages,
        genres: &movie.genres,
        runtime_minutes: movie.runtime_minutes,
        certificate: &movie.certificate,
    }
}

/// A seat that refused.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConflictView<'a> {
    seat_id: &'a SeatId,
    status: seat::Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_at: Option<String>,
}

pub(crate) fn conflicts(seats: &[(SeatId, seat::Refusal)]) -> Vec<ConflictView<'_>> {
    let mut conflicts = Vec::with_capacity(seats.len());
    for (seat_id, refusal) in seats {
        let (status, until) = match refusal {
            seat::Refusal::Held { until } => (seat::Status::Held, Some(*until)),
            seat::Refusal::Booked => (seat::Status::Booked, None),
            seat::Refusal::Blocked => (seat::Status::Blocked, None),
            seat::Refusal::NotHeld => (seat::Status::Available, None),
        };
        conflicts.push(ConflictView { seat_id, status, available_at: until.map(text) });
    }
    conflicts
}

/// A reservation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReservationView<'a> {
    reservation_id: &'a str,
    hold_token: &'a str,
    show_id: &'a str,
    seats: Vec<PricedSeatView<'a>>,
    amount: MoneyView,
    status: domain::reservation::Status,
    hold_expires_at: String,
    payment: Option<PaymentView<'a>>,
    created_at: String,
    confirmed_at: Option<String>,
    cancelled_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PricedSeatView<'a> {
    seat_id: &'a str,
    seat_type: &'a str,
    price: MoneyView,
}

#[derive(Serialize)]
struct PaymentView<'a> {
    status: domain::payment::Status,
    reference: &'a str,
}

/// A reservation as it looks at `now`.
#[must_use]
pub fn reservation(reservation: &Reservation, now: Timestamp) -> ReservationView<'_> {
    ReservationView {
        reservation_id: reservation.id.as_str(),
        hold_token: reservation.hold_token.as_str(),
        show_id: reservation.show_id.as_str(),
        seats: seats_of(reservation),
        amount: money(reservation.amount),
        status: reservation.status_at(now),
        hold_expires_at: text(reservation.expires_at),
        payment: payment_of(reservation),
        created_at: text(reservation.created_at),
        confirmed_at: reservation.confirmed_at.map(text),
        cancelled_at: reservation.cancelled_at.map(text),
    }
}

/// A reservation that was just made, with what its customer should know of it.
#[derive(Serialize)]
pub struct HeldView<'a> {
    #[serde(flatten)]
    reservation: ReservationView<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<WarningView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WarningView<'a> {
    code: &'static str,
    seat_ids: &'a [SeatId],
}

/// A reservation as it looks at `now`, which leaves these seats alone.
#[must_use]
pub fn held<'a>(
    reservation: &'a Reservation,
    orphans: &'a [SeatId],
    now: Timestamp,
) -> HeldView<'a> {
    let mut warnings = Vec::new();
    if !orphans.is_empty() {
        warnings.push(WarningView { code: "orphan_seats", seat_ids: orphans });
    }
    HeldView { reservation: self::reservation(reservation, now), warnings }
}

fn seats_of(reservation: &Reservation) -> Vec<PricedSeatView<'_>> {
    let seats = reservation.seats.iter().map(|seat| PricedSeatView {
        seat_id: seat.seat_id.as_str(),
        seat_type: seat.seat_type.as_str(),
        price: money(seat.price),
    });
    seats.collect()
}

fn payment_of(reservation: &Reservation) -> Option<PaymentView<'_>> {
    let payment = reservation.payment.as_ref()?;
    Some(PaymentView { status: payment.status, reference: payment.reference.as_str() })
}

/// A payment to be made for a reservation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutView<'a> {
    reservation_id: &'a str,
    provider: &'a str,
    payment_reference: &'a str,
    amount: MoneyView,
    hold_expires_at: String,
    #[serde(flatten)]
    payer: PayerView<'a>,
}

/// What a browser needs to pay; each provider has its own.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum PayerView<'a> {
    ClientSecret { client_secret: &'a str },
    Order { order_id: &'a str, key_id: &'a str },
    Url { pay_url: &'a str },
}

/// A payment to be made for a reservation, as it looks.
#[must_use]
pub fn checkout<'a>(
    provider: &'a Provider,
    checkout: &'a Checkout,
    reservation: &'a Reservation,
) -> CheckoutView<'a> {
    CheckoutView {
        reservation_id: reservation.id.as_str(),
        provider: provider.as_str(),
        payment_reference: checkout.reference.as_str(),
        amount: money(reservation.amount),
        hold_expires_at: text(reservation.expires_at),
        payer: match &checkout.payer {
            Payer::ClientSecret(client_secret) => PayerView::ClientSecret { client_secret },
            Payer::Order { order_id, key_id } => PayerView::Order { order_id, key_id },
            Payer::Url(pay_url) => PayerView::Url { pay_url },
        },
    }
}

/// What became of a webhook.
#[derive(Serialize)]
pub struct WebhookView<'a> {
    event: &'a str,
    queued: bool,
}

/// What became of a webhook, as its sender is told.
#[must_use]
pub fn webhook(webhook: &Webhook) -> WebhookView<'_> {
    WebhookView { event: &webhook.kind, queued: webhook.event.is_some() }
}
