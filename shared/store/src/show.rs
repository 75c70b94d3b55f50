//! A show: key, attributes, reader; the list of a city's day; writing one.

use chrono::NaiveDate;
use domain::catalog::Movie;
use domain::id::{CityId, ShowId};
use domain::show::{AuditoriumRef, MovieRef, PriceList, Show, Status, TheatreRef};
use domain::time::{Timestamp, as_text, text};

use crate::item::{Item, from_item, item, string, to_item};
use crate::txn::corrupt;
use crate::{Fault, Store, catalog};

const BY_CITY_DATE: &str = "by_city_date";

/// A show as it is stored. The film's title and the names are copied, so that a search reads
/// one item per show; they change rarely, and a new copy is written then.
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
    show_date: NaiveDate,
    #[serde(with = "as_text")]
    starts_at: Timestamp,
    #[serde(with = "as_text")]
    ends_at: Timestamp,
    spoken_language: String,
    screen_type: String,
    prices: PriceList,
    show_status: Status,
}

/// Opens or stops the sales of a show.
pub(crate) const SET_STATUS: &str = "SET show_status = :status";

fn partition(id: &ShowId) -> String {
    format!("SHOW#{id}")
}

/// The key of a show.
pub(crate) fn key(id: &ShowId) -> Item {
    item([("pk", string(partition(id))), ("sk", string("SHOW"))])
}

fn city_date(city: &CityId, date: NaiveDate) -> String {
    format!("{city}#{date}")
}

fn item_of(show: &Show) -> Item {
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
        show_date: show.date,
        starts_at: show.starts_at,
        ends_at: show.ends_at,
        spoken_language: show.language,
        screen_type: show.screen_type,
        prices: show.prices,
        show_status: show.status,
    })
}

fn read(found: Item) -> Result<Show, Fault> {
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
    })
}

impl Store {
    /// One show, if there is one. Costs one consistent read of one item (1 unit).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn show(&self, id: &ShowId) -> Result<Option<Show>, Fault> {
        self.catalog_item(key(id)).await?.map(read).transpose()
    }

    /// The shows of a city's day, by start. Costs one query (and one more per MB, which is some
    /// 1,500 shows) at half a unit per 4 KB.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn shows_on(&self, city: &CityId, date: NaiveDate) -> Result<Vec<Show>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .index_name(BY_CITY_DATE)
            .key_condition_expression("city_date = :city_date")
            .expression_attribute_values(":city_date", string(city_date(city, date)));
        let mut shows = Vec::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                shows.push(read(item)?);
            }
            Ok(())
        })
        .await?;
        Ok(shows)
    }

    /// Writes a show, new or changed, and lists its film in its city until the day it ends. Costs
    /// one transaction of 2 items, and the index.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn put_show(&self, show: &Show, movie: &Movie) -> Result<(), Fault> {
        let listing = catalog::listing_of(&show.city_id, show.ends_at, movie);
        self.put_all([item_of(show), listing]).await
    }
}
