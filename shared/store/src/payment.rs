//! A payment: key, attributes, conditions, reader, and the list of those to come back to.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use chrono::TimeDelta;
use domain::id::{PaymentReference, Provider, ReservationId, ShowId};
use domain::limits::{PAYMENT_CHECK_EVERY_SECS_MAX, PAYMENT_CHECK_SHARDS, PAYMENT_SHOW_SHARDS};
use domain::money::{Currency, Money};
use domain::payment::{Payment, RefundReason, Status};
use domain::reservation::Reservation;
use domain::time::{Timestamp, as_text};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::{Item, from_item, instant, item, shard_of, string, value};
use crate::txn::{Aborted, IF_ABSENT, If, Txn, corrupt};
use crate::{Fault, Store};

/// Payments that somebody must come back to, by when. Only these have the index's attributes.
const BY_CHECK_AT: &str = "by_check_at";

/// The payments for a show's reservations. Money for no reservation that we know is not among them.
const BY_SHOW: &str = "by_show";

/// Nothing is decided of the payment yet: what the domain says of `Fail`.
const IF_UNDECIDED: &str = "attribute_not_exists(pk) OR payment_status = :pending";

/// The payment was noted for this reservation, and nothing came of it.
const IF_NOTED: &str = "payment_status = :pending AND reservation_id = :reservation";

/// No money was booked or sent back yet: what the domain says of `Capture`, and of `OweBack` but for
/// a booking's payment, which only the booking's end owes back.
const IF_OPEN: &str = "attribute_not_exists(pk) OR payment_status IN (:pending, :failed, :parked)";

/// No money came yet: what the domain says of `Park`.
const IF_UNPAID: &str = "attribute_not_exists(pk) OR payment_status IN (:pending, :failed)";

/// The payment that booked this reservation.
const IF_BOOKED: &str = "payment_status = :success AND reservation_id = :reservation";

/// What the domain says of `Refund`.
const IF_REFUNDABLE: &str = "payment_status IN (:refund_due, :parked)";

/// The payment is as it was when it was looked at.
const IF_UNTOUCHED: &str = "payment_status = :status AND check_at <= :now";

/// Makes the payment, or moves it on to where nobody need come back to it. When it was first heard
/// of stays.
pub(crate) const SET_CLOSED: &str = "SET payment_status = :status, \
     reservation_id = :reservation, show_shard = :show_shard, \
     amount_minor = :amount_minor, currency = :currency, \
     updated_at = :now, created_at = if_not_exists(created_at, :now) REMOVE check_shard, check_at";

/// [`SET_CLOSED`], for a payment that came to nothing; its payer may try again.
pub(crate) const SET_DECLINED: &str = "SET payment_status = :status, \
     reservation_id = :reservation, show_shard = :show_shard, \
     amount_minor = :amount_minor, currency = :currency, \
     updated_at = :now, created_at = if_not_exists(created_at, :now), \
     check_shard = :check_shard, check_at = :check_at";

/// Makes the payment, or moves it on, to be owed back.
pub(crate) const SET_REFUND_DUE: &str = "SET payment_status = :status, \
     reservation_id = :reservation, show_shard = :show_shard, \
     amount_minor = :amount_minor, currency = :currency, \
     updated_at = :now, created_at = if_not_exists(created_at, :now), refund_reason = :reason, \
     check_shard = :check_shard, check_at = :check_at";

/// Notes that a payment is on its way, if nothing else is known of it.
pub(crate) const SET_SEEN: &str = "SET payment_status = :status, \
     reservation_id = if_not_exists(reservation_id, :reservation), \
     show_shard = if_not_exists(show_shard, :show_shard), \
     amount_minor = if_not_exists(amount_minor, :amount_minor), \
     currency = if_not_exists(currency, :currency), \
     created_at = if_not_exists(created_at, :now), updated_at = if_not_exists(updated_at, :now), \
     check_shard = if_not_exists(check_shard, :check_shard), \
     check_at = if_not_exists(check_at, :check_at)";

/// What was noted of a payment came to nothing.
pub(crate) const SET_FAILED: &str = "SET payment_status = :status, updated_at = :now, \
     check_shard = :check_shard, check_at = :check_at";

/// The booking is cancelled, its money is owed back.
pub(crate) const SET_OWED: &str = "SET payment_status = :status, refund_reason = :reason, \
     updated_at = :now, check_shard = :check_shard, check_at = :check_at";

/// The money went back.
pub(crate) const SET_REFUNDED: &str =
    "SET payment_status = :status, updated_at = :now REMOVE check_shard, check_at";

/// Money came, and nobody knows what for.
const SET_PARKED: &str = "SET payment_status = :status, amount_minor = :amount_minor, \
     currency = :currency, updated_at = :now, created_at = if_not_exists(created_at, :now), \
     check_shard = :check_shard, check_at = :check_at";

/// [`SET_PARKED`], and what it says it is for, which is of no show that we know.
const SET_PARKED_FOR: &str = "SET payment_status = :status, amount_minor = :amount_minor, \
     currency = :currency, updated_at = :now, created_at = if_not_exists(created_at, :now), \
     check_shard = :check_shard, check_at = :check_at, reservation_id = :reservation \
     REMOVE show_shard";

#[derive(serde::Deserialize)]
struct Record {
    pk: String,
    #[serde(default)]
    reservation_id: Option<ReservationId>,
    amount_minor: u64,
    currency: Currency,
    payment_status: Status,
    #[serde(default)]
    refund_reason: Option<RefundReason>,
    #[serde(with = "as_text")]
    created_at: Timestamp,
    #[serde(with = "as_text")]
    updated_at: Timestamp,
}

/// The key of a payment.
pub(crate) fn key(provider: &Provider, reference: &PaymentReference) -> Item {
    item([("pk", string(format!("PAYMENT#{provider}#{reference}")))])
}

/// The partition of the index that a payment of this status is listed in.
fn check_shard(status: Status, shard: u8) -> String {
    let status = value(&status);
    let status = status.as_s().expect("a status is stored as text");
    format!("{status}#{shard}")
}

/// The values that move a payment to `status`, with its place among those to come back to if that is
/// a status to come back to.
pub(crate) fn becomes(status: Status, reference: &PaymentReference, now: Timestamp) -> If {
    let values = If::new("", [(":status", value(&status)), (":now", instant(now))]);
    match status.check_after() {
        None => values,
        Some(after) => values.with([
            (
                ":check_shard",
                string(check_shard(status, shard_of(reference.as_str(), PAYMENT_CHECK_SHARDS))),
            ),
            (":check_at", instant(now + after)),
        ]),
    }
}

/// The partition of the index that the payments for a show's reservations are listed in.
fn show_shard(show: &ShowId, shard: u8) -> String {
    format!("{show}#{shard}")
}

/// The values that say what a payment is for, with its place among those of its show, and how much it
/// is.
pub(crate) fn of(
    values: If,
    reservation: &Reservation,
    reference: &PaymentReference,
    money: Money,
) -> If {
    let shard = shard_of(reference.as_str(), PAYMENT_SHOW_SHARDS);
    values.with([
        (":reservation", string(reservation.id.as_str())),
        (":show_shard", string(show_shard(&reservation.show_id, shard))),
        (":amount_minor", value(&money.minor())),
        (":currency", value(&money.currency())),
    ])
}

/// The condition for waiting for a payment, and for its failure.
pub(crate) fn if_undecided(values: If) -> If {
    values.only(IF_UNDECIDED).with([(":pending", value(&Status::Pending))])
}

/// The condition for watching a payment that nothing is known of, with the values of [`SET_SEEN`].
pub(crate) fn if_absent(values: If) -> If {
    values.only(IF_ABSENT)
}

/// The condition and values of [`SET_FAILED`] for a payment that was noted for `reservation`.
pub(crate) fn if_noted(
    reference: &PaymentReference,
    reservation: &ReservationId,
    now: Timestamp,
) -> If {
    becomes(Status::Failed, reference, now).only(IF_NOTED).with([
        (":pending", value(&Status::Pending)),
        (":reservation", string(reservation.as_str())),
    ])
}

/// The condition for booking a payment or owing it back.
pub(crate) fn if_open(values: If) -> If {
    let unpaid = [(":pending", value(&Status::Pending)), (":failed", value(&Status::Failed))];
    values.only(IF_OPEN).with(unpaid).with([(":parked", value(&Status::Parked))])
}

/// The condition for a payment to be parked.
fn if_unpaid(values: If) -> If {
    let unpaid = [(":pending", value(&Status::Pending)), (":failed", value(&Status::Failed))];
    values.only(IF_UNPAID).with(unpaid)
}

/// The condition and values of [`SET_OWED`] for the payment that booked `reservation`.
pub(crate) fn if_booked(
    reference: &PaymentReference,
    reservation: &ReservationId,
    reason: RefundReason,
    now: Timestamp,
) -> If {
    becomes(Status::RefundDue, reference, now).only(IF_BOOKED).with([
        (":success", value(&Status::Success)),
        (":reservation", string(reservation.as_str())),
        (":reason", value(&reason)),
    ])
}

/// The condition and values of [`SET_REFUNDED`].
pub(crate) fn if_refundable(reference: &PaymentReference, now: Timestamp) -> If {
    becomes(Status::Refunded, reference, now)
        .only(IF_REFUNDABLE)
        .with([(":refund_due", value(&Status::RefundDue)), (":parked", value(&Status::Parked))])
}

/// The provider and reference in a key.
fn name_in(pk: &str) -> Result<(Provider, PaymentReference), Fault> {
    let mut parts = pk.splitn(3, '#').skip(1);
    let provider = parts.next().and_then(|part| part.parse().ok());
    let reference = parts.next().and_then(|part| part.parse().ok());
    provider.zip(reference).ok_or_else(|| corrupt("payment: `pk` is malformed"))
}

/// The provider and reference of an index's item.
fn name_of(found: &Item) -> Result<(Provider, PaymentReference), Fault> {
    let pk = found.get("pk").and_then(|pk| pk.as_s().ok());
    name_in(pk.ok_or_else(|| corrupt("payment: no `pk` in the index"))?)
}

/// The payment that an item is.
pub(crate) fn read(found: Item) -> Result<Payment, Fault> {
    let record: Record = from_item("payment", found)?;
    let broken = |what: &str| corrupt(format!("payment: `{what}` is malformed"));
    let (provider, reference) = name_in(&record.pk)?;
    if record.reservation_id.is_none()
        && !matches!(record.payment_status, Status::Parked | Status::Refunded)
    {
        return Err(broken("reservation_id"));
    }
    Ok(Payment {
        provider,
        reference,
        reservation_id: record.reservation_id,
        money: Money::new(record.amount_minor, record.currency)
            .map_err(|_| broken("amount_minor"))?,
        status: record.payment_status,
        refund_reason: record.refund_reason,
        created_at: record.created_at,
        changed_at: record.updated_at,
    })
}

impl Store {
    /// One payment, if it is known. Costs one consistent read of one item (1 unit).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn payment(
        &self,
        provider: &Provider,
        reference: &PaymentReference,
    ) -> Result<Option<Payment>, Fault> {
        self.get(&self.tables.payments, key(provider, reference)).await?.map(read).transpose()
    }

    /// Keeps money in sight that came for no reservation that we know. Says whether it is news.
    ///
    /// Safe to repeat. Costs one transaction of one item (2 write units, and 1 of the index).
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn park(
        &self,
        provider: &Provider,
        reference: &PaymentReference,
        claimed: Option<&ReservationId>,
        money: Money,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let values = becomes(Status::Parked, reference, now).with([
            (":amount_minor", value(&money.minor())),
            (":currency", value(&money.currency())),
        ]);
        let (set, values) = match claimed {
            None => (SET_PARKED, values),
            Some(id) => (SET_PARKED_FOR, values.with([(":reservation", string(id.as_str()))])),
        };
        let key = key(provider, reference);
        let txn = Txn::new(self);
        let txn = txn.update(&self.tables.payments, key, set, if_unpaid(values), |_| Ok(()));
        match txn.commit().await {
            Ok(()) => Ok(true),
            Err(Aborted::Refused(_)) => Ok(false),
            Err(Aborted::Fault(fault)) => Err(fault),
        }
    }

    /// Payments of `status` whose time to be looked at has come, the longest overdue of each shard first: up
    /// to `limit` of each. Costs a query per shard (half a unit per 4 KB), all at once, and the index may be
    /// some milliseconds behind.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn payments_to_check(
        &self,
        status: Status,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<(Provider, PaymentReference)>, Fault> {
        self.checks(status, now, false, limit).await
    }

    /// Payments of `status` that are to be looked at by `until`: the first of each shard, or its last.
    async fn checks(
        &self,
        status: Status,
        until: Timestamp,
        last_first: bool,
        limit: i32,
    ) -> Result<Vec<(Provider, PaymentReference)>, Fault> {
        let queries = (0..PAYMENT_CHECK_SHARDS).map(|shard| async move {
            self.meter.called();
            let found = self
                .client
                .query()
                .table_name(&self.tables.payments)
                .index_name(BY_CHECK_AT)
                .key_condition_expression("check_shard = :check_shard AND check_at <= :until")
                .expression_attribute_values(":check_shard", string(check_shard(status, shard)))
                .expression_attribute_values(":until", instant(until))
                .scan_index_forward(!last_first)
                .limit(limit)
                .return_consumed_capacity(Total)
                .send()
                .await?;
            self.meter.read(found.consumed_capacity());
            found.items().iter().map(name_of).collect::<Result<Vec<_>, Fault>>()
        });
        let shards = usize::from(PAYMENT_CHECK_SHARDS);
        stream::iter(queries.collect::<Vec<_>>()).buffered(shards).try_concat().await
    }

    /// How many payments are owed back for too long, among those that somebody comes back to last: up to
    /// `limit` of each shard. Costs a query per shard, all at once, and a read of each payment that they
    /// find.
    ///
    /// Each look puts a payment off by as long as it is owed, a day at most, and a new one waits for an
    /// hour. So a flood of new ones hides none that is overdue, unless its own turn comes within the hour.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn refunds_overdue(&self, now: Timestamp, limit: i32) -> Result<usize, Fault> {
        // No look at a payment is further off than this.
        let ahead = now + TimeDelta::seconds(PAYMENT_CHECK_EVERY_SECS_MAX);
        let owed = self.checks(Status::RefundDue, ahead, true, limit).await?;
        let reads = owed.iter().map(|(provider, reference)| self.payment(provider, reference));
        stream::iter(reads.collect::<Vec<_>>())
            .buffer_unordered(usize::from(PAYMENT_CHECK_SHARDS))
            .try_fold(0, |overdue, payment| async move {
                let is_overdue = payment.is_some_and(|payment| payment.is_overdue_at(now));
                Ok(overdue + usize::from(is_overdue))
            })
            .await
    }

    /// The names of the payments for a show's reservations. Costs a query per shard (half a unit per
    /// 4 KB, and one more per MB), all at once, and the index may be some milliseconds behind.
    pub(crate) async fn payments_listed(
        &self,
        show: &ShowId,
    ) -> Result<BTreeSet<(Provider, PaymentReference)>, Fault> {
        let queries = (0..PAYMENT_SHOW_SHARDS).map(|shard| async move {
            let mut names = BTreeSet::new();
            let query = self
                .client
                .query()
                .table_name(&self.tables.payments)
                .index_name(BY_SHOW)
                .key_condition_expression("show_shard = :show_shard")
                .expression_attribute_values(":show_shard", string(show_shard(show, shard)));
            self.each_page(query, |page| {
                for found in page.items() {
                    names.insert(name_of(found)?);
                }
                Ok(())
            })
            .await?;
            Ok::<_, Fault>(names)
        });
        let shards = usize::from(PAYMENT_SHOW_SHARDS);
        stream::iter(queries.collect::<Vec<_>>()).buffered(shards).try_concat().await
    }

    /// Puts off looking at `payment`, or ends it, unless something became of the payment or somebody
    /// else looked. Who could not see it must not end it. Costs one transaction of one item (2 write
    /// units, and 2 of the index).
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn check_later(
        &self,
        payment: &Payment,
        was_seen: bool,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let Payment { provider, reference, status, .. } = payment;
        let only = If::new(IF_UNTOUCHED, [(":status", value(status)), (":now", instant(now))]);
        let (set, only) = match payment.check_again_at(was_seen, now) {
            Some(at) => ("SET check_at = :check_at", only.with([(":check_at", instant(at))])),
            None => ("REMOVE check_shard, check_at", only),
        };
        let key = key(provider, reference);
        let txn = Txn::new(self).update(&self.tables.payments, key, set, only, |_| Ok(()));
        match txn.commit().await {
            Ok(()) | Err(Aborted::Refused(_)) => Ok(()),
            Err(Aborted::Fault(fault)) => Err(fault),
        }
    }
}
