//! The books of a show: everything that the tables say of it, read whole or line by line.

use std::collections::BTreeSet;

use domain::audit::{Books, Claim, Unreadable};
use domain::cancellation::Cancellation;
use domain::id::{PaymentReference, Provider, ReservationId, SectionId, ShowId};
use domain::payment::{Payment, Status};
use domain::reservation::Reservation;
use domain::seat::Seat;
use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::{Item, string};
use crate::txn::corrupt;
use crate::{
    Fault, RecordedEvent, Store, event as events, payment as payments, reservation as reservations,
    seat as seats, show_cancellation as cancellations,
};

/// Calls under way side by side.
const AT_ONCE: usize = 16;

/// An item, or why it cannot be read.
type Readable<T> = Result<T, Unreadable>;

/// What one item says, for books that somebody keeps beside the tables, as these change. Each is read
/// as [`Store::books_of`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A claim on a seat of a show.
    Claim(ShowId, Claim),
    /// A reservation.
    Reservation(Box<Reservation>),
    /// A payment.
    Payment(Box<ListedPayment>),
    /// The cancellation of a show.
    Cancellation(Box<Cancellation>),
    /// What others were told.
    Event(Box<RecordedEvent>),
}

/// A payment, and who finds it without its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPayment {
    /// The payment.
    pub payment: Payment,
    /// The show among whose payments it is listed, if it is among any.
    pub show_id: Option<ShowId>,
    /// As what somebody comes back to it, if anybody does.
    pub checked_as: Option<Status>,
}

impl Line {
    /// The line that an item is; nothing if it is of the catalogue, a limit or a subscription. Costs
    /// nothing: it reads no table.
    ///
    /// # Errors
    ///
    /// [`Fault::Corrupt`].
    pub fn read(item: serde_dynamo::Item) -> Result<Option<Self>, Fault> {
        let item: Item = item.into();
        let (partition, sort_key) = (text(&item, "pk"), text(&item, "sk"));
        let line = match partition.split('#').next() {
            Some("SHOW") if sort_key.starts_with("SEAT#") => {
                let malformed = || corrupt(format!("seat: `pk` is {partition:?}"));
                let (show, section) = seats::section_in(&partition).ok_or_else(malformed)?;
                Self::Claim(show, claim(&section, &item)?)
            }
            Some("RESERVATION") => Self::Reservation(Box::new(reservations::read(item)?)),
            Some("PAYMENT") => {
                let (show_id, checked_as) = (listed_for(&item)?, checked_as(&item)?);
                let payment = payments::read(item)?;
                Self::Payment(Box::new(ListedPayment { payment, show_id, checked_as }))
            }
            Some("CANCELLATION") => Self::Cancellation(Box::new(cancellations::read(item)?)),
            Some("EVENT") => Self::Event(Box::new(events::read(item)?)),
            _in_no_books => return Ok(None),
        };
        Ok(Some(line))
    }
}

impl Store {
    /// What the tables say of a show with these sections: every claim on its seats, the payments for
    /// its reservations, and the reservations that either of them names.
    ///
    /// A reservation that neither a claim nor a payment names is not among them, and no audit sees it.
    /// Of a hold that is over that is as it should be; but a booking that had lost all of its seats and
    /// its payment too, nobody would find here.
    ///
    /// It is no snapshot: while a sale goes on, what is read later may say more. The index of payments
    /// may be some milliseconds behind, so a payment that a reservation shows is read by its key too.
    ///
    /// Costs a consistent query for each section (1 unit per 4 KB, and one more per MB of claims), a
    /// query for each of the 8 shards of payments (half a unit per 4 KB), and a consistent read of
    /// each reservation and each payment (1 unit), a hundred of them in a call; 16 calls at once.
    ///
    /// # Errors
    ///
    /// [`Fault`]. An item that makes no sense is none, it is in the books.
    pub async fn books_of(
        &self,
        show: &ShowId,
        sections: impl Iterator<Item = &SectionId>,
    ) -> Result<Books, Fault> {
        let mut books = Books::default();
        let (claims, listed) =
            try_join(self.all_claims(show, sections), self.payments_listed(show)).await?;
        keep(claims, &mut books.claims, &mut books.unreadable);

        let found = self.payments_named(&listed).await?;
        keep(found, &mut books.payments, &mut books.unreadable);

        let of_claims = books.claims.iter().filter_map(|claim| claimed_by(&claim.seat));
        let of_payments = books.payments.iter().filter_map(|paid| paid.reservation_id.as_ref());
        let named: BTreeSet<ReservationId> = of_claims.chain(of_payments).cloned().collect();
        let keys = named.iter().map(reservations::key).collect();
        let found = self.batch(&self.tables.reservations, keys, |item| {
            let name = text(&item, "pk");
            readable(reservations::read(item), name)
        });
        keep(found.await?, &mut books.reservations, &mut books.unreadable);

        let shown = books.reservations.iter().filter_map(|reservation| {
            let payment = reservation.payment.as_ref()?;
            Some((payment.provider.clone(), payment.reference.clone()))
        });
        let shown = shown.filter(|name| !listed.contains(name)).collect();
        let mut found = self.payments_named(&shown).await?;
        // While its provider is away, a payment can be shown that is another reservation's.
        found.retain(|found| match found {
            Ok(payment) => payment.reservation_id.as_ref().is_some_and(|id| named.contains(id)),
            Err(_unreadable) => true,
        });
        keep(found, &mut books.payments, &mut books.unreadable);
        Ok(books)
    }

    /// Every claim on the seats of these sections.
    async fn all_claims(
        &self,
        show: &ShowId,
        sections: impl Iterator<Item = &SectionId>,
    ) -> Result<Vec<Readable<Claim>>, Fault> {
        let queries = sections.map(|section| async move {
            let mut claims = Vec::new();
            let query = self
                .client
                .query()
                .table_name(&self.tables.seats)
                .key_condition_expression("pk = :partition")
                .expression_attribute_values(":partition", string(seats::partition(show, section)))
                .consistent_read(true);
            self.each_page(query, |page| {
                for item in page.items.unwrap_or_default() {
                    claims.push(readable(claim(section, &item), text(&item, "sk"))?);
                }
                Ok(())
            })
            .await?;
            Ok::<_, Fault>(claims)
        });
        stream::iter(queries.collect::<Vec<_>>()).buffered(AT_ONCE).try_concat().await
    }

    async fn payments_named(
        &self,
        names: &BTreeSet<(Provider, PaymentReference)>,
    ) -> Result<Vec<Readable<Payment>>, Fault> {
        let keys = names.iter().map(|(provider, reference)| payments::key(provider, reference));
        self.batch(&self.tables.payments, keys.collect(), |item| {
            let name = text(&item, "pk");
            readable(payments::read(item), name)
        })
        .await
    }
}

/// The claim that an item in a section's partition is.
fn claim(section: &SectionId, item: &Item) -> Result<Claim, Fault> {
    let sort_key = item.get("sk").and_then(|value| value.as_s().ok());
    let sort_key = sort_key.ok_or_else(|| corrupt("seat: `sk` is missing"))?;
    let (section_id, seat_id) = (section.clone(), seats::id_in(sort_key)?);
    Ok(Claim { section_id, seat_id, seat: seats::read(Some(item))? })
}

/// The show among whose payments an item is listed, if it is among any.
fn listed_for(payment: &Item) -> Result<Option<ShowId>, Fault> {
    let Some(listed) = payment.get("show_shard") else { return Ok(None) };
    let show = listed.as_s().ok().and_then(|shard| shard.rsplit_once('#')?.0.parse().ok());
    show.map(Some).ok_or_else(|| corrupt("payment: `show_shard` is malformed"))
}

/// As what an item is listed among the payments to come back to, if it is.
fn checked_as(payment: &Item) -> Result<Option<Status>, Fault> {
    let listed = match (payment.get("check_shard"), payment.get("check_at")) {
        (None, None) => return Ok(None),
        (Some(listed), Some(_)) => listed.as_s().ok().and_then(|shard| shard.split_once('#')),
        (Some(_), None) | (None, Some(_)) => None,
    };
    let status = listed.and_then(|(name, _)| serde_dynamo::from_attribute_value(string(name)).ok());
    status.map(Some).ok_or_else(|| corrupt("payment: `check_shard` is malformed"))
}

fn claimed_by(seat: &Seat) -> Option<&ReservationId> {
    match seat {
        Seat::Held { reservation, .. } | Seat::Booked { reservation } => Some(reservation),
        Seat::Blocked | Seat::Available => None,
    }
}

/// An attribute that is text, or nothing.
fn text(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

/// What was read; or that the item called `name` makes no sense, which is for the books to say.
fn readable<T>(read: Result<T, Fault>, name: String) -> Result<Readable<T>, Fault> {
    match read {
        Ok(of) => Ok(Ok(of)),
        Err(Fault::Corrupt(why)) => {
            let subject = name.split_once('#').map_or(name.as_str(), |(_, end)| end).to_owned();
            Ok(Err(Unreadable { subject, why }))
        }
        Err(
            fault @ (Fault::Contended | Fault::Outrun | Fault::Unavailable(_) | Fault::Refused(_)),
        ) => Err(fault),
    }
}

/// Puts what was read with `into`, and the rest with `unreadable`.
fn keep<T>(found: Vec<Readable<T>>, into: &mut Vec<T>, unreadable: &mut Vec<Unreadable>) {
    for found in found {
        match found {
            Ok(of) => into.push(of),
            Err(broken) => unreadable.push(broken),
        }
    }
}
