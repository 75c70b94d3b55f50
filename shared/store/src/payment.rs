//! A payment: key, attributes, conditions, reader.

use domain::id::{PaymentReference, Provider, ReservationId};
use domain::money::{Currency, Money};
use domain::payment::{Payment, RefundReason, Status};
use domain::time::{Timestamp, as_text};

use crate::Fault;
use crate::item::{Item, from_item, instant, item, string, value};
use crate::txn::{If, corrupt};

/// Nothing is decided of the payment yet.
const IF_UNDECIDED: &str = "attribute_not_exists(pk) OR payment_status = :status";

/// The payment was noted for this reservation, and nothing came of it.
const IF_NOTED: &str = "payment_status = :pending AND reservation_id = :reservation";

/// No money was booked or sent back yet: what the domain says of `Capture` and `OweBack`. A
/// failure may be recorded again; that changes nothing.
const IF_OPEN: &str = "attribute_not_exists(pk) OR payment_status IN (:pending, :failed)";

/// The payment that booked this reservation.
const IF_BOOKED: &str = "payment_status = :success AND reservation_id = :reservation";

/// Makes the payment, or moves it on. When it was first heard of stays.
pub(crate) const SET_STATUS: &str = "SET payment_status = :status, reservation_id = :reservation, \
     amount_minor = :amount_minor, currency = :currency, updated_at = :now, \
     created_at = if_not_exists(created_at, :now)";

/// [`SET_STATUS`], and why the money goes back.
pub(crate) const SET_STATUS_AND_REASON: &str = "SET payment_status = :status, \
     reservation_id = :reservation, amount_minor = :amount_minor, currency = :currency, \
     updated_at = :now, created_at = if_not_exists(created_at, :now), refund_reason = :reason";

/// Notes that a payment is on its way. Changes nothing of one that is known already, so it can
/// never take a payment back in its life.
pub(crate) const SET_SEEN: &str = "SET payment_status = if_not_exists(payment_status, :status), \
     reservation_id = if_not_exists(reservation_id, :reservation), \
     amount_minor = if_not_exists(amount_minor, :amount_minor), \
     currency = if_not_exists(currency, :currency), \
     created_at = if_not_exists(created_at, :now), updated_at = if_not_exists(updated_at, :now)";

/// The payment came to nothing.
pub(crate) const SET_FAILED: &str = "SET payment_status = :status, updated_at = :now";

/// The booking is cancelled, its money is owed back.
pub(crate) const SET_OWED: &str =
    "SET payment_status = :status, refund_reason = :reason, updated_at = :now";

#[derive(serde::Deserialize)]
struct Record {
    pk: String,
    reservation_id: ReservationId,
    amount_minor: u64,
    currency: Currency,
    payment_status: Status,
    #[serde(default)]
    refund_reason: Option<RefundReason>,
    #[serde(with = "as_text")]
    created_at: Timestamp,
}

/// The key of a payment.
pub(crate) fn key(provider: &Provider, reference: &PaymentReference) -> Item {
    item([("pk", string(format!("PAYMENT#{provider}#{reference}")))])
}

/// The values of [`SET_STATUS`] and [`SET_SEEN`].
pub(crate) fn values(
    status: Status,
    reservation: &ReservationId,
    money: Money,
    now: Timestamp,
) -> If {
    let reservation = (":reservation", string(reservation.as_str()));
    If::new("", [(":status", value(&status)), reservation, (":now", instant(now))])
        .with([(":amount_minor", value(&money.minor())), (":currency", value(&money.currency()))])
}

/// The condition for waiting for a payment, with the values of [`SET_SEEN`].
pub(crate) fn if_undecided(values: If) -> If {
    values.only(IF_UNDECIDED)
}

/// The condition and values of [`SET_FAILED`] for a payment that was noted for `reservation`.
pub(crate) fn if_noted(reservation: &ReservationId, now: Timestamp) -> If {
    If::new(IF_NOTED, [(":pending", value(&Status::Pending)), (":now", instant(now))])
        .with([(":reservation", string(reservation.as_str())), (":status", value(&Status::Failed))])
}

/// The condition for booking a payment or owing it back.
pub(crate) fn if_open(values: If) -> If {
    values
        .only(IF_OPEN)
        .with([(":pending", value(&Status::Pending)), (":failed", value(&Status::Failed))])
}

/// The condition and values of [`SET_OWED`] for the payment that booked `reservation`.
pub(crate) fn if_booked(reservation: &ReservationId, reason: RefundReason, now: Timestamp) -> If {
    If::new(IF_BOOKED, [(":success", value(&Status::Success)), (":now", instant(now))]).with([
        (":reservation", string(reservation.as_str())),
        (":status", value(&Status::RefundDue)),
        (":reason", value(&reason)),
    ])
}

/// The payment that an item is.
pub(crate) fn read(found: Item) -> Result<Payment, Fault> {
    let record: Record = from_item("payment", found)?;
    let broken = |what: &str| corrupt(format!("payment: `{what}` is malformed"));
    let mut parts = record.pk.splitn(3, '#').skip(1);
    let provider = parts.next().and_then(|part| part.parse().ok());
    let reference = parts.next().and_then(|part| part.parse().ok());
    Ok(Payment {
        provider: provider.ok_or_else(|| broken("pk"))?,
        reference: reference.ok_or_else(|| broken("pk"))?,
        reservation_id: record.reservation_id,
        money: Money::new(record.amount_minor, record.currency)
            .map_err(|_| broken("amount_minor"))?,
        status: record.payment_status,
        refund_reason: record.refund_reason,
        created_at: record.created_at,
    })
}
