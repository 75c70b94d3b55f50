//! Settle: carry out what the domain decides about a payment, in one transaction.

use domain::payment::{self, Outcome, Payment, RefundReason, Report};
use domain::reservation::Command::{Confirm, ConfirmLate, Fail};
use domain::reservation::{self, PaymentSummary, Reservation, Status};
use domain::seat::{self, Seat};
use domain::settlement::{Case, Decision};
use domain::time::Timestamp;

use crate::item::{Item, instant, seconds, string, value};
use crate::txn::{Aborted, If, Txn, corrupt};
use crate::{Fault, Store, payment as payments, reservation as reservations, seat as seats};

/// Decisions made anew because something changed in between. Every change moves the reservation
/// or the payment forward, and neither has this many steps to go.
const DECISIONS_MAX: u32 = 6;

const SET_CONFIRMED: &str = "SET reservation_status = :status, confirmed_at = :now, \
     payment_provider = :provider, payment_reference = :reference, payment_status = :payment_status";
const SET_FAILED: &str = "SET reservation_status = :status, payment_provider = :provider, \
     payment_reference = :reference, payment_status = :payment_status";
const SET_EXTENDED: &str = "SET expires_at = :extended_end, hold_extended = :true, \
     payment_provider = :provider, payment_reference = :reference, payment_status = :payment_status";
const SET_PAYMENT: &str = "SET payment_provider = :provider, payment_reference = :reference, \
     payment_status = :payment_status";

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
    /// It is not a payment for this reservation.
    Mismatch,
}

/// Why a write did not happen.
enum Refused {
    Payment(Payment),
    Reservation,
    Seat,
}

impl Store {
    /// Settles `reservation`, which was just read, with what a provider reported.
    ///
    /// Safe to repeat, and safe beside any other settlement, cancellation, release or expiry of
    /// the same reservation: exactly one of them decides its end. Costs one transaction (2 write
    /// units for the payment, 2 for the reservation, 2 per seat when it books or extends), or
    /// nothing where there is nothing to write; a read and another transaction each time something
    /// changed since the reservation was read.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn settle(
        &self,
        mut reservation: Reservation,
        case: &Case<'_>,
    ) -> Result<Settled, Fault> {
        let mut decision = case.decide(&reservation);
        for _ in 0..DECISIONS_MAX {
            let refused = match self.carry_out(&mut reservation, decision, case).await {
                Ok(settled) => return Ok(settled),
                Err(Aborted::Fault(fault)) => return Err(fault),
                Err(Aborted::Refused(refused)) => refused,
            };
            if let Some(reason) = refused.iter().find_map(owed_back) {
                return Ok(Settled::NotBooked { reason, refund: false });
            }
            decision = if refused.iter().all(|refused| matches!(refused, Refused::Seat)) {
                without_its_seats(decision)?
            } else {
                reservation = self.changed(&reservation).await?;
                case.decide(&reservation)
            };
        }
        Err(Fault::Contended)
    }

    async fn carry_out(
        &self,
        reservation: &mut Reservation,
        decision: Decision,
        case: &Case<'_>,
    ) -> Result<Settled, Aborted<Refused>> {
        match decision {
            Decision::Done => Ok(Settled::BookedBefore(reservation.clone())),
            Decision::Mismatch => Ok(Settled::Mismatch),
            Decision::Book { late } => {
                self.book(reservation, late, case).await?;
                Ok(Settled::Booked { reservation: reservation.clone(), late })
            }
            Decision::Wait { extend } => {
                self.wait(reservation, extend, case).await?;
                Ok(Settled::Processing(reservation.clone()))
            }
            Decision::Watch(reason) => {
                Txn::new(self).payment_seen(reservation, case).commit().await?;
                Ok(Settled::NotBooked { reason, refund: false })
            }
            Decision::Decline => {
                self.decline(reservation, case).await?;
                Ok(Settled::Declined)
            }
            Decision::Over(reason) => {
                self.decline(reservation, case).await?;
                Ok(Settled::NotBooked { reason, refund: false })
            }
            Decision::Forget => {
                self.decline(reservation, case).await?;
                Ok(Settled::Mismatch)
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
        let mut txn = Txn::new(self).payment_becomes(&summary, None, reservation, case).update(
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
        let txn = Txn::new(self).payment_seen(reservation, case);
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

    /// Payment FAILED. The reservation shows it if it still awaits money, or showed it before.
    async fn decline(
        &self,
        reservation: &Reservation,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let summary = summary(case.report, payment::Status::Failed);
        let txn = Txn::new(self).payment_becomes(&summary, None, reservation, case);
        let awaits = reservation.status_at(case.now) == Status::Pending;
        let shown = awaits || reservation.has_heard_of(&summary.provider, &summary.reference);
        let txn = if shown { txn.payment_shown(reservation, &summary) } else { txn };
        txn.commit().await
    }

    async fn owe_back(
        &self,
        reservation: &Reservation,
        reason: RefundReason,
        ends: bool,
        case: &Case<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let summary = summary(case.report, payment::Status::RefundDue);
        let mut txn = Txn::new(self).payment_becomes(&summary, Some(reason), reservation, case);
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

/// The payment as the reservation will show it.
fn summary(report: &Report, status: payment::Status) -> PaymentSummary {
    let Report { provider, reference, .. } = report;
    PaymentSummary { provider: provider.clone(), reference: reference.clone(), status }
}

/// The values that every write of the payment names. A provider that is away says no amount; then
/// it is what was asked for, until it answers.
fn payment_values(status: payment::Status, reservation: &Reservation, case: &Case<'_>) -> If {
    let money = match &case.report.outcome {
        Outcome::Known { money, .. } => *money,
        Outcome::Unknown | Outcome::Away => reservation.amount,
    };
    payments::values(status, &reservation.id, money, case.now)
}

fn payment_key(report: &Report) -> Item {
    payments::key(&report.provider, &report.reference)
}

impl Txn<'_, Refused> {
    fn payment_becomes(
        self,
        summary: &PaymentSummary,
        reason: Option<RefundReason>,
        reservation: &Reservation,
        case: &Case<'_>,
    ) -> Self {
        let table = &self.store().tables.payments;
        let only = payments::if_open(payment_values(summary.status, reservation, case));
        let explain = |found: Option<&Item>| match found {
            Some(found) => {
                let payment = payments::read(found.clone())?;
                match payment.status.apply(payment::Command::Capture) {
                    None => Ok(Refused::Payment(payment)),
                    Some(_) => Err(corrupt(format!("an open payment refused: {payment:?}"))),
                }
            }
            None => Err(corrupt("a payment that is not there refused")),
        };
        match reason {
            None => {
                self.update(table, payment_key(case.report), payments::SET_STATUS, only, explain)
            }
            Some(reason) => {
                let only = only.with([(":reason", value(&reason))]);
                let set = payments::SET_STATUS_AND_REASON;
                self.update(table, payment_key(case.report), set, only, explain)
            }
        }
    }

    fn payment_seen(self, reservation: &Reservation, case: &Case<'_>) -> Self {
        let table = &self.store().tables.payments;
        let values = payment_values(payment::Status::Pending, reservation, case);
        self.update(table, payment_key(case.report), payments::SET_SEEN, values, crate::txn::never)
    }

    /// The reservation shows the payment, and is otherwise as it was.
    fn payment_shown(self, reservation: &Reservation, summary: &PaymentSummary) -> Self {
        let table = &self.store().tables.reservations;
        let key = reservations::key(&reservation.id);
        self.update(table, key, SET_PAYMENT, unchanged(reservation, summary), changed)
    }
}

/// The reservation is as it was decided upon; and the payment that it will show.
fn unchanged(reservation: &Reservation, payment: &PaymentSummary) -> If {
    reservations::if_unchanged(
        reservation,
        [
            (":provider", string(payment.provider.as_str())),
            (":reference", string(payment.reference.as_str())),
            (":payment_status", value(&payment.status)),
        ],
    )
}

fn changed(_found: Option<&Item>) -> Result<Refused, Fault> {
    Ok(Refused::Reservation)
}

/// Why the payment's money goes back already, if it does: then that is the answer, now as then.
fn owed_back(refused: &Refused) -> Option<RefundReason> {
    match refused {
        Refused::Payment(payment) => payment.refund_reason,
        Refused::Reservation | Refused::Seat => None,
    }
}

/// The decision instead of `decision` where only seats refused: somebody else has them. For a
/// hold that counts this takes a clock that runs ahead elsewhere; for a late payment it is usual.
fn without_its_seats(decision: Decision) -> Result<Decision, Fault> {
    let reason = RefundReason::SeatsTaken;
    match decision {
        Decision::Book { .. } => Ok(Decision::Refund { reason, ends: true }),
        Decision::Wait { .. } => Ok(Decision::Watch(reason)),
        Decision::Done
        | Decision::Watch(_)
        | Decision::Decline
        | Decision::Refund { .. }
        | Decision::Over(_)
        | Decision::Mismatch
        | Decision::Forget => Err(corrupt(format!("{decision:?} touches no seat"))),
    }
}
