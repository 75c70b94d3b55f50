//! An event, as others are told of it: on the bus, by webhooks, and by the log of what was told.
//! `events.schema.json` describes it.

use domain::event::{Event, Subject, Type};
use domain::payment::{self, Payment, RefundReason};
use domain::reservation::{self, Reservation};
use domain::time::text;
use serde::Serialize;
use serde_json::value::RawValue;
use store::{Fault, RecordedEvent};

use super::{MoneyView, PaymentView, PricedSeatView, money, payment_of, seats_of};
use crate::problem::Problem;

/// Of what is told. A member more is no new version; one that is gone or means something else is.
const VERSION: u8 = 1;

/// An event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventView<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: Type,
    version: u8,
    occurred_at: String,
    data: SubjectView<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SubjectView<'a> {
    Reservation(ReservationView<'a>),
    Payment(RefundedView<'a>),
}

/// A reservation for those whom it is not: without its token, which opens it, and without its
/// customer's address.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReservationView<'a> {
    reservation_id: &'a str,
    user_id: &'a str,
    show_id: &'a str,
    show_starts_at: String,
    seats: Vec<PricedSeatView<'a>>,
    amount: MoneyView,
    status: reservation::Status,
    hold_expires_at: String,
    payment: Option<PaymentView<'a>>,
    created_at: String,
    confirmed_at: Option<String>,
    cancelled_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundedView<'a> {
    provider: &'a str,
    payment_reference: &'a str,
    reservation_id: Option<&'a str>,
    amount: MoneyView,
    status: payment::Status,
    reason: Option<RefundReason>,
}

/// An event as it looks.
#[must_use]
pub fn event(event: &Event) -> EventView<'_> {
    EventView {
        id: event.id.as_str(),
        kind: event.kind,
        version: VERSION,
        occurred_at: text(event.occurred_at),
        data: match &event.subject {
            Subject::Reservation(of) => SubjectView::Reservation(reservation(of)),
            Subject::Payment(of) => SubjectView::Payment(refunded(of)),
        },
    }
}

fn reservation(reservation: &Reservation) -> ReservationView<'_> {
    ReservationView {
        reservation_id: reservation.id.as_str(),
        user_id: reservation.user_id.as_str(),
        show_id: reservation.show_id.as_str(),
        show_starts_at: text(reservation.show_starts_at),
        seats: seats_of(reservation),
        amount: money(reservation.amount),
        status: reservation.status,
        hold_expires_at: text(reservation.expires_at),
        payment: payment_of(reservation),
        created_at: text(reservation.created_at),
        confirmed_at: reservation.confirmed_at.map(text),
        cancelled_at: reservation.cancelled_at.map(text),
    }
}

fn refunded(payment: &Payment) -> RefundedView<'_> {
    RefundedView {
        provider: payment.provider.as_str(),
        payment_reference: payment.reference.as_str(),
        reservation_id: payment.reservation_id.as_ref().map(|id| id.as_str()),
        amount: money(payment.money),
        status: payment.status,
        reason: payment.refund_reason,
    }
}

/// A recorded event as it was told, byte for byte.
///
/// # Errors
///
/// If what is stored is no JSON.
pub fn recorded(event: &RecordedEvent) -> Result<&RawValue, Problem> {
    serde_json::from_str(&event.body).map_err(|error| {
        Problem::Internal(Fault::Corrupt(format!("the body of event {}: {error}", event.id)))
    })
}
