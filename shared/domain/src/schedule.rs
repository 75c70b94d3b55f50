//! The schedule: what a house asks for, the show that becomes of it, and which show is in a room when.
//!
//! A [`Draft`] is a show as somebody writes it down; with what the catalogue knows of its film and its
//! room it becomes a [`Show`], or an [`InvalidShow`] says why not. A [`Schedule`] has the times of one
//! auditorium, so that no two shows are ever in it at once.

use std::fmt;
use std::str::FromStr;

use crate::id::ShowId;
use crate::limits::SCHEDULE_SHOWS_MAX;
use crate::show::Show;
use crate::time::Timestamp;

mod draft;
mod when;

pub use draft::{Draft, InvalidShow, Known, NotChanged, Plan, begins_ahead, reprice};
pub use when::{InvalidWhen, When};

/// A mistake in a schedule that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// In which line of the file, or in which item of the list, from 1.
    pub line: u32,
    /// Of which show, if it says.
    pub show_id: Option<ShowId>,
    /// What is wrong.
    pub detail: String,
}

/// When a show has its auditorium for itself: from its begin until its end, exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Which show.
    pub show_id: ShowId,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
}

impl Slot {
    /// The time of a show.
    #[must_use]
    pub fn of(show: &Show) -> Self {
        Self { show_id: show.id.clone(), starts_at: show.starts_at, ends_at: show.ends_at }
    }
}

/// Which shows are in an auditorium, and when: by their begin, none of them while another one is.
///
/// As text, which is how it is stored, it has a line for each: begin and end in milliseconds, and the
/// show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    slots: Vec<Slot>,
}

/// The text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of the schedule is malformed")]
pub struct InvalidSchedule(usize);

impl Schedule {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// When the last show in it ends, if there is one.
    #[must_use]
    pub fn ahead_until(&self) -> Option<Timestamp> {
        self.slots.last().map(|last| last.ends_at)
    }

    /// The times, by begin.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The last of the other shows that are in the room at some time of `slot`.
    #[must_use]
    pub fn overlap(&self, slot: &Slot) -> Option<&Slot> {
        let begin_before_its_end =
            self.slots.partition_point(|other| other.starts_at < slot.ends_at);
        // They follow each other, so their ends ascend too.
        let last = self.slots[..begin_before_its_end].iter().rev();
        let mut reach_into_it = last.take_while(|other| other.ends_at > slot.starts_at);
        reach_into_it.find(|other| other.show_id != slot.show_id)
    }

    /// Takes a show in, in place of what was known of it. Nothing else may be in the room then.
    ///
    /// # Errors
    ///
    /// [`InvalidShow::TooManyShows`].
    pub fn insert(&mut self, slot: Slot) -> Result<(), InvalidShow> {
        debug_assert!(self.overlap(&slot).is_none(), "{slot:?} is not free");
        self.remove(&slot.show_id);
        if self.slots.len() >= SCHEDULE_SHOWS_MAX {
            return Err(InvalidShow::TooManyShows);
        }
        let begin = |other: &Slot| other.starts_at;
        let (Ok(place) | Err(place)) = self.slots.binary_search_by_key(&slot.starts_at, begin);
        self.slots.insert(place, slot);
        Ok(())
    }

    /// Gives the time of a show free.
    pub fn remove(&mut self, show: &ShowId) {
        self.slots.retain(|slot| slot.show_id != *show);
    }

    /// Forgets the shows that are over at `now`.
    pub fn forget_past(&mut self, now: Timestamp) {
        self.slots.retain(|slot| slot.ends_at > now);
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Slot { show_id, starts_at, ends_at } in &self.slots {
            let (from, to) = (starts_at.timestamp_millis(), ends_at.timestamp_millis());
            writeln!(f, "{from} {to} {show_id}")?;
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let instant = |text: &str| Timestamp::from_timestamp_millis(text.parse().ok()?);
        let slot = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let (starts_at, ends_at) = (instant(parts.next()?)?, instant(parts.next()?)?);
            Some(Slot { show_id: parts.next()?.parse().ok()?, starts_at, ends_at })
        };
        let mut slots: Vec<Slot> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let slot = slot(line).ok_or(InvalidSchedule(number + 1))?;
            let is_behind = slots.last().is_none_or(|last| last.starts_at <= slot.starts_at);
            if !is_behind {
                return Err(InvalidSchedule(number + 1));
            }
            slots.push(slot);
        }
        Ok(Self { slots })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_timestamp(minute * 60, 0).unwrap()
    }

    fn slot(id: &str, from: i64, to: i64) -> Slot {
        Slot { show_id: id.parse().unwrap(), starts_at: at(from), ends_at: at(to) }
    }

    fn schedule(slots: &[(&str, i64, i64)]) -> Schedule {
        let mut schedule = Schedule::default();
        for (id, from, to) in slots {
            schedule.insert(slot(id, *from, *to)).unwrap();
        }
        schedule
    }

    /// Goal: exactly what is in the room at one minute of a slot overlaps it. Method: every slot there
    /// is in a short while, against asking minute by minute.
    #[test]
    fn two_shows_overlap_if_some_minute_is_of_both() {
        let there = schedule(&[("c", 10, 12), ("a", 2, 5), ("b", 5, 6)]);
        for from in 0..14 {
            for to in from + 1..15 {
                let new = slot("new", from, to);
                let in_the_room =
                    |minute: i64| {
                        there.slots().iter().rev().find(|other| {
                            other.starts_at <= at(minute) && at(minute) < other.ends_at
                        })
                    };
                let expected = (from..to).rev().find_map(in_the_room);
                assert_eq!(there.overlap(&new), expected, "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_show_does_not_overlap_itself() {
        let mut there = schedule(&[("a", 2, 5), ("b", 5, 6)]);
        assert_eq!(there.overlap(&slot("b", 4, 9)), Some(&slot("a", 2, 5)));
        assert_eq!(there.overlap(&slot("b", 5, 9)), None);
        there.insert(slot("b", 5, 9)).unwrap();
        assert_eq!(there.slots(), [slot("a", 2, 5), slot("b", 5, 9)]);
    }

    #[test]
    fn what_is_over_makes_room() {
        let mut full = Schedule::default();
        let most = i64::try_from(SCHEDULE_SHOWS_MAX).unwrap();
        for number in 0..most {
            full.insert(slot(&format!("s{number}"), number, number + 1)).unwrap();
        }
        let one_more = slot("more", most, most + 1);
        assert_eq!(full.insert(one_more.clone()), Err(InvalidShow::TooManyShows));
        full.forget_past(at(1));
        full.insert(one_more).unwrap();
        assert_eq!(full.slots().len(), SCHEDULE_SHOWS_MAX);
        assert_eq!(full.ahead_until(), Some(at(most + 1)));
    }

    #[test]
    fn a_schedule_survives_being_text() {
        for there in [schedule(&[]), schedule(&[("b", 5, 6), ("a.b:c", 2, 5)])] {
            assert_eq!(there.to_string().parse(), Ok(there.clone()));
        }
        assert!(schedule(&[]).to_string().is_empty() && schedule(&[]).is_empty());
        assert!(!schedule(&[("a", 2, 5)]).is_empty());
        for (text, line) in [("1 2", 1), ("1 2 a\n1 x b", 2), ("5 6 a\n1 2 b", 2), ("1 2 #", 1)] {
            assert_eq!(text.parse::<Schedule>(), Err(InvalidSchedule(line)), "{text:?}");
        }
    }
}
