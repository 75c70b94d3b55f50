//! How much of a show is left, section by section: key, attributes, reader; counting it; and the shows
//! of a city's day with their counts.
//!
//! A count lies beside its show in the index, so that one query brings both. It is made by the stream
//! of seats, behind all holds, and none of them touches it.

use std::collections::HashMap;
use std::convert::Infallible;

use chrono::NaiveDate;
use domain::availability::{Claim, Counts};
use domain::id::{CityId, SectionId, ShowId};
use domain::limits::TRANSACTION_STEPS_MAX;
use domain::seat::Status;
use domain::show::Show;
use domain::time::{Timestamp, text};

use crate::item::{Item, from_item, item, string, to_item};
use crate::show::BY_CITY_DATE;
use crate::txn::{Aborted, IF_ABSENT, If, Txn, corrupt, never};
use crate::{Fault, Store, seat as seats, show as shows};

/// Tries of a count that others make at the same time. One partition of the stream has one reader, so
/// a second try is rare already.
const ATTEMPTS_MAX: u32 = 4;

/// What the sort keys of counts begin with.
const PREFIX: &str = "AVAILABILITY#";

/// Nobody counted again since the claims were read.
const IF_UNCHANGED: &str = "counted_times = :seen";

/// The count of one section as it is stored: some 200 bytes, and 16 more for each end of a hold.
#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    pk: String,
    sk: String,
    city_date: String,
    starts_at_show: String,
    /// Seats that are booked or kept back.
    taken_seats: u32,
    /// Ends of holds in epoch seconds, each with how many seats are free from then on.
    held_seats: Vec<(i64, u32)>,
    /// How often it was written.
    counted_times: u64,
}

impl Record {
    fn of(show: &Show, section: &SectionId, counts: &Counts, counted_times: u64) -> Self {
        Self {
            pk: shows::partition(&show.id),
            sk: sort_key(section),
            city_date: shows::city_date(&show.city_id, show.date),
            starts_at_show: format!("{}#{}#AVAILABILITY", text(show.starts_at), show.id),
            taken_seats: counts.taken,
            held_seats: counts.held.iter().map(|(end, seats)| (end.timestamp(), *seats)).collect(),
            counted_times,
        }
    }

    fn counts(&self) -> Result<Counts, Fault> {
        let mut counts = Counts { taken: self.taken_seats, ..Counts::default() };
        for (end, seats) in &self.held_seats {
            let end = Timestamp::from_timestamp(*end, 0);
            let end = end.ok_or_else(|| corrupt("availability: `held_seats` has no second"))?;
            *counts.held.entry(end).or_default() += seats;
        }
        Ok(counts)
    }

    /// Whether it says the same as `other` at `now`, in the same place of the index.
    fn is_as_good_as(&self, other: &Self, now: Timestamp) -> Result<bool, Fault> {
        let is_in_place =
            self.city_date == other.city_date && self.starts_at_show == other.starts_at_show;
        Ok(is_in_place && self.counts()?.live_at(now) == other.counts()?.live_at(now))
    }
}

fn sort_key(section: &SectionId) -> String {
    format!("{PREFIX}{section}")
}

fn key(show: &ShowId, section: &SectionId) -> Item {
    item([("pk", string(shows::partition(show))), ("sk", string(sort_key(section)))])
}

fn is_count(item: &Item) -> bool {
    let sort_key = item.get("sk").and_then(|value| value.as_s().ok());
    sort_key.is_some_and(|sort_key| sort_key.starts_with(PREFIX))
}

/// The section that a sort key is of.
fn section_in(sort_key: &str) -> Result<SectionId, Fault> {
    let section = sort_key.strip_prefix(PREFIX).and_then(|section| section.parse().ok());
    section.ok_or_else(|| corrupt(format!("availability: `sk` is {sort_key:?}")))
}

/// The claim that an item of a seat is.
fn claim(item: &Item) -> Result<Claim, Fault> {
    match seats::status(item)? {
        Status::Held => Ok(Claim::Held { expires_at: seats::end(item)? }),
        Status::Booked | Status::Blocked => Ok(Claim::Taken),
        Status::Available => Err(corrupt("seat: an item of a seat that nobody claims")),
    }
}

impl Store {
    /// The shows of a city's day, by start, with how many of their seats somebody has a claim on, as it
    /// was counted last.
    ///
    /// Costs one query (and one more per MB, which is some 800 shows) at half a unit per 4 KB. It may be
    /// seconds behind.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn day(&self, city: &CityId, date: NaiveDate) -> Result<Vec<(Show, Counts)>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .index_name(BY_CITY_DATE)
            .key_condition_expression("city_date = :city_date")
            .expression_attribute_values(":city_date", string(shows::city_date(city, date)));
        let mut shows = Vec::new();
        let mut counts: HashMap<String, Counts> = HashMap::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                if is_count(&item) {
                    let record: Record = from_item("availability", item)?;
                    let of_section = record.counts()?;
                    counts.entry(record.pk).or_default().add(&of_section);
                } else {
                    shows.push(shows::read(item)?);
                }
            }
            Ok(())
        })
        .await?;
        let with_counts = |show: Show| {
            let counts = counts.remove(&shows::partition(&show.id)).unwrap_or_default();
            (show, counts)
        };
        Ok(shows.into_iter().map(with_counts).collect())
    }

    /// Counts the claims on a section's seats and writes the count down, unless it says so already.
    /// Whether it was written is the answer.
    ///
    /// Safe to repeat, and to do late and in any order: it counts what there is and adds nothing up, and
    /// it writes only if nobody else did since it began to count. Twice at once of one section is not
    /// quite so: who finds what they counted written already writes nothing, and an older count that is
    /// still under way may come after it and stay until the section is counted again. One partition of
    /// the stream has one reader, so that this takes somebody who moves the show meanwhile.
    ///
    /// It is listed where `show` says, however old that is; who does not know that it is of now looks at
    /// the show again afterwards.
    ///
    /// Costs one read, one consistent query of the section (1 unit per 4 KB of claims), and if there is
    /// news one transaction of one item (2 write units, and 1 of the index).
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn count_section(
        &self,
        show: &Show,
        section: &SectionId,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            // Before the claims, or a count that was made between the two would be written over.
            let seen = self.get(&self.tables.catalog, key(&show.id, section)).await?;
            let seen = seen.map(|item| from_item::<Record>("availability", item)).transpose()?;
            let counts = self.count_claims(&show.id, section, now).await?;
            let times = seen.as_ref().map_or(0, |seen| seen.counted_times);
            let new = Record::of(show, section, &counts, times + 1);
            let is_known = match &seen {
                Some(seen) => seen.is_as_good_as(&new, now)?,
                None => counts == Counts::default(),
            };
            if is_known {
                return Ok(false);
            }
            match self.put_count(&new, seen.as_ref()).await {
                Ok(()) => return Ok(true),
                Err(Aborted::Refused(_counted_meanwhile)) => {}
                Err(Aborted::Fault(fault)) => return Err(fault),
            }
        }
        Err(Fault::Contended)
    }

    /// The sections of a show that were counted, and are listed on another day or in another city than
    /// the show: it was moved, and they are to be counted again.
    ///
    /// Costs one consistent query: 1 unit per 4 KB of counts, which is some 20 sections.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn counted_elsewhere(&self, show: &Show) -> Result<Vec<SectionId>, Fault> {
        let mut counts = self.counts_of(&show.id).await?;
        let city_date = shows::city_date(&show.city_id, show.date);
        counts.retain(|count| count.city_date != city_date);
        counts.iter().map(|count| section_in(&count.sk)).collect()
    }

    /// Removes the counts of a show. Safe to repeat. Costs one consistent query (1 unit per 4 KB of
    /// counts), and 2 write units for each, and 1 of the index.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn remove_counts(&self, show: &ShowId) -> Result<(), Fault> {
        for some in self.counts_of(show).await?.chunks(TRANSACTION_STEPS_MAX) {
            let mut txn = Txn::<Infallible>::new(self);
            for count in some {
                let key = key(show, &section_in(&count.sk)?);
                txn = txn.delete(&self.tables.catalog, key, If::new("", []), never);
            }
            match txn.commit().await {
                Ok(()) => {}
                Err(Aborted::Fault(fault)) => return Err(fault),
                Err(Aborted::Refused(_)) => {
                    return Err(corrupt("a deletion without a condition refused"));
                }
            }
        }
        Ok(())
    }

    /// The counts of a show, section by section.
    async fn counts_of(&self, show: &ShowId) -> Result<Vec<Record>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .consistent_read(true)
            .key_condition_expression("pk = :partition AND begins_with(sk, :counts)")
            .expression_attribute_values(":partition", string(shows::partition(show)))
            .expression_attribute_values(":counts", string(PREFIX));
        let mut counts = Vec::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                counts.push(from_item("availability", item)?);
            }
            Ok(())
        })
        .await?;
        Ok(counts)
    }

    /// The claims on a section's seats, counted: as they are, since an older answer would stay.
    async fn count_claims(
        &self,
        show: &ShowId,
        section: &SectionId,
        now: Timestamp,
    ) -> Result<Counts, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.seats)
            .consistent_read(true)
            .key_condition_expression("pk = :partition")
            .projection_expression("seat_status, expires_at")
            .expression_attribute_values(":partition", string(seats::partition(show, section)));
        let mut claims = Vec::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                claims.push(claim(&item)?);
            }
            Ok(())
        })
        .await?;
        Ok(Counts::of(claims, now))
    }

    async fn put_count(&self, new: &Record, seen: Option<&Record>) -> Result<(), Aborted<()>> {
        let only = match seen {
            None => If::new(IF_ABSENT, []),
            Some(seen) => {
                If::new(IF_UNCHANGED, [(":seen", crate::item::value(&seen.counted_times))])
            }
        };
        Txn::new(self).put(&self.tables.catalog, to_item(new), only, |_| Ok(())).commit().await
    }
}
