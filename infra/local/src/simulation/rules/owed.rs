//! Why money goes back. The reason is held against the books before and after the write that gives it:
//! settle and cancel write under conditions on what they decided upon, so it must be true there.
//!
//! What a reason says of time may have been so by any clock, and some moments before the write. So a hold
//! counts as over if it is by the clock that is furthest ahead. Where a reason could rightly be given and
//! nothing shows it any more, it is taken for true, which is said there.

use std::collections::BTreeMap;

use domain::id::ReservationId;
use domain::payment::{Payment, RefundReason};
use domain::reservation::{Reservation, Status};
use domain::time::Timestamp;

use super::ledger::Ledger;
use super::{Broken, Rules, broken};

/// A payment whose money is owed back since the write that is judged.
pub(super) struct Owed {
    pub(super) payment: Payment,
    /// Whether a booking stood for it until then.
    pub(super) was_booked: bool,
}

impl Owed {
    /// Whether what it goes back for is so. It was for `of`, which was `was` before the write.
    fn is_explained(
        &self,
        ledger: &Ledger,
        of: &Reservation,
        was: Status,
        latest: Timestamp,
    ) -> bool {
        let Some(reason) = self.payment.refund_reason else { return false };
        if self.was_booked {
            was == Status::Confirmed && ends_a_booking(reason, ledger, of)
        } else {
            self.books_nothing(reason, ledger, of, was, latest)
        }
    }

    /// Whether its money could book nothing, for this reason, as the domain's settlement has it.
    fn books_nothing(
        &self,
        reason: RefundReason,
        ledger: &Ledger,
        of: &Reservation,
        was: Status,
        latest: Timestamp,
    ) -> bool {
        let Payment { provider, reference, money, .. } = &self.payment;
        let is_as_much = *money == of.amount;
        let was_over = match was {
            // A hold that another payment ended early is over, too.
            Status::Expired | Status::Failed => true,
            Status::Pending => of.expires_at <= latest,
            Status::Confirmed | Status::Cancelled => false,
        };
        match reason {
            // Nothing asks that the reservation is still what it was when this was decided.
            RefundReason::WrongAmount => !is_as_much,
            // Also if that booking was cancelled just before this was written.
            RefundReason::SecondPayment => {
                of.confirmed_at.is_some() && !of.has_heard_of(provider, reference)
            }
            RefundReason::PaidAfterCancel => of.status == Status::Cancelled,
            RefundReason::ShowCancelled => {
                is_as_much && was != Status::Confirmed && ledger.cancellation.is_some()
            }
            RefundReason::HoldExpired => is_as_much && was_over,
            RefundReason::ShowBegun => is_as_much && was_over && of.show_starts_at <= latest,
            // Whoever had one of the seats may have given it up since, so nobody is looked for. A hold
            // that counts has its seats, unless the sweep of a cancelled show took them.
            RefundReason::SeatsTaken => {
                let was_swept = was == Status::Pending && ledger.cancellation.is_some();
                is_as_much && (was_over || was_swept)
            }
            RefundReason::BookingCancelled
            | RefundReason::SeatsBlocked
            | RefundReason::ReturnedByProvider => false,
        }
    }
}

/// Whether a booking, which is `of` by now, can have ended for this reason. Whether its customer or the
/// house asked for that is not in the tables.
fn ends_a_booking(reason: RefundReason, ledger: &Ledger, of: &Reservation) -> bool {
    if of.status != Status::Cancelled {
        return false;
    }
    match reason {
        // The clock that wrote when it ended is the one by which that was decided.
        RefundReason::BookingCancelled | RefundReason::SeatsBlocked => {
            of.entry.is_none() && of.cancelled_at.is_some_and(|at| at < of.show_starts_at)
        }
        RefundReason::ShowCancelled => ledger.cancellation.is_some(),
        // That its provider says so is asked at rest.
        RefundReason::ReturnedByProvider => true,
        RefundReason::HoldExpired
        | RefundReason::SeatsTaken
        | RefundReason::ShowBegun
        | RefundReason::SecondPayment
        | RefundReason::PaidAfterCancel
        | RefundReason::WrongAmount => false,
    }
}

impl Rules {
    /// Whether money goes back for a reason that is so. `was` says of each reservation that the write
    /// changed what it was before.
    pub(super) fn judge_owed(
        &self,
        owed: &Owed,
        was: &BTreeMap<ReservationId, Status>,
        latest: Timestamp,
    ) -> Result<(), Broken> {
        let id = owed.payment.reservation_id.as_ref();
        let found = self.ledgers.values().find_map(|ledger| {
            let of = ledger.reservation(id?)?;
            Some((ledger, of))
        });
        let Some((ledger, of)) = found else {
            let detail = format!("{:?} is for nothing", owed.payment);
            return Err(broken("RefundsHaveATrueReason", detail));
        };
        let was = was.get(&of.id).copied().unwrap_or(of.status);
        if owed.is_explained(ledger, of, was, latest) {
            return Ok(());
        }
        let detail = format!("at {latest}: {:?} for {of:?}, which was {was:?}", owed.payment);
        Err(broken("RefundsHaveATrueReason", detail))
    }
}
