//! The seat map: which seats of a show somebody has a claim on.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity::Total, Select};
use domain::id::{SeatId, SectionId, ShowId};
use domain::time::Timestamp;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::{Item, seconds, string};
use crate::{Fault, Store, seat as seats};

/// A seat that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenSeat {
    /// Which seat.
    pub seat_id: SeatId,
    /// How it is taken.
    pub status: domain::seat::Status,
}

/// Queries under way for one seat map. A stadium has two hundred sections, and one request is not
/// to open as many connections.
const QUERIES_AT_ONCE: usize = 16;

/// A hold that ended counts as none; there is no need to send it.
const COUNTS: &str = "seat_status <> :held OR expires_at > :now";

impl Store {
    /// The seats of these sections that cannot be had at `now`.
    ///
    /// Costs one query per section (and one more per MB of claims), 16 at once: half a unit per 4 KB
    /// of claims, and nothing for free seats, which have no items. The answer may be some
    /// milliseconds behind; a hold is what decides.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn taken_seats(
        &self,
        show: &ShowId,
        sections: impl Iterator<Item = &SectionId>,
        now: Timestamp,
    ) -> Result<Vec<TakenSeat>, Fault> {
        let queries = sections.map(|section| self.taken(self.claims(show, section, now)));
        stream::iter(queries.collect::<Vec<_>>()).buffered(QUERIES_AT_ONCE).try_concat().await
    }

    /// The seats that cannot be had at `now` in the rows of some seats.
    ///
    /// Costs one query per row, side by side: half a unit each, however full the row is. The answer
    /// may be some milliseconds behind.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn taken_in_rows<'a>(
        &self,
        show: &ShowId,
        seats: impl Iterator<Item = (&'a SectionId, &'a SeatId)>,
        now: Timestamp,
    ) -> Result<Vec<TakenSeat>, Fault> {
        let rows: BTreeSet<_> = seats.map(|(section, seat)| (section, row_of(seat))).collect();
        let queries = rows.into_iter().map(|(section, row)| {
            // A digit follows a row's name, so that row `AA` is not one of row `A`; `:` sorts behind
            // all digits.
            let query = self
                .claims(show, section, now)
                .key_condition_expression("pk = :partition AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":first", string(format!("SEAT#{row}0")))
                .expression_attribute_values(":last", string(format!("SEAT#{row}:")));
            self.taken(query)
        });
        stream::iter(queries.collect::<Vec<_>>()).buffered(QUERIES_AT_ONCE).try_concat().await
    }

    /// The seats that a query of claims finds.
    async fn taken(&self, query: QueryFluentBuilder) -> Result<Vec<TakenSeat>, Fault> {
        let mut taken = Vec::new();
        let query = query.projection_expression("sk, seat_status");
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                taken.push(read(&item)?);
            }
            Ok(())
        })
        .await?;
        Ok(taken)
    }

    /// How many seats of each of these sections cannot be had at `now`. Costs what
    /// [`Store::taken_seats`] costs, but sends only the numbers.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn taken_counts(
        &self,
        show: &ShowId,
        sections: impl Iterator<Item = &SectionId>,
        now: Timestamp,
    ) -> Result<Vec<usize>, Fault> {
        let queries = sections.map(|section| async move {
            let mut taken = 0;
            let query = self.claims(show, section, now).select(Select::Count);
            self.each_page(query, |page| {
                taken += usize::try_from(page.count).unwrap_or_default();
                Ok(())
            })
            .await?;
            Ok::<_, Fault>(taken)
        });
        stream::iter(queries.collect::<Vec<_>>()).buffered(QUERIES_AT_ONCE).try_collect().await
    }

    fn claims(&self, show: &ShowId, section: &SectionId, now: Timestamp) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.tables.seats)
            .key_condition_expression("pk = :partition")
            .filter_expression(COUNTS)
            .expression_attribute_values(":partition", string(seats::partition(show, section)))
            .expression_attribute_values(":held", string(seats::HELD))
            .expression_attribute_values(":now", seconds(now))
    }

    /// Runs `query` to its end, page by page.
    pub(crate) async fn each_page(
        &self,
        query: QueryFluentBuilder,
        mut each: impl FnMut(QueryOutput) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut start: Option<Item> = None;
        loop {
            self.meter.called();
            let page = query.clone().set_exclusive_start_key(start).return_consumed_capacity(Total);
            let mut page = page.send().await?;
            self.meter.read(page.consumed_capacity());
            start = page.last_evaluated_key.take();
            each(page)?;
            if start.is_none() {
                return Ok(());
            }
        }
    }
}

/// The name of a seat's row, as seats' names begin: `N12-A` of `N12-A7`.
fn row_of(seat: &SeatId) -> &str {
    seat.as_str().trim_end_matches(|character: char| character.is_ascii_digit())
}

fn read(item: &Item) -> Result<TakenSeat, Fault> {
    let sort_key = item.get("sk").and_then(|value| value.as_s().ok());
    let sort_key = sort_key.ok_or_else(|| Fault::Corrupt("seat: `sk` is missing".to_owned()))?;
    Ok(TakenSeat { seat_id: seats::id_in(sort_key)?, status: seats::status(item)? })
}
