//! What administrators do to the catalogue: cities, films, theatres, auditoriums and their layouts.
//!
//! What the store refuses is said here in the words of a cinema: what is not there, and what
//! stands in the way.

use domain::catalog::{Auditorium, City, Expected, Movie, Theatre, Versioned};
use domain::id::{AuditoriumId, CityId, MovieId, ShowId, TheatreId};
use domain::layout::Layout;
use domain::show::Status;
use domain::time::Timestamp;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use store::{CreateError, Entry, Fault, RemoveError, ReplaceError, ScheduleError};

use crate::App;
use crate::problem::Problem;

/// How often a change is tried whose entry others change, too. Entries are changed by hand.
const CHANGE_TRIES_MAX: u32 = 5;

/// Cities that are asked side by side what they show.
const CITIES_AT_ONCE: usize = 16;

/// Shows of an auditorium that are looked at with one call, until one is found that takes place.
const SHOWS_AT_ONCE: usize = 100;

/// What an auditorium refuses that is still needed.
const HAS_SHOWS: &str = "the auditorium has shows that are not over";

impl App {
    /// An entry as it is now. Costs a read.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn entry<E: Entry>(&self, id: &E::Id) -> Result<Versioned<E>, Problem> {
        self.store.entry::<E>(id).await?.ok_or(Problem::NotFound)
    }

    /// Changes an entry, if it is as whoever changes it knows it.
    ///
    /// Safe to repeat: one that is like this already is answered as it is, and not written. Costs a
    /// read and 2 write units.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], [`Problem::PreconditionFailed`], or a fault.
    pub async fn change<E: Entry>(
        &self,
        id: &E::Id,
        expected: Expected,
        changed: impl Fn(E) -> E,
    ) -> Result<Versioned<E>, Problem> {
        for _ in 0..CHANGE_TRIES_MAX {
            let known = self.entry::<E>(id).await?;
            let wanted = changed(known.entry.clone());
            if wanted == known.entry {
                return Ok(known);
            }
            if !expected.matches(known.version) {
                return Err(Problem::PreconditionFailed);
            }
            match self.store.replace(&wanted, Expected::Version(known.version)).await {
                // How it is now says whether that is still what is known.
                Err(ReplaceError::Stale) => {}
                outcome => return outcome.map_err(Problem::from),
            }
        }
        Err(Fault::Contended.into())
    }

    /// Makes a theatre in its city. Safe to repeat. Costs what `Store::create` costs.
    ///
    /// # Errors
    ///
    /// [`Problem::AlreadyExists`], [`Problem::UnknownReference`], or a fault.
    pub async fn create_theatre(&self, theatre: &Theatre) -> Result<Versioned<Theatre>, Problem> {
        let created = self.store.create(theatre).await;
        created.map_err(|error| not_created(error, || format!("city {}", theatre.city_id)))
    }

    /// Makes an auditorium in its theatre, with its first layout. Safe to repeat. Costs what
    /// `Store::create_auditorium` costs.
    ///
    /// # Errors
    ///
    /// [`Problem::AlreadyExists`], [`Problem::UnknownReference`], or a fault.
    pub async fn create_auditorium(
        &self,
        auditorium: &Auditorium,
        layout: &Layout,
    ) -> Result<Versioned<Auditorium>, Problem> {
        let theatre = || format!("theatre {}", auditorium.theatre_id);
        let created = self.store.create_auditorium(auditorium, layout).await;
        created.map_err(|error| not_created(error, theatre))
    }

    /// Removes a city without theatres. Safe to repeat. Costs what `Store::remove` costs.
    ///
    /// # Errors
    ///
    /// [`Problem::InUse`], [`Problem::PreconditionFailed`], or a fault.
    pub async fn remove_city(&self, id: &CityId, expected: Expected) -> Result<(), Problem> {
        let removed = self.store.remove::<City>(id, expected).await;
        removed.map_err(|error| not_removed(error, "the city has theatres; remove them first"))
    }

    /// Removes a film that no city shows any more. The shows that were keep its title. A city lists a
    /// film until the day that its last show was planned for, also if that show is gone; and who plans
    /// a show at the same moment may still name it.
    ///
    /// Safe to repeat. Costs a read, a query of all cities and one for each of them, and what
    /// `Store::remove` costs.
    ///
    /// # Errors
    ///
    /// [`Problem::InUse`], [`Problem::PreconditionFailed`], or a fault.
    pub async fn remove_movie(
        &self,
        id: &MovieId,
        expected: Expected,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Some(known) = self.store.entry::<Movie>(id).await? else { return Ok(()) };
        if !expected.matches(known.version) {
            return Err(Problem::PreconditionFailed);
        }
        if self.is_showing(id, now).await? {
            return Err(Problem::InUse("the movie is still showing"));
        }
        let removed = self.store.remove::<Movie>(id, expected).await;
        removed.map_err(|error| not_removed(error, "something builds on the movie"))
    }

    /// Whether some city lists a film for the day of `now` or later.
    async fn is_showing(&self, id: &MovieId, now: Timestamp) -> Result<bool, Fault> {
        let cities = self.store.entries::<City>().await?;
        let looks = cities.into_iter().map(|city| {
            let store = self.store.clone();
            async move { store.movies_in(&city.id, now).await }
        });
        let looks = stream::iter(looks.collect::<Vec<_>>()).buffer_unordered(CITIES_AT_ONCE);
        looks.try_any(|shown| std::future::ready(shown.contains(id))).await
    }

    /// Removes a theatre without auditoriums. Safe to repeat. Costs what `Store::remove` costs.
    ///
    /// # Errors
    ///
    /// [`Problem::InUse`], [`Problem::PreconditionFailed`], or a fault.
    pub async fn remove_theatre(&self, id: &TheatreId, expected: Expected) -> Result<(), Problem> {
        let removed = self.store.remove::<Theatre>(id, expected).await;
        let why = "the theatre has auditoriums; remove them first";
        removed.map_err(|error| not_removed(error, why))
    }

    /// Removes an auditorium none of whose shows has still to end; those that were cancelled do not
    /// count. Safe to repeat. Costs what `Store::remove_auditorium` costs. If its schedule has shows
    /// ahead, also a read of that (1 unit per 4 KB) and of each of them (1 unit), a hundred in a call,
    /// until one is found that takes place; if there is none, the schedule is emptied (2 write units per
    /// KB), and it is tried again.
    ///
    /// # Errors
    ///
    /// [`Problem::InUse`], [`Problem::PreconditionFailed`], or a fault.
    pub async fn remove_auditorium(
        &self,
        id: &AuditoriumId,
        expected: Expected,
        now: Timestamp,
    ) -> Result<(), Problem> {
        for _ in 0..CHANGE_TRIES_MAX {
            match self.store.remove_auditorium(id, expected, now).await {
                Err(RemoveError::InUse) => self.clear_schedule(id, now).await?,
                removed => return removed.map_err(|error| not_removed(error, HAS_SHOWS)),
            }
        }
        Err(Fault::Contended.into())
    }

    /// Empties the schedule of an auditorium, if none of its shows that are not over takes place.
    async fn clear_schedule(&self, id: &AuditoriumId, now: Timestamp) -> Result<(), Problem> {
        let seen = self.store.schedule(id).await?;
        let ahead = seen.slots().iter().filter(|slot| slot.ends_at > now);
        let ahead: Vec<ShowId> = ahead.map(|slot| slot.show_id.clone()).collect();
        if ahead.is_empty() {
            return Ok(());
        }
        for some in ahead.chunks(SHOWS_AT_ONCE) {
            let there = self.store.shows_by_id(some).await?;
            if there.iter().any(|show| show.status != Status::Cancelled) {
                return Err(Problem::InUse(HAS_SHOWS));
            }
        }
        match self.store.clear_schedule(id, &seen).await {
            // Somebody else changed it: the next try tells what to.
            Ok(()) | Err(ScheduleError::Changed | ScheduleError::NoAuditorium) => Ok(()),
            Err(ScheduleError::Fault(fault)) => Err(fault.into()),
        }
    }
}

fn not_created(error: CreateError, parent: impl FnOnce() -> String) -> Problem {
    match error {
        CreateError::Exists => Problem::AlreadyExists,
        CreateError::NoParent => Problem::UnknownReference(parent()),
        CreateError::Fault(fault) => fault.into(),
    }
}

fn not_removed(error: RemoveError, why: &'static str) -> Problem {
    match error {
        RemoveError::Stale => Problem::PreconditionFailed,
        RemoveError::InUse => Problem::InUse(why),
        RemoveError::Fault(fault) => fault.into(),
    }
}
