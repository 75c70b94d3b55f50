//! Loading a schedule: all of it is looked at before any of it is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::id::{AuditoriumId, ShowId};
use domain::limits::{LINE_ERRORS_MAX, SHOWS_PER_TRANSACTION};
use domain::schedule::{Draft, LineError, Plan, Schedule, Slot, begins_ahead};
use domain::show::{Show, Status};
use domain::time::Timestamp;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use store::{Fault, Reschedule, ScheduleError};

use super::catalogue::Catalogue;
use super::upload::{self, Upload};
use crate::App;
use crate::problem::Problem;
use crate::request::Request;

/// Auditoriums that are written side by side.
const AUDITORIUMS_AT_ONCE: usize = 8;

/// Times a schedule is looked at, because somebody else plans in one of its rooms meanwhile.
const LOOKS_MAX: u32 = 4;

/// What became of a schedule.
#[derive(Debug, Serialize)]
pub struct Loaded {
    /// Shows that were made.
    created: usize,
    /// Shows that were there, just so.
    unchanged: usize,
}

/// The shows of one auditorium that are to be made.
struct Room {
    auditorium: AuditoriumId,
    /// With their lines.
    shows: Vec<(u32, Show)>,
    /// The schedule as it was read.
    seen: Schedule,
    /// The same without what is over, and what was cancelled and stands in the way.
    kept: Schedule,
}

/// How far the writing of one auditorium came.
struct Written {
    shows: usize,
    /// Whether somebody else wrote there, so that the rest must be looked at again.
    is_behind: bool,
}

impl App {
    /// Makes the shows of a schedule that was sent, in JSON or as a table, or tells all that is wrong
    /// with it and makes none.
    ///
    /// Safe to repeat, also if it died in the middle: what is there already is left as it is. If others
    /// plan in the same rooms at the same time, what they took is a mistake like any other; what was
    /// made until then stays, and the problem says how many those are.
    ///
    /// Costs a read of each film, auditorium, theatre, city, layout, schedule and show; 2 write units
    /// for each film and day; and for each auditorium a transaction per 96 shows, with 2 write units
    /// and those of the index for each show, and 2 per KB of the schedule.
    ///
    /// # Errors
    ///
    /// [`Problem::Invalid`], [`Problem::TooLarge`], [`Problem::InvalidSchedule`], or a fault.
    pub async fn load_schedule(&self, request: &Request) -> Result<Loaded, Problem> {
        let Upload { drafts, mistakes } = upload::read(request)?;
        let now = request.now;
        let plans: Vec<Plan> = drafts.iter().map(|(_, draft)| draft.plan.clone()).collect();
        let catalogue = self.catalogue(&plans, now).await?;
        let mut created = 0;
        for _ in 0..LOOKS_MAX {
            let (rooms, errors) = self.look_at(&drafts, &mistakes, &catalogue, now).await?;
            if !errors.is_empty() {
                let created = u32::try_from(created).expect("limits.rs bounds a schedule");
                return Err(Problem::InvalidSchedule { created, errors });
            }
            let new: Vec<Show> =
                rooms.iter().flat_map(|room| &room.shows).map(|(_, show)| show.clone()).collect();
            self.store.list_films(&new).await?;
            let writes = rooms.into_iter().map(|room| write(self.clone(), room));
            let writes = stream::iter(writes.collect::<Vec<_>>());
            let written: Vec<Written> =
                writes.buffer_unordered(AUDITORIUMS_AT_ONCE).try_collect().await?;
            created += written.iter().map(|room| room.shows).sum::<usize>();
            if written.iter().all(|room| !room.is_behind) {
                return Ok(Loaded { created, unchanged: drafts.len() - created });
            }
        }
        Err(Fault::Contended.into())
    }

    /// The shows that are to be made, by their auditoriums, and all that is wrong, by line.
    async fn look_at(
        &self,
        drafts: &[(u32, Draft)],
        unread: &[LineError],
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<(Vec<Room>, Vec<LineError>), Problem> {
        let mut mistakes = unread.to_vec();
        repeated(drafts, &mut mistakes);
        let ids: BTreeSet<&ShowId> = drafts.iter().map(|(_, draft)| &draft.show_id).collect();
        let ids: Vec<ShowId> = ids.into_iter().cloned().collect();
        let there = self.store.shows_by_id(&ids).await?;
        let there: HashMap<&ShowId, &Show> = there.iter().map(|show| (&show.id, show)).collect();
        let mut by_room: BTreeMap<AuditoriumId, Vec<(u32, Show)>> = BTreeMap::new();
        for (line, draft) in drafts {
            match wanted(draft, catalogue, &there, now) {
                Ok(Some(show)) => {
                    by_room.entry(show.auditorium.id.clone()).or_default().push((*line, show));
                }
                Ok(None) => {}
                Err(detail) => mistakes.push(mistake(*line, &draft.show_id, detail)),
            }
        }
        let looks = by_room.into_iter().map(|(id, shows)| look_into(self.clone(), id, shows, now));
        let looks = stream::iter(looks.collect::<Vec<_>>()).buffered(AUDITORIUMS_AT_ONCE);
        let looks: Vec<(Room, Vec<LineError>)> = looks.try_collect().await?;
        let mut rooms = Vec::with_capacity(looks.len());
        for (room, overlaps) in looks {
            rooms.push(room);
            mistakes.extend(overlaps);
        }
        mistakes.sort_by_key(|mistake| mistake.line);
        mistakes.truncate(LINE_ERRORS_MAX);
        Ok((rooms, mistakes))
    }
}

fn mistake(line: u32, show: &ShowId, detail: String) -> LineError {
    LineError { line, show_id: Some(show.clone()), detail }
}

/// Finds the shows that are in the schedule more than once.
fn repeated(drafts: &[(u32, Draft)], mistakes: &mut Vec<LineError>) {
    let mut first: HashMap<&ShowId, u32> = HashMap::new();
    for (line, Draft { show_id, .. }) in drafts {
        if let Some(before) = first.get(show_id) {
            mistakes.push(mistake(*line, show_id, format!("it is in line {before} already")));
        } else {
            first.insert(show_id, *line);
        }
    }
}

/// The show that is to be made of a draft; none if it is there already, on sale or not.
fn wanted(
    draft: &Draft,
    catalogue: &Catalogue,
    there: &HashMap<&ShowId, &Show>,
    now: Timestamp,
) -> Result<Option<Show>, String> {
    let known =
        catalogue.known(&draft.plan).map_err(|what| format!("there is no such thing: {what}"))?;
    let show = draft.show(&known, now).map_err(|invalid| invalid.to_string())?;
    if let Some(there) = there.get(&draft.show_id) {
        if there.status == Status::Cancelled {
            return Err("it is there already, and was cancelled".to_owned());
        }
        let differences = draft.differences(there, &show);
        if differences.is_empty() {
            return Ok(None);
        }
        return Err(format!("it is there already, with {}", differences.join(", ")));
    }
    begins_ahead(show.starts_at, now).map_err(|invalid| invalid.to_string())?;
    Ok(Some(show))
}

/// Looks whether an auditorium is free for these shows.
async fn look_into(
    app: App,
    auditorium: AuditoriumId,
    shows: Vec<(u32, Show)>,
    now: Timestamp,
) -> Result<(Room, Vec<LineError>), Problem> {
    let seen = app.store.schedule(&auditorium).await?;
    let mut kept = seen.clone();
    kept.forget_past(now);
    let mut then = kept.clone();
    let mut new = BTreeSet::new();
    let mut mistakes = Vec::new();
    for (line, show) in &shows {
        let slot = Slot::of(show);
        let mut in_the_way = None;
        while let Some(other) = then.overlap(&slot).map(|other| other.show_id.clone()) {
            if new.contains(&other) || takes_place(&app, &other).await? {
                in_the_way = Some(other);
                break;
            }
            then.remove(&other);
            kept.remove(&other);
        }
        let taken = match in_the_way {
            Some(other) => {
                let show = show.id.clone();
                Err(Problem::ShowOverlaps { show, other }.to_string())
            }
            None => then.insert(slot).map_err(|invalid| invalid.to_string()),
        };
        match taken {
            Ok(()) => drop(new.insert(show.id.clone())),
            Err(detail) => mistakes.push(mistake(*line, &show.id, detail)),
        }
    }
    Ok((Room { auditorium, shows, seen, kept }, mistakes))
}

async fn takes_place(app: &App, show: &ShowId) -> Result<bool, Problem> {
    let there = app.store.show(show).await?;
    Ok(there.is_some_and(|there| there.status != Status::Cancelled))
}

/// Writes the shows of an auditorium, some at a time.
async fn write(app: App, room: Room) -> Result<Written, Problem> {
    let Room { auditorium, shows, mut seen, mut kept } = room;
    let shows: Vec<Show> = shows.into_iter().map(|(_, show)| show).collect();
    let mut written = Written { shows: 0, is_behind: false };
    for some in shows.chunks(SHOWS_PER_TRANSACTION) {
        let mut then = kept;
        for show in some {
            then.insert(Slot::of(show)).map_err(Problem::InvalidShow)?;
        }
        let within = Reschedule { auditorium: auditorium.clone(), seen, then };
        match app.store.create_shows(some, &within).await {
            Ok(()) => written.shows += some.len(),
            Err(ScheduleError::Changed | ScheduleError::NoAuditorium) => {
                written.is_behind = true;
                return Ok(written);
            }
            Err(ScheduleError::Fault(fault)) => return Err(fault.into()),
        }
        (seen, kept) = (within.then.clone(), within.then);
    }
    Ok(written)
}
