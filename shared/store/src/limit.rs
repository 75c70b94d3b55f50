//! What a user has left of a policy: key, conditions, reader, and the use case that takes one.
//!
//! Only the user whose item it is touches it, and mostly there is none, or one that is clear. So it
//! is written without being read: on the condition that it is absent or clear, or still what it was
//! when it was last seen. A refusal brings what it is, and the domain decides upon that.

use chrono::TimeDelta;
use domain::allowance::{Allowance, Policy, PolicyName, Wait};
use domain::id::UserId;
use domain::time::Timestamp;

use crate::item::{Item, item, seconds, string, value};
use crate::txn::{Aborted, If, Txn, corrupt};
use crate::{Fault, Store};

/// Decisions made anew because a request of the same user was faster.
pub(crate) const TRIES_MAX: u32 = 6;

/// Nothing that still counts. Says in `DynamoDB` what the domain says of `is_fresh`.
const IF_CLEAR: &str = "attribute_not_exists(pk) OR clear_at <= :now_ms";

/// What was decided upon.
const IF_SEEN: &str = "allowance = :seen";

/// Seconds for which an item is kept after it is clear: functions' clocks differ by some.
const KEPT_SECS: i64 = 60;

/// Why something may not be done now.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Too often.
    #[error("too often")]
    RateLimited {
        /// After this it may work.
        retry_after: TimeDelta,
        /// What is left, as it was last seen: enough to refuse the next time without a write.
        seen: Option<Allowance>,
    },
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// How long somebody waits whose own requests are in each other's way.
pub(crate) fn pause() -> TimeDelta {
    TimeDelta::seconds(1)
}

/// What an item said, to the letter, and what that means.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    text: String,
    pub(crate) allowance: Allowance,
}

impl Seen {
    pub(crate) fn of(allowance: Allowance) -> Self {
        Self { text: allowance.to_string(), allowance }
    }
}

/// The key of what a user has left.
pub(crate) fn key(policy: PolicyName, user: &UserId) -> Item {
    item([("pk", string(format!("LIMIT#{}#{}", policy.as_str(), user.as_str())))])
}

fn item_of(policy: PolicyName, user: &UserId, allowance: &Allowance) -> Item {
    let clear_at = allowance.clear_at();
    let mut of = key(policy, user);
    of.extend(item([
        ("allowance", string(allowance.to_string())),
        ("clear_at", value(&clear_at.timestamp_millis())),
        ("kept_until", seconds(clear_at + TimeDelta::seconds(KEPT_SECS))),
    ]));
    of
}

/// What an item says.
pub(crate) fn read(found: &Item) -> Result<Seen, Fault> {
    let text = found.get("allowance").and_then(|value| value.as_s().ok());
    let text = text.ok_or_else(|| corrupt("limit: `allowance` is missing or no text"))?;
    let allowance = text
        .parse::<Allowance>()
        .map_err(|error| corrupt(format!("limit: `allowance`: {error}")))?;
    Ok(Seen { text: text.clone(), allowance })
}

/// What the condition compares with: nothing, if what was seen is clear.
fn compared(seen: Option<&Seen>, now: Timestamp) -> Option<&Seen> {
    seen.filter(|seen| !seen.allowance.is_fresh(now))
}

fn if_as_seen(seen: Option<&Seen>, now: Timestamp) -> If {
    match compared(seen, now) {
        Some(seen) => If::new(IF_SEEN, [(":seen", string(seen.text.clone()))]),
        None => If::new(IF_CLEAR, [(":now_ms", value(&now.timestamp_millis()))]),
    }
}

/// What is there instead of what was seen. Nothing, if TTL took it.
fn explain(
    found: Option<&Item>,
    seen: Option<&Seen>,
    now: Timestamp,
) -> Result<Option<Seen>, Fault> {
    let found = found.map(read).transpose()?;
    match (compared(seen, now), &found) {
        (None, None) => Err(corrupt("no limit refused to be made")),
        (None, Some(found)) if found.allowance.is_fresh(now) => {
            Err(corrupt(format!("a clear limit refused at {now}: {}", found.text)))
        }
        (Some(seen), Some(found)) if found.text == seen.text => {
            Err(corrupt(format!("an unchanged limit refused: {}", found.text)))
        }
        _changed => Ok(found),
    }
}

/// One use of what a user has left.
#[derive(Clone, Copy)]
pub(crate) struct Use<'a> {
    pub(crate) policy: PolicyName,
    pub(crate) user: &'a UserId,
    /// What it was decided upon.
    pub(crate) seen: Option<&'a Seen>,
    /// What is left after it.
    pub(crate) next: &'a Allowance,
    pub(crate) now: Timestamp,
}

impl<'a, R> Txn<'a, R> {
    /// Writes what is left, if it was decided upon what is there; `stale` takes what is there instead.
    pub(crate) fn used(
        self,
        used: Use<'a>,
        stale: impl Fn(Option<Seen>) -> R + Send + Sync + 'a,
    ) -> Self {
        let Use { policy, user, seen, next, now } = used;
        let table = &self.store().tables.limits;
        let new = item_of(policy, user, next);
        self.on_their_own().put(table, new, if_as_seen(seen, now), move |found| {
            explain(found, seen, now).map(&stale)
        })
    }
}

impl Store {
    /// Takes one of what `user` has left of `policy`. `known` is what a caller remembers of it, which
    /// may be old.
    ///
    /// Not safe to repeat, and it does no harm: a repetition takes another one. Costs one transaction of
    /// one item (2 write units), and another one each time it had not been seen as it is; nothing if
    /// what is known refuses already, since there never is more left than a moment ago.
    ///
    /// # Errors
    ///
    /// [`TakeError::RateLimited`], also if the user's own requests are in each other's way every time:
    /// nobody else's are.
    pub async fn take(
        &self,
        policy: Policy,
        user: &UserId,
        known: Option<Allowance>,
        now: Timestamp,
    ) -> Result<Allowance, TakeError> {
        let limited = |retry_after, seen: Option<Seen>| TakeError::RateLimited {
            retry_after,
            seen: seen.map(|seen| seen.allowance),
        };
        let mut seen = known.map(Seen::of);
        for _ in 0..TRIES_MAX {
            let before = seen.as_ref().map(|seen| seen.allowance.clone()).unwrap_or_default();
            let next = match before.take(policy, now) {
                Ok(next) => next,
                Err(Wait { retry_after }) => return Err(limited(retry_after, seen)),
            };
            let name = policy.name();
            let used = Use { policy: name, user, seen: seen.as_ref(), next: &next, now };
            let written = Txn::new(self).used(used, |found| found).commit().await;
            match written {
                Ok(()) => return Ok(next),
                Err(Aborted::Refused(found)) => seen = found.into_iter().next().flatten(),
                Err(Aborted::Fault(Fault::Outrun)) => break,
                Err(Aborted::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(limited(pause(), seen))
    }
}
