//! How much one client may do, and what it is told of that.
//!
//! What users write is counted in the tables, so that it is one count whatever function they meet; what
//! an address reads, and which holds a user tries, is counted in the warm function alone, which costs
//! nothing and is enough to keep one of them from having it all. What the provider, streams and queues bring is never limited.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use domain::allowance::{Allowance, InvalidPolicy, Policy, PolicyName, Wait};
use domain::id::UserId;
use domain::limits::{HELD_SEATS_MAX, RATE_READS, RATE_READS_SECS, RATE_WRITES, RATE_WRITES_SECS};
use domain::reservation::Reservation;
use domain::time::Timestamp;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue};
use store::{Held, HoldError, HoldLimit, TakeError};

use crate::App;
use crate::problem::Problem;
use crate::response::whole_secs;

/// What there is of each policy, and how many seats of a show one user holds at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    policies: [Policy; PolicyName::ALL.len()],
    held_seats: u32,
}

/// A text that says no limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimits {
    /// A part that is no `name=burst/secs` of a name that there is, and not `held_seats=number`.
    #[error("{0:?} is no limit: `hold=60/60`, `held_seats=10`")]
    Part(String),
    /// Numbers that make no policy.
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
}

impl Default for Limits {
    fn default() -> Self {
        let policies = PolicyName::ALL.map(|name| {
            let (burst, per_secs) = match name {
                PolicyName::Hold
                | PolicyName::Confirm
                | PolicyName::Cancel
                | PolicyName::Checkout => (RATE_WRITES, RATE_WRITES_SECS),
                PolicyName::Read => (RATE_READS, RATE_READS_SECS),
            };
            Policy::new(name, burst, per_secs).expect("limits.rs has policies")
        });
        Self { policies, held_seats: HELD_SEATS_MAX }
    }
}

/// `hold=60/60,confirm=60/60,cancel=60/60,checkout=60/60,read=3000/60,held_seats=10`: so many, and as
/// many again in so many seconds. What is not named stays as it is by default.
impl FromStr for Limits {
    type Err = InvalidLimits;

    fn from_str(text: &str) -> Result<Self, InvalidLimits> {
        let mut limits = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let broken = || InvalidLimits::Part(part.to_owned());
            let (name, numbers) = part.split_once('=').ok_or_else(broken)?;
            if name == "held_seats" {
                let seats = numbers.parse::<u32>().ok().filter(|seats| *seats > 0);
                limits.held_seats = seats.ok_or_else(broken)?;
                continue;
            }
            let policy = limits.policies.iter_mut().find(|of| of.name().as_str() == name);
            let policy = policy.ok_or_else(broken)?;
            let (burst, per_secs) = numbers.split_once('/').ok_or_else(broken)?;
            let number = |text: &str| text.parse().map_err(|_| broken());
            *policy = Policy::new(policy.name(), number(burst)?, number(per_secs)?)?;
        }
        Ok(limits)
    }
}

impl Limits {
    fn policy(&self, name: PolicyName) -> Policy {
        let policy = self.policies.iter().find(|policy| policy.name() == name);
        *policy.expect("there is one of each")
    }
}

/// What a client is told of a policy it came under (draft-ietf-httpapi-ratelimit-headers-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    policy: Policy,
    remaining: u32,
    more_in_secs: i64,
}

impl Quota {
    fn left(policy: Policy, allowance: &Allowance, now: Timestamp) -> Self {
        let more_in = allowance.more_in(policy, now);
        let more_in_secs = if more_in.is_zero() { 0 } else { whole_secs(more_in) };
        Self { policy, remaining: allowance.remaining(policy, now), more_in_secs }
    }

    fn spent(policy: Policy, retry_after: TimeDelta) -> Self {
        Self { policy, remaining: 0, more_in_secs: whole_secs(retry_after) }
    }

    /// Writes `RateLimit-Policy` and `RateLimit`. Its `t` says when there is more, as `Retry-After`
    /// does where there is nothing left.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let name = self.policy.name().as_str();
        let (burst, per_secs) = (self.policy.burst(), self.policy.per_secs());
        let policy = format!("\"{name}\";q={burst};w={per_secs}");
        let left = format!("\"{name}\";r={};t={}", self.remaining, self.more_in_secs);
        for (header, text) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            let value = HeaderValue::try_from(text).expect("our own words and numbers are ASCII");
            headers.insert(HeaderName::from_static(header), value);
        }
    }
}

/// Addresses, and users, that a warm function keeps in mind: sets of [`WAYS`], 64 KB in all.
const SETS: usize = 1_024;

/// Places that one of them may be kept at. More make it rarer that a busy one is forgotten for another,
/// and each look longer.
const WAYS: usize = 4;

/// One address or user, as its hash, and when its bucket is full again in milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    whose: u64,
    full_at_ms: i64,
}

/// What addresses have read lately, or users tried. Of a fixed size, and as fast however many there are:
/// where there is no place left, the one that has the most left is forgotten, which gives it no more than
/// that.
pub(crate) struct Buckets {
    /// Drawn at random, so that nobody can choose addresses or names that share their places.
    hasher: RandomState,
    sets: Mutex<Box<[[Place; WAYS]]>>,
}

impl Default for Buckets {
    fn default() -> Self {
        let sets = vec![[Place::default(); WAYS]; SETS].into_boxed_slice();
        Self { hasher: RandomState::new(), sets: Mutex::new(sets) }
    }
}

impl Buckets {
    /// Takes one of what `who` has left.
    fn take(&self, who: impl Hash, policy: Policy, now: Timestamp) -> Result<Allowance, Wait> {
        let whose = self.hasher.hash_one(who);
        let set = usize::try_from(whose % SETS as u64).expect("it is less than SETS");
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let places = &mut sets[set];
        let known = places.iter().position(|place| place.whose == whose);
        let (place, before) = match known {
            Some(place) => (place, Allowance::full_again_at(places[place].full_at_ms)),
            None => (most_left(places), Allowance::default()),
        };
        let left = before.take(policy, now)?;
        places[place] = Place { whose, full_at_ms: left.clear_at().timestamp_millis() };
        Ok(left)
    }
}

fn most_left(places: &[Place]) -> usize {
    let places = places.iter().enumerate();
    places.min_by_key(|(_, place)| place.full_at_ms).map_or(0, |(place, _)| place)
}

/// Whose address it is: a subscriber has one of IPv4, and a whole /64 of IPv6 (RFC 6177, section 2).
fn subscriber(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

impl App {
    /// Counts that `user` asks for something under the policy `name`. Costs one transaction of one item
    /// (2 write units), and another one if this function does not know what they have left; nothing if
    /// it knows that there is nothing left. What it knows may be old, and refuses nobody wrongly:
    /// whatever was counted since, there is no more left.
    ///
    /// # Errors
    ///
    /// [`Problem::RateLimited`], or a fault.
    pub async fn limit(
        &self,
        name: PolicyName,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let policy = self.limits().policy(name);
        let known = self.caches().allowances.get(&(name, user.clone()), now);
        match self.store.take(policy, user, known.clone(), now).await {
            Ok(left) => {
                self.remember(policy, user, left, now);
                Ok(())
            }
            Err(TakeError::RateLimited { retry_after, seen }) => {
                self.learn(policy, user, known, seen, now);
                Err(self.refuse(policy, retry_after))
            }
            Err(TakeError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Counts that `user` tries to hold, as far as this function sees it: several times as often as they
    /// may hold. Costs no call, and comes before all that do.
    ///
    /// # Errors
    ///
    /// [`Problem::RateLimited`].
    pub fn limit_hold_tries(&self, user: &UserId, now: Timestamp) -> Result<(), Problem> {
        let policy = self.limits().policy(PolicyName::Hold);
        let tried = self.holders().take(user, policy.of_tries(), now);
        tried.map(drop).map_err(|Wait { retry_after }| self.refuse(policy, retry_after))
    }

    /// Holds what `wanted` names, if its user may hold that much; see [`store::Store::hold`].
    ///
    /// # Errors
    ///
    /// As there, and [`Problem::RateLimited`] and [`Problem::TooManySeatsHeld`].
    pub async fn hold(&self, wanted: &Reservation, now: Timestamp) -> Result<Reservation, Problem> {
        let (name, user) = (PolicyName::Hold, &wanted.user_id);
        let policy = self.limits().policy(name);
        let known = self.caches().allowances.get(&(name, user.clone()), now);
        let limit = HoldLimit { policy, cap: self.limits().held_seats, known };
        match self.store.hold(wanted, &limit, now).await {
            Ok(Held { reservation, allowance }) => {
                if let Some(left) = allowance {
                    self.remember(policy, user, left, now);
                }
                Ok(reservation)
            }
            Err(HoldError::RateLimited { retry_after, seen }) => {
                self.learn(policy, user, limit.known, seen, now);
                Err(self.refuse(policy, retry_after))
            }
            Err(HoldError::TooManyHeld { held, seen }) => {
                self.learn(policy, user, limit.known, seen, now);
                Err(Problem::TooManySeatsHeld { held })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Counts that somebody at `ip` reads, as far as this function sees it. Whoever comes from nowhere
    /// is not counted.
    pub(crate) fn limit_read(&self, ip: Option<IpAddr>, now: Timestamp) -> Result<(), Problem> {
        let Some(ip) = ip else { return Ok(()) };
        let policy = self.limits().policy(PolicyName::Read);
        match self.readers().take(subscriber(ip), policy, now) {
            Ok(left) => {
                self.invocation.tell(Quota::left(policy, &left, now));
                Ok(())
            }
            Err(Wait { retry_after }) => Err(self.refuse(policy, retry_after)),
        }
    }

    /// Remembers what a refusal brought, and not anew what was known: that grows no younger.
    fn learn(
        &self,
        policy: Policy,
        user: &UserId,
        known: Option<Allowance>,
        seen: Option<Allowance>,
        now: Timestamp,
    ) {
        if let Some(left) = seen.filter(|seen| known.as_ref() != Some(seen)) {
            self.caches().allowances.put((policy.name(), user.clone()), left, now);
        }
    }

    fn remember(&self, policy: Policy, user: &UserId, left: Allowance, now: Timestamp) {
        self.invocation.tell(Quota::left(policy, &left, now));
        self.caches().allowances.put((policy.name(), user.clone()), left, now);
    }

    fn refuse(&self, policy: Policy, retry_after: TimeDelta) -> Problem {
        self.invocation.tell(Quota::spent(policy, retry_after));
        Problem::RateLimited { retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn limits_are_read_from_a_text() {
        let all = "hold=60/60,confirm=60/60,cancel=60/60,checkout=60/60,read=3000/60,held_seats=10";
        assert_eq!(all.parse::<Limits>(), Ok(Limits::default()));
        assert_eq!("".parse::<Limits>(), Ok(Limits::default()));
        let some: Limits = "held_seats=4, hold=5/10".parse().unwrap();
        let hold = some.policy(PolicyName::Hold);
        assert_eq!((some.held_seats, hold.burst(), hold.per_secs()), (4, 5, 10));
        assert_eq!(some.policy(PolicyName::Read), Limits::default().policy(PolicyName::Read));
        for text in ["x", "hold", "hold=", "hold=1", "hold=1/", "hold=a/1", "hold=-1/1", "Hold=1/1"]
        {
            let part = InvalidLimits::Part(text.to_owned());
            assert_eq!(text.parse::<Limits>(), Err(part), "{text:?}");
        }
        for text in ["held_seats=0", "held_seats=ten", "held_seats=1/1"] {
            assert!(text.parse::<Limits>().is_err(), "{text:?}");
        }
        assert_eq!("hold=0/1".parse::<Limits>(), Err(InvalidLimits::Policy(InvalidPolicy)));
    }

    #[test]
    fn headers_are_structured_fields() {
        let policy = Limits::default().policy(PolicyName::Hold);
        let left = Allowance::default().take(policy, at(0)).unwrap();
        let mut headers = HeaderMap::new();
        Quota::left(policy, &left, at(0)).write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"hold\";q=60;w=60");
        assert_eq!(headers["ratelimit"], "\"hold\";r=59;t=1");
        Quota::spent(policy, TimeDelta::milliseconds(1_001)).write(&mut headers);
        assert_eq!(headers["ratelimit"], "\"hold\";r=0;t=2");
    }

    #[test]
    fn an_address_reads_as_much_as_it_may_and_a_prefix_is_one() {
        let policy = Policy::new(PolicyName::Read, 2, 10).unwrap();
        let readers = Buckets::default();
        for (first, again, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"),
        ] {
            assert!(readers.take(subscriber(ip(first)), policy, at(0)).is_ok());
            assert!(readers.take(subscriber(ip(again)), policy, at(0)).is_ok());
            let wait = Wait { retry_after: TimeDelta::seconds(5) };
            assert_eq!(readers.take(subscriber(ip(first)), policy, at(0)), Err(wait));
            assert!(readers.take(subscriber(ip(other)), policy, at(0)).is_ok());
            assert!(readers.take(subscriber(ip(again)), policy, at(5)).is_ok());
            assert!(readers.take(subscriber(ip(first)), policy, at(5)).is_err());
        }
    }

    /// Goal: a crowd of addresses that each come once does not make it forget the one that empties its
    /// bucket.
    #[test]
    fn a_busy_address_is_kept_and_an_idle_one_makes_room() {
        let policy = Policy::new(PolicyName::Read, 3, 30).unwrap();
        let readers = Buckets::default();
        let busy = ip("192.0.2.1");
        for _ in 0..3 {
            readers.take(busy, policy, at(0)).unwrap();
        }
        for address in 0..100_000_u32 {
            let address = IpAddr::V4((0x0A00_0000 + address).into());
            readers.take(address, policy, at(0)).unwrap();
        }
        assert!(readers.take(busy, policy, at(0)).is_err());
    }
}
