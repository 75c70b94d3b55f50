//! What holds of the books after every write, and what the domain's audit does not ask: it must hold of
//! tables that are read while a sale goes on, and this need not.

use std::collections::BTreeMap;

use domain::audit::Claim;
use domain::id::{ReservationId, SeatId, ShowId};
use domain::payment::{self, RefundReason};
use domain::reservation::{Reservation, Status};
use domain::seat::Seat;
use domain::time::Timestamp;

use super::ledger::Ledger;
use super::moves::rank;
use super::owed::Owed;
use super::{Broken, broken};

/// What one write did that its other items must explain.
#[derive(Default)]
pub(super) struct Write {
    /// Claims that were given up, and not because their time had come.
    pub(super) freed: Vec<Freed>,
    /// Reservations that ended: of which show, and what they were.
    pub(super) cancelled: Vec<(ShowId, Status)>,
    /// What the cancellations of shows counted: holds and bookings.
    pub(super) counted: Vec<(ShowId, u64, u64)>,
    /// Payments whose money is owed back since.
    pub(super) owed: Vec<Owed>,
    /// What the reservations that it changed were before.
    pub(super) was: BTreeMap<ReservationId, Status>,
}

/// A claim that was given up.
pub(super) struct Freed {
    pub(super) show_id: ShowId,
    pub(super) seat_id: SeatId,
    pub(super) was: Seat,
}

impl Freed {
    /// Whose claim it was. The house's own is nobody's.
    fn owner(&self) -> Option<&ReservationId> {
        match &self.was {
            Seat::Held { reservation, .. } | Seat::Booked { reservation } => Some(reservation),
            Seat::Blocked | Seat::Available => None,
        }
    }

    /// Whether the end of its reservation explains it.
    pub(super) fn is_explained(&self, ledger: &Ledger, latest: Timestamp) -> bool {
        let Some(id) = self.owner() else { return true };
        let Some(status) = ledger.reservation(id).map(|of| of.status) else { return false };
        match &self.was {
            Seat::Available | Seat::Blocked => true,
            Seat::Booked { .. } => status == Status::Cancelled,
            // What is over may be cleared away. A hold of a cancelled show may be extended by whoever
            // does not know yet, just when the sweep took it for over.
            Seat::Held { expires_at, .. }
                if *expires_at <= latest || ledger.cancellation.is_some() =>
            {
                status != Status::Confirmed
            }
            // A payment that went back ended it, and the house wants the seat.
            Seat::Held { .. } => matches!(status, Status::Cancelled | Status::Failed),
        }
    }
}

impl Write {
    /// Whether the cancellation of a show counted what it ended, and nothing else.
    pub(super) fn is_counted(&self, show: &ShowId) -> bool {
        let ended = |was: Status| {
            self.cancelled.iter().filter(|(of, status)| of == show && *status == was).count() as u64
        };
        let counted = || self.counted.iter().filter(|(of, ..)| of == show);
        let holds: u64 = counted().map(|(_, holds, _)| *holds).sum();
        let bookings: u64 = counted().map(|(_, _, bookings)| *bookings).sum();
        holds <= ended(Status::Pending) && bookings <= ended(Status::Confirmed)
    }
}

/// What holds of a show whose books changed.
pub(super) fn check(ledger: &Ledger, latest: Timestamp) -> Result<(), Broken> {
    for reservation in &ledger.books.reservations {
        live_hold(ledger, reservation, latest)?;
        shown_payment(ledger, reservation)?;
    }
    for claim in &ledger.books.claims {
        ended_claim(ledger, claim)?;
    }
    cancellation(ledger)
}

/// A PENDING reservation whose end is ahead, whatever the clock, has all its seats HELD until then.
fn live_hold(ledger: &Ledger, reservation: &Reservation, latest: Timestamp) -> Result<(), Broken> {
    let is_live = reservation.status == Status::Pending && reservation.is_live_at(latest);
    // The sweep of a cancelled show may take a hold for over which somebody else just extends.
    if !is_live || ledger.cancellation.is_some() {
        return Ok(());
    }
    for seat in &reservation.seats {
        let found = ledger.seat(&seat.section_id, &seat.seat_id);
        let is_held = matches!(found, Seat::Held { reservation: id, expires_at }
            if *id == reservation.id && *expires_at == reservation.expires_at);
        if !is_held {
            let (id, end) = (&reservation.id, reservation.expires_at);
            let detail = format!("{id} holds {} until {end}, which is {found:?}", seat.seat_id);
            return Err(broken("PendingSeatsAreHeld", detail));
        }
    }
    Ok(())
}

/// No reservation shows more of its payment than there is.
fn shown_payment(ledger: &Ledger, reservation: &Reservation) -> Result<(), Broken> {
    let Some((shown, payment)) = reservation.payment.as_ref().zip(ledger.own_payment(reservation))
    else {
        return Ok(());
    };
    if rank(shown.status) <= rank(payment.status) {
        return Ok(());
    }
    let detail = format!("{} shows {shown:?}, of {payment:?}", reservation.id);
    Err(broken("NoReservationShowsMoreThanThereIs", detail))
}

/// What was cancelled gave up all its seats with that, also those that counted no more.
fn ended_claim(ledger: &Ledger, claim: &Claim) -> Result<(), Broken> {
    let (Seat::Held { reservation: id, .. } | Seat::Booked { reservation: id }) = &claim.seat
    else {
        return Ok(());
    };
    let status = ledger.reservation(id).map(|of| of.status);
    if status != Some(Status::Cancelled) {
        return Ok(());
    }
    let detail = format!("{} is {:?}, which is cancelled", claim.seat_id, claim.seat);
    Err(broken("CancelledReservationsClaimNothing", detail))
}

/// The cancellation of a show counts the bookings that it ended and their refunds, each once.
fn cancellation(ledger: &Ledger) -> Result<(), Broken> {
    let Some(cancellation) = &ledger.cancellation else { return Ok(()) };
    let (mut bookings, mut owed, mut refunds, mut refunded) = (0, 0, 0, 0);
    for reservation in &ledger.books.reservations {
        if reservation.status != Status::Cancelled || reservation.confirmed_at.is_none() {
            continue;
        }
        let Some(payment) = ledger.own_payment(reservation) else { continue };
        if payment.refund_reason != Some(RefundReason::ShowCancelled) {
            continue;
        }
        bookings += 1;
        owed += reservation.amount.minor();
        if payment.status == payment::Status::Refunded {
            refunds += 1;
            refunded += payment.money.minor();
        }
    }
    let found = (bookings, owed, refunds, refunded);
    let counted = (
        cancellation.bookings_cancelled,
        cancellation.refund_minor,
        cancellation.refunds_done,
        cancellation.refunded_minor,
    );
    if found == counted {
        return Ok(());
    }
    let detail = format!("there are {found:?} bookings, owed, refunds, back: {cancellation:?}");
    Err(broken("CancellationsCountEachOnce", detail))
}
