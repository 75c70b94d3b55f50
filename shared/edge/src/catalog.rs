//! The catalogue as a warm function knows it. What sells is decided by the tables; what there is
//! to sell may be some seconds old.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::catalog::{City, Movie};
use domain::id::{AuditoriumId, CityId, ShowId};
use domain::layout::Layout;
use domain::show::Show;
use domain::time::Timestamp;
use store::Fault;

use crate::App;
use crate::cache::Cache;
use crate::problem::Problem;

/// What is remembered.
pub(crate) struct Caches {
    pub(crate) shows: Cache<ShowId, Arc<Show>>,
    pub(crate) layouts: Cache<(AuditoriumId, u32), Arc<Layout>>,
    pub(crate) days: Cache<(CityId, NaiveDate), Arc<[Show]>>,
    pub(crate) cities: Cache<(), Arc<[City]>>,
    pub(crate) movies: Cache<CityId, Arc<[Movie]>>,
}

impl App {
    /// A show. Costs a read, or nothing if it was read in the last 5 seconds.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn show(&self, id: &ShowId, now: Timestamp) -> Result<Arc<Show>, Problem> {
        if let Some(show) = self.caches().shows.get(id, now) {
            return Ok(show);
        }
        let show = Arc::new(self.store.show(id).await?.ok_or(Problem::NotFound)?);
        self.caches().shows.put(id.clone(), Arc::clone(&show), now);
        Ok(show)
    }

    /// The layout that a show is sold under. Costs a read, or nothing if it was read before: it
    /// never changes.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn layout(&self, show: &Show, now: Timestamp) -> Result<Arc<Layout>, Problem> {
        let auditorium = &show.auditorium;
        let key = (auditorium.id.clone(), auditorium.layout_version);
        if let Some(layout) = self.caches().layouts.get(&key, now) {
            return Ok(layout);
        }
        let found = self.store.layout(&auditorium.id, auditorium.layout_version).await?;
        let missing = || Fault::Corrupt(format!("show {} has no layout", show.id));
        let layout = Arc::new(found.ok_or_else(missing)?);
        self.caches().layouts.put(key, Arc::clone(&layout), now);
        Ok(layout)
    }

    /// The shows of a city's day, by start. Costs a query, or nothing if it was asked in the last
    /// 10 seconds.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn shows_on(
        &self,
        city: &CityId,
        date: NaiveDate,
        now: Timestamp,
    ) -> Result<Arc<[Show]>, Problem> {
        let key = (city.clone(), date);
        if let Some(shows) = self.caches().days.get(&key, now) {
            return Ok(shows);
        }
        let shows: Arc<[Show]> = self.store.shows_on(city, date).await?.into();
        self.caches().days.put(key, Arc::clone(&shows), now);
        Ok(shows)
    }

    /// Every city. Costs a query, or nothing if it was asked in the last minute.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn cities(&self, now: Timestamp) -> Result<Arc<[City]>, Problem> {
        if let Some(cities) = self.caches().cities.get(&(), now) {
            return Ok(cities);
        }
        let cities: Arc<[City]> = self.store.cities().await?.into();
        self.caches().cities.put((), Arc::clone(&cities), now);
        Ok(cities)
    }

    /// The films that a city shows, by title. Costs a query, or nothing if it was asked in the
    /// last minute.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn movies_in(&self, city: &CityId, now: Timestamp) -> Result<Arc<[Movie]>, Problem> {
        if let Some(movies) = self.caches().movies.get(city, now) {
            return Ok(movies);
        }
        let movies: Arc<[Movie]> = self.store.movies_in(city, now).await?.into();
        self.caches().movies.put(city.clone(), Arc::clone(&movies), now);
        Ok(movies)
    }
}
