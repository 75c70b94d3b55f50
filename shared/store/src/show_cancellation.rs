//! Cancelling a show: what stands of it, the order to end that, and the pages of its sweep.
//!
//! The cancellation is an item of the reservations' table, beside what it counts: whoever ends a
//! booking or sends its money back may write there, and need not write to the catalogue.

use std::collections::BTreeSet;
use std::convert::Infallible;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use domain::cancellation::{Cancellation, Standing, Status};
use domain::id::{ReservationId, SeatId, SectionId, ShowId, UserId};
use domain::money::{Currency, Money};
use domain::reservation::Reservation;
use domain::seat::Seat;
use domain::show::{self, Show};
use domain::time::{Timestamp, as_text, as_text_option};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::{Item, from_item, instant, item, string, to_item, value};
use crate::txn::{Aborted, IF_ABSENT, IF_THERE, If, Txn, corrupt};
use crate::{Fault, Store, reservation as reservations, seat as seats, show as shows};

/// Calls under way side by side.
const AT_ONCE: usize = 16;

/// Claims that one query gives: about a megabyte, which is what `DynamoDB` gives at most.
const CLAIMS_AT_ONCE: usize = 5_000;

/// It was not ordered again since it was read.
const IF_ORDERED: &str = "ordered_times = :seen";

const SET_ORDERED: &str = "SET ordered_times = :order, ordered_at = :now, \
     cancellation_status = :in_progress REMOVE completed_at";

const COUNT_BOOKING: &str = "ADD bookings_cancelled :one, refund_minor :minor";
const COUNT_HOLD: &str = "ADD holds_released :one";
const COUNT_REFUND: &str = "ADD refunds_done :one, refunded_minor :minor";
const SET_COMPLETED: &str =
    "SET cancellation_status = :status, completed_at = if_not_exists(completed_at, :now)";

#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    pk: String,
    cancellation_status: Status,
    ordered_times: u32,
    #[serde(with = "as_text")]
    ordered_at: Timestamp,
    requested_by: UserId,
    #[serde(with = "as_text")]
    requested_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    completed_at: Option<Timestamp>,
    currency: Currency,
    bookings_cancelled: u64,
    holds_released: u64,
    refund_minor: u64,
    refunds_done: u64,
    refunded_minor: u64,
}

fn key(show: &ShowId) -> Item {
    item([("pk", string(format!("CANCELLATION#{show}")))])
}

fn not_ordered(show: &ShowId) -> Fault {
    corrupt(format!("nobody ordered that {show} is cancelled"))
}

/// The cancellation that an item is.
pub(crate) fn read(found: Item) -> Result<Cancellation, Fault> {
    let record: Record = from_item("cancellation", found)?;
    let broken = |what: &str| corrupt(format!("cancellation: `{what}` is malformed"));
    let show = record.pk.strip_prefix("CANCELLATION#").and_then(|id| id.parse().ok());
    Ok(Cancellation {
        show_id: show.ok_or_else(|| broken("pk"))?,
        status: record.cancellation_status,
        order: record.ordered_times,
        ordered_at: record.ordered_at,
        requested_by: record.requested_by,
        requested_at: record.requested_at,
        completed_at: record.completed_at,
        bookings_cancelled: record.bookings_cancelled,
        holds_released: record.holds_released,
        currency: record.currency,
        refund_minor: record.refund_minor,
        refunds_done: record.refunds_done,
        refunded_minor: record.refunded_minor,
    })
}

fn item_of(cancellation: &Cancellation) -> Item {
    let cancellation = cancellation.clone();
    to_item(&Record {
        pk: format!("CANCELLATION#{}", cancellation.show_id),
        cancellation_status: cancellation.status,
        ordered_times: cancellation.order,
        ordered_at: cancellation.ordered_at,
        requested_by: cancellation.requested_by,
        requested_at: cancellation.requested_at,
        completed_at: cancellation.completed_at,
        currency: cancellation.currency,
        bookings_cancelled: cancellation.bookings_cancelled,
        holds_released: cancellation.holds_released,
        refund_minor: cancellation.refund_minor,
        refunds_done: cancellation.refunds_done,
        refunded_minor: cancellation.refunded_minor,
    })
}

/// Claims on seats of one section that count, as far as a page goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimsPage {
    /// Whose bookings they are.
    pub booked_by: BTreeSet<ReservationId>,
    /// Whose live holds they are.
    pub held_by: BTreeSet<ReservationId>,
    /// How many seats.
    pub seats: u64,
    /// Items that cannot be read.
    pub broken: u32,
    /// The last seat of the page, if there are more.
    pub next: Option<SeatId>,
}

impl ClaimsPage {
    fn count(&mut self, found: &Item, now: Timestamp) {
        match seats::read(Some(found)) {
            Ok(Seat::Booked { reservation }) => drop(self.booked_by.insert(reservation)),
            Ok(Seat::Held { reservation, expires_at }) if expires_at > now => {
                self.held_by.insert(reservation);
            }
            Ok(Seat::Held { .. } | Seat::Blocked | Seat::Available) => return,
            Err(fault) => {
                let seat = found.get("sk");
                tracing::error!(%fault, ?seat, "a claim on a seat of a cancelled show");
                self.broken += 1;
                return;
            }
        }
        self.seats += 1;
    }
}

impl Store {
    /// Stops the sales of `show` and orders that everything which stands of it is ended, in one
    /// transaction; `before` is the cancellation as it was just read, if there is one. Nothing, if
    /// somebody else ordered it meanwhile.
    ///
    /// Costs one transaction of two items (2 write units each, and the index of shows).
    ///
    /// # Errors
    ///
    /// [`Fault`]; read the cancellation again and repeat it.
    pub async fn cancel_show(
        &self,
        show: &Show,
        before: Option<&Cancellation>,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Option<Cancellation>, Fault> {
        let first = Cancellation {
            show_id: show.id.clone(),
            status: Status::InProgress,
            order: 1,
            ordered_at: now,
            requested_by: by.clone(),
            requested_at: now,
            completed_at: None,
            bookings_cancelled: 0,
            holds_released: 0,
            currency: show.prices.currency(),
            refund_minor: 0,
            refunds_done: 0,
            refunded_minor: 0,
        };
        let table = &self.tables.reservations;
        let txn = Txn::new(self);
        let (txn, ordered) = match before {
            None => (txn.put(table, item_of(&first), If::new(IF_ABSENT, []), |_| Ok(())), first),
            Some(before) => {
                let order = before.order.saturating_add(1);
                let status = Status::InProgress;
                let values = [
                    (":seen", value(&before.order)),
                    (":order", value(&order)),
                    (":in_progress", value(&status)),
                    (":now", instant(now)),
                ];
                let only = If::new(IF_ORDERED, values);
                let txn = txn.update(table, key(&show.id), SET_ORDERED, only, |_| Ok(()));
                let completed_at = None;
                let ordered_at = now;
                (txn, Cancellation { order, ordered_at, status, completed_at, ..before.clone() })
            }
        };
        let values = [(":status", value(&show::Status::Cancelled)), (":one", value(&1))];
        let stopped = If::new(IF_THERE, values);
        let txn = txn.update(
            &self.tables.catalog,
            shows::key(&show.id),
            shows::SET_STATUS,
            stopped,
            // It was removed meanwhile; who reads again is told.
            |_| Ok(()),
        );
        match txn.commit().await {
            Ok(()) => Ok(Some(ordered)),
            Err(Aborted::Refused(_)) => Ok(None),
            Err(Aborted::Fault(fault)) => Err(fault),
        }
    }

    /// How far the cancellation of a show is, if one was ordered. Costs one consistent read of one
    /// item (1 unit).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn cancellation(&self, show: &ShowId) -> Result<Option<Cancellation>, Fault> {
        self.get(&self.tables.reservations, key(show)).await?.map(read).transpose()
    }

    /// Writes that nothing is left of a cancelled show. Safe to repeat. Costs one transaction of one
    /// item (2 write units).
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn complete_cancellation(&self, show: &ShowId, now: Timestamp) -> Result<(), Fault> {
        let values = [(":status", value(&Status::Completed)), (":now", instant(now))];
        let only = If::new(IF_THERE, values);
        let none = |_: Option<&Item>| -> Result<Infallible, Fault> { Err(not_ordered(show)) };
        let txn = Txn::new(self);
        let txn = txn.update(&self.tables.reservations, key(show), SET_COMPLETED, only, none);
        match txn.commit().await {
            Ok(()) => Ok(()),
            Err(Aborted::Refused(_)) => Err(not_ordered(show)),
            Err(Aborted::Fault(fault)) => Err(fault),
        }
    }

    /// Frees what a reservation that is over still holds, of a show that nobody will hold again. Costs
    /// one transaction of one item (2 write units) for each of its seats.
    ///
    /// # Errors
    ///
    /// [`Fault`]; read the reservation again and repeat it. [`Fault::Contended`] if it was booked
    /// meanwhile.
    pub async fn free(&self, reservation: &Reservation) -> Result<(), Fault> {
        let id = &reservation.id;
        for seat in &reservation.seats {
            let key = seats::key(&reservation.show_id, &seat.section_id, &seat.seat_id);
            let ours = seats::if_held_by(id);
            let txn = Txn::new(self).delete(&self.tables.seats, key, ours, seats::read);
            match txn.commit().await {
                Ok(()) => {}
                Err(Aborted::Refused(met))
                    if met.contains(&Seat::Booked { reservation: id.clone() }) =>
                {
                    // It was over when it was read. Money that came late has booked it since.
                    self.changed(reservation).await?;
                    return Err(Fault::Contended);
                }
                // Somebody else's: not ours to free.
                Err(Aborted::Refused(_)) => {}
                Err(Aborted::Fault(fault)) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Who has claims that count on the seats of a section behind `after`: `limit` items at most.
    /// Costs one consistent query (1 unit per 4 KB).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn claims_page(
        &self,
        show: &ShowId,
        section: &SectionId,
        after: Option<&SeatId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<ClaimsPage, Fault> {
        self.meter.called();
        let found = self
            .client
            .query()
            .table_name(&self.tables.seats)
            .key_condition_expression("pk = :partition")
            .expression_attribute_values(":partition", string(seats::partition(show, section)))
            .consistent_read(true)
            .limit(i32::try_from(limit).expect("limits.rs bounds a page"))
            .set_exclusive_start_key(after.map(|seat| seats::key(show, section, seat)))
            .return_consumed_capacity(Total)
            .send()
            .await?;
        self.meter.read(found.consumed_capacity());
        let last = found.last_evaluated_key();
        let last = last.and_then(|key| key.get("sk")?.as_s().ok());
        let next = last.map(|sort_key| seats::id_in(sort_key)).transpose()?;
        let mut page = ClaimsPage { next, ..ClaimsPage::default() };
        for item in found.items() {
            page.count(item, now);
        }
        Ok(page)
    }

    /// What stands of a show with these sections, and whose bookings that are.
    ///
    /// Costs a consistent query per section (and one more per MB of claims), 16 at once.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn standing(
        &self,
        show: &ShowId,
        sections: impl Iterator<Item = &SectionId>,
        now: Timestamp,
    ) -> Result<(Standing, BTreeSet<ReservationId>), Fault> {
        let claims = sections.map(|section| async move {
            let (mut all, mut after) = (ClaimsPage::default(), None);
            loop {
                let limit = CLAIMS_AT_ONCE;
                let page = self.claims_page(show, section, after.as_ref(), limit, now).await?;
                all.booked_by.extend(page.booked_by);
                all.held_by.extend(page.held_by);
                all.seats += page.seats;
                after = page.next;
                if after.is_none() {
                    return Ok::<_, Fault>(all);
                }
            }
        });
        let claims: Vec<ClaimsPage> =
            stream::iter(claims.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
        let (mut booked_by, mut held_by, mut seats) = (BTreeSet::new(), BTreeSet::new(), 0);
        for section in claims {
            booked_by.extend(section.booked_by);
            held_by.extend(section.held_by);
            seats += section.seats;
        }
        let (bookings, holds) = (booked_by.len() as u64, held_by.len() as u64);
        Ok((Standing { bookings, holds, seats }, booked_by))
    }

    /// What these reservations cost, in minor units. Costs a consistent read of each (1 unit), a
    /// hundred of them in a call, 16 calls at once.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn amount_of(&self, ids: BTreeSet<ReservationId>) -> Result<u64, Fault> {
        let keys = ids.iter().map(reservations::key).collect();
        let amounts = self.batch(&self.tables.reservations, keys, |item| {
            Ok(reservations::read(item)?.amount.minor())
        });
        Ok(amounts.await?.into_iter().sum())
    }
}

impl<R: 'static> Txn<'_, R> {
    /// Counts that a cancelled show ended `reservation`; `booked` says as what.
    pub(crate) fn counted(self, reservation: &Reservation, booked: bool) -> Self {
        let one = (":one", value(&1));
        let (set, only) = if booked {
            let minor = (":minor", value(&reservation.amount.minor()));
            (COUNT_BOOKING, If::new(IF_THERE, [one, minor]))
        } else {
            (COUNT_HOLD, If::new(IF_THERE, [one]))
        };
        let table = &self.store().tables.reservations;
        let show = reservation.show_id.clone();
        self.update(table, key(&show), set, only, move |_| Err(not_ordered(&show)))
    }

    /// Counts that the money of a booking that a cancelled show ended went back.
    pub(crate) fn counted_refund(self, reservation: &Reservation, money: Money) -> Self {
        let values = [(":one", value(&1)), (":minor", value(&money.minor()))];
        let table = &self.store().tables.reservations;
        let only = If::new(IF_THERE, values);
        let show = reservation.show_id.clone();
        self.update(table, key(&show), COUNT_REFUND, only, move |_| Err(not_ordered(&show)))
    }
}
