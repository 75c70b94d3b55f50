//! Secrets of webhooks in Secrets Manager: remembered, looked up again when a signature does not fit,
//! and two at a time while one replaces the other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use crate::receive_payment_webhook::stripe_signature;
use crate::world::World;

/// Secrets Manager, with one secret in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vault(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// None: it is away.
    secret: Option<String>,
    calls: usize,
}

impl Vault {
    fn holding(webhook_secrets: &[&str]) -> Self {
        let vault = Self::default();
        vault.put(webhook_secrets);
        vault
    }

    fn put(&self, webhook_secrets: &[&str]) {
        let secret = json!({"apiKey": "sk_live_1", "webhookSecrets": webhook_secrets});
        self.0.lock().unwrap().secret = Some(secret.to_string());
    }

    fn go_away(&self) {
        self.0.lock().unwrap().secret = None;
    }

    /// Calls since the last time.
    fn calls(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    pub(crate) fn client(&self) -> aws_sdk_secretsmanager::Client {
        let vault = self.clone();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "a test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(vault.clone())));
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }
}

impl HttpConnector for Vault {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut state = self.0.lock().unwrap();
        state.calls += 1;
        let asked = request.headers().get("x-amz-target");
        assert_eq!(asked, Some("secretsmanager.GetSecretValue"));
        let (status, body) = match &state.secret {
            Some(secret) => (200, json!({"Name": "marquee/payments", "SecretString": secret})),
            None => (500, json!({"__type": "InternalServiceError"})),
        };
        let body = SdkBody::from(body.to_string());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), body)))
    }
}

/// Sends an event that means nothing, signed by `secret`.
async fn send(world: &World, secret: &str) -> u16 {
    let body = json!({"type": "customer.created", "livemode": false, "data": {"object": {}}});
    let body = body.to_string();
    let signature = stripe_signature(secret, world.now().timestamp(), &body);
    world.webhook("stripe", &[("stripe-signature", &signature)], &body).await.status
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_remembered_and_looked_up_again_when_a_signature_does_not_fit() {
    let vault = Vault::holding(&["old"]);
    let world = World::new().await.with_vault(&vault);
    for _ in 0..3 {
        assert_eq!(send(&world, "old").await, 200);
    }
    assert_eq!(vault.calls(), 1, "one for many");

    vault.put(&["new", "old"]);
    assert_eq!(send(&world, "new").await, 200, "the first event signed anew is believed");
    assert_eq!(send(&world, "old").await, 200, "and the old secret still is");
    assert_eq!(vault.calls(), 1);

    vault.put(&["new"]);
    assert_eq!(send(&world, "old").await, 200, "remembered");
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(send(&world, "old").await, 400, "but not for long");
    assert_eq!(send(&world, "new").await, 200);
}

/// Goal: strangers cannot make us ask Secrets Manager as often as they like.
#[tokio::test(start_paused = true)]
async fn bad_signatures_ask_at_most_every_half_minute() {
    let vault = Vault::holding(&["ours"]);
    let world = World::new().await.with_vault(&vault);
    assert_eq!(send(&world, "ours").await, 200);
    vault.calls();
    for _ in 0..20 {
        assert_eq!(send(&world, "theirs").await, 400);
    }
    assert_eq!(vault.calls(), 1);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(send(&world, "theirs").await, 400);
    assert_eq!(vault.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn old_secrets_stand_while_secrets_manager_is_away() {
    let vault = Vault::holding(&["ours"]);
    let world = World::new().await.with_vault(&vault);
    assert_eq!(send(&world, "ours").await, 200);
    vault.go_away();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(send(&world, "ours").await, 200);
    assert_eq!(send(&world, "theirs").await, 400);
    let cold = world.with_vault(&vault);
    assert_eq!(send(&cold, "ours").await, 503, "nobody can say; come back");
}

/// Goal: a provider's secrets are its own. Method: Stripe's are here, and others try them.
#[tokio::test(start_paused = true)]
async fn no_provider_is_believed_by_anothers_secret() {
    let vault = Vault::holding(&["ours", ""]);
    let world = World::new().await.with_vault(&vault);
    assert_eq!(send(&world, "ours").await, 200);
    assert_eq!(send(&world, "").await, 400, "an empty secret is none");
    let body = "{\"event\": \"payment.captured\"}";
    let signature = crate::receive_payment_webhook::hex_hmac("ours", body);
    let answer = world.webhook("razorpay", &[("x-razorpay-signature", &signature)], body).await;
    assert_eq!(answer.problem(400), "invalid_signature");
}
