//! Block: keep seats back for the house, and give them to the public again.

use std::collections::BTreeSet;

use domain::id::{ReservationId, SeatId, SectionId, ShowId};
use domain::seat::{Command, Refusal, Seat};
use domain::show::Show;
use domain::time::Timestamp;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::{Item, string};
use crate::txn::{Aborted, Txn, corrupt};
use crate::{Fault, Store, seat as seats, show as shows};

/// Queries under way for the house's seats of one show.
const QUERIES_AT_ONCE: usize = 16;

/// Why the house's seats were not changed.
#[derive(Debug, thiserror::Error)]
pub enum HouseSeatsError {
    /// There are claims on these seats; nothing was changed.
    #[error("there are claims on the seats")]
    Claimed(Vec<Claim>),
    /// The show is not as it was read, or not there. Read again, and decide anew.
    #[error("the show was changed meanwhile")]
    Changed,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A claim that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// On which seat.
    pub seat_id: SeatId,
    /// Why it refused.
    pub refusal: Refusal,
    /// Whose it is; the house's own is nobody's.
    pub reservation: Option<ReservationId>,
}

/// What stands in the way of a change; nobody's claim if the show itself does.
type Refused = Option<Claim>;

impl From<Aborted<Refused>> for HouseSeatsError {
    fn from(aborted: Aborted<Refused>) -> Self {
        match aborted {
            Aborted::Refused(refused) => {
                let claims: Option<Vec<Claim>> = refused.into_iter().collect();
                claims.map_or(Self::Changed, Self::Claimed)
            }
            Aborted::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl Store {
    /// Blocks some seats of a show and unblocks others, `limits::HOUSE_SEATS_CHANGED_MAX` in all, all
    /// or none, if the show is as it was read. No seat may be there twice.
    ///
    /// It counts as a change of the show. So whoever moves or removes that upon having seen what the
    /// house keeps of it is refused if that is not so any more, and the other way round.
    ///
    /// Costs one transaction of `seats + 1` items: 2 write units each, and 1 of the index of shows.
    ///
    /// # Errors
    ///
    /// [`HouseSeatsError`]: seats to block refuse that are held, sold or blocked already; seats to
    /// unblock that are held or sold.
    pub async fn change_house_seats(
        &self,
        show: &Show,
        block: &[(SectionId, SeatId)],
        unblock: &[(SectionId, SeatId)],
        now: Timestamp,
    ) -> Result<(), HouseSeatsError> {
        let (key, only) = (shows::key(&show.id), shows::if_unchanged_for_one_more(show));
        let table = &self.tables.catalog;
        let mut txn = Txn::new(self).update(table, key, shows::COUNT_CHANGE, only, |_| Ok(None));
        let table = &self.tables.seats;
        for (section, seat) in block {
            let new = seats::with_claim(seats::key(&show.id, section, seat), &Seat::Blocked);
            txn = txn.put(table, new, seats::if_free(now), move |found| {
                claim_on(seat, found, &Command::Block, now).map(Some)
            });
        }
        for (section, seat) in unblock {
            let key = seats::key(&show.id, section, seat);
            txn = txn.delete(table, key, seats::if_blocked(), move |found| {
                claim_on(seat, found, &Command::Unblock, now).map(Some)
            });
        }
        Ok(txn.commit().await?)
    }

    /// The seats of these sections that the house keeps, each with the section that its claim is in.
    /// Costs a consistent query per section (and one more per MB of claims), 16 at once: 1 unit per
    /// 4 KB of claims.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn house_seats(
        &self,
        show: &ShowId,
        sections: impl Iterator<Item = &SectionId>,
    ) -> Result<BTreeSet<(SectionId, SeatId)>, Fault> {
        let queries = sections.map(|section| async move {
            let query = self
                .client
                .query()
                .table_name(&self.tables.seats)
                .key_condition_expression("pk = :partition")
                .filter_expression(seats::IS_BLOCKED)
                .projection_expression("sk")
                .consistent_read(true)
                .expression_attribute_values(":partition", string(seats::partition(show, section)))
                .expression_attribute_values(":blocked", string(seats::BLOCKED));
            let mut blocked = Vec::new();
            self.each_page(query, |page| {
                for item in page.items.unwrap_or_default() {
                    blocked.push((section.clone(), seat_in(&item)?));
                }
                Ok(())
            })
            .await?;
            Ok::<_, Fault>(blocked)
        });
        let queries = stream::iter(queries.collect::<Vec<_>>()).buffered(QUERIES_AT_ONCE);
        let blocked: Vec<(SectionId, SeatId)> = queries.try_concat().await?;
        Ok(blocked.into_iter().collect())
    }
}

fn claim_on(
    seat_id: &SeatId,
    found: Option<&Item>,
    command: &Command,
    now: Timestamp,
) -> Result<Claim, Fault> {
    let refusal = seats::explain(found, command, now)?;
    let reservation = match seats::read(found)? {
        Seat::Held { reservation, .. } | Seat::Booked { reservation } => Some(reservation),
        Seat::Available | Seat::Blocked => None,
    };
    Ok(Claim { seat_id: seat_id.clone(), refusal, reservation })
}

fn seat_in(item: &Item) -> Result<SeatId, Fault> {
    let sort_key = item.get("sk").and_then(|value| value.as_s().ok());
    seats::id_in(sort_key.ok_or_else(|| corrupt("seat: `sk` is missing"))?)
}
