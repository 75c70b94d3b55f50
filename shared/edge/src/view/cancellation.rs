//! The cancellation of a show, and what it would end.

use domain::cancellation::{Cancellation, Standing, Status};
use domain::money::Currency;
use domain::show::Show;
use domain::time::text;
use serde::Serialize;

use super::MoneyView;

/// What cancelling a show would end.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView<'a> {
    show_id: &'a str,
    dry_run: bool,
    bookings: u64,
    holds: u64,
    seats: u64,
    refund_total: MoneyView,
}

/// What cancelling `show` would end, as it looks; its bookings were paid `paid_minor`.
#[must_use]
pub fn plan<'a>(show: &'a Show, standing: &Standing, paid_minor: u64) -> PlanView<'a> {
    PlanView {
        show_id: show.id.as_str(),
        dry_run: true,
        bookings: standing.bookings,
        holds: standing.holds,
        seats: standing.seats,
        refund_total: total(paid_minor, show.prices.currency()),
    }
}

/// All that was paid for a show, which may be more than any one payment may be.
fn total(minor: u64, currency: Currency) -> MoneyView {
    MoneyView { amount: minor, currency: currency.into() }
}

/// How far the cancellation of a show is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CancellationView<'a> {
    show_id: &'a str,
    status: Status,
    requested_at: String,
    requested_by: &'a str,
    completed_at: Option<String>,
    bookings_cancelled: u64,
    holds_released: u64,
    reservations_left: u64,
    refunds_due: u64,
    refund_total: MoneyView,
    refunds_done: u64,
    refunded_total: MoneyView,
}

/// A cancellation as it looks, with what still stands of the show.
#[must_use]
pub fn cancellation<'a>(
    cancellation: &'a Cancellation,
    standing: &Standing,
) -> CancellationView<'a> {
    CancellationView {
        show_id: cancellation.show_id.as_str(),
        status: cancellation.status,
        requested_at: text(cancellation.requested_at),
        requested_by: cancellation.requested_by.as_str(),
        completed_at: cancellation.completed_at.map(text),
        bookings_cancelled: cancellation.bookings_cancelled,
        holds_released: cancellation.holds_released,
        reservations_left: standing.bookings + standing.holds,
        refunds_due: cancellation.bookings_cancelled.saturating_sub(cancellation.refunds_done),
        refund_total: total(cancellation.refund_minor, cancellation.currency),
        refunds_done: cancellation.refunds_done,
        refunded_total: total(cancellation.refunded_minor, cancellation.currency),
    }
}
