//! The catalogue as a warm function knows it. What sells is decided by the tables; what there is
//! to sell may be some seconds old.

use std::hash::Hash;
use std::sync::Arc;

use chrono::NaiveDate;
use domain::allowance::{Allowance, PolicyName};
use domain::availability::Counts;
use domain::catalog::{City, Movie};
use domain::id::{AuditoriumId, CityId, ReservationId, ShowId, UserId};
use domain::layout::Layout;
use domain::show::{AuditoriumRef, Show};
use domain::subscription::Subscription;
use domain::time::Timestamp;
use store::Fault;

use crate::App;
use crate::cache::Cache;
use crate::problem::Problem;

/// The shows of a city's day, by start, with how many of their seats somebody has a claim on.
pub(crate) type Day = Arc<[(Show, Counts)]>;

/// What is remembered.
pub(crate) struct Caches {
    pub(crate) shows: Cache<ShowId, Arc<Show>>,
    pub(crate) layouts: Cache<(AuditoriumId, u32), Arc<Layout>>,
    pub(crate) days: Cache<(CityId, NaiveDate), Day>,
    pub(crate) cities: Cache<(), Arc<[City]>>,
    pub(crate) movies: Cache<CityId, Arc<[Movie]>>,
    /// Reservations that are PENDING no more, and so never again.
    pub(crate) past: Cache<ReservationId, ()>,
    /// Who is told of events.
    pub(crate) subscriptions: Cache<(), Arc<[Subscription]>>,
    /// What users have left of what they may do.
    pub(crate) allowances: Cache<(PolicyName, UserId), Allowance>,
}

impl Caches {
    /// Forgets the lists that a change of the house may be in. On Lambda another function has them, and
    /// forgets by age; on a desk who changes something sees it at once.
    pub(crate) fn forget_lists(&self) {
        self.cities.forget_all();
        self.movies.forget_all();
        self.days.forget_all();
    }
}

/// What `cache` has of `key`, or what `load` brings.
pub(crate) async fn remembered<K: Clone + Eq + Hash, V: Clone>(
    cache: &Cache<K, V>,
    key: K,
    now: Timestamp,
    load: impl Future<Output = Result<V, Problem>>,
) -> Result<V, Problem> {
    if let Some(value) = cache.get(&key, now) {
        return Ok(value);
    }
    let value = load.await?;
    cache.put(key, value.clone(), now);
    Ok(value)
}

impl App {
    /// A show. Costs a read, or nothing if it was read in the last 5 seconds.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn show(&self, id: &ShowId, now: Timestamp) -> Result<Arc<Show>, Problem> {
        let load = async {
            let show = self.store.show(id).await?;
            show.map(Arc::new).ok_or(Problem::NotFound)
        };
        remembered(&self.caches().shows, id.clone(), now, load).await
    }

    /// A show as it is now, whatever is remembered of it. Costs a read.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn show_now(&self, id: &ShowId, now: Timestamp) -> Result<Arc<Show>, Problem> {
        let show = self.store.show(id).await?.map(Arc::new).ok_or(Problem::NotFound)?;
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
        let AuditoriumRef { id, layout_version, .. } = &show.auditorium;
        let load = async {
            let layout = self.store.layout(id, *layout_version).await?;
            let missing = || Fault::Corrupt(format!("show {} has no layout", show.id));
            Ok(layout.map(Arc::new).ok_or_else(missing)?)
        };
        remembered(&self.caches().layouts, (id.clone(), *layout_version), now, load).await
    }

    /// Every city. Costs a query, or nothing if it was asked in the last minute.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn cities(&self, now: Timestamp) -> Result<Arc<[City]>, Problem> {
        let load = async { Ok(self.store.entries::<City>().await?.into()) };
        remembered(&self.caches().cities, (), now, load).await
    }
}
