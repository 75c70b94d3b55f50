//! The steps of a settlement that touch the payment, and the reservation that shows it.

use domain::payment::{self, Outcome, Payment, RefundReason, Report};
use domain::reservation::{PaymentSummary, Reservation};
use domain::settlement::Case;

use crate::item::{Item, string, value};
use crate::txn::{If, Txn, corrupt};
use crate::{Fault, payment as payments, reservation as reservations};

pub(super) const SET_CONFIRMED: &str = "SET reservation_status = :status, confirmed_at = :now, \
     payment_provider = :provider, payment_reference = :reference, payment_status = :payment_status";
pub(super) const SET_FAILED: &str = "SET reservation_status = :status, payment_provider = :provider, \
     payment_reference = :reference, payment_status = :payment_status";
pub(super) const SET_EXTENDED: &str = "SET expires_at = :extended_end, hold_extended = :true, \
     payment_provider = :provider, payment_reference = :reference, payment_status = :payment_status";
const SET_PAYMENT: &str = "SET payment_provider = :provider, payment_reference = :reference, \
     payment_status = :payment_status";

/// Why a write did not happen.
pub(super) enum Refused {
    /// The payment is further on.
    Payment(Payment),
    /// Nothing was noted of the payment for this reservation, or something was noted of it before.
    NotNoted,
    Reservation,
    Seat,
}

impl Refused {
    /// Whether it is this reservation's payment, which failed before.
    pub(super) fn failed(&self, reservation: &Reservation) -> bool {
        matches!(self, Self::Payment(payment) if payment.status == payment::Status::Failed
            && payment.reservation_id.as_ref() == Some(&reservation.id))
    }
}

/// The payment as the reservation will show it.
pub(super) fn summary(report: &Report, status: payment::Status) -> PaymentSummary {
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
    let values = payments::becomes(status, &case.report.reference, case.now);
    payments::of(values, reservation, &case.report.reference, money)
}

fn payment_key(report: &Report) -> Item {
    payments::key(&report.provider, &report.reference)
}

/// The payment that refused `command`, which it must by the domain's rules.
fn refused(found: Option<&Item>, command: payment::Command) -> Result<Refused, Fault> {
    let found = found.ok_or_else(|| corrupt("a payment that is not there refused"))?;
    let payment = payments::read(found.clone())?;
    match payment.status.apply(command) {
        None => Ok(Refused::Payment(payment)),
        Some(_) => Err(corrupt(format!("{command:?} refused by {payment:?}"))),
    }
}

impl Txn<'_, Refused> {
    /// The payment's money stands for the booking.
    pub(super) fn payment_booked(self, reservation: &Reservation, case: &Case<'_>) -> Self {
        let table = &self.store().tables.payments;
        let only = payments::if_open(payment_values(payment::Status::Success, reservation, case));
        let key = payment_key(case.report);
        self.update(table, key, payments::SET_CLOSED, only, |found| {
            refused(found, payment::Command::Capture)
        })
    }

    /// The payment's money goes back.
    pub(super) fn payment_owed_back(
        self,
        reason: RefundReason,
        reservation: &Reservation,
        case: &Case<'_>,
    ) -> Self {
        let table = &self.store().tables.payments;
        let values = payment_values(payment::Status::RefundDue, reservation, case);
        let only = payments::if_open(values).with([(":reason", value(&reason))]);
        let key = payment_key(case.report);
        // What can be booked can be owed back; a booked payment, which can too, is not for a report
        // to take back.
        self.update(table, key, payments::SET_REFUND_DUE, only, |found| {
            refused(found, payment::Command::Capture)
        })
    }

    /// No money came.
    pub(super) fn payment_failed(self, reservation: &Reservation, case: &Case<'_>) -> Self {
        let table = &self.store().tables.payments;
        let values = payment_values(payment::Status::Failed, reservation, case);
        let only = payments::if_undecided(values);
        let key = payment_key(case.report);
        self.update(table, key, payments::SET_DECLINED, only, |found| {
            refused(found, payment::Command::Fail)
        })
    }

    /// Notes the payment if nothing is known of it.
    pub(super) fn payment_seen(self, reservation: &Reservation, case: &Case<'_>) -> Self {
        let table = &self.store().tables.payments;
        let only = payments::if_absent(payment_values(payment::Status::Pending, reservation, case));
        let key = payment_key(case.report);
        self.update(table, key, payments::SET_SEEN, only, |_| Ok(Refused::NotNoted))
    }

    /// Notes the payment if nothing is decided of it.
    pub(super) fn payment_awaited(self, reservation: &Reservation, case: &Case<'_>) -> Self {
        let table = &self.store().tables.payments;
        let values = payment_values(payment::Status::Pending, reservation, case);
        let only = payments::if_undecided(values);
        self.update(table, payment_key(case.report), payments::SET_SEEN, only, |found| {
            let found = found.ok_or_else(|| corrupt("a payment that is not there refused"))?;
            Ok(Refused::Payment(payments::read(found.clone())?))
        })
    }

    /// The payment came to nothing, if it was noted for this reservation.
    pub(super) fn payment_forgotten(self, reservation: &Reservation, case: &Case<'_>) -> Self {
        let table = &self.store().tables.payments;
        let only = payments::if_noted(&case.report.reference, &reservation.id, case.now);
        let key = payment_key(case.report);
        self.update(table, key, payments::SET_FAILED, only, |_| Ok(Refused::NotNoted))
    }

    /// The reservation shows the payment, and is otherwise as it was.
    pub(super) fn payment_shown(self, reservation: &Reservation, summary: &PaymentSummary) -> Self {
        let table = &self.store().tables.reservations;
        let key = reservations::key(&reservation.id);
        self.update(table, key, SET_PAYMENT, unchanged(reservation, summary), changed)
    }
}

/// The reservation is as it was decided upon; and the payment that it will show.
pub(super) fn unchanged(reservation: &Reservation, payment: &PaymentSummary) -> If {
    reservations::if_unchanged(
        reservation,
        [
            (":provider", string(payment.provider.as_str())),
            (":reference", string(payment.reference.as_str())),
            (":payment_status", value(&payment.status)),
        ],
    )
}

pub(super) fn changed(_found: Option<&Item>) -> Result<Refused, Fault> {
    Ok(Refused::Reservation)
}
