//! Shows as a house plans them: one is made, changed, priced or removed. `load` takes in a whole
//! schedule, `house_seats` keeps seats back; `catalogue` has what all of them ask of films and rooms.
//!
//! What may be is decided by the domain, upon what was just read; the store writes it if that is still
//! so. If it is not, it is read and decided again: whoever plans at the same time in the same room made
//! progress meanwhile.

use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;

use domain::catalog::Expected;
use domain::id::{SeatType, ShowId};
use domain::money::Money;
use domain::schedule::{Draft, NotChanged, Plan, Schedule, Slot, begins_ahead, reprice};
use domain::show::{Show, Status};
use domain::time::Timestamp;
use store::{Fault, Reschedule, ScheduleError};

use crate::App;
use crate::log::Note;
use crate::problem::Problem;

mod catalogue;
mod house_seats;
mod load;
mod upload;

/// Decisions made anew because somebody else wrote in between. Each time one of them got through, so
/// this many people at one room's schedule wait for nobody.
const DECISIONS_MAX: u32 = 12;

/// What a show that has been on sale refuses.
const WAS_ON_SALE: &str = "the show has been on sale";

/// What a show that will not take place refuses: its sweep comes to it later, by its id.
const WAS_CANCELLED: &str = "the show was cancelled";

/// What a show refuses to leave its room with, or to go.
const HAS_HOUSE_SEATS: &str = "the show has house seats; give them back first";

/// What somebody asks of a show that is there.
enum Change<'a> {
    Plan(&'a Plan),
    Prices(&'a BTreeMap<SeatType, Money>),
}

impl App {
    /// Makes a show, if its auditorium is free then.
    ///
    /// Safe to repeat: the same draft again is answered with the show that is there. Costs 7 reads (one
    /// of them of a layout, unless it is remembered), and 2 transactions of 4 items in all.
    ///
    /// # Errors
    ///
    /// [`Problem::AlreadyExists`], [`Problem::UnknownReference`], [`Problem::InvalidShow`],
    /// [`Problem::ShowOverlaps`], or a fault.
    pub async fn create_show(&self, draft: &Draft, now: Timestamp) -> Result<Show, Problem> {
        self.note(Note::Show(&draft.show_id));
        let catalogue = self.catalogue(slice::from_ref(&draft.plan), now).await?;
        let known = catalogue.known(&draft.plan).map_err(Problem::UnknownReference)?;
        let show = draft.show(&known, now).map_err(Problem::InvalidShow)?;
        let shows = slice::from_ref(&show);
        let mut is_listed = false;
        for _ in 0..DECISIONS_MAX {
            if let Some(there) = self.store.show(&show.id).await? {
                let is_known = draft.is_of(&there, &show);
                return if is_known { Ok(there) } else { Err(Problem::AlreadyExists) };
            }
            begins_ahead(show.starts_at, now).map_err(Problem::InvalidShow)?;
            let auditorium = show.auditorium.id.clone();
            let seen = self.store.schedule(&auditorium).await?;
            let mut then = seen.clone();
            then.forget_past(now);
            self.take_time(&mut then, &show).await?;
            if !is_listed {
                self.store.list_films(shows).await?;
                is_listed = true;
            }
            let within = Reschedule { auditorium, seen, then };
            match self.store.create_shows(shows, &within).await {
                Ok(()) => return Ok(show),
                Err(error) => decide_anew(error)?,
            }
        }
        Err(Fault::Contended.into())
    }

    /// Changes what a show is, but for its prices: its film, its room and its times only before it was
    /// on sale. Its seats stand as they stood when it was made, unless it moves to another room; and that
    /// it cannot while the house keeps seats of it.
    ///
    /// Safe to repeat: what it is already is answered with it. Costs 5 reads, 1 or 2 more of layouts
    /// that are not remembered, a query, and a transaction of one item. If its times change, a read and
    /// 2 items more in the transaction; if its room changes, 2 reads, a query for each section, and 3
    /// items. If its film, its end or its city changes, a transaction of one item more. If its day or its
    /// city changes, what `Store::count_section` costs for each section that was counted, and a read.
    /// All of it again each time somebody else wrote in between.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], [`Problem::PreconditionFailed`], [`Problem::InUse`],
    /// [`Problem::ShowCancelled`], and those of [`App::create_show`].
    pub async fn update_show(
        &self,
        id: &ShowId,
        plan: &Plan,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Show, Problem> {
        let show = self.change_show(id, &Change::Plan(plan), expected, now).await?;
        // Also of what was changed before, if whoever did so died here.
        for section in self.store.counted_elsewhere(&show).await? {
            self.count_where_listed(Arc::new(show.clone()), &section, now).await?;
        }
        Ok(show)
    }

    /// Prices a show anew. Live holds keep what they were quoted.
    ///
    /// Safe to repeat: the same prices again are answered with the show. Costs 2 reads (one of a layout,
    /// unless it is remembered) and a transaction of one item (2 write units, and the index).
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], [`Problem::PreconditionFailed`], [`Problem::ShowCancelled`],
    /// [`Problem::InvalidShow`], or a fault.
    pub async fn update_prices(
        &self,
        id: &ShowId,
        prices: &BTreeMap<SeatType, Money>,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Show, Problem> {
        self.change_show(id, &Change::Prices(prices), expected, now).await
    }

    async fn change_show(
        &self,
        id: &ShowId,
        change: &Change<'_>,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Show, Problem> {
        self.note(Note::Show(id));
        for _ in 0..DECISIONS_MAX {
            let before = self.store.show(id).await?.ok_or(Problem::NotFound)?;
            let after = self.show_after(&before, change, now).await;
            if !expected.matches(before.version) {
                return match after {
                    Ok(after) if was_made_of(expected, &before, &after) => Ok(before),
                    Err(fault @ (Problem::TryAgain(_) | Problem::Internal(_))) => Err(fault),
                    Ok(_) | Err(_) => Err(Problem::PreconditionFailed),
                };
            }
            let after = after?;
            if is_alike(&before, &after) {
                return Ok(before);
            }
            let within = self.reschedules(&before, &after, now).await?;
            match self.store.replace_show(&before, &after, &within).await {
                Ok(()) => {
                    let known = Arc::new(after.clone());
                    self.caches().shows.put(after.id.clone(), known, now);
                    return Ok(after);
                }
                Err(error) => decide_anew(error)?,
            }
        }
        Err(Fault::Contended.into())
    }

    /// What a show becomes.
    async fn show_after(
        &self,
        before: &Show,
        change: &Change<'_>,
        now: Timestamp,
    ) -> Result<Show, Problem> {
        let after = match change {
            Change::Prices(prices) => reprice(before, prices, &*self.layout(before, now).await?),
            Change::Plan(plan) => {
                let mut catalogue = self.catalogue(slice::from_ref(*plan), now).await?;
                if plan.auditorium_id == before.auditorium.id {
                    let layout = self.layout(before, now).await?;
                    catalogue.keep_layout(&before.auditorium, layout);
                }
                let known = catalogue.known(plan).map_err(Problem::UnknownReference)?;
                plan.change(before, &known, now)
            }
        };
        after.map_err(|not| match not {
            NotChanged::Cancelled => Problem::ShowCancelled,
            NotChanged::Fixed => Problem::InUse(WAS_ON_SALE),
            NotChanged::Invalid(invalid) => Problem::InvalidShow(invalid),
        })
    }

    /// What the schedules become by a change, once all that stands in its way is out of it.
    async fn reschedules(
        &self,
        before: &Show,
        after: &Show,
        now: Timestamp,
    ) -> Result<Vec<Reschedule>, Problem> {
        let (from, to) = (&before.auditorium, &after.auditorium);
        let mut within = Vec::new();
        if from.id != to.id {
            if self.has_house_seats(before, now).await? {
                return Err(Problem::InUse(HAS_HOUSE_SEATS));
            }
            within.push(self.schedule_without(before, now).await?);
        }
        if from.id != to.id || Slot::of(before) != Slot::of(after) {
            let seen = self.store.schedule(&to.id).await?;
            let mut then = seen.clone();
            then.forget_past(now);
            self.take_time(&mut then, after).await?;
            within.push(Reschedule { auditorium: to.id.clone(), seen, then });
        }
        // Listings stay, so only when it is known that the show can be so.
        if before.movie.id != after.movie.id
            || before.ends_at != after.ends_at
            || before.city_id != after.city_id
        {
            self.store.list_films(slice::from_ref(after)).await?;
        }
        Ok(within)
    }

    /// The schedule that a show stands in, without it.
    async fn schedule_without(&self, show: &Show, now: Timestamp) -> Result<Reschedule, Problem> {
        let auditorium = show.auditorium.id.clone();
        let seen = self.store.schedule(&auditorium).await?;
        let mut then = seen.clone();
        then.forget_past(now);
        then.remove(&show.id);
        Ok(Reschedule { auditorium, seen, then })
    }

    /// Puts the time of a show into a schedule. Shows that will not take place make room.
    async fn take_time(&self, schedule: &mut Schedule, show: &Show) -> Result<(), Problem> {
        let slot = Slot::of(show);
        while let Some(other) = schedule.overlap(&slot).cloned() {
            let there = self.store.show(&other.show_id).await?;
            if there.is_some_and(|there| there.status != Status::Cancelled) {
                let (show, other) = (slot.show_id, other.show_id);
                return Err(Problem::ShowOverlaps { show, other });
            }
            schedule.remove(&other.show_id);
        }
        schedule.insert(slot).map_err(Problem::InvalidShow)
    }

    /// Removes a show that was never on sale, with what was counted of it. While the house keeps seats of
    /// it, it stays; and for good if it was cancelled.
    ///
    /// Safe to repeat: what is not there is removed. Costs 2 reads and one of a layout that is not
    /// remembered, a query for each section, a transaction of 2 items, and a query of its counts (and 2
    /// write units for each). If it is not there, a read and that query.
    ///
    /// # Errors
    ///
    /// [`Problem::PreconditionFailed`], [`Problem::InUse`], or a fault.
    pub async fn delete_show(
        &self,
        id: &ShowId,
        expected: Expected,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.note(Note::Show(id));
        for _ in 0..DECISIONS_MAX {
            let Some(show) = self.store.show(id).await? else {
                // Who removed it may have died before the rest went.
                return self.forget_show(id).await;
            };
            if !expected.matches(show.version) {
                return Err(Problem::PreconditionFailed);
            }
            if show.status == Status::Cancelled {
                return Err(Problem::InUse(WAS_CANCELLED));
            }
            if show.opened_at.is_some() {
                return Err(Problem::InUse(WAS_ON_SALE));
            }
            if self.has_house_seats(&show, now).await? {
                return Err(Problem::InUse(HAS_HOUSE_SEATS));
            }
            let within = self.schedule_without(&show, now).await?;
            match self.store.remove_show(&show, &within).await {
                Ok(()) => return self.forget_show(id).await,
                Err(error) => decide_anew(error)?,
            }
        }
        Err(Fault::Contended.into())
    }

    /// Forgets a show that is gone, and what was counted of it.
    async fn forget_show(&self, id: &ShowId) -> Result<(), Problem> {
        self.caches().shows.forget(id);
        Ok(self.store.remove_counts(id).await?)
    }
}

/// Whether a write that was refused is decided anew.
fn decide_anew(error: ScheduleError) -> Result<(), Problem> {
    match error {
        ScheduleError::Changed => Ok(()),
        ScheduleError::NoAuditorium => Err(Problem::UnknownReference("its auditorium".to_owned())),
        ScheduleError::Fault(fault) => Err(fault.into()),
    }
}

/// Whether nothing but the count of its changes is new.
fn is_alike(before: &Show, after: &Show) -> bool {
    *before == Show { version: before.version, ..after.clone() }
}

/// Whether the show is as this very change made it, of the version that was expected: then only the
/// answer was lost.
fn was_made_of(expected: Expected, there: &Show, wanted: &Show) -> bool {
    let is_next = match expected {
        Expected::Any => true,
        // Versions begin at 1; 0 is what no version is.
        Expected::Version(seen) => seen > 0 && seen.checked_add(1) == Some(there.version),
    };
    is_next && is_alike(there, wanted)
}
