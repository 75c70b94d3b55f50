//! A subscription: who is told of events, what signs them, and how soon again if they are not
//! taken.
//!
//! ```text
//! Active ──five days without a success, or 410 Gone──▶ Disabled ──enable──▶ Active
//! ```

use std::collections::BTreeSet;
use std::iter::once;
use std::time::Duration;

use chrono::TimeDelta;

use crate::event::{Delivery, Type};
use crate::id::SubscriptionId;
use crate::limits::{
    DELIVERY_GIVEN_UP_AFTER_SECS, DELIVERY_PAUSE_SECS_MAX, DELIVERY_PAUSES_SECS,
    SIGNING_SECRET_OVERLAP_SECS,
};
use crate::time::Timestamp;

/// Whether a subscriber is told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Of every event that it wants.
    Active,
    /// Of none, until somebody enables it.
    Disabled,
}

/// Somebody who is told of events. It has no `Debug`, so that its secrets get into no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name.
    pub id: SubscriptionId,
    /// Where its events are posted.
    pub url: String,
    /// Which types it wants. None are all, those of tomorrow too.
    pub event_types: BTreeSet<Type>,
    /// Whether it is told anything.
    pub status: Status,
    /// What signs its events: `whsec_` and the Base64 of 24 to 64 bytes.
    pub secret: String,
    /// What signed them before.
    pub previous_secret: Option<String>,
    /// Until when that still signs, beside the other.
    pub previous_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it took nothing that it was sent.
    pub failing_since: Option<Timestamp>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
}

impl Subscription {
    /// Whether it is told of events of this type.
    #[must_use]
    pub fn wants(&self, kind: Type) -> bool {
        match self.status {
            Status::Active => self.event_types.is_empty() || self.event_types.contains(&kind),
            Status::Disabled => false,
        }
    }

    /// What signs its events at `now`: its secret, and for a while the one before.
    pub fn secrets_at(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let previous = self.previous_at(now).map(|(secret, _until)| secret);
        once(self.secret.as_str()).chain(previous)
    }

    /// What signs beside a secret that replaces its own at `now`, and until when: its own for a
    /// day, or the one before if that still signs, for as long as was said. That is the one in use;
    /// its successor may never have reached anybody, if the answer with it was lost.
    #[must_use]
    pub fn previous_if_rotated_at(&self, now: Timestamp) -> (&str, Timestamp) {
        let day_after = now + TimeDelta::seconds(SIGNING_SECRET_OVERLAP_SECS);
        self.previous_at(now).unwrap_or((self.secret.as_str(), day_after))
    }

    /// The secret before, and until when, if it signs at `now`.
    fn previous_at(&self, now: Timestamp) -> Option<(&str, Timestamp)> {
        let previous = self.previous_secret.as_deref().zip(self.previous_until);
        previous.filter(|(_secret, until)| now < *until)
    }

    /// Whether it has failed for so long that it is told nothing more.
    #[must_use]
    pub fn is_given_up_at(&self, now: Timestamp) -> bool {
        self.failing_since.is_some_and(|since| given_up_at(since) <= now)
    }
}

fn given_up_at(since: Timestamp) -> Timestamp {
    since + TimeDelta::seconds(DELIVERY_GIVEN_UP_AFTER_SECS)
}

/// The longest pause after this attempt, in milliseconds; the first attempt is 0.
#[must_use]
pub fn pause_ms_max(attempt: u32) -> u64 {
    let step = usize::try_from(attempt).ok();
    let secs = step.and_then(|step| DELIVERY_PAUSES_SECS.get(step));
    secs.copied().unwrap_or(DELIVERY_PAUSE_SECS_MAX) * 1_000
}

/// From when on an event is tried again that was not taken at `now`, unless it has been tried for
/// long enough.
///
/// `pause_ms` is drawn from 0 to [`pause_ms_max`]: full jitter, so that a subscriber who comes back
/// is not met by all that it missed at once.
#[must_use]
pub fn retry_at(delivery: &Delivery, pause_ms: u64, now: Timestamp) -> Option<Timestamp> {
    let pause = Duration::from_millis(pause_ms.min(pause_ms_max(delivery.attempt)));
    (now < given_up_at(delivery.first_at)).then(|| now + pause)
}

/// How long a delivery has to wait yet, up to the next whole second, since queues know no less.
#[must_use]
pub fn wait(delivery: &Delivery, now: Timestamp) -> TimeDelta {
    let rest_ms = (delivery.not_before - now).num_milliseconds();
    TimeDelta::seconds((rest_ms.max(0) + 999) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn subscription(status: Status, event_types: &[Type]) -> Subscription {
        Subscription {
            id: "s-1".parse().unwrap(),
            url: "https://example.com/".to_owned(),
            event_types: event_types.iter().copied().collect(),
            status,
            secret: "new".to_owned(),
            previous_secret: None,
            previous_until: None,
            created_at: at(0),
            failing_since: None,
            disabled_at: None,
        }
    }

    fn delivery(attempt: u32) -> Delivery {
        Delivery {
            subscription_id: "s-1".parse().unwrap(),
            event_id: "e-1".parse().unwrap(),
            attempt,
            first_at: at(0),
            not_before: at(100),
        }
    }

    #[test]
    fn an_active_subscriber_is_told_what_it_wants_and_a_disabled_one_nothing() {
        for kind in Type::ALL {
            assert!(subscription(Status::Active, &[]).wants(kind), "{kind}");
            for wanted in Type::ALL {
                let wants = |status| subscription(status, &[wanted]).wants(kind);
                assert_eq!(wants(Status::Active), kind == wanted, "{kind} {wanted}");
                assert!(!wants(Status::Disabled), "{kind} {wanted}");
            }
            assert!(!subscription(Status::Disabled, &[]).wants(kind), "{kind}");
        }
    }

    #[test]
    fn a_replaced_secret_signs_for_a_day_more() {
        let mut subscription = subscription(Status::Active, &[]);
        assert_eq!(subscription.secrets_at(at(0)).collect::<Vec<_>>(), ["new"]);
        subscription.previous_secret = Some("old".to_owned());
        subscription.previous_until = Some(at(7 + DAY));
        for (second, expected) in [
            (7, ["new", "old"].as_slice()),
            (7 + DAY - 1, ["new", "old"].as_slice()),
            (7 + DAY, ["new"].as_slice()),
        ] {
            let found: Vec<_> = subscription.secrets_at(at(second)).collect();
            assert_eq!(found, expected, "{second}");
        }
    }

    /// Goal: whoever rotates twice, since the first answer was lost, does not cut off the secret in
    /// use. Method: both sides of the end of its day.
    #[test]
    fn a_secret_that_still_signs_outlasts_its_successor() {
        let mut subscription = subscription(Status::Active, &[]);
        assert_eq!(subscription.previous_if_rotated_at(at(7)), ("new", at(7 + DAY)));
        subscription.previous_secret = Some("old".to_owned());
        subscription.previous_until = Some(at(7 + DAY));
        for (second, expected) in [
            (7, ("old", at(7 + DAY))),
            (7 + DAY - 1, ("old", at(7 + DAY))),
            (7 + DAY, ("new", at(7 + 2 * DAY))),
        ] {
            assert_eq!(subscription.previous_if_rotated_at(at(second)), expected, "{second}");
        }
    }

    #[test]
    fn a_subscriber_is_given_up_at_the_fifth_day_of_failure() {
        let mut subscription = subscription(Status::Active, &[]);
        assert!(!subscription.is_given_up_at(at(1_000 * DAY)));
        subscription.failing_since = Some(at(7));
        assert!(!subscription.is_given_up_at(at(7 + 5 * DAY - 1)));
        assert!(subscription.is_given_up_at(at(7 + 5 * DAY)));
    }

    #[test]
    fn pauses_grow_to_half_a_day() {
        let hour = 60 * 60;
        let secs = [5, 5 * 60, 30 * 60, 2 * hour, 5 * hour, 10 * hour, 12 * hour, 12 * hour];
        for (attempt, secs) in (0..).zip(secs) {
            assert_eq!(pause_ms_max(attempt), secs * 1_000, "{attempt}");
        }
        assert_eq!(pause_ms_max(u32::MAX), 12 * hour * 1_000);
    }

    #[test]
    fn an_event_is_tried_again_within_its_pause_until_the_fifth_day() {
        for attempt in 0..=9 {
            let longest = pause_ms_max(attempt);
            for (drawn, expected) in [(0, 0), (1, 1), (longest, longest), (u64::MAX, longest)] {
                for second in [0, 3 * DAY, 5 * DAY - 1] {
                    let expected = at(second) + Duration::from_millis(expected);
                    let found = retry_at(&delivery(attempt), drawn, at(second));
                    assert_eq!(found, Some(expected), "{attempt} {drawn} {second}");
                }
                for second in [5 * DAY, 6 * DAY] {
                    assert_eq!(retry_at(&delivery(attempt), drawn, at(second)), None, "{second}");
                }
            }
        }
    }

    /// Goal: no round through the queue comes too early, and so none comes for nothing.
    #[test]
    fn a_delivery_waits_whole_seconds_that_reach_its_time() {
        for (before_ms, secs) in
            [(-5_000, 0), (0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (100_000, 100)]
        {
            let now = at(100) - TimeDelta::milliseconds(before_ms);
            let found = wait(&delivery(0), now);
            assert_eq!(found.num_seconds(), secs, "{before_ms} ms before");
            assert!(now + found >= at(100), "{before_ms} ms before");
        }
    }
}
