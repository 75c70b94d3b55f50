//! The SDK's clients, tuned for a cold start.
//!
//! Measured against the defaults: reading only the environment instead of probing every source of
//! credentials saves 4 ms, ring instead of aws-lc 24 ms of CPU at the first handshake, five known
//! roots instead of the machine's 3 ms.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use crate::settings::MissingSetting;

/// The roots that every AWS endpoint's certificate leads to: Amazon Root CA 1 to 4 and Starfield
/// Services Root CA G2 (AWS, "Amazon Trust Services").
const AMAZON_ROOTS: &str = include_str!("amazon_roots.pem");

/// The longest pause before the second attempt; it doubles before the third. The SDK's default of a
/// second is for services that answer in seconds, and these answer in milliseconds.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// The AWS services that some functions use besides `DynamoDB`. Each is made by a constructor of its
/// own, so that a function links only what it uses.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    /// For functions that put something on a queue.
    pub sqs: Option<aws_sdk_sqs::Client>,
    /// For functions whose secrets are managed.
    pub secrets_manager: Option<aws_sdk_secretsmanager::Client>,
    /// For functions that tell other systems of events.
    pub event_bridge: Option<aws_sdk_eventbridge::Client>,
    /// For functions that write to customers.
    pub email: Option<aws_sdk_sesv2::Client>,
}

impl Clients {
    /// Queues.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`].
    pub fn of_queues() -> Result<Self, MissingSetting> {
        Ok(Self { sqs: Some(sqs(&NO_HURRY)?), ..Self::default() })
    }

    /// The event bus, and queues.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`].
    pub fn of_bus() -> Result<Self, MissingSetting> {
        let config = config("AWS_ENDPOINT_URL_EVENTBRIDGE", &NO_HURRY)?;
        let event_bridge = Some(aws_sdk_eventbridge::Client::new(&config));
        Ok(Self { event_bridge, sqs: Some(sqs(&NO_HURRY)?), ..Self::default() })
    }

    /// Letters. Each call is made once: SES cannot tell a second one from another letter, and the queue
    /// brings back what failed.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`].
    pub fn of_email() -> Result<Self, MissingSetting> {
        let patience =
            Patience { attempts: 1, each: Duration::from_secs(10), all: Duration::from_secs(10) };
        let config = config("AWS_ENDPOINT_URL_SESV2", &patience)?;
        Ok(Self { email: Some(aws_sdk_sesv2::Client::new(&config)), ..Self::default() })
    }
}

/// Where nobody waits for the answer.
const NO_HURRY: Patience =
    Patience { attempts: 3, each: Duration::from_secs(3), all: Duration::from_secs(8) };

/// How long a service is waited for.
struct Patience {
    attempts: u32,
    each: Duration,
    all: Duration,
}

/// A client of `DynamoDB`. An answer that takes a second is lost; the next attempt gets another
/// connection. The three calls of a cold hold, at their slowest, end before the function does.
pub(crate) fn dynamodb() -> Result<aws_sdk_dynamodb::Client, MissingSetting> {
    let patience =
        Patience { attempts: 3, each: Duration::from_secs(1), all: Duration::from_secs(3) };
    Ok(aws_sdk_dynamodb::Client::new(&config("AWS_ENDPOINT_URL_DYNAMODB", &patience)?))
}

/// A client of SQS for who receives webhooks. A provider waits for the answer, and gets one within a
/// second; if SQS does not answer, it is asked to come back.
pub(crate) fn hurried_sqs() -> Result<aws_sdk_sqs::Client, MissingSetting> {
    let patience =
        Patience { attempts: 2, each: Duration::from_millis(400), all: Duration::from_millis(900) };
    sqs(&patience)
}

fn sqs(patience: &Patience) -> Result<aws_sdk_sqs::Client, MissingSetting> {
    Ok(aws_sdk_sqs::Client::new(&config("AWS_ENDPOINT_URL_SQS", patience)?))
}

/// A client of Secrets Manager.
pub(crate) fn secrets_manager() -> Result<aws_sdk_secretsmanager::Client, MissingSetting> {
    let patience =
        Patience { attempts: 3, each: Duration::from_secs(1), all: Duration::from_secs(2) };
    let config = config("AWS_ENDPOINT_URL_SECRETS_MANAGER", &patience)?;
    Ok(aws_sdk_secretsmanager::Client::new(&config))
}

/// What a client is made from: the region, the credentials and the endpoint that the environment
/// names, by the variables of every AWS SDK.
fn config(endpoint: &str, patience: &Patience) -> Result<SdkConfig, MissingSetting> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let region = variable("AWS_REGION").ok_or(MissingSetting("AWS_REGION"))?;
    let endpoint = variable(endpoint).or_else(|| variable("AWS_ENDPOINT_URL"));

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

    let timeouts = TimeoutConfig::builder()
        .connect_timeout(patience.each)
        .operation_attempt_timeout(patience.each)
        .operation_timeout(patience.all)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(patience.attempts)
        .with_initial_backoff(RETRY_AFTER);
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries);
    config.set_endpoint_url(endpoint);
    Ok(config.build())
}
