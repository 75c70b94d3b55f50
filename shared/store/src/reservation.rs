//! A reservation: key, attributes, reader, and the reads of one and of a user's.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use domain::email::EmailAddress;
use domain::id::ScanId;
use domain::id::{HoldToken, PaymentReference, Provider, ReservationId, SeatId, SectionId};
use domain::id::{SeatType, ShowId, UserId};
use domain::money::{Currency, Money};
use domain::payment;
use domain::reservation::{PaymentSummary, PricedSeat, Reservation, Status};
use domain::ticket::{Entry, Gate};
use domain::time::Timestamp;
use domain::time::{as_text, as_text_option};

use crate::item::{Item, from_item, item, seconds, string, to_item, value};
use crate::txn::{If, corrupt};
use crate::{Fault, Store};

const BY_USER: &str = "by_user";

/// The reservation is as it was when it was decided upon: nothing but its status and its end takes
/// part in a decision about seats or money and can change. (Which payment it shows can; of two at
/// once, the last one written is shown.)
const IF_UNCHANGED: &str = "reservation_status = :from AND expires_at = :expires_at";

/// [`IF_UNCHANGED`], and nobody went in with its ticket.
const IF_UNCHANGED_AND_OUTSIDE: &str = "reservation_status = :from AND expires_at = :expires_at \
     AND attribute_not_exists(entered_at)";

/// A reservation as it is stored. With ten seats and ids of usual length it stays below the 1 KB of
/// one write unit; ids of 128 characters can make it two.
#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    pk: String,
    user_id: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<EmailAddress>,
    hold_token: HoldToken,
    show_id: ShowId,
    #[serde(with = "as_text")]
    show_starts_at: Timestamp,
    seats: Vec<SeatGroup>,
    currency: Currency,
    amount_minor: u64,
    reservation_status: Status,
    #[serde(with = "chrono::serde::ts_seconds")]
    expires_at: Timestamp,
    hold_extended: bool,
    #[serde(with = "as_text")]
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    confirmed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    cancelled_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_provider: Option<Provider>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_reference: Option<PaymentReference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_status: Option<payment::Status>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    entered_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entered_gate: Option<Gate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entered_scan_id: Option<ScanId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entered_by: Option<UserId>,
}

/// Seats that differ only in their names. Nearly every reservation has one group.
#[derive(serde::Serialize, serde::Deserialize)]
struct SeatGroup {
    section_id: SectionId,
    seat_type: SeatType,
    price_minor: u64,
    seat_ids: Vec<SeatId>,
}

/// The key of a reservation.
pub(crate) fn key(id: &ReservationId) -> Item {
    item([("pk", string(format!("RESERVATION#{id}")))])
}

/// The condition for a write that was decided upon `reservation`; `set` are the values of the
/// update beside it.
pub(crate) fn if_unchanged<const N: usize>(
    reservation: &Reservation,
    set: [(&'static str, AttributeValue); N],
) -> If {
    let decided_upon =
        [(":from", value(&reservation.status)), (":expires_at", seconds(reservation.expires_at))];
    If::new(IF_UNCHANGED, decided_upon).with(set)
}

/// The same for one that only takes place if its ticket was not scanned in between.
pub(crate) fn if_outside(only: If) -> If {
    only.only(IF_UNCHANGED_AND_OUTSIDE)
}

/// The item of a reservation.
pub(crate) fn item_of(reservation: &Reservation) -> Item {
    let mut seats: Vec<SeatGroup> = Vec::with_capacity(1);
    for seat in &reservation.seats {
        let alike = |group: &&mut SeatGroup| {
            group.section_id == seat.section_id
                && group.seat_type == seat.seat_type
                && group.price_minor == seat.price.minor()
        };
        match seats.iter_mut().find(alike) {
            Some(group) => group.seat_ids.push(seat.seat_id.clone()),
            None => seats.push(SeatGroup {
                section_id: seat.section_id.clone(),
                seat_type: seat.seat_type.clone(),
                price_minor: seat.price.minor(),
                seat_ids: vec![seat.seat_id.clone()],
            }),
        }
    }
    let (payment, entry) = (reservation.payment.clone(), reservation.entry.clone());
    to_item(&Record {
        pk: format!("RESERVATION#{}", reservation.id),
        user_id: reservation.user_id.clone(),
        email: reservation.email.clone(),
        hold_token: reservation.hold_token.clone(),
        show_id: reservation.show_id.clone(),
        show_starts_at: reservation.show_starts_at,
        seats,
        currency: reservation.amount.currency(),
        amount_minor: reservation.amount.minor(),
        reservation_status: reservation.status,
        expires_at: reservation.expires_at,
        hold_extended: reservation.extended,
        created_at: reservation.created_at,
        confirmed_at: reservation.confirmed_at,
        cancelled_at: reservation.cancelled_at,
        payment_provider: payment.as_ref().map(|payment| payment.provider.clone()),
        payment_reference: payment.as_ref().map(|payment| payment.reference.clone()),
        payment_status: payment.map(|payment| payment.status),
        entered_at: entry.as_ref().map(|entry| entry.at),
        entered_gate: entry.as_ref().map(|entry| entry.gate.clone()),
        entered_scan_id: entry.as_ref().map(|entry| entry.scan_id.clone()),
        entered_by: entry.map(|entry| entry.by),
    })
}

/// The reservation that an item is.
pub(crate) fn read(found: Item) -> Result<Reservation, Fault> {
    let record: Record = from_item("reservation", found)?;
    let broken = |what: &str| corrupt(format!("reservation: `{what}` is malformed"));
    let id = record.pk.strip_prefix("RESERVATION#").and_then(|id| id.parse().ok());
    let money = |minor| Money::new(minor, record.currency);
    let mut seats = Vec::new();
    for group in record.seats {
        let price = money(group.price_minor).map_err(|_| broken("price_minor"))?;
        seats.extend(group.seat_ids.into_iter().map(|seat_id| PricedSeat {
            seat_id,
            section_id: group.section_id.clone(),
            seat_type: group.seat_type.clone(),
            price,
        }));
    }
    seats.sort_unstable_by(|left, right| left.seat_id.cmp(&right.seat_id));
    let payment = match (record.payment_provider, record.payment_reference, record.payment_status) {
        (Some(provider), Some(reference), Some(status)) => {
            Some(PaymentSummary { provider, reference, status })
        }
        (None, None, None) => None,
        _incomplete => return Err(broken("payment_reference")),
    };
    let entry =
        match (record.entered_at, record.entered_gate, record.entered_scan_id, record.entered_by) {
            (Some(at), Some(gate), Some(scan_id), Some(by)) => {
                Some(Entry { at, gate, scan_id, by })
            }
            (None, None, None, None) => None,
            _incomplete => return Err(broken("entered_at")),
        };
    Ok(Reservation {
        id: id.ok_or_else(|| broken("pk"))?,
        user_id: record.user_id,
        email: record.email,
        hold_token: record.hold_token,
        show_id: record.show_id,
        show_starts_at: record.show_starts_at,
        seats,
        amount: money(record.amount_minor).map_err(|_| broken("amount_minor"))?,
        status: record.reservation_status,
        expires_at: record.expires_at,
        extended: record.hold_extended,
        created_at: record.created_at,
        confirmed_at: record.confirmed_at,
        cancelled_at: record.cancelled_at,
        payment,
        entry,
    })
}

/// Some of a list, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, P> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for next, if there is more.
    pub next: Option<P>,
}

/// A place in a user's reservations: behind this one. Names no user: whose list it is, is for the
/// token to say.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// When the reservation was made.
    #[serde(with = "as_text")]
    pub created_at: Timestamp,
    /// Which it is.
    pub reservation_id: ReservationId,
}

impl Store {
    /// One reservation, if there is one. Costs one consistent read of one item (1 unit).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn reservation(&self, id: &ReservationId) -> Result<Option<Reservation>, Fault> {
        self.get(&self.tables.reservations, key(id)).await?.map(read).transpose()
    }

    /// `before` as it is now that a write on it was refused.
    ///
    /// A refusal says that it changed, and it only changes forward: if it is the same, condition
    /// and decision disagree.
    pub(crate) async fn changed(&self, before: &Reservation) -> Result<Reservation, Fault> {
        let now = self.reservation(&before.id).await?;
        let now = now.ok_or_else(|| corrupt(format!("reservation {} vanished", before.id)))?;
        if now == *before {
            return Err(corrupt(format!("an unchanged reservation refused: {now:?}")));
        }
        Ok(now)
    }

    /// A user's reservations, newest first, behind `after`. Costs one query of the index, which
    /// may be some milliseconds behind the table.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn reservations_of(
        &self,
        user: &UserId,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Page<Reservation, Position>, Fault> {
        let start = after.map(|after| {
            let mut start = key(&after.reservation_id);
            start.insert("user_id".to_owned(), string(user.as_str()));
            start.insert("created_at".to_owned(), crate::item::instant(after.created_at));
            start
        });
        self.meter.called();
        let found = self
            .client
            .query()
            .table_name(&self.tables.reservations)
            .index_name(BY_USER)
            .key_condition_expression("user_id = :user")
            .expression_attribute_values(":user", string(user.as_str()))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).expect("limits.rs bounds a page"))
            .set_exclusive_start_key(start)
            .return_consumed_capacity(Total)
            .send()
            .await?;
        self.meter.read(found.consumed_capacity());
        let more = found.last_evaluated_key.is_some();
        let items = found.items.unwrap_or_default();
        let items = items.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let next = items
            .last()
            .filter(|_| more)
            .map(|last| Position { created_at: last.created_at, reservation_id: last.id.clone() });
        Ok(Page { items, next })
    }
}
