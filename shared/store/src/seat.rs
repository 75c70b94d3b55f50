//! A claim on a seat: key, conditions, reader. A seat without a claim has no item.

use domain::id::{ReservationId, SeatId, SectionId, ShowId};
use domain::seat::{Command, Refusal, Seat, Status};
use domain::time::Timestamp;

use crate::Fault;
use crate::item::{Item, item, seconds, string};
use crate::txn::{If, corrupt};

pub(crate) const HELD: &str = "HELD";
const BOOKED: &str = "BOOKED";
pub(crate) const BLOCKED: &str = "BLOCKED";

/// Free, or a hold that ended. Says in `DynamoDB` what the domain says of `Hold` and `Block`.
const IF_FREE: &str = "attribute_not_exists(pk) OR (seat_status = :held AND expires_at <= :now)";

/// What the domain says of `Settle`: ours, free, or a hold that ended.
const IF_SETTLEABLE: &str = "attribute_not_exists(pk) \
     OR (seat_status = :held AND (reservation_id = :reservation OR expires_at <= :now))";

/// What the domain says of `Extend`: our hold, and it counts.
const IF_EXTENDABLE: &str =
    "seat_status = :held AND reservation_id = :reservation AND expires_at > :now";

/// What the domain says of `Release` (of a HELD seat) and `Cancel` (of a BOOKED one).
const IF_OURS: &str =
    "attribute_not_exists(pk) OR (seat_status = :claimed AND reservation_id = :reservation)";

/// What the domain says of `Unblock`.
const IF_BLOCKED: &str = "attribute_not_exists(pk) OR seat_status = :blocked";

/// The house keeps it. For reading: a seat without a claim is no item.
pub(crate) const IS_BLOCKED: &str = "seat_status = :blocked";

/// Moves the end of a hold.
pub(crate) const SET_END: &str = "SET expires_at = :expires_at";

/// The partition of a section of a show.
pub(crate) fn partition(show: &ShowId, section: &SectionId) -> String {
    format!("SHOW#{show}#{section}")
}

/// The section that a partition is of.
pub(crate) fn section_in(partition: &str) -> Option<(ShowId, SectionId)> {
    let (show, section) = partition.strip_prefix("SHOW#")?.split_once('#')?;
    Some((show.parse().ok()?, section.parse().ok()?))
}

/// The key of a seat.
pub(crate) fn key(show: &ShowId, section: &SectionId, seat: &SeatId) -> Item {
    item([("pk", string(partition(show, section))), ("sk", string(format!("SEAT#{seat}")))])
}

/// The seat's name in a sort key.
pub(crate) fn id_in(sort_key: &str) -> Result<SeatId, Fault> {
    let id = sort_key.strip_prefix("SEAT#").and_then(|id| id.parse().ok());
    id.ok_or_else(|| corrupt(format!("seat: `sk` is {sort_key:?}")))
}

/// `key` with the attributes of `seat`. An available seat has none, and no item.
pub(crate) fn with_claim(mut key: Item, seat: &Seat) -> Item {
    let mut set = |name: &str, value| key.insert(name.to_owned(), value);
    match seat {
        Seat::Available => {}
        Seat::Held { reservation, expires_at } => {
            set("seat_status", string(HELD));
            set("reservation_id", string(reservation.as_str()));
            set("expires_at", seconds(*expires_at));
        }
        Seat::Booked { reservation } => {
            set("seat_status", string(BOOKED));
            set("reservation_id", string(reservation.as_str()));
        }
        Seat::Blocked => {
            set("seat_status", string(BLOCKED));
        }
    }
    key
}

/// The seat that an item is.
pub(crate) fn read(found: Option<&Item>) -> Result<Seat, Fault> {
    let Some(found) = found else { return Ok(Seat::Available) };
    let text = |name| {
        let value = found.get(name).and_then(|value| value.as_s().ok());
        value.ok_or_else(|| corrupt(format!("seat: `{name}` is missing or no text")))
    };
    let reservation = || -> Result<ReservationId, Fault> {
        text("reservation_id")?.parse().map_err(|error| corrupt(format!("seat: {error}")))
    };
    match text("seat_status")?.as_str() {
        HELD => Ok(Seat::Held { reservation: reservation()?, expires_at: end(found)? }),
        BOOKED => Ok(Seat::Booked { reservation: reservation()? }),
        BLOCKED => Ok(Seat::Blocked),
        other => Err(corrupt(format!("seat: `seat_status` is {other:?}"))),
    }
}

/// When the hold ends that an item is.
pub(crate) fn end(found: &Item) -> Result<Timestamp, Fault> {
    let second = found.get("expires_at").and_then(|value| value.as_n().ok()?.parse().ok());
    let end = second.and_then(|second| Timestamp::from_timestamp(second, 0));
    end.ok_or_else(|| corrupt("seat: `expires_at` is missing or no second"))
}

/// How the seat that an item is looks, while its claim counts.
pub(crate) fn status(found: &Item) -> Result<Status, Fault> {
    match found.get("seat_status").and_then(|value| value.as_s().ok()).map(String::as_str) {
        Some(HELD) => Ok(Status::Held),
        Some(BOOKED) => Ok(Status::Booked),
        Some(BLOCKED) => Ok(Status::Blocked),
        other => Err(corrupt(format!("seat: `seat_status` is {other:?}"))),
    }
}

/// Why the item that a condition saw refuses `command`, as the domain says.
pub(crate) fn explain(
    found: Option<&Item>,
    command: &Command,
    now: Timestamp,
) -> Result<Refusal, Fault> {
    let seat = read(found)?;
    match seat.apply(command, now) {
        Err(refusal) => Ok(refusal),
        Ok(_) => Err(corrupt(format!("{seat:?} refused {command:?} at {now}"))),
    }
}

/// The condition for holding or blocking a seat.
pub(crate) fn if_free(now: Timestamp) -> If {
    If::new(IF_FREE, [(":held", string(HELD)), (":now", seconds(now))])
}

/// The condition for selling a seat to `reservation`.
pub(crate) fn if_settleable(reservation: &ReservationId, now: Timestamp) -> If {
    let reservation = (":reservation", string(reservation.as_str()));
    If::new(IF_SETTLEABLE, [(":held", string(HELD)), reservation, (":now", seconds(now))])
}

/// The condition for [`SET_END`] to `expires_at`, with its value.
pub(crate) fn if_extendable(
    reservation: &ReservationId,
    expires_at: Timestamp,
    now: Timestamp,
) -> If {
    let reservation = (":reservation", string(reservation.as_str()));
    If::new(IF_EXTENDABLE, [(":held", string(HELD)), reservation, (":now", seconds(now))])
        .with([(":expires_at", seconds(expires_at))])
}

/// The condition for giving up a hold of `reservation`.
pub(crate) fn if_held_by(reservation: &ReservationId) -> If {
    if_ours(HELD, reservation)
}

/// The condition for taking back a seat sold to `reservation`.
pub(crate) fn if_booked_by(reservation: &ReservationId) -> If {
    if_ours(BOOKED, reservation)
}

fn if_ours(claimed: &str, reservation: &ReservationId) -> If {
    let reservation = (":reservation", string(reservation.as_str()));
    If::new(IF_OURS, [(":claimed", string(claimed)), reservation])
}

/// The condition for giving a house seat back.
pub(crate) fn if_blocked() -> If {
    If::new(IF_BLOCKED, [(":blocked", string(BLOCKED))])
}
