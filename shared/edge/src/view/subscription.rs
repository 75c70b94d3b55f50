//! A subscription.

use std::collections::BTreeSet;

use domain::event::Type;
use domain::subscription::{Status, Subscription};
use domain::time::text;
use serde::Serialize;

/// A subscription.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionView<'a> {
    subscription_id: &'a str,
    url: &'a str,
    event_types: &'a BTreeSet<Type>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    created_at: String,
    failing_since: Option<String>,
    disabled_at: Option<String>,
}

/// A subscription as it looks.
#[must_use]
pub fn subscription(subscription: &Subscription) -> SubscriptionView<'_> {
    SubscriptionView {
        subscription_id: subscription.id.as_str(),
        url: &subscription.url,
        event_types: &subscription.event_types,
        status: subscription.status,
        secret: None,
        created_at: text(subscription.created_at),
        failing_since: subscription.failing_since.map(text),
        disabled_at: subscription.disabled_at.map(text),
    }
}

/// A subscription whose secret was just drawn, as it looks this once.
#[must_use]
pub fn with_secret(of: &Subscription) -> SubscriptionView<'_> {
    SubscriptionView { secret: Some(&of.secret), ..subscription(of) }
}
