//! A subscription: key, attributes, conditions, reader, and all that becomes of it.
//!
//! They are one partition, since all are asked for whenever something happens. They stand beside
//! the events and not in the catalogue, which every function may read: their secrets are here.

use std::collections::BTreeSet;
use std::convert::Infallible;

use domain::event::Type;
use domain::id::SubscriptionId;
use domain::limits::SUBSCRIPTIONS_MAX;
use domain::subscription::{Status, Subscription};
use domain::time::{Timestamp, as_text, as_text_option};

use crate::item::{Item, from_item, instant, item, string, to_item, value};
use crate::txn::{Aborted, IF_ABSENT, IF_THERE, If, Txn, corrupt, never};
use crate::{Fault, Store};

const PARTITION: &str = "SUBSCRIPTIONS";

/// It has the secret that was read. Each rotation brings another, so it has what was before, too.
const IF_NOT_ROTATED: &str = "signing_secret = :read";

/// It is told of events, and took them so far.
const IF_WELL: &str = "subscription_status = :active AND attribute_not_exists(failing_since)";

/// It is told of events, and has been failing since then.
const IF_FAILING: &str = "subscription_status = :active AND failing_since = :failing_since";

const SET_ROTATED: &str =
    "SET signing_secret = :secret, previous_secret = :previous, previous_until = :until";

const SET_ENABLED: &str = "SET subscription_status = :active REMOVE failing_since, disabled_at";

const SET_FAILING: &str = "SET failing_since = :now";

const SET_RECOVERED: &str = "REMOVE failing_since";

const SET_DISABLED: &str = "SET subscription_status = :disabled, disabled_at = :now";

#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    pk: String,
    sk: String,
    target_url: String,
    event_types: BTreeSet<Type>,
    subscription_status: Status,
    signing_secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    previous_until: Option<Timestamp>,
    #[serde(with = "as_text")]
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    failing_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    disabled_at: Option<Timestamp>,
}

fn sort_key(id: &SubscriptionId) -> String {
    format!("SUBSCRIPTION#{id}")
}

fn key(id: &SubscriptionId) -> Item {
    item([("pk", string(PARTITION)), ("sk", string(sort_key(id)))])
}

fn item_of(subscription: &Subscription) -> Item {
    let subscription = subscription.clone();
    to_item(&Record {
        pk: PARTITION.to_owned(),
        sk: sort_key(&subscription.id),
        target_url: subscription.url,
        event_types: subscription.event_types,
        subscription_status: subscription.status,
        signing_secret: subscription.secret,
        previous_secret: subscription.previous_secret,
        previous_until: subscription.previous_until,
        created_at: subscription.created_at,
        failing_since: subscription.failing_since,
        disabled_at: subscription.disabled_at,
    })
}

fn read(found: Item) -> Result<Subscription, Fault> {
    let record: Record = from_item("subscription", found)?;
    let id = record.sk.strip_prefix("SUBSCRIPTION#").and_then(|id| id.parse().ok());
    Ok(Subscription {
        id: id.ok_or_else(|| corrupt("subscription: `sk` is malformed"))?,
        url: record.target_url,
        event_types: record.event_types,
        status: record.subscription_status,
        secret: record.signing_secret,
        previous_secret: record.previous_secret,
        previous_until: record.previous_until,
        created_at: record.created_at,
        failing_since: record.failing_since,
        disabled_at: record.disabled_at,
    })
}

/// Why a subscription was not made.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// There are [`SUBSCRIPTIONS_MAX`] already.
    #[error("there are as many subscriptions as there may be")]
    TooMany,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Store {
    /// Makes a subscription, unless there are [`SUBSCRIPTIONS_MAX`] already. Two that are made at
    /// once may be one more than that: a limit that keeps things small need not be exact.
    ///
    /// Safe to repeat. Costs what [`Store::subscriptions`] costs, and 2 write units.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`].
    pub async fn put_subscription(&self, new: &Subscription) -> Result<(), SubscribeError> {
        let others = self.subscriptions().await?.into_iter().filter(|of| of.id != new.id);
        if others.count() >= SUBSCRIPTIONS_MAX {
            return Err(SubscribeError::TooMany);
        }
        let only = If::new(IF_ABSENT, []);
        let txn = Txn::new(self).put(&self.tables.events, item_of(new), only, |_| Ok(()));
        match txn.commit().await {
            // Ids are drawn, so what is there is this one, made by a try whose answer was lost.
            Ok(()) | Err(Aborted::Refused(_)) => Ok(()),
            Err(Aborted::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Every subscription that can be read, the oldest first. Costs one consistent query (1 unit per
    /// 4 KB: some 3 if there are as many as there may be).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.events)
            .key_condition_expression("pk = :partition")
            .expression_attribute_values(":partition", string(PARTITION))
            .consistent_read(true);
        let mut found = Vec::new();
        self.each_page(query, |page| {
            for item in page.items.unwrap_or_default() {
                match read(item) {
                    Ok(subscription) => found.push(subscription),
                    // The others are told all the same.
                    Err(fault) => tracing::error!(%fault, "a subscription that cannot be read"),
                }
            }
            Ok(())
        })
        .await?;
        found.sort_by(|one, two| (one.created_at, &one.id).cmp(&(two.created_at, &two.id)));
        Ok(found)
    }

    /// One subscription, if there is one. Costs one consistent read of one item (1 unit).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn subscription(&self, id: &SubscriptionId) -> Result<Option<Subscription>, Fault> {
        self.get(&self.tables.events, key(id)).await?.map(read).transpose()
    }

    /// Deletes a subscription, if there is one. What is on its way to it is dropped when its turn
    /// comes. Safe to repeat. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn delete_subscription(&self, id: &SubscriptionId) -> Result<(), Fault> {
        let txn = Txn::<Infallible>::new(self);
        let txn = txn.delete(&self.tables.events, key(id), If::new("", []), never);
        match txn.commit().await {
            Ok(()) => Ok(()),
            Err(Aborted::Fault(fault)) => Err(fault),
            Err(Aborted::Refused(_)) => Err(corrupt("a deletion without a condition refused")),
        }
    }

    /// Gives a subscription a new secret, unless it was deleted or got another since it was read.
    /// Says whether it did. What signs beside it is what
    /// [`Subscription::previous_if_rotated_at`] says.
    ///
    /// Safe to repeat. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; read it again, and repeat it.
    pub async fn rotate_subscription_secret(
        &self,
        subscription: &Subscription,
        secret: &str,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let (previous, until) = subscription.previous_if_rotated_at(now);
        let values = [
            (":read", string(&subscription.secret)),
            (":secret", string(secret)),
            (":previous", string(previous)),
            (":until", instant(until)),
        ];
        let only = If::new(IF_NOT_ROTATED, values);
        self.change_subscription(&subscription.id, SET_ROTATED, only).await
    }

    /// Tells a subscriber of events again, if there is one: it has failed at nothing yet. Safe to
    /// repeat. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn enable_subscription(&self, id: &SubscriptionId) -> Result<(), Fault> {
        let only = If::new(IF_THERE, [(":active", value(&Status::Active))]);
        self.change_subscription(id, SET_ENABLED, only).await.map(drop)
    }

    /// Notes that a subscriber fails from `now` on, unless it failed before. Safe to repeat. Costs
    /// 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn subscription_fails(
        &self,
        id: &SubscriptionId,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let values = [(":active", value(&Status::Active)), (":now", instant(now))];
        self.change_subscription(id, SET_FAILING, If::new(IF_WELL, values)).await.map(drop)
    }

    /// Notes that a subscriber took an event, if there is one. Safe to repeat. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn subscription_recovered(&self, id: &SubscriptionId) -> Result<(), Fault> {
        self.change_subscription(id, SET_RECOVERED, If::new(IF_THERE, [])).await.map(drop)
    }

    /// Tells a subscriber of nothing any more, unless it was deleted, disabled, or got well or
    /// worse since it was read. Says whether it did. Safe to repeat. Costs 2 write units.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn disable_subscription(
        &self,
        subscription: &Subscription,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let only = match subscription.failing_since {
            None => If::new(IF_WELL, []),
            Some(since) => If::new(IF_FAILING, [(":failing_since", instant(since))]),
        };
        let only = only.with([
            (":active", value(&Status::Active)),
            (":disabled", value(&Status::Disabled)),
            (":now", instant(now)),
        ]);
        self.change_subscription(&subscription.id, SET_DISABLED, only).await
    }

    /// Changes a subscription if the condition holds for it. Says whether it did.
    async fn change_subscription(
        &self,
        id: &SubscriptionId,
        set: &'static str,
        only: If,
    ) -> Result<bool, Fault> {
        let txn = Txn::new(self).update(&self.tables.events, key(id), set, only, |_| Ok(()));
        match txn.commit().await {
            Ok(()) => Ok(true),
            Err(Aborted::Refused(_)) => Ok(false),
            Err(Aborted::Fault(fault)) => Err(fault),
        }
    }
}
