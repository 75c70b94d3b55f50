//! Events on their way to subscribers: posted as they were recorded, and signed, as the Standard
//! Webhooks specification says (<https://github.com/standard-webhooks/standard-webhooks>).
//!
//! A subscriber who does not take an event is no failure of ours. The event is sent again after
//! ever longer pauses: another message for each try, since what a queue does with messages that
//! fail is over within hours.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::event::{Delivery, Type};
use domain::id::SubscriptionId;
use domain::subscription::{Status, Subscription, pause_ms_max, retry_at, wait};
use domain::time::Timestamp;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use store::{Fault, RecordedEvent, SubscribeError};

use self::target::{Guard, Target};
use crate::App;
use crate::log::{Note, causes};
use crate::problem::Problem;
use crate::queues::Queue;

mod signature;
mod target;

/// How long a subscriber has to answer. Who has more to do than to note an event does it
/// afterwards.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection takes at most, out of that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a secret is replaced at most while others replace it, too.
const ROTATION_TRIES_MAX: u32 = 5;

/// What became of an attempt.
enum Outcome {
    /// The subscriber has the event.
    Taken,
    /// It says that it wants no events any more.
    Gone,
    /// It does not have the event, for this reason.
    Failed(String),
}

/// A client for places that strangers name.
///
/// No connection outlives its attempt: a function that was frozen in between would find it dead and
/// blame the subscriber, and the guard sees each new one.
pub(crate) fn client(allows_loopback: bool) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(crate::payment::tls())
        .dns_resolver(Guard { allows_loopback })
        .no_proxy()
        .redirect(Policy::none())
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent("Marquee/1")
        .build()
        .expect("a client with its own TLS has nothing to look for")
}

impl App {
    /// Makes a subscription to events of these types, of all if there are none. Nothing is sent to
    /// find out whether somebody is there.
    ///
    /// A repetition makes another one, since the secret of the first is never shown again. Costs
    /// what `Store::put_subscription` costs.
    ///
    /// # Errors
    ///
    /// [`Problem::Invalid`], [`Problem::ForbiddenTarget`], [`Problem::TooManySubscriptions`], or a
    /// fault.
    pub async fn subscribe(
        &self,
        url: &str,
        event_types: BTreeSet<Type>,
        now: Timestamp,
    ) -> Result<Subscription, Problem> {
        let target = Target::parse(url, self.allows_loopback())?;
        let subscription = Subscription {
            id: self.draw_id().try_into().expect("a UUID has only characters that ids have"),
            url: target.into_url().into(),
            event_types,
            status: Status::Active,
            secret: signature::secret(self.draw_secret()),
            previous_secret: None,
            previous_until: None,
            created_at: now,
            failing_since: None,
            disabled_at: None,
        };
        match self.store.put_subscription(&subscription).await {
            Ok(()) => {
                // Others remember for some seconds who is told; on a desk this is who does.
                self.caches().subscriptions.forget(&());
                Ok(subscription)
            }
            Err(SubscribeError::TooMany) => Err(Problem::TooManySubscriptions),
            Err(SubscribeError::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Tells a subscriber of events again. Safe to repeat. Costs 2 write units and a read.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn enable(&self, id: &SubscriptionId) -> Result<Subscription, Problem> {
        self.store.enable_subscription(id).await?;
        self.caches().subscriptions.forget(&());
        self.store.subscription(id).await?.ok_or(Problem::NotFound)
    }

    /// Draws a new secret for a subscription; the one before signs, too, for a day.
    ///
    /// A repetition draws another one. Within the day it takes the place of the one that was drawn,
    /// at once, and the one before that keeps its day. So a secret that leaked signs for the rest
    /// of a day, however often it is rotated; whoever cannot wait deletes the subscription and
    /// makes it again. Costs 2 write units and 2 reads.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn rotate_secret(
        &self,
        id: &SubscriptionId,
        now: Timestamp,
    ) -> Result<Subscription, Problem> {
        let secret = signature::secret(self.draw_secret());
        for _ in 0..ROTATION_TRIES_MAX {
            let read = self.store.subscription(id).await?.ok_or(Problem::NotFound)?;
            if self.store.rotate_subscription_secret(&read, &secret, now).await? {
                return self.store.subscription(id).await?.ok_or(Problem::NotFound);
            }
        }
        Err(Fault::Contended.into())
    }

    /// Posts an event to a subscriber, if its time has come; if not, or if the subscriber does not
    /// take it, it is queued again.
    ///
    /// Safe to repeat: a subscriber may get an event twice, under the same id. Costs 2 reads and
    /// the subscriber's time, 10 seconds at most; a failure a message, and the first one, as the
    /// first success after it, 2 write units.
    ///
    /// # Errors
    ///
    /// Only faults of ours; the message comes again. Once the event was posted, these are a queue
    /// that is away and a subscriber that cannot be disabled, and nothing else.
    pub async fn deliver(&self, delivery: &Delivery, now: Timestamp) -> Result<(), Problem> {
        if now < delivery.not_before {
            return self.put_off(delivery, now).await;
        }
        let subscription = self.store.subscription(&delivery.subscription_id).await?;
        // Whoever left or is disabled is sent nothing. What they missed can be asked for.
        let Some(subscription) = subscription.filter(|of| of.status == Status::Active) else {
            return Ok(());
        };
        let event = self.store.event(&delivery.event_id).await?;
        let unknown = || Fault::Corrupt(format!("no event {} to deliver", delivery.event_id));
        let event = event.ok_or_else(unknown)?;
        self.note(Note::Event(event.kind.as_str()));
        match self.post(&subscription, &event, now).await? {
            Outcome::Taken => {
                self.note(Note::Delivered);
                if subscription.failing_since.is_some() {
                    let noted = self.store.subscription_recovered(&subscription.id).await;
                    pass_over(&subscription, noted);
                }
                return Ok(());
            }
            Outcome::Gone => {
                self.note(Note::DeliveryFailed);
                if self.disable(&subscription, "it is gone", now).await? {
                    return Ok(());
                }
            }
            Outcome::Failed(cause) => {
                self.note(Note::DeliveryFailed);
                let (to, attempt) = (subscription.id.as_str(), delivery.attempt);
                tracing::warn!(to, event = event.id.as_str(), attempt, cause, "not delivered");
                let is_given_up = subscription.is_given_up_at(now);
                if is_given_up && self.disable(&subscription, "it fails too long", now).await? {
                    return Ok(());
                }
            }
        }
        self.try_again(delivery, &subscription, now).await
    }

    /// Sends an event once. What the subscriber has to say besides a status is not read.
    async fn post(
        &self,
        subscription: &Subscription,
        event: &RecordedEvent,
        now: Timestamp,
    ) -> Result<Outcome, Problem> {
        // Again, since an address in the URL is never looked up, and rules may have changed.
        let target = match Target::parse(&subscription.url, self.allows_loopback()) {
            Ok(target) => target,
            Err(refused) => return Ok(Outcome::Failed(refused.to_string())),
        };
        let second = now.timestamp().to_string();
        let secrets = subscription.secrets_at(now);
        let signatures = signature::of(secrets, event.id.as_str(), &second, &event.body);
        let broken = || Fault::Corrupt(format!("a secret of {} is none", subscription.id));
        let sent = self
            .subscribers()
            .post(target.into_url())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", event.id.as_str())
            .header("webhook-timestamp", second)
            .header("webhook-signature", signatures.ok_or_else(broken)?)
            .body(event.body.clone())
            .send()
            .await;
        Ok(match sent.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Outcome::Taken,
            Ok(StatusCode::GONE) => Outcome::Gone,
            Ok(status) => Outcome::Failed(status.to_string()),
            // A URL may hold what only its owner should know.
            Err(error) => Outcome::Failed(causes(&error.without_url())),
        })
    }

    /// Tells a subscriber of nothing any more. Says whether that still was how it stood.
    async fn disable(
        &self,
        subscription: &Subscription,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        let disabled = self.store.disable_subscription(subscription, now).await?;
        if disabled {
            tracing::error!(to = subscription.id.as_str(), why, "a subscription is disabled");
            self.note(Note::SubscriptionDisabled);
        }
        Ok(disabled)
    }

    /// Queues what was not taken for the next attempt, unless it was tried for long enough.
    async fn try_again(
        &self,
        delivery: &Delivery,
        subscription: &Subscription,
        now: Timestamp,
    ) -> Result<(), Problem> {
        if subscription.failing_since.is_none() {
            pass_over(subscription, self.store.subscription_fails(&subscription.id, now).await);
        }
        let pause_ms = fastrand::u64(0..=pause_ms_max(delivery.attempt));
        let Some(not_before) = retry_at(delivery, pause_ms, now) else {
            let (to, event) = (delivery.subscription_id.as_str(), delivery.event_id.as_str());
            tracing::warn!(to, event, "given up");
            return Ok(());
        };
        let next = Delivery { attempt: delivery.attempt + 1, not_before, ..delivery.clone() };
        self.put_off(&next, now).await
    }

    /// Puts a delivery back on the queue until its time comes, or for as long as a queue can keep
    /// it.
    async fn put_off(&self, delivery: &Delivery, now: Timestamp) -> Result<(), Problem> {
        self.send(Queue::EventDeliveries, delivery, wait(delivery, now)).await
    }
}

/// Passes over what could not be noted about a subscriber: another attempt is noting the same, or
/// the next one will. It is no reason to post the event again.
fn pass_over(subscription: &Subscription, noted: Result<(), Fault>) {
    if let Err(fault) = noted {
        tracing::warn!(to = subscription.id.as_str(), cause = causes(&fault), "not noted");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// Goal: the guard stands in the client's way. Method: a name of this machine, on a port where
    /// somebody listens.
    #[tokio::test]
    async fn a_client_connects_only_to_where_its_guard_lets_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());

        let refused = client(false).post(&url).send().await.unwrap_err();
        assert!(causes(&refused).contains("not a public address"), "{}", causes(&refused));
        let waiting = listener.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(waiting, Err(std::io::ErrorKind::WouldBlock), "nobody came");

        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let has_come = tokio::select! {
            came = listener.accept() => came.is_ok(),
            _answer = client(true).post(&url).send() => false,
        };
        assert!(has_come);
    }
}
