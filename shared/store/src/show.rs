//! A show: key, attributes, conditions, readers; writing one whatever was there.

use std::collections::BTreeMap;
use std::convert::Infallible;

use chrono::NaiveDate;
use domain::id::{CityId, ShowId};
use domain::limits::TRANSACTION_STEPS_MAX;
use domain::show::{AuditoriumRef, MovieRef, OrphanRule, PriceList, Show, Status, TheatreRef};
use domain::time::{Timestamp, as_text, as_text_option, text};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::{Item, from_item, item, string, to_item, value};
use crate::txn::{Aborted, If, Txn, corrupt, never};
use crate::{Fault, Store, catalog};

/// The index that lists a city's day.
pub(crate) const BY_CITY_DATE: &str = "by_city_date";

/// Calls under way side by side.
const AT_ONCE: usize = 16;

/// A show as it is stored. The film's title and the names are copied, so that a search reads
/// one item per show; they are those of when it was written last.
#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    pk: String,
    sk: String,
    city_date: String,
    starts_at_show: String,
    movie: MovieRef,
    theatre: TheatreRef,
    auditorium: AuditoriumRef,
    city_id: CityId,
    time_zone: String,
    show_date: NaiveDate,
    #[serde(with = "as_text")]
    starts_at: Timestamp,
    #[serde(with = "as_text")]
    ends_at: Timestamp,
    spoken_language: String,
    screen_type: String,
    prices: PriceList,
    seat_count: u32,
    show_status: Status,
    orphan_rule: OrphanRule,
    accessible_released: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    opened_at: Option<Timestamp>,
    version: u32,
}

/// It is as it was read.
const IF_AT_VERSION: &str = "version = :seen_version";

/// Stops the sales of a show.
pub(crate) const SET_STATUS: &str = "SET show_status = :status ADD version :one";

/// Counts a change of what belongs to a show and is not in its item.
pub(crate) const COUNT_CHANGE: &str = "ADD version :one";

/// The partition of a show in the catalogue.
pub(crate) fn partition(id: &ShowId) -> String {
    format!("SHOW#{id}")
}

/// The key of a show.
pub(crate) fn key(id: &ShowId) -> Item {
    item([("pk", string(partition(id))), ("sk", string("SHOW"))])
}

/// The partition of [`BY_CITY_DATE`] that lists a city's day.
pub(crate) fn city_date(city: &CityId, date: NaiveDate) -> String {
    format!("{city}#{date}")
}

/// The condition for a write that was decided upon `show`.
pub(crate) fn if_unchanged(show: &Show) -> If {
    If::new(IF_AT_VERSION, [(":seen_version", value(&show.version))])
}

/// The condition for [`COUNT_CHANGE`], decided upon `show`, with its value.
pub(crate) fn if_unchanged_for_one_more(show: &Show) -> If {
    if_unchanged(show).with([(":one", value(&1))])
}

/// The item of a show.
pub(crate) fn item_of(show: &Show) -> Item {
    let show = show.clone();
    to_item(&Record {
        pk: partition(&show.id),
        sk: "SHOW".to_owned(),
        city_date: city_date(&show.city_id, show.date),
        starts_at_show: format!("{}#{}", text(show.starts_at), show.id),
        movie: show.movie,
        theatre: show.theatre,
        auditorium: show.auditorium,
        city_id: show.city_id,
        time_zone: show.time_zone,
        show_date: show.date,
        starts_at: show.starts_at,
        ends_at: show.ends_at,
        spoken_language: show.language,
        screen_type: show.screen_type,
        prices: show.prices,
        seat_count: show.seat_count,
        show_status: show.status,
        orphan_rule: show.orphan_rule,
        accessible_released: show.accessible_released,
        opened_at: show.opened_at,
        version: show.version,
    })
}

/// The show that an item is.
pub(crate) fn read(found: Item) -> Result<Show, Fault> {
    let record: Record = from_item("show", found)?;
    let id = record.pk.strip_prefix("SHOW#").and_then(|id| id.parse().ok());
    Ok(Show {
        id: id.ok_or_else(|| corrupt("show: `pk` is malformed"))?,
        movie: record.movie,
        theatre: record.theatre,
        auditorium: record.auditorium,
        city_id: record.city_id,
        date: record.show_date,
        starts_at: record.starts_at,
        ends_at: record.ends_at,
        language: record.spoken_language,
        screen_type: record.screen_type,
        prices: record.prices,
        status: record.show_status,
        time_zone: record.time_zone,
        seat_count: record.seat_count,
        orphan_rule: record.orphan_rule,
        accessible_released: record.accessible_released,
        opened_at: record.opened_at,
        version: record.version,
    })
}

impl Store {
    /// One show, if there is one. Costs one consistent read of one item (1 unit).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn show(&self, id: &ShowId) -> Result<Option<Show>, Fault> {
        self.get(&self.tables.catalog, key(id)).await?.map(read).transpose()
    }

    /// Those of these shows that there are, in any order. No id may be there twice. Costs a consistent
    /// read of each (1 unit), a hundred of them in a call, 16 calls at once.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn shows_by_id(&self, ids: &[ShowId]) -> Result<Vec<Show>, Fault> {
        self.batch(&self.tables.catalog, ids.iter().map(key).collect(), read).await
    }

    /// Lists the films of these shows in their cities, each until the day its shows end. Safe to
    /// repeat, and to do for shows that are never made. Costs 2 write units for each film and day, a
    /// hundred of them in a call.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn list_films(&self, shows: &[Show]) -> Result<(), Fault> {
        let mut listings = BTreeMap::new();
        for show in shows {
            let listed = (&show.city_id, show.ends_at.date_naive(), &show.movie.id);
            listings.entry(listed).or_insert(show);
        }
        let listings: Vec<Item> = listings.into_values().map(listing).collect();
        let writes = listings.chunks(TRANSACTION_STEPS_MAX).map(|some| self.put_all(some));
        stream::iter(writes.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect::<()>().await
    }

    /// Writes a show, new or changed, whatever was there, and lists its film. It takes no time in its
    /// auditorium's schedule; who makes shows that people plan with uses [`Store::create_shows`].
    /// Costs one transaction of 2 items, and the index.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn put_show(&self, show: &Show) -> Result<(), Fault> {
        self.put_all(&[item_of(show), listing(show)]).await
    }

    /// Writes items together, whatever was there.
    async fn put_all(&self, items: &[Item]) -> Result<(), Fault> {
        let mut txn = Txn::<Infallible>::new(self);
        for new in items {
            txn = txn.put(&self.tables.catalog, new.clone(), If::new("", []), never);
        }
        match txn.commit().await {
            Ok(()) => Ok(()),
            Err(Aborted::Fault(fault)) => Err(fault),
            Err(Aborted::Refused(_)) => Err(corrupt("a write without a condition refused")),
        }
    }
}

fn listing(show: &Show) -> Item {
    catalog::listing_of(&show.city_id, show.ends_at, &show.movie.id)
}
