//! How much of a show is left, as lists tell it: counted a moment ago, and never what decides. A hold
//! does.

use std::collections::BTreeMap;

use chrono::{DurationRound as _, TimeDelta};

use crate::limits::{FILLING_FAST_PERCENT, HOLD_ENDS_COUNTED_MAX};
use crate::show::Show;
use crate::time::Timestamp;

/// A claim on a seat, as far as counting goes: whose it is does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Booked, or kept back by the house.
    Taken,
    /// Held for a while.
    Held {
        /// The first second at which it no longer counts.
        expires_at: Timestamp,
    },
}

/// How many seats somebody has a claim on. Holds are counted by their ends, so that a count is still
/// right when they are over and nobody has counted again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Seats that are booked or kept back.
    pub taken: u32,
    /// Seats that are held, by the first second at which they no longer are.
    pub held: BTreeMap<Timestamp, u32>,
}

impl Counts {
    /// Counts the claims of one section, but for holds that are over at `now`.
    ///
    /// Where there are more than [`HOLD_ENDS_COUNTED_MAX`] ends, near ones count as one, the latest of
    /// them: a seat is told to be free some seconds late, and never early.
    pub fn of(claims: impl IntoIterator<Item = Claim>, now: Timestamp) -> Self {
        let mut counts = Self::default();
        for claim in claims {
            match claim {
                Claim::Taken => counts.taken += 1,
                Claim::Held { expires_at } if now < expires_at => {
                    *counts.held.entry(expires_at).or_default() += 1;
                }
                Claim::Held { .. } => {}
            }
        }
        counts.held = rounded(counts.held);
        counts
    }

    /// Adds those of another section.
    pub fn add(&mut self, other: &Self) {
        self.taken += other.taken;
        for (end, seats) in &other.held {
            *self.held.entry(*end).or_default() += seats;
        }
    }

    /// The same without the holds that are over at `now`.
    #[must_use]
    pub fn live_at(&self, now: Timestamp) -> Self {
        let live = self.held.iter().filter(|(end, _)| now < **end);
        Self { taken: self.taken, held: live.map(|(end, seats)| (*end, *seats)).collect() }
    }

    /// How many seats cannot be had at `now`.
    #[must_use]
    pub fn claimed_at(&self, now: Timestamp) -> u32 {
        let live = self.held.iter().filter(|(end, _)| now < **end);
        self.taken + live.map(|(_, seats)| seats).sum::<u32>()
    }
}

/// `held` with ends put together until there are few of them: each moves up to the next whole 2, 4, 8
/// and so on seconds.
fn rounded(mut held: BTreeMap<Timestamp, u32>) -> BTreeMap<Timestamp, u32> {
    /// Holds last a quarter of an hour at most, so that the last of these leaves one or two.
    const STEPS_SECS: [i64; 10] = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];
    for step in STEPS_SECS.map(TimeDelta::seconds) {
        if held.len() <= HOLD_ENDS_COUNTED_MAX {
            break;
        }
        let mut fewer = BTreeMap::new();
        for (end, seats) in held {
            let up = end.duration_round_up(step).unwrap_or(end);
            *fewer.entry(up).or_default() += seats;
        }
        held = fewer;
    }
    held
}

/// How a show that sells is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// There is a choice.
    Available,
    /// At least [`FILLING_FAST_PERCENT`] of its seats cannot be had any more.
    FillingFast,
    /// None can be had, now.
    SoldOut,
}

/// How much of a show is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Availability {
    /// In a word.
    pub status: Status,
    /// How many seats can be had.
    pub available: u32,
    /// How many seats it sells.
    pub total: u32,
}

impl Availability {
    /// How much of `show` is left at `now`, if it sells then.
    #[must_use]
    pub fn of(show: &Show, counts: &Counts, now: Timestamp) -> Option<Self> {
        show.sells_at(now).ok()?;
        Some(Self::after(counts.claimed_at(now), show.seat_count))
    }

    /// What is left of `total` seats when `claimed` cannot be had.
    fn after(claimed: u32, total: u32) -> Self {
        let available = total.saturating_sub(claimed);
        let is_filling = u64::from(claimed) * 100 >= u64::from(total) * FILLING_FAST_PERCENT;
        let status = match available {
            0 => Status::SoldOut,
            _some if is_filling => Status::FillingFast,
            _some => Status::Available,
        };
        Self { status, available, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn held(second: i64) -> Claim {
        Claim::Held { expires_at: at(second) }
    }

    #[test]
    fn a_hold_counts_until_its_end_and_not_on_it() {
        let counts = Counts::of([Claim::Taken, held(10), held(10), held(20)], at(0));
        let claimed: Vec<u32> =
            [0, 9, 10, 19, 20, 99].map(|second| counts.claimed_at(at(second))).to_vec();
        assert_eq!(claimed, [4, 4, 2, 2, 1, 1]);
    }

    #[test]
    fn what_is_over_when_it_is_counted_is_not_counted() {
        let counts = Counts::of([held(9), held(10), held(11)], at(10));
        assert_eq!(counts.held, [(at(11), 1)].into());
        assert_eq!(Counts::of([held(9)], at(10)), Counts::default());
    }

    #[test]
    fn counts_of_sections_add_up() {
        let mut all = Counts::of([Claim::Taken, held(10)], at(0));
        all.add(&Counts::of([Claim::Taken, held(10), held(20)], at(0)));
        assert_eq!((all.claimed_at(at(0)), all.claimed_at(at(10))), (5, 3));
        assert_eq!(all.live_at(at(10)).held, [(at(20), 1)].into());
        assert_eq!(all.live_at(at(10)).taken, 2);
    }

    /// Goal: few ends, however many holds, and no seat that is told to be free too soon. Method: holds of
    /// every second of a quarter of an hour, looked at in each of them.
    #[test]
    fn many_ends_are_put_together_and_never_come_early() {
        let seconds = 1_000..1_900;
        let counts = Counts::of(seconds.clone().map(held), at(0));
        assert!(counts.held.len() <= HOLD_ENDS_COUNTED_MAX, "{}", counts.held.len());
        assert_eq!(counts.claimed_at(at(0)), 900, "none is lost");
        assert!(counts.held.keys().all(|end| end.timestamp() % 32 == 0), "{counts:?}");
        let latest = *counts.held.keys().last().unwrap();
        assert!(latest < at(1_900 + 32), "{latest}");
        for now in 990..2_000 {
            let truth = seconds.clone().filter(|end| now < *end).count();
            let told = counts.claimed_at(at(now));
            assert!(usize::try_from(told).unwrap() >= truth, "{told} < {truth} at {now}");
        }
        let few = (1..=HOLD_ENDS_COUNTED_MAX).map(|end| held(i64::try_from(end).unwrap()));
        assert_eq!(Counts::of(few, at(0)).held.len(), HOLD_ENDS_COUNTED_MAX, "to the second");
        let far_apart = (1..=40).map(|end| held(end * 1_024));
        assert_eq!(Counts::of(far_apart, at(0)).held.len(), 40, "no seat is free an hour late");
    }

    #[test]
    fn only_a_show_that_sells_has_seats_left() {
        let show = crate::show::tests::show();
        let second = TimeDelta::seconds(1);
        let counts = Counts::of([Claim::Taken, held(8_999)], at(0));
        let left = |show: &Show, now| Availability::of(show, &counts, now).map(|of| of.available);
        assert_eq!(left(&show, show.starts_at - second - second), Some(2));
        assert_eq!(left(&show, show.starts_at - second), Some(3));
        assert_eq!(left(&show, show.starts_at), None);
        let announced = Show { status: crate::show::Status::Scheduled, ..show };
        assert_eq!(left(&announced, at(0)), None);
    }

    #[test]
    fn a_show_fills_fast_from_seven_tenths_on_until_it_is_sold_out() {
        let status = |claimed, total| Availability::after(claimed, total).status;
        assert_eq!(status(0, 10), Status::Available);
        assert_eq!(status(6, 10), Status::Available);
        assert_eq!(status(7, 10), Status::FillingFast);
        assert_eq!(status(9, 10), Status::FillingFast);
        assert_eq!(status(10, 10), Status::SoldOut);
        assert_eq!((status(0, 1), status(1, 1)), (Status::Available, Status::SoldOut));
        assert_eq!(status(0, 0), Status::SoldOut, "nothing can be had of it");
        assert_eq!(Availability::after(11, 10).available, 0, "a house seat of no type it sells");
        assert_eq!(status(u32::MAX - 1, u32::MAX), Status::FillingFast);
    }
}
