//! The books of a show: everything that the tables say of it, read whole.

use std::collections::BTreeSet;

use domain::audit::{Books, Claim, Unreadable};
use domain::id::{PaymentReference, Provider, ReservationId, SectionId, ShowId};
use domain::payment::Payment;
use domain::seat::Seat;
use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::{Item, string};
use crate::txn::corrupt;
use crate::{Fault, Store, payment as payments, reservation as reservations, seat as seats};

/// Calls under way side by side.
const AT_ONCE: usize = 16;

/// An item, or why it cannot be read.
type Readable<T> = Result<T, Unreadable>;

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
