//! What functions find at a site: clients, settings, a provider.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use axum::Router;
use chrono::TimeDelta;
use domain::time::HoldTerms;
use edge::payment::{ProviderSecrets, SecretSource};
use edge::{App, Clients, Settings, TokenSettings};
use store::Store;

use super::{HOLD_SECS, LIMITS, TICKET_SECRET, WEBHOOK_SECRET, told_by};
use crate::bus::{self, Bus};
use crate::queue::{self, Queues};
use crate::sandbox::{Delivery, Sandbox};
use crate::simulation::gate::{Gate, Service};

/// What all functions have in common, to make one that is cold.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) clients: Clients,
    pub(super) settings: Settings,
}

/// The provider: the desk's, without its port.
pub(super) fn sandbox(clock: &Arc<AtomicI64>, deliveries: &Arc<Mutex<Vec<Delivery>>>) -> Router {
    let told = Arc::clone(deliveries);
    let deliver = move |new| told.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
    Sandbox::new(None, told_by(clock, 0), Arc::new(deliver)).router()
}

/// What they reach AWS by: all of it waits at the gate.
pub(super) fn clients(clock: &Arc<AtomicI64>, bus: &Bus, gate: &Gate) -> Clients {
    let sqs = queue::client_over(Queues::new(told_by(clock, 0)));
    let sqs = sqs.config().to_builder().http_client(gate.client(Service::Queues));
    let sqs = sqs.retry_partition(retries());
    let bus = bus::client_over(bus.clone());
    let bus = bus.config().to_builder().http_client(gate.client(Service::Bus));
    Clients {
        sqs: Some(aws_sdk_sqs::Client::from_conf(sqs.build())),
        secrets_manager: None,
        event_bridge: Some(aws_sdk_eventbridge::Client::from_conf(bus.build())),
        email: None,
    }
}

/// How often the SDK may try again would else be up to all histories of this process together.
pub(super) fn retries() -> RetryPartition {
    RetryPartition::custom("a history").token_bucket(TokenBucket::default()).build()
}

/// What they are told.
pub(super) fn settings(tables: store::Tables, tokens: &TokenSettings, gate: &Gate) -> Settings {
    let provider: domain::id::Provider = "sandbox".parse().expect("it is a name");
    let webhook_secrets = vec![WEBHOOK_SECRET.to_owned()];
    let secrets = ProviderSecrets {
        api_key: "sk_test_secret".to_owned(),
        webhook_secrets,
        ..ProviderSecrets::default()
    };
    Settings {
        tables,
        hold_terms: HoldTerms::of_secs(HOLD_SECS),
        limits: LIMITS.parse().expect("they are limits"),
        tokens: Some(tokens.clone()),
        payments: Some(edge::payment::Settings {
            provider: provider.clone(),
            base_url: "http://sandbox".to_owned(),
            live: false,
            secrets: SecretSource::Given(BTreeMap::from([(provider, secrets)])),
            carrier: Some(gate.carrier()),
        }),
        queues: queue::urls(),
        event_bus: Some(bus::NAME.to_owned()),
        email_from: None,
        ticket_secret: Some(TICKET_SECRET.to_owned()),
        previous_ticket_secret: None,
        front_secrets: Vec::new(),
        allows_loopback: true,
        log_settles_after: TimeDelta::seconds(domain::limits::EVENT_LOG_SETTLES_AFTER_SECS),
        sweep_settles_after: TimeDelta::seconds(domain::limits::SWEEP_SETTLES_AFTER_SECS),
        metrics_namespace: "Marquee".to_owned(),
        log: Arc::new(|_| {}),
    }
}

/// A function that remembers nothing, where the clock is off by so much.
pub(super) fn cold(parts: &Parts, clock: &Arc<AtomicI64>, skew_ms: i64) -> App {
    let Parts { store, clients, settings } = parts;
    App::new(store.clone(), clients.clone(), settings.clone(), told_by(clock, skew_ms))
}
