//! What a scan of a ticket says.

use domain::id::SeatId;
use domain::reservation::Reservation;
use domain::ticket::Entry;
use domain::time::text;
use serde::Serialize;

/// An entry, without who scanned it.
#[derive(Serialize)]
pub struct EntryView<'a> {
    at: String,
    gate: &'a str,
}

/// An entry as it looks.
#[must_use]
pub fn entry(entry: &Entry) -> EntryView<'_> {
    EntryView { at: text(entry.at), gate: entry.gate.as_str() }
}

/// A booking that went in. When its show is, somebody at the door compares with the day; whose it is
/// and what they paid is not for them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionView<'a> {
    reservation_id: &'a str,
    show_id: &'a str,
    starts_at: String,
    seats: Vec<AdmittedSeatView<'a>>,
    entry: Option<EntryView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmittedSeatView<'a> {
    seat_id: &'a SeatId,
    seat_type: &'a str,
}

/// A booking that went in, as it looks at the door.
#[must_use]
pub fn admission(booking: &Reservation) -> AdmissionView<'_> {
    let seats = booking.seats.iter().map(|seat| AdmittedSeatView {
        seat_id: &seat.seat_id,
        seat_type: seat.seat_type.as_str(),
    });
    AdmissionView {
        reservation_id: booking.id.as_str(),
        show_id: booking.show_id.as_str(),
        starts_at: text(booking.show_starts_at),
        seats: seats.collect(),
        entry: booking.entry.as_ref().map(entry),
    }
}
