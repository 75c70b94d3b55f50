//! What is on, and how much of it is left: what lists of films and shows are made of, and the counting
//! behind them.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::catalog::Movie;
use domain::id::{CityId, SectionId, ShowId};
use domain::show::Show;
use domain::time::Timestamp;
use futures_util::future::try_join;
use store::Fault;

use crate::App;
use crate::catalog::{Day, remembered};
use crate::log::Note;
use crate::problem::Problem;

/// Counts of one section, because its show is moved again and again.
const COUNTS_MAX: u32 = 4;

impl App {
    /// The films that a city shows today or later, by title. Costs two queries, side by side, or nothing if
    /// it was asked in the last minute.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn movies_in(&self, city: &CityId, now: Timestamp) -> Result<Arc<[Movie]>, Problem> {
        let load = async {
            let shown = self.store.movies_in(city, now);
            let (shown, mut movies) = try_join(shown, self.store.entries::<Movie>()).await?;
            movies.retain(|movie| shown.contains(&movie.id));
            movies.sort_by(|one, other| (&one.title, &one.id).cmp(&(&other.title, &other.id)));
            Ok(movies.into())
        };
        remembered(&self.caches().movies, city.clone(), now, load).await
    }

    /// The shows of a city's day, by start, with how many of their seats somebody has a claim on. Costs a
    /// query, or nothing if it was asked in the last 10 seconds.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn day(
        &self,
        city: &CityId,
        date: NaiveDate,
        now: Timestamp,
    ) -> Result<Day, Problem> {
        let load = async { Ok(self.store.day(city, date).await?.into()) };
        remembered(&self.caches().days, (city.clone(), date), now, load).await
    }

    /// Counts how many seats of a section can be had, for whoever searches. Safe to repeat. Costs what
    /// `Store::count_section` costs, a read of the show if there is news, and one before if it was not
    /// read in the last 5 seconds.
    ///
    /// # Errors
    ///
    /// A fault; repeat it.
    pub async fn count_section(
        &self,
        show: &ShowId,
        section: &SectionId,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.note(Note::Show(show));
        match self.show(show, now).await {
            Ok(show) => self.count_where_listed(show, section, now).await,
            // Nobody finds a show that was deleted, so nobody asks what is left of it.
            Err(Problem::NotFound) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// Counts a section of a show as it is known, and looks at the show after that: whoever moved it
    /// meanwhile may have looked too early for what was counted for its old day. So each of the two that
    /// comes second finds what the other one did.
    ///
    /// # Errors
    ///
    /// A fault; repeat it.
    pub(crate) async fn count_where_listed(
        &self,
        mut show: Arc<Show>,
        section: &SectionId,
        now: Timestamp,
    ) -> Result<(), Problem> {
        for _ in 0..COUNTS_MAX {
            if !self.store.count_section(&show, section, now).await? {
                return Ok(());
            }
            // Whoever repeats this reads it too, if it fails now.
            self.caches().shows.forget(&show.id);
            let there = match self.show(&show.id, now).await {
                Ok(there) => there,
                Err(Problem::NotFound) => return Ok(()),
                Err(problem) => return Err(problem),
            };
            if there.city_id == show.city_id && there.date == show.date {
                return Ok(());
            }
            show = there;
        }
        Err(Fault::Contended.into())
    }
}
