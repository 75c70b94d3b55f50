//! Keys of providers and secrets of their webhooks: given outright on a desk, kept by Secrets Manager
//! on AWS, and remembered for some minutes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::Provider;
use tokio::time::Instant;

use super::ProviderError;

/// How long they are remembered. A secret that was taken back is believed no longer than this.
const AGE_MAX: Duration = Duration::from_secs(10 * 60);

/// How soon a bad signature may make us ask again. Strangers can send bad signatures.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Where keys come from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// Given outright, by provider. For a desk and for tests.
    Given(BTreeMap<Provider, ProviderSecrets>),
    /// A secret of Secrets Manager, by its name or ARN: [`ProviderSecrets`] of the configured
    /// provider, as JSON.
    Managed {
        /// Its name or ARN.
        id: String,
    },
}

/// What only we and a provider know.
#[derive(Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderSecrets {
    /// The secret key of its API.
    #[serde(default)]
    pub api_key: String,
    /// The public half of that key, where it has one.
    #[serde(default)]
    pub key_id: String,
    /// What signs its webhooks. Two at a time while one replaces the other.
    #[serde(default)]
    pub webhook_secrets: Vec<String>,
}

impl fmt::Debug for ProviderSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProviderSecrets")
    }
}

/// Looks keys up. Cheap to clone; clones share what is remembered.
#[derive(Clone)]
pub(crate) struct Secrets(Arc<Shared>);

struct Shared {
    source: Source,
    remembered: Mutex<Option<Remembered>>,
    /// When they were last asked for out of turn.
    asked: Mutex<Option<Instant>>,
}

enum Source {
    Given(BTreeMap<Provider, Arc<ProviderSecrets>>),
    Managed { client: aws_sdk_secretsmanager::Client, id: String, provider: Provider },
}

struct Remembered {
    secrets: Arc<ProviderSecrets>,
    at: Instant,
}

impl Secrets {
    pub(crate) fn given(secrets: BTreeMap<Provider, ProviderSecrets>) -> Self {
        let secrets = secrets.into_iter().map(|(of, secrets)| (of, Arc::new(secrets))).collect();
        Self::from(Source::Given(secrets))
    }

    pub(crate) fn managed(
        client: aws_sdk_secretsmanager::Client,
        id: String,
        provider: Provider,
    ) -> Self {
        Self::from(Source::Managed { client, id, provider })
    }

    fn from(source: Source) -> Self {
        Self(Arc::new(Shared { source, remembered: Mutex::default(), asked: Mutex::default() }))
    }

    /// The secrets of `provider`; it may have none. Costs a call of Secrets Manager every ten
    /// minutes. While that fails, what is remembered still stands, and it is asked at most every
    /// half a minute.
    pub(crate) async fn of(
        &self,
        provider: &Provider,
    ) -> Result<Arc<ProviderSecrets>, ProviderError> {
        if self.is_of_another(provider) {
            return Ok(Arc::default());
        }
        match self.remembered() {
            Some((secrets, age)) if age < AGE_MAX => Ok(secrets),
            Some((old, _)) => Ok(self.again(provider).await.unwrap_or(old)),
            None => self.load(provider).await,
        }
    }

    /// The secrets again, if they may have changed: for a signature that none of the remembered
    /// ones made, or a key that the provider does not know. At most one call in half a minute,
    /// whether it brings anything or not.
    pub(crate) async fn again(&self, provider: &Provider) -> Option<Arc<ProviderSecrets>> {
        if matches!(self.0.source, Source::Given(_)) || self.is_of_another(provider) {
            return None;
        }
        let asked = || self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked().is_some_and(|at| at.elapsed() < ASK_AGAIN_AFTER) {
            return None;
        }
        *asked() = Some(Instant::now());
        let loaded = self.load(provider).await;
        if let Err(error) = &loaded {
            tracing::error!(cause = crate::log::causes(error), "Secrets Manager gave nothing");
        }
        loaded.ok()
    }

    fn is_of_another(&self, provider: &Provider) -> bool {
        matches!(&self.0.source, Source::Managed { provider: of, .. } if of != provider)
    }

    fn remembered(&self) -> Option<(Arc<ProviderSecrets>, Duration)> {
        let remembered = self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.as_ref().map(|found| (Arc::clone(&found.secrets), found.at.elapsed()))
    }

    async fn load(&self, of: &Provider) -> Result<Arc<ProviderSecrets>, ProviderError> {
        let (client, id) = match &self.0.source {
            Source::Given(all) => return Ok(all.get(of).cloned().unwrap_or_default()),
            Source::Managed { client, id, .. } => (client, id),
        };
        let answer = client.get_secret_value().secret_id(id).send().await;
        let answer = answer.map_err(|error| ProviderError::Away(error.into()))?;
        let text = answer.secret_string.unwrap_or_default();
        // The parser's own words could quote a key.
        let secrets: ProviderSecrets = serde_json::from_str(&text)
            .map_err(|_| ProviderError::Nonsense(format!("the secret {id} is malformed")))?;
        let secrets = Arc::new(secrets);
        let mut remembered = self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        *remembered = Some(Remembered { secrets: Arc::clone(&secrets), at: Instant::now() });
        Ok(secrets)
    }
}
