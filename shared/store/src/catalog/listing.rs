//! Which films a city shows: key, reader.
//!
//! A listing is written with shows and never removed: it stands under the day on which a show ends,
//! so the days that are over are behind the place where reading begins.

use std::collections::BTreeSet;

use domain::id::{CityId, MovieId};
use domain::time::Timestamp;

use crate::item::{Item, from_item, item, string};
use crate::{Fault, Store};

#[derive(serde::Deserialize)]
struct Record {
    movie_id: MovieId,
}

fn partition(city: &CityId) -> String {
    format!("CITY#{city}")
}

/// The item that lists `movie` in `city` until the day of `ends_at`, in UTC. One per film and day:
/// shows of one day write the same item, so they need no condition and no count.
pub(crate) fn listing_of(city: &CityId, ends_at: Timestamp, movie: &MovieId) -> Item {
    item([
        ("pk", string(partition(city))),
        ("sk", string(format!("MOVIE#{}#{movie}", ends_at.date_naive()))),
        ("movie_id", string(movie.as_str())),
    ])
}

impl Store {
    /// The films that a city still shows on the day of `now` or later. Costs one query of an item
    /// of some 100 bytes per film and day, at half a unit per 4 KB.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn movies_in(
        &self,
        city: &CityId,
        now: Timestamp,
    ) -> Result<BTreeSet<MovieId>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .key_condition_expression("pk = :partition AND sk BETWEEN :today AND :end")
            .expression_attribute_values(":partition", string(partition(city)))
            .expression_attribute_values(":today", string(format!("MOVIE#{}", now.date_naive())))
            .expression_attribute_values(":end", string("MOVIE#~"));
        let mut movies = BTreeSet::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                movies.insert(from_item::<Record>("listing", item)?.movie_id);
            }
            Ok(())
        })
        .await?;
        Ok(movies)
    }
}
