//! Settle: carry out what the domain decides about a payment, in one transaction.

use domain::id::ShowId;
use domain::payment::{self, Progress, RefundReason};
use domain::reservation::Command::{Confirm, ConfirmLate, Fail};
use domain::reservation::{self, PaymentSummary, Reservation, Status};
use domain::seat::{self, Seat};
use domain::settlement::{Case, Decision};
use domain::show;
use domain::time::Timestamp;

use self::steps::{Refused, SET_CONFIRMED, SET_EXTENDED, SET_FAILED, changed, summary, unchanged};
use crate::item::{instant, seconds, value};
use crate::txn::{Aborted, Txn, corrupt};
use crate::{Fault, Store, reservation as reservations, seat as seats};

mod steps;

/// Decisions made anew because something changed in between. Every change moves the reservation
/// or the payment forward, and neither has this many steps to go.
const DECISIONS_MAX: u32 = 6;

/// What became of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It booked the seats, just now.
    Booked {
        /// The reservation, CONFIRMED.
        reservation: Reservation,
        /// Whether the hold was over, so that the seats were taken again.
        late: bool,
    },
    /// It had booked the seats before.
    BookedBefore(Reservation),
    /// It is on its way. The hold lives on.
    Processing(Reservation),
    /// It failed. The hold lives on.
    Declined,
    /// It booked nothing. If its money came, it goes back.
    NotBooked {
        /// Why.
        reason: RefundReason,
        /// Whether a refund became due by this call.
        refund: bool,
    },
    /// Its money came, and all of it went back: at the provider, before anybody here asked for that,
    /// or because it was owed back.
    Returned {
        /// Why it was owed back.
        reason: RefundReason,
        /// Whether that is news.
        news: bool,
    },
    /// It is not a payment for this reservation.
    Mismatch,
}

impl Store {
    /// Settles `reservation`, which was just read, with what a provider reported.
    ///
    /// Safe to repeat, and safe beside any other settlement, cancellation, release or expiry of
    /// the same reservation: exactly one of them decides its end. Costs one transaction (2 write
    /// units for the payment, 2 for the reservation, 2 per seat when it books or extends; and, the
    /// first time that a payment is heard of, 1 of the index of its show), or nothing where there is
    /// nothing to write; a read and another transaction each time something changed since the
    /// reservation was read. Money that went back costs what [`Store::refunded`] costs, besides.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn settle(
        &self,
        reservation: Reservation,
        case: &Case<'_>,
    ) -> Result<Settled, Fault> {
        let settled = self.settle_what_came(reservation, case).await?;
        if case.report.progress() != Some(Progress::Refunded) || settled == Settled::Mismatch {
            return Ok(settled);
        }
        let reason = match settled {
            Settled::NotBooked { reason, .. } => reason,
            _booked => RefundReason::ReturnedByProvider,
        };
        let news = self.refunded(&case.report.provider, &case.report.reference, case.now).await?;
        Ok(Settled::Returned { reason, news })
    }

    /// Settles without regard to money that went back again.
    async fn settle_what_came(
        &self,
        mut reservation: Reservation,
        case: &Case<'_>,
    ) -> Result<Settled, Fault> {
        let mut case = *case;
        let mut decision = case.decide(&reservation);
        for _ in 0..DECISIONS_MAX {
            let refused = match self.carry_out(&mut reservation, decision, &case).await {
                Ok(settled) => return Ok(settled),
                Err(Aborted::Fault(fault)) => return Err(fault),
                Err(Aborted::Refused(refused)) => refused,
            };
            let before = |refused| before(refused, &reservation, &case);
            if let Some(settled) = refused.iter().find_map(before) {
                return Ok(settled);
            }
            decision = if refused.iter().all(|refused| matches!(refused, Refused::Seat)) {
                without_its_seats(decision, &reservation, case.now)?
            } else {
                reservation = self.changed(&reservation).await?;
                if reservation.status == Status::Cancelled && !case.show_cancelled {
                    case.show_cancelled = self.is_cancelled(&reservation.show_id).await?;
                }
                case.decide(&reservation)
            };
        }
        Err(Fault::Contended)
    }

    /// Whether a show was cancelled, since somebody cancelled a reservation of it.
    async fn is_cancelled(&self, show: &ShowId) -> Result<bool, Fault> {
        let show = self.show(show).await?;
        Ok(show.is_some_and(|show| show.status == show::Status::Cancelled))
    }

    async fn carry_out(
        &self,
        reservation: &mut Reservation,
        decision: Decision,
        case: &Case<'_>,
    ) -> Result<Settled, Aborted<Refused>> {
        match decision {
            Decision::Done => Ok(Settled::BookedBefore(reservation.clone())),
            Decision::Mismatch => {
                self.forget(reservation, case).await?;
                Ok(Settled::Mismatch)
            }
            Decision::Book { late } => {
                self.book(reservation, late, case).await?;
                Ok(Settled::Booked { reservation: reservation.clone(), late })
            }
            Decision::Wait { extend } => {
                self.wait(reservation, extend, case).await?;
                Ok(Settled::Processing(reservation.clone()))
            }
            Decision::Watch(reason) => {
                self.watch(reservation, case).await?;
                Ok(Settled::NotBooked { reason, refund: false })
            }
            Decision::Decline => {
                let awaits = reservation.status_at(case.now) == Status::Pending;
                self.decline(reservation, awaits, case).await?;
                Ok(Settled::Declined)
            }
            Decision::Over(reason) => {
                self.decline(reservation, false, case).await?;
                Ok(Settled::NotBooked { reason, refund: false })
            }
            Decision::Refund { reason, ends } => {
                self.owe_back(reservation, reason, ends, case).await?;
                Ok(Settled::NotBooked { reason, refund: true })
            }
        }
    }

    async fn book(
        &self,
        reservation: &mut Reservation,
        late: bool,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let now = case.now;
        let id = reservation.id.clone();
        let command = if late { ConfirmLate } else { Confirm };
        let status = after(reservation, command, now)?;
        let summary = summary(case.report, payment::Status::Success);
        let only = unchanged(reservation, &summary)
            .with([(":status", value(&status)), (":now", instant(now))]);
        let booked = Seat::Booked { reservation: id.clone() };
        let command = seat::Command::Settle { reservation: id.clone() };
        let mut txn = Txn::new(self).payment_booked(reservation, case).update(
            &self.tables.reservations,
            reservations::key(&id),
            SET_CONFIRMED,
            only,
            changed,
        );
        for seat in &reservation.seats {
            let key = seats::key(&reservation.show_id, &seat.section_id, &seat.seat_id);
            txn = txn.put(
                &self.tables.seats,
                seats::with_claim(key, &booked),
                seats::if_settleable(&id, now),
                |found| seats::explain(found, &command, now).map(|_| Refused::Seat),
            );
        }
        txn.commit().await?;
        reservation.status = status;
        reservation.confirmed_at = Some(now);
        reservation.payment = Some(summary);
        Ok(())
    }

    async fn wait(
        &self,
        reservation: &mut Reservation,
        extend: bool,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let summary = summary(case.report, payment::Status::Pending);
        if !extend && reservation.payment.as_ref() == Some(&summary) {
            return Ok(());
        }
        let txn = Txn::new(self).payment_awaited(reservation, case);
        if extend {
            let expires_at = case.terms.extended_end(reservation.created_at);
            self.extend(txn, reservation, &summary, expires_at, case.now).await?;
            reservation.expires_at = expires_at;
            reservation.extended = true;
        } else {
            txn.payment_shown(reservation, &summary).commit().await?;
        }
        reservation.payment = Some(summary);
        Ok(())
    }

    /// Adds to `txn` that the hold and its seats last until `expires_at`, and commits it.
    async fn extend(
        &self,
        txn: Txn<'_, Refused>,
        reservation: &Reservation,
        summary: &PaymentSummary,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Aborted<Refused>> {
        let id = &reservation.id;
        let only = unchanged(reservation, summary)
            .with([(":extended_end", seconds(expires_at)), (":true", value(&true))]);
        let table = &self.tables.reservations;
        let mut txn = txn.update(table, reservations::key(id), SET_EXTENDED, only, changed);
        for seat in &reservation.seats {
            let command = seat::Command::Extend { reservation: id.clone(), expires_at };
            txn = txn.update(
                &self.tables.seats,
                seats::key(&reservation.show_id, &seat.section_id, &seat.seat_id),
                seats::SET_END,
                seats::if_extendable(id, expires_at, now),
                move |found| seats::explain(found, &command, now).map(|_| Refused::Seat),
            );
        }
        txn.commit().await
    }

    /// Keeps the payment in sight. What is known of it already is more than that.
    async fn watch(
        &self,
        reservation: &Reservation,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        match Txn::new(self).payment_seen(reservation, case).commit().await {
            Err(Aborted::Refused(_)) => Ok(()),
            outcome => outcome,
        }
    }

    /// Payment FAILED. The reservation shows it if it awaited this money, or showed it before.
    async fn decline(
        &self,
        reservation: &Reservation,
        awaits: bool,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let summary = summary(case.report, payment::Status::Failed);
        let txn = Txn::new(self).payment_failed(reservation, case);
        let shown = awaits || reservation.has_heard_of(&summary.provider, &summary.reference);
        let txn = if shown { txn.payment_shown(reservation, &summary) } else { txn };
        match txn.commit().await {
            // It is written down already, and there nothing changes.
            Err(Aborted::Refused(refused)) if refused.iter().any(|of| of.failed(reservation)) => {
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// What was noted of the payment for this reservation is FAILED. Nothing may have been.
    async fn forget(
        &self,
        reservation: &Reservation,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let summary = summary(case.report, payment::Status::Failed);
        let pending = |shown: &PaymentSummary| shown.status == payment::Status::Pending;
        let shown = reservation.has_heard_of(&summary.provider, &summary.reference)
            && reservation.payment.as_ref().is_some_and(pending);
        let mut txn = Txn::new(self).payment_forgotten(reservation, case);
        if shown {
            txn = txn.payment_shown(reservation, &summary);
        }
        match txn.commit().await {
            // The item is another reservation's, or not there; what is shown here is ours.
            Err(Aborted::Refused(refused)) if refused.iter().any(is_not_noted) => {
                if !shown {
                    return Ok(());
                }
                Txn::new(self).payment_shown(reservation, &summary).commit().await
            }
            outcome => outcome,
        }
    }

    async fn owe_back(
        &self,
        reservation: &Reservation,
        reason: RefundReason,
        ends: bool,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let summary = summary(case.report, payment::Status::RefundDue);
        let mut txn = Txn::new(self).payment_owed_back(reason, reservation, case);
        if ends {
            let status = after(reservation, Fail, case.now)?;
            txn = txn.update(
                &self.tables.reservations,
                reservations::key(&reservation.id),
                SET_FAILED,
                unchanged(reservation, &summary).with([(":status", value(&status))]),
                changed,
            );
        } else if reservation.has_heard_of(&summary.provider, &summary.reference) {
            txn = txn.payment_shown(reservation, &summary);
        }
        txn.commit().await
    }
}

/// The reservation's status after `command`, which was decided because it applies.
fn after(
    reservation: &Reservation,
    command: reservation::Command,
    now: Timestamp,
) -> Result<Status, Aborted<Refused>> {
    reservation.status.apply(command, reservation.is_live_at(now)).map_err(|refusal| {
        let Reservation { id, status, .. } = reservation;
        Aborted::Fault(corrupt(format!("{status:?} {id} refused {command:?}: {refusal:?}")))
    })
}

fn is_not_noted(refused: &Refused) -> bool {
    matches!(refused, Refused::NotNoted)
}

/// What became of the payment before, if that is what refused: then it is the answer, now as then.
fn before(refused: &Refused, reservation: &Reservation, case: &Case<'_>) -> Option<Settled> {
    let Refused::Payment(payment) = refused else { return None };
    let is_anothers = payment.reservation_id.as_ref().is_some_and(|id| *id != reservation.id);
    match (payment.status, payment.refund_reason) {
        // Its money is here. What it is for will be settled when the provider tells of that.
        (payment::Status::Parked, _) => Some(Settled::Processing(awaiting(reservation, case))),
        _decided if is_anothers => Some(Settled::Mismatch),
        (_, Some(reason)) => Some(Settled::NotBooked { reason, refund: false }),
        // Its payer tries once more.
        (payment::Status::Failed, None) if case.report.progress() == Some(Progress::Processing) => {
            Some(Settled::Processing(awaiting(reservation, case)))
        }
        (payment::Status::Failed, None) => Some(Settled::Declined),
        // It was parked, and went back.
        (payment::Status::Refunded, None) => {
            let reason = RefundReason::ReturnedByProvider;
            Some(Settled::NotBooked { reason, refund: false })
        }
        // It booked the reservation, which therefore changed too. The others have no such item.
        (
            payment::Status::Success | payment::Status::Pending | payment::Status::RefundDue,
            None,
        ) => None,
    }
}

/// The reservation as one that awaits this payment's money, whatever is written of the payment.
fn awaiting(reservation: &Reservation, case: &Case<'_>) -> Reservation {
    let payment = Some(summary(case.report, payment::Status::Pending));
    Reservation { payment, ..reservation.clone() }
}

/// The decision instead of `decision` where only seats refused: somebody else has them. For a
/// hold that counts this takes a clock that runs ahead elsewhere; for a late payment it is usual.
fn without_its_seats(
    decision: Decision,
    reservation: &Reservation,
    now: Timestamp,
) -> Result<Decision, Fault> {
    let reason = RefundReason::SeatsTaken;
    match decision {
        Decision::Book { .. } => {
            Ok(Decision::Refund { reason, ends: reservation.can_fail_at(now) })
        }
        Decision::Wait { .. } => Ok(Decision::Watch(reason)),
        Decision::Done
        | Decision::Watch(_)
        | Decision::Decline
        | Decision::Refund { .. }
        | Decision::Over(_)
        | Decision::Mismatch => Err(corrupt(format!("{decision:?} touches no seat"))),
    }
}
