//! What plans name: films, and rooms with all that they stand in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::catalog::{Auditorium, City, Movie, Theatre};
use domain::id::{AuditoriumId, CityId, MovieId, TheatreId};
use domain::layout::Layout;
use domain::schedule::{Known, Plan};
use domain::show::AuditoriumRef;
use domain::time::Timestamp;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use store::{Fault, Store};

use crate::App;
use crate::catalog::remembered;
use crate::problem::Problem;

/// Reads under way side by side.
const READS_AT_ONCE: usize = 16;

/// The films and the rooms that some plans name, as far as there are such.
pub(super) struct Catalogue {
    movies: BTreeMap<MovieId, Movie>,
    rooms: BTreeMap<AuditoriumId, Room>,
}

/// An auditorium with what it stands in.
struct Room {
    auditorium: Auditorium,
    theatre: Theatre,
    city: City,
    layout: Arc<Layout>,
}

impl Catalogue {
    /// What is known of the film and the room of a plan, or what there is none of.
    pub(super) fn known(&self, plan: &Plan) -> Result<Known<'_>, String> {
        let Plan { movie_id, auditorium_id, .. } = plan;
        let movie = self.movies.get(movie_id).ok_or_else(|| format!("the movie `{movie_id}`"))?;
        let room = self.rooms.get(auditorium_id);
        let room = room.ok_or_else(|| format!("the auditorium `{auditorium_id}`"))?;
        let Room { auditorium, theatre, city, layout } = room;
        Ok(Known { movie, auditorium, theatre, city, layout })
    }

    /// Has a room stand as a show has it that is there, whatever was built since.
    pub(super) fn keep_layout(&mut self, of: &AuditoriumRef, layout: Arc<Layout>) {
        if let Some(room) = self.rooms.get_mut(&of.id) {
            room.auditorium.layout_version = of.layout_version;
            room.layout = layout;
        }
    }
}

impl App {
    /// The films and rooms that these plans name. Costs a consistent read of each film, auditorium,
    /// theatre, city and layout that is named, of layouts none that is remembered; 16 at once.
    pub(super) async fn catalogue(
        &self,
        plans: &[Plan],
        now: Timestamp,
    ) -> Result<Catalogue, Problem> {
        let films: BTreeSet<MovieId> = plans.iter().map(|plan| plan.movie_id.clone()).collect();
        let rooms: BTreeSet<AuditoriumId> =
            plans.iter().map(|plan| plan.auditorium_id.clone()).collect();
        let movies = together(films.into_iter().map(|id| movie(self.store.clone(), id))).await?;
        let found =
            together(rooms.into_iter().map(|id| auditorium(self.store.clone(), id))).await?;
        let theatres: BTreeSet<TheatreId> =
            found.iter().map(|auditorium| auditorium.theatre_id.clone()).collect();
        let theatres =
            together(theatres.into_iter().map(|id| theatre(self.store.clone(), id))).await?;
        let theatres: BTreeMap<TheatreId, Theatre> =
            theatres.into_iter().map(|theatre| (theatre.id.clone(), theatre)).collect();
        let cities: BTreeSet<CityId> =
            theatres.values().map(|theatre| theatre.city_id.clone()).collect();
        let cities = together(cities.into_iter().map(|id| city(self.store.clone(), id))).await?;
        let cities: BTreeMap<CityId, City> =
            cities.into_iter().map(|city| (city.id.clone(), city)).collect();
        let layouts = found.iter().cloned().map(|room| layout(self.clone(), room, now));
        let layouts: Vec<Arc<Layout>> = together(layouts).await?;
        let mut rooms = BTreeMap::new();
        for (auditorium, layout) in found.into_iter().zip(layouts) {
            let nowhere = || Fault::Corrupt(format!("{} stands nowhere", auditorium.id));
            let theatre = theatres.get(&auditorium.theatre_id).ok_or_else(nowhere)?.clone();
            let city = cities.get(&theatre.city_id).ok_or_else(nowhere)?.clone();
            rooms.insert(auditorium.id.clone(), Room { auditorium, theatre, city, layout });
        }
        let movies = movies.into_iter().map(|movie| (movie.id.clone(), movie)).collect();
        Ok(Catalogue { movies, rooms })
    }
}

async fn movie(store: Store, id: MovieId) -> Result<Option<Movie>, Problem> {
    Ok(store.entry::<Movie>(&id).await?.map(|found| found.entry))
}

async fn auditorium(store: Store, id: AuditoriumId) -> Result<Option<Auditorium>, Problem> {
    Ok(store.entry::<Auditorium>(&id).await?.map(|found| found.entry))
}

async fn theatre(store: Store, id: TheatreId) -> Result<Option<Theatre>, Problem> {
    Ok(store.entry::<Theatre>(&id).await?.map(|found| found.entry))
}

async fn city(store: Store, id: CityId) -> Result<Option<City>, Problem> {
    Ok(store.entry::<City>(&id).await?.map(|found| found.entry))
}

/// The newest layout of an auditorium.
async fn layout(
    app: App,
    auditorium: Auditorium,
    now: Timestamp,
) -> Result<Option<Arc<Layout>>, Problem> {
    let Auditorium { id, layout_version, .. } = auditorium;
    let load = async {
        let layout = app.store.layout(&id, layout_version).await?;
        let missing = || Fault::Corrupt(format!("{id} has no layout {layout_version}"));
        Ok(Arc::new(layout.ok_or_else(missing)?))
    };
    let key = (id.clone(), layout_version);
    remembered(&app.caches().layouts, key, now, load).await.map(Some)
}

/// What these reads find, in their order, without what is not there.
async fn together<T>(
    reads: impl Iterator<Item = impl Future<Output = Result<Option<T>, Problem>>>,
) -> Result<Vec<T>, Problem> {
    let reads = stream::iter(reads.collect::<Vec<_>>()).buffered(READS_AT_ONCE);
    let found: Vec<Option<T>> = reads.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
