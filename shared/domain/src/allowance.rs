//! How much one user may do: a token bucket for each kind of request, and a cap on the seats of a
//! show that one user holds.
//!
//! A bucket is one instant, the one at which it is full again (the generic cell rate algorithm: ITU-T
//! I.371, annex A, "virtual scheduling"): nothing has to refill it. Beside it stand the user's holds,
//! as far as they may still count. That is a list of candidates: a hold that was cancelled, booked or
//! lapsed stays in it until it could not live any more however it went. So nothing but a hold writes
//! here, and whoever is about to refuse for the cap looks first which of them live.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta};

use crate::id::{ReservationId, ShowId};
use crate::limits::{
    HOLD_EXTENDED_FACTOR, HOLD_TRIES_PER_HOLD, HOLDS_PER_USER_MAX, RATE_BURST_MAX, RATE_SECS_MAX,
};
use crate::reservation::Reservation;
use crate::time::{Timestamp, whole_second};

/// What is limited, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyName {
    /// Holds of a user.
    Hold,
    /// Confirmations of a user.
    Confirm,
    /// Cancellations of a user.
    Cancel,
    /// Checkouts of a user.
    Checkout,
    /// Reads from an address.
    Read,
}

impl PolicyName {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Hold, Self::Confirm, Self::Cancel, Self::Checkout, Self::Read];

    /// The name in settings, headers and keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::Checkout => "checkout",
            Self::Read => "read",
        }
    }
}

/// How often something may be done: so many times at once, and as many again in each stretch of so
/// many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    name: PolicyName,
    burst: u32,
    per_secs: u32,
}

/// A policy that is none: with a 0 in it, beyond the limits, or of more than one in a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a policy has 1 to {RATE_BURST_MAX} in 1 to {RATE_SECS_MAX} seconds, and at most 1 in a millisecond"
)]
pub struct InvalidPolicy;

impl Policy {
    /// `burst` times at once, and as often again in `per_secs` seconds.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`].
    pub fn new(name: PolicyName, burst: u32, per_secs: u32) -> Result<Self, InvalidPolicy> {
        let are_limited =
            (1..=RATE_BURST_MAX).contains(&burst) && (1..=RATE_SECS_MAX).contains(&per_secs);
        if are_limited && burst <= most_in(per_secs) {
            Ok(Self { name, burst, per_secs })
        } else {
            Err(InvalidPolicy)
        }
    }

    /// How often the same may be tried: [`HOLD_TRIES_PER_HOLD`] times as often, or as often as a policy
    /// can allow.
    #[must_use]
    pub fn of_tries(self) -> Self {
        let most = RATE_BURST_MAX.min(most_in(self.per_secs));
        Self { burst: (self.burst * HOLD_TRIES_PER_HOLD).min(most), ..self }
    }

    /// Of what it is.
    #[must_use]
    pub fn name(&self) -> PolicyName {
        self.name
    }

    /// How often at once.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// In how many seconds as often again.
    #[must_use]
    pub fn per_secs(&self) -> u32 {
        self.per_secs
    }

    /// Milliseconds in which one more comes into the bucket. Rounded up, so never more than allowed.
    fn interval_ms(&self) -> i64 {
        i64::from((self.per_secs * 1_000).div_ceil(self.burst))
    }

    /// From an empty bucket to a full one.
    fn window(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.interval_ms() * i64::from(self.burst))
    }
}

/// One in each millisecond.
fn most_in(secs: u32) -> u32 {
    secs * 1_000
}

/// Seats that a user holds, as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSeats {
    /// Of which show.
    pub show_id: ShowId,
    /// By which reservation.
    pub reservation_id: ReservationId,
    /// How many.
    pub seats: u8,
    /// The first second at which the hold is over, even if it was lengthened.
    pub ends_by: Timestamp,
}

impl HeldSeats {
    /// Those of a hold that was just made.
    #[must_use]
    pub fn of(hold: &Reservation) -> Self {
        let held_at = whole_second(hold.created_at);
        let ttl_secs = (hold.expires_at - held_at).num_seconds();
        Self {
            show_id: hold.show_id.clone(),
            reservation_id: hold.id.clone(),
            seats: u8::try_from(hold.seats.len()).unwrap_or(u8::MAX),
            ends_by: held_at + TimeDelta::seconds(ttl_secs * i64::from(HOLD_EXTENDED_FACTOR)),
        }
    }
}

/// What a user has left of one policy. The default is that of a user who did nothing yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowance {
    /// When the bucket is full again.
    full_at: Timestamp,
    /// What they may hold, in the order in which it was held.
    holds: Vec<HeldSeats>,
}

/// The bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// After this the next one is allowed.
    pub retry_after: TimeDelta,
}

/// Why somebody may not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldRefusal {
    /// Too often.
    RateLimited {
        /// After this the next one is allowed.
        retry_after: TimeDelta,
    },
    /// They may hold so many seats of this show already that these would be too many.
    TooMany {
        /// How many.
        held: u32,
    },
    /// They may have so many holds that no more are kept in mind.
    Full {
        /// After this one of them is over for certain.
        retry_after: TimeDelta,
    },
}

impl Allowance {
    /// What is left after one more at `now`. What is over by then is forgotten. The bucket is full again
    /// later than before, whatever the clock says: who remembers an older allowance and refuses upon it
    /// refuses nobody whom this one would let in.
    ///
    /// # Errors
    ///
    /// [`Wait`] if the bucket is empty.
    pub fn take(&self, policy: Policy, now: Timestamp) -> Result<Self, Wait> {
        let full_at = self.full_at.max(now) + TimeDelta::milliseconds(policy.interval_ms());
        let retry_after = full_at - now - policy.window();
        if retry_after > TimeDelta::zero() {
            return Err(Wait { retry_after });
        }
        let holds = self.holds.iter().filter(|held| now < held.ends_by).cloned().collect();
        Ok(Self { full_at, holds })
    }

    /// What is left after the hold of `wanted` at `now`, with at most `cap` seats of its show held by
    /// this user. The same hold again counts once.
    ///
    /// # Errors
    ///
    /// [`HoldRefusal`]. Of its kinds, only the first one is certain: the others count holds that may
    /// be over, see [`Allowance::without`].
    pub fn hold(
        &self,
        wanted: &HeldSeats,
        cap: u32,
        policy: Policy,
        now: Timestamp,
    ) -> Result<Self, HoldRefusal> {
        let mut next = match self.take(policy, now) {
            Ok(next) => next,
            Err(Wait { retry_after }) => return Err(HoldRefusal::RateLimited { retry_after }),
        };
        next.holds.retain(|held| held.reservation_id != wanted.reservation_id);
        if next.holds.len() >= HOLDS_PER_USER_MAX {
            let first = next.holds.iter().map(|held| held.ends_by).min().unwrap_or(now);
            return Err(HoldRefusal::Full { retry_after: first - now });
        }
        let held = next.holds_of(&wanted.show_id).map(|held| u32::from(held.seats)).sum::<u32>();
        if held + u32::from(wanted.seats) > cap {
            return Err(HoldRefusal::TooMany { held });
        }
        next.holds.push(wanted.clone());
        Ok(next)
    }

    /// The allowance of somebody who holds nothing, and whose bucket is full again at `millis` after
    /// the epoch.
    #[must_use]
    pub fn full_again_at(millis: i64) -> Self {
        let full_at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
        Self { full_at, holds: Vec::new() }
    }

    /// All holds that may still count.
    #[must_use]
    pub fn holds(&self) -> &[HeldSeats] {
        &self.holds
    }

    /// Those of a show.
    pub fn holds_of(&self, show: &ShowId) -> impl Iterator<Item = &HeldSeats> {
        self.holds.iter().filter(move |held| held.show_id == *show)
    }

    /// The same without holds that are known to be over.
    #[must_use]
    pub fn without(&self, over: &[ReservationId]) -> Self {
        let lives = |held: &&HeldSeats| !over.contains(&held.reservation_id);
        Self { full_at: self.full_at, holds: self.holds.iter().filter(lives).cloned().collect() }
    }

    /// From when on it is as good as that of a user who did nothing yet.
    #[must_use]
    pub fn clear_at(&self) -> Timestamp {
        self.holds.iter().map(|held| held.ends_by).fold(self.full_at, Timestamp::max)
    }

    /// Whether it is as good as that of a user who did nothing yet.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.clear_at() <= now
    }

    /// How many more are allowed at `now`.
    #[must_use]
    pub fn remaining(&self, policy: Policy, now: Timestamp) -> u32 {
        let left = i64::from(policy.burst) - self.taken(policy, now);
        u32::try_from(left).unwrap_or(0)
    }

    /// How long until one more comes into the bucket. Zero if it is full.
    #[must_use]
    pub fn more_in(&self, policy: Policy, now: Timestamp) -> TimeDelta {
        let taken = self.taken(policy, now).min(i64::from(policy.burst));
        if taken == 0 {
            return TimeDelta::zero();
        }
        self.full_at - now - TimeDelta::milliseconds((taken - 1) * policy.interval_ms())
    }

    /// How many are missing in the bucket.
    fn taken(&self, policy: Policy, now: Timestamp) -> i64 {
        let interval_ms = policy.interval_ms();
        let missing_ms = (self.full_at - now).num_milliseconds().max(0);
        (missing_ms + interval_ms - 1) / interval_ms
    }
}

/// The text of an allowance, the same for equal ones: a condition compares it. The instant in
/// milliseconds, and for each hold its show, reservation, number of seats and end in seconds. No id
/// holds a space or a semicolon.
impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.full_at.timestamp_millis())?;
        for HeldSeats { show_id, reservation_id, seats, ends_by } in &self.holds {
            write!(f, ";{show_id} {reservation_id} {seats} {}", ends_by.timestamp())?;
        }
        Ok(())
    }
}

/// A text that is no allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no allowance")]
pub struct InvalidAllowance;

impl FromStr for Allowance {
    type Err = InvalidAllowance;

    fn from_str(text: &str) -> Result<Self, InvalidAllowance> {
        let mut parts = text.split(';');
        let full_at = parts.next().and_then(|millis| millis.parse::<i64>().ok());
        let full_at = full_at.and_then(DateTime::from_timestamp_millis).ok_or(InvalidAllowance)?;
        let holds = parts.map(held_seats).collect::<Option<Vec<_>>>().ok_or(InvalidAllowance)?;
        Ok(Self { full_at, holds })
    }
}

fn held_seats(text: &str) -> Option<HeldSeats> {
    let mut words = text.split(' ');
    let held = HeldSeats {
        show_id: words.next()?.parse().ok()?,
        reservation_id: words.next()?.parse().ok()?,
        seats: words.next()?.parse().ok()?,
        ends_by: DateTime::from_timestamp(words.next()?.parse().ok()?, 0)?,
    };
    words.next().is_none().then_some(held)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
    }

    fn policy(burst: u32, per_secs: u32) -> Policy {
        Policy::new(PolicyName::Hold, burst, per_secs).unwrap()
    }

    fn held(show: &str, reservation: &str, seats: u8, ends_by: Timestamp) -> HeldSeats {
        let (show_id, reservation_id) = (show.parse().unwrap(), reservation.parse().unwrap());
        HeldSeats { show_id, reservation_id, seats, ends_by }
    }

    #[test]
    fn a_policy_has_its_limits() {
        for (burst, per_secs) in [(1, 1), (60, 60), (1_000, 1), (1, RATE_SECS_MAX)] {
            assert!(Policy::new(PolicyName::Read, burst, per_secs).is_ok(), "{burst}/{per_secs}");
        }
        let beyond = [
            (0, 60),
            (60, 0),
            (1_001, 1),
            (RATE_BURST_MAX + 1, RATE_SECS_MAX),
            (1, RATE_SECS_MAX + 1),
        ];
        for (burst, per_secs) in beyond {
            let policy = Policy::new(PolicyName::Read, burst, per_secs);
            assert_eq!(policy, Err(InvalidPolicy), "{burst}/{per_secs}");
        }
        let policy = Policy::new(PolicyName::Read, 7, 3).unwrap();
        assert_eq!((policy.name(), policy.burst(), policy.per_secs()), (PolicyName::Read, 7, 3));
        let names = PolicyName::ALL.map(PolicyName::as_str);
        assert_eq!(names, ["hold", "confirm", "cancel", "checkout", "read"]);
    }

    #[test]
    fn there_are_more_tries_than_holds_and_still_a_policy() {
        for (burst, per_secs, tries) in [
            (60, 60, 300),
            (1, 86_400, 5),
            (1_000, 1, 1_000),
            (300, 1, 1_000),
            (RATE_BURST_MAX, RATE_SECS_MAX, RATE_BURST_MAX),
        ] {
            let policy = policy(burst, per_secs);
            assert_eq!(Ok(policy.of_tries()), Policy::new(policy.name(), tries, per_secs));
        }
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let policy = policy(3, 30);
        let mut left = Allowance::default();
        let one_less = Allowance::full_again_at(at(10_000).timestamp_millis());
        assert_eq!(left.take(policy, at(0)), Ok(one_less));
        for remaining in [2, 1, 0] {
            left = left.take(policy, at(0)).unwrap();
            assert_eq!(left.remaining(policy, at(0)), remaining);
            assert_eq!(left.more_in(policy, at(0)), TimeDelta::seconds(10));
        }
        let wait = Wait { retry_after: TimeDelta::seconds(10) };
        assert_eq!(left.take(policy, at(0)), Err(wait));
        let wait = Wait { retry_after: TimeDelta::milliseconds(1) };
        assert_eq!(left.take(policy, at(9_999)), Err(wait));
        assert!(left.take(policy, at(10_000)).is_ok());
        assert_eq!(left.remaining(policy, at(29_999)), 2);
        assert_eq!(left.remaining(policy, at(30_000)), 3);
        assert_eq!(left.more_in(policy, at(30_000)), TimeDelta::zero());
        assert_eq!((left.is_fresh(at(29_999)), left.is_fresh(at(30_000))), (false, true));
    }

    #[test]
    fn what_a_hold_counts_for_ends_with_its_extension() {
        let mut hold = crate::reservation::tests::reservation(crate::reservation::Status::Pending);
        hold.created_at = at(999);
        hold.expires_at = at(300_000);
        let held = HeldSeats::of(&hold);
        assert_eq!(held.ends_by, crate::time::HoldTerms::of_secs(300).extended_end(at(999)));
    }

    #[test]
    fn the_cap_counts_the_seats_of_one_show() {
        let (policy, end) = (policy(100, 1), at(900_000));
        let mut left = Allowance::default();
        for (show, reservation, seats) in [("s1", "r1", 4), ("s2", "r2", 10), ("s1", "r3", 5)] {
            left = left.hold(&held(show, reservation, seats, end), 10, policy, at(0)).unwrap();
        }
        let two = held("s1", "r4", 2, end);
        assert_eq!(left.hold(&two, 10, policy, at(0)), Err(HoldRefusal::TooMany { held: 9 }));
        assert!(left.hold(&held("s1", "r4", 1, end), 10, policy, at(0)).is_ok());
        assert!(left.hold(&held("s1", "r3", 6, end), 10, policy, at(0)).is_ok(), "the same again");
        assert!(left.without(&["r1".parse().unwrap()]).hold(&two, 10, policy, at(0)).is_ok());
        assert!(left.hold(&two, 10, policy, at(899_999)).is_err());
        let alone = left.hold(&two, 10, policy, end).unwrap();
        assert_eq!(alone.holds(), [two], "what is over is forgotten");
    }

    #[test]
    fn no_more_holds_are_kept_in_mind_than_there_may_be() {
        let policy = policy(1_000, 1);
        let mut left = Allowance::default();
        for hold in 0..HOLDS_PER_USER_MAX {
            let ends_by = at(60_000 + i64::try_from(hold).unwrap() * 1_000);
            let hold = held(&format!("s{hold}"), &format!("r{hold}"), 1, ends_by);
            left = left.hold(&hold, 10, policy, at(0)).unwrap();
        }
        let more = held("s", "r", 1, at(900_000));
        let full = HoldRefusal::Full { retry_after: TimeDelta::seconds(60) };
        assert_eq!(left.hold(&more, 10, policy, at(0)), Err(full));
        assert!(left.hold(&more, 10, policy, at(60_000)).is_ok());
    }

    #[test]
    fn a_text_reads_as_what_it_was_written_for() {
        let mut left = Allowance::default();
        assert_eq!(left.to_string().parse::<Allowance>(), Ok(left.clone()));
        for reservation in ["r1", "r2"] {
            let hold = held("s1", reservation, 2, at(900_000));
            left = left.hold(&hold, 10, policy(7, 3), at(123)).unwrap();
            assert_eq!(left.to_string().parse::<Allowance>(), Ok(left.clone()));
        }
        for text in ["", "x", "1;", "1;s r 1", "1;s r 1 2 3", "1;s r 256 2", "1;s  1 2"] {
            assert_eq!(text.parse::<Allowance>(), Err(InvalidAllowance), "{text:?}");
        }
    }

    proptest! {
        /// Goal: in no stretch of time are there more than the bucket has and what comes into it
        /// meanwhile; and who waits as long as was said is let in, and no sooner.
        #[test]
        fn never_more_than_the_bucket_and_what_fills_it(
            burst in 1_u32..6,
            per_secs in 1_u32..8,
            pauses_ms in prop::collection::vec(0_i64..2_500, 1..60),
        ) {
            let policy = policy(burst, per_secs);
            let mut left = Allowance::default();
            let (mut now, mut taken) = (0, Vec::new());
            for pause_ms in pauses_ms {
                now += pause_ms;
                let is_left = left.remaining(policy, at(now)) > 0;
                match left.take(policy, at(now)) {
                    Ok(next) => {
                        prop_assert!(is_left);
                        left = next;
                        taken.push(now);
                    }
                    Err(Wait { retry_after }) => {
                        prop_assert!(!is_left);
                        prop_assert_eq!(left.more_in(policy, at(now)), retry_after);
                        let then = at(now) + retry_after;
                        prop_assert!(left.take(policy, then).is_ok());
                        prop_assert!(left.take(policy, then - TimeDelta::milliseconds(1)).is_err());
                    }
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let count = i64::try_from(last - first + 1).unwrap();
                    let filled = (to - from) * i64::from(burst) / (i64::from(per_secs) * 1_000);
                    prop_assert!(count <= i64::from(burst) + filled);
                }
            }
        }

        /// Goal: what a function remembers refuses nobody whom the table would let in. Method: requests
        /// by clocks that differ, of which each finds what the one before left, or starts anew if that
        /// is clear; then every older state is asked beside the newest.
        #[test]
        fn an_older_allowance_never_refuses_what_a_newer_one_allows(
            burst in 1_u32..6,
            per_secs in 1_u32..8,
            times_ms in prop::collection::vec((0_i64..2_500, -1_500_i64..1_500), 1..40),
        ) {
            let policy = policy(burst, per_secs);
            let mut states = vec![Allowance::default()];
            let mut clock = 0;
            for (pause_ms, skew_ms) in times_ms {
                clock += pause_ms;
                let now = at(clock + skew_ms);
                let there = states.last().filter(|there| !there.is_fresh(now)).cloned();
                let answer = there.unwrap_or_default().take(policy, now);
                for older in &states {
                    if let Err(wait) = older.take(policy, now) {
                        let newest = answer.as_ref().err();
                        prop_assert!(newest.is_some_and(|new| wait.retry_after <= new.retry_after));
                    }
                }
                states.extend(answer);
            }
        }

        /// Goal: whatever is held and given back, what lives is never above the cap; and nothing is
        /// refused that fits.
        #[test]
        fn what_lives_is_never_above_the_cap(
            steps in prop::collection::vec((0_u8..4, 1_u8..6, 0_i64..400), 1..60),
            cap in 5_u32..12,
        ) {
            let policy = policy(1_000, 1);
            let mut left = Allowance::default();
            let mut lives: Vec<HeldSeats> = Vec::new();
            let mut now = 0;
            for (step, (what, seats, secs)) in steps.into_iter().enumerate() {
                now += secs * 1_000;
                lives.retain(|held| at(now) < held.ends_by);
                if what == 0 && !lives.is_empty() {
                    let over = lives.remove(0);
                    left = left.without(&[over.reservation_id]);
                    continue;
                }
                let ends_by = at(now + 900_000);
                let wanted = held("s", &format!("r{step}"), seats, ends_by);
                let before = lives.iter().map(|held| u32::from(held.seats)).sum::<u32>();
                match left.hold(&wanted, cap, policy, at(now)) {
                    Ok(next) => {
                        left = next;
                        lives.push(wanted);
                        prop_assert!(before + u32::from(seats) <= cap);
                    }
                    Err(refusal) => {
                        prop_assert_eq!(refusal, HoldRefusal::TooMany { held: before });
                        prop_assert!(before + u32::from(seats) > cap);
                    }
                }
            }
        }
    }
}
