//! Cancel: give up a hold, or take back a booking and owe its money.

use domain::id::SeatId;
use domain::payment::{self, RefundReason};
use domain::reservation::{CancelRefusal, Reservation, Status};
use domain::seat::Command;
use domain::time::Timestamp;

use crate::item::{instant, value};
use crate::txn::{Aborted, Txn};
use crate::{Fault, Store, payment as payments, reservation as reservations, seat as seats};

/// Decisions made anew because something changed in between.
const DECISIONS_MAX: u32 = 6;

const SET_CANCELLED: &str = "SET reservation_status = :status, cancelled_at = :now";
const SET_CANCELLED_AND_OWED: &str =
    "SET reservation_status = :status, cancelled_at = :now, payment_status = :payment_status";

/// A cancelled reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// As it now is.
    pub reservation: Reservation,
    /// Whether a refund became due by this call.
    pub refund: bool,
}

/// Why a reservation was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It cannot be any more.
    #[error("the reservation cannot be cancelled")]
    Refused(CancelRefusal),
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// How a reservation ends.
struct End {
    status: Status,
    reason: RefundReason,
    now: Timestamp,
}

enum Refused {
    /// The reservation or its payment is not as it was decided upon.
    Changed,
    /// Not ours any more, so not ours to free.
    Seat(SeatId),
}

impl Store {
    /// Cancels `reservation`, which was just read: its seats are free and its money is owed back for
    /// `reason`, in one transaction.
    ///
    /// Safe to repeat: cancelling what is cancelled answers with it. Costs one transaction of 2
    /// write units for the reservation, 2 per seat, and 2 for the payment of a booking; a read and
    /// another transaction each time something changed since the reservation was read.
    ///
    /// # Errors
    ///
    /// [`CancelError`].
    pub async fn cancel(
        &self,
        mut reservation: Reservation,
        reason: RefundReason,
        now: Timestamp,
    ) -> Result<Cancelled, CancelError> {
        let mut lost = Vec::new();
        for _ in 0..DECISIONS_MAX {
            let status = match reservation.cancel_at(reason, now) {
                Ok(status) => status,
                Err(CancelRefusal::AlreadyCancelled) => {
                    return Ok(Cancelled { reservation, refund: false });
                }
                Err(refusal) => return Err(CancelError::Refused(refusal)),
            };
            let end = End { status, reason, now };
            let refused = match self.take_back(&mut reservation, &end, &lost).await {
                Ok(refund) => return Ok(Cancelled { reservation, refund }),
                Err(Aborted::Fault(fault)) => return Err(fault.into()),
                Err(Aborted::Refused(refused)) => refused,
            };
            if refused.iter().any(|refused| matches!(refused, Refused::Changed)) {
                // What the seats said was said to another decision.
                lost.clear();
                reservation = self.changed(&reservation).await?;
            } else {
                lost.extend(refused.into_iter().filter_map(|refused| match refused {
                    Refused::Seat(seat) => Some(seat),
                    Refused::Changed => None,
                }));
            }
        }
        Err(Fault::Contended.into())
    }

    /// Writes the cancellation, leaving the seats in `lost` alone. Says whether money is owed.
    async fn take_back(
        &self,
        reservation: &mut Reservation,
        end: &End,
        lost: &[SeatId],
    ) -> Result<bool, Aborted<Refused>> {
        let End { status, reason, now } = *end;
        let id = reservation.id.clone();
        let booked = reservation.status == Status::Confirmed;
        let set = [(":status", value(&status)), (":now", instant(now))];
        let mut only = reservations::if_unchanged(reservation, set);
        if reservation.entry.is_none() {
            only = reservations::if_outside(only);
        }
        let key = reservations::key(&id);
        let table = &self.tables.reservations;
        let (command, if_ours) = if booked {
            (Command::Cancel { reservation: id.clone() }, seats::if_booked_by(&id))
        } else {
            (Command::Release { reservation: id.clone() }, seats::if_held_by(&id))
        };

        let mut txn = Txn::new(self);
        if reason == RefundReason::ShowCancelled {
            txn = txn.counted(reservation, booked);
        }
        let payment = reservation.payment.as_ref().filter(|_| booked);
        if let Some(payment) = payment {
            let owed = (":payment_status", value(&payment::Status::RefundDue));
            txn = txn
                .update(table, key, SET_CANCELLED_AND_OWED, only.with([owed]), |_| {
                    Ok(Refused::Changed)
                })
                .update(
                    &self.tables.payments,
                    payments::key(&payment.provider, &payment.reference),
                    payments::SET_OWED,
                    payments::if_booked(&payment.reference, &id, reason, now),
                    |_| Ok(Refused::Changed),
                );
        } else {
            txn = txn.update(table, key, SET_CANCELLED, only, |_| Ok(Refused::Changed));
        }
        for seat in reservation.seats.iter().filter(|seat| !lost.contains(&seat.seat_id)) {
            txn = txn.delete(
                &self.tables.seats,
                seats::key(&reservation.show_id, &seat.section_id, &seat.seat_id),
                if_ours.clone(),
                |found| {
                    seats::explain(found, &command, now)?;
                    Ok(Refused::Seat(seat.seat_id.clone()))
                },
            );
        }
        txn.commit().await?;

        let refund = payment.is_some();
        reservation.status = status;
        reservation.cancelled_at = Some(now);
        if let Some(payment) = reservation.payment.as_mut().filter(|_| refund) {
            payment.status = payment::Status::RefundDue;
        }
        Ok(refund)
    }
}
