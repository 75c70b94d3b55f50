//! The schedule of an auditorium: key, attributes, conditions, reader; and the writing of shows, which
//! take their times in it.
//!
//! A schedule is one item, and a show is written together with it, on condition that it is as it was
//! when somebody saw that the time is free. So shows of one auditorium are written one after another,
//! and no two of them ever overlap, whoever writes them. Those of different auditoriums do not meet.

use domain::id::AuditoriumId;
use domain::schedule::Schedule;
use domain::show::Show;
use domain::time::{Timestamp, as_text};

use crate::item::{Item, from_item, instant, item, string, to_item};
use crate::txn::{Aborted, IF_ABSENT, IF_THERE, If, Txn, corrupt};
use crate::{Fault, Store, catalog, show as shows};

/// It is as it was read.
const IF_UNCHANGED: &str = "schedule = :seen";

/// None of its shows has still to end.
const IF_NOTHING_AHEAD: &str = "attribute_not_exists(pk) OR ahead_until <= :now";

/// A schedule as it is stored. One with no show in it has no item.
#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    pk: String,
    sk: String,
    schedule: String,
    /// The end of its last show: until then its auditorium is needed.
    #[serde(with = "as_text")]
    ahead_until: Timestamp,
}

fn partition(auditorium: &AuditoriumId) -> String {
    format!("AUDITORIUM#{auditorium}")
}

/// The key of the schedule of an auditorium.
pub(crate) fn key(auditorium: &AuditoriumId) -> Item {
    item([("pk", string(partition(auditorium))), ("sk", string("SCHEDULE"))])
}

/// The condition for removing a schedule with its auditorium.
pub(crate) fn if_nothing_ahead(now: Timestamp) -> If {
    If::new(IF_NOTHING_AHEAD, [(":now", instant(now))])
}

fn read(found: Item) -> Result<Schedule, Fault> {
    let record: Record = from_item("schedule", found)?;
    let schedule: Schedule =
        record.schedule.parse().map_err(|error| corrupt(format!("schedule: {error}")))?;
    // It is compared as text.
    if schedule.to_string() == record.schedule {
        Ok(schedule)
    } else {
        Err(corrupt("schedule: `schedule` is not as we write it"))
    }
}

/// What becomes of the schedule of an auditorium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reschedule {
    /// Whose.
    pub auditorium: AuditoriumId,
    /// As it was read.
    pub seen: Schedule,
    /// As it is to be.
    pub then: Schedule,
}

/// Why shows were not written.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The auditorium is not there.
    #[error("the auditorium is not there")]
    NoAuditorium,
    /// The schedule or a show is not as it was read. Read again, and decide anew.
    #[error("the schedule or the show was changed meanwhile")]
    Changed,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

#[derive(PartialEq)]
enum Refused {
    NoAuditorium,
    Changed,
}

impl From<Aborted<Refused>> for ScheduleError {
    fn from(aborted: Aborted<Refused>) -> Self {
        match aborted {
            Aborted::Refused(why) if why.contains(&Refused::NoAuditorium) => Self::NoAuditorium,
            Aborted::Refused(_) => Self::Changed,
            Aborted::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl Store {
    /// The schedule of an auditorium. Costs one consistent read of one item (1 unit per 4 KB, which is
    /// some 60 shows).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn schedule(&self, auditorium: &AuditoriumId) -> Result<Schedule, Fault> {
        let found = self.get(&self.tables.catalog, key(auditorium)).await?;
        Ok(found.map(read).transpose()?.unwrap_or_default())
    }

    /// Makes shows of one auditorium, with their times in its schedule, all or none: at most
    /// `limits::SHOWS_PER_TRANSACTION`.
    ///
    /// Costs one transaction of `shows + 2` items: 2 write units per KB of each (and the index for each
    /// show), and 2 for seeing that the auditorium is there.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`]. [`ScheduleError::Changed`] also if one of the shows is there.
    pub async fn create_shows(
        &self,
        shows: &[Show],
        within: &Reschedule,
    ) -> Result<(), ScheduleError> {
        let mut txn = self.in_auditorium(Txn::new(self), within);
        for show in shows {
            let only = If::new(IF_ABSENT, []);
            txn = txn.put(&self.tables.catalog, shows::item_of(show), only, changed);
        }
        Ok(txn.commit().await?)
    }

    /// Writes `show` in place of `before`, and its times in the schedules that change by it: none, its
    /// auditorium's, or that of the one before too.
    ///
    /// Costs one transaction of one item (2 write units, and the index), and of 2 more for each
    /// schedule.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`].
    pub async fn replace_show(
        &self,
        before: &Show,
        show: &Show,
        within: &[Reschedule],
    ) -> Result<(), ScheduleError> {
        let mut txn = Txn::new(self);
        for within in within {
            txn = if within.auditorium == show.auditorium.id {
                self.in_auditorium(txn, within)
            } else {
                self.rescheduled(txn, within)
            };
        }
        let only = shows::if_unchanged(before);
        txn = txn.put(&self.tables.catalog, shows::item_of(show), only, changed);
        Ok(txn.commit().await?)
    }

    /// Removes a show, and gives its time free. Costs one transaction of 2 items (2 write units, 2 per
    /// KB of the schedule, and the index).
    ///
    /// # Errors
    ///
    /// [`ScheduleError`].
    pub async fn remove_show(
        &self,
        before: &Show,
        within: &Reschedule,
    ) -> Result<(), ScheduleError> {
        let (key, only) = (shows::key(&before.id), shows::if_unchanged(before));
        let txn = Txn::new(self).delete(&self.tables.catalog, key, only, changed);
        Ok(self.rescheduled(txn, within).commit().await?)
    }

    /// Empties the schedule of an auditorium, which has something in it, if it is as it was read.
    ///
    /// Costs one transaction of one item: 2 write units per KB of it.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`].
    pub async fn clear_schedule(
        &self,
        auditorium: &AuditoriumId,
        seen: &Schedule,
    ) -> Result<(), ScheduleError> {
        let (auditorium, seen) = (auditorium.clone(), seen.clone());
        let within = Reschedule { auditorium, seen, then: Schedule::default() };
        Ok(self.rescheduled(Txn::new(self), &within).commit().await?)
    }

    /// The steps that change a schedule while its auditorium is there. Whoever removes that has the
    /// schedule in their transaction, too.
    fn in_auditorium<'a>(&'a self, txn: Txn<'a, Refused>, within: &Reschedule) -> Txn<'a, Refused> {
        let there = catalog::auditorium_key(&within.auditorium);
        let only = If::new(IF_THERE, []);
        let txn = txn.check(&self.tables.catalog, there, only, |_| Ok(Refused::NoAuditorium));
        self.rescheduled(txn, within)
    }

    /// The step that changes a schedule, if it changes.
    fn rescheduled<'a>(&'a self, txn: Txn<'a, Refused>, within: &Reschedule) -> Txn<'a, Refused> {
        let Reschedule { auditorium, seen, then } = within;
        if seen == then {
            return txn;
        }
        let only = if seen.is_empty() {
            If::new(IF_ABSENT, [])
        } else {
            If::new(IF_UNCHANGED, [(":seen", string(seen.to_string()))])
        };
        let table = &self.tables.catalog;
        let Some(ahead_until) = then.ahead_until() else {
            return txn.delete(table, key(auditorium), only, changed);
        };
        let record = Record {
            pk: partition(auditorium),
            sk: "SCHEDULE".to_owned(),
            schedule: then.to_string(),
            ahead_until,
        };
        txn.put(table, to_item(&record), only, changed)
    }
}

fn changed(_found: Option<&Item>) -> Result<Refused, Fault> {
    Ok(Refused::Changed)
}
