//! Cities, films, theatres, auditoriums and layouts: keys, attributes, readers, writers.

use std::collections::BTreeMap;
use std::convert::Infallible;

use domain::catalog::{Auditorium, City, Movie, Name, Theatre};
use domain::id::{AuditoriumId, CityId, MovieId, TheatreId};
use domain::layout::Layout;
use domain::time::Timestamp;

use crate::item::{Item, from_item, item, string, to_item};
use crate::txn::{Aborted, IF_ABSENT, If, Txn, corrupt, never};
use crate::{Fault, Store};

#[derive(serde::Serialize, serde::Deserialize)]
struct CityRecord {
    pk: String,
    sk: String,
    city_id: CityId,
    city_name: Name,
    time_zone: String,
}

/// A film, under its own key or as a listing in a city.
#[derive(serde::Serialize, serde::Deserialize)]
struct MovieRecord {
    pk: String,
    sk: String,
    movie_id: MovieId,
    title: Name,
    spoken_languages: Vec<String>,
    genres: Vec<String>,
    runtime_minutes: u16,
    certificate: String,
}

#[derive(serde::Serialize)]
struct TheatreRecord {
    pk: String,
    sk: String,
    theatre_id: TheatreId,
    theatre_name: Name,
    city_id: CityId,
}

#[derive(serde::Serialize)]
struct AuditoriumRecord {
    pk: String,
    sk: String,
    auditorium_id: AuditoriumId,
    auditorium_name: Name,
    theatre_id: TheatreId,
    layout_version: u32,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct LayoutRecord {
    pk: String,
    sk: String,
    layout: Layout,
}

fn movie_record(pk: String, sk: String, movie: &Movie) -> MovieRecord {
    let movie = movie.clone();
    MovieRecord {
        pk,
        sk,
        movie_id: movie.id,
        title: movie.title,
        spoken_languages: movie.languages,
        genres: movie.genres,
        runtime_minutes: movie.runtime_minutes,
        certificate: movie.certificate,
    }
}

fn city_partition(city: &CityId) -> String {
    format!("CITY#{city}")
}

/// The item that lists `movie` in `city` until the day of `ends_at`, in UTC. One per film and
/// day: shows of one day write the same item, so they need no condition and no count.
pub(crate) fn listing_of(city: &CityId, ends_at: Timestamp, movie: &Movie) -> Item {
    let sk = format!("MOVIE#{}#{}", ends_at.date_naive(), movie.id);
    to_item(&movie_record(city_partition(city), sk, movie))
}

fn layout_key(auditorium: &AuditoriumId, version: u32) -> Item {
    item([
        ("pk", string(format!("AUDITORIUM#{auditorium}"))),
        ("sk", string(format!("LAYOUT#{version:08}"))),
    ])
}

/// Why a layout was not written.
#[derive(Debug, thiserror::Error)]
pub enum PutLayoutError {
    /// This version is another layout already. Layouts never change.
    #[error("this version of the layout exists and is another one")]
    Exists,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Store {
    /// Every city, by id. Costs one query.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn cities(&self) -> Result<Vec<City>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .key_condition_expression("pk = :partition")
            .expression_attribute_values(":partition", string("CITIES"));
        let mut cities = Vec::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                let record: CityRecord = from_item("city", item)?;
                let CityRecord { city_id, city_name, time_zone, .. } = record;
                cities.push(City { id: city_id, name: city_name, time_zone });
            }
            Ok(())
        })
        .await?;
        Ok(cities)
    }

    /// The films that a city still shows on the day of `now` or later, by title. Costs one query
    /// of an item per film and day.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn movies_in(&self, city: &CityId, now: Timestamp) -> Result<Vec<Movie>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.catalog)
            .key_condition_expression("pk = :partition AND sk BETWEEN :today AND :end")
            .expression_attribute_values(":partition", string(city_partition(city)))
            .expression_attribute_values(":today", string(format!("MOVIE#{}", now.date_naive())))
            .expression_attribute_values(":end", string("MOVIE#~"));
        let mut movies = BTreeMap::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                let record: MovieRecord = from_item("movie", item)?;
                let movie = Movie {
                    id: record.movie_id,
                    title: record.title,
                    languages: record.spoken_languages,
                    genres: record.genres,
                    runtime_minutes: record.runtime_minutes,
                    certificate: record.certificate,
                };
                movies.insert(movie.id.clone(), movie);
            }
            Ok(())
        })
        .await?;
        let mut movies: Vec<Movie> = movies.into_values().collect();
        movies.sort_by(|left, right| (&left.title, &left.id).cmp(&(&right.title, &right.id)));
        Ok(movies)
    }

    /// A version of an auditorium's layout, if there is one. Costs one consistent read of one
    /// item: 1 unit per 4 KB, which is 1 for a cinema and some 60 for a stadium. It never changes.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn layout(&self, id: &AuditoriumId, version: u32) -> Result<Option<Layout>, Fault> {
        let Some(found) = self.catalog_item(layout_key(id, version)).await? else {
            return Ok(None);
        };
        let record: LayoutRecord = from_item("layout", found)?;
        Ok(Some(record.layout))
    }

    pub(crate) async fn catalog_item(&self, key: Item) -> Result<Option<Item>, Fault> {
        self.get(&self.tables.catalog, key).await
    }

    /// Writes a city, new or changed. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn put_city(&self, city: &City) -> Result<(), Fault> {
        let city = city.clone();
        self.put_all([to_item(&CityRecord {
            pk: "CITIES".to_owned(),
            sk: city_partition(&city.id),
            city_id: city.id,
            city_name: city.name,
            time_zone: city.time_zone,
        })])
        .await
    }

    /// Writes a film, new or changed. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn put_movie(&self, movie: &Movie) -> Result<(), Fault> {
        let pk = format!("MOVIE#{}", movie.id);
        self.put_all([to_item(&movie_record(pk, "MOVIE".to_owned(), movie))]).await
    }

    /// Writes a theatre, new or changed. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn put_theatre(&self, theatre: &Theatre) -> Result<(), Fault> {
        let theatre = theatre.clone();
        self.put_all([to_item(&TheatreRecord {
            pk: format!("THEATRE#{}", theatre.id),
            sk: "THEATRE".to_owned(),
            theatre_id: theatre.id,
            theatre_name: theatre.name,
            city_id: theatre.city_id,
        })])
        .await
    }

    /// Writes an auditorium and a version of its layout, together. Writing the same version again
    /// is fine, changing it is not. Costs 2 write units and 2 per KB of the layout.
    ///
    /// # Errors
    ///
    /// [`PutLayoutError`].
    pub async fn put_layout(
        &self,
        auditorium: &Auditorium,
        version: u32,
        layout: &Layout,
    ) -> Result<(), PutLayoutError> {
        let auditorium = auditorium.clone();
        let id = auditorium.id.clone();
        let record = AuditoriumRecord {
            pk: format!("AUDITORIUM#{id}"),
            sk: "AUDITORIUM".to_owned(),
            auditorium_id: auditorium.id,
            auditorium_name: auditorium.name,
            theatre_id: auditorium.theatre_id,
            layout_version: version,
        };
        let mut versioned = layout_key(&id, version);
        versioned.extend(item([("layout", crate::item::value(layout))]));
        let txn = Txn::new(self)
            .put(&self.tables.catalog, to_item(&record), If::new("", []), never)
            .put(&self.tables.catalog, versioned, If::new(IF_ABSENT, []), |found| {
                let found = found.ok_or_else(|| corrupt("no layout refused to be made"))?;
                Ok(from_item::<LayoutRecord>("layout", found.clone())?.layout)
            });
        match txn.commit().await {
            Ok(()) => Ok(()),
            Err(Aborted::Fault(fault)) => Err(fault.into()),
            Err(Aborted::Refused(found)) if found.first() == Some(layout) => Ok(()),
            Err(Aborted::Refused(_)) => Err(PutLayoutError::Exists),
        }
    }

    /// Writes items together, whatever was there.
    pub(crate) async fn put_all<const N: usize>(&self, items: [Item; N]) -> Result<(), Fault> {
        let mut txn = Txn::<Infallible>::new(self);
        for new in items {
            txn = txn.put(&self.tables.catalog, new, If::new("", []), never);
        }
        match txn.commit().await {
            Ok(()) => Ok(()),
            Err(Aborted::Fault(fault)) => Err(fault),
            Err(Aborted::Refused(_)) => Err(corrupt("a write without a condition refused")),
        }
    }
}
