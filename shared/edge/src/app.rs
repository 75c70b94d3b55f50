//! What a function has at hand: made once per cold start, shared by all its invocations.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::SubsecRound as _;
use domain::limits::HOLD_TTL_SECS;
use domain::time::{HoldTerms, Timestamp};
use store::{Store, Tables};

use crate::cache::Cache;
use crate::catalog::Caches;
use crate::log::{Invocation, Log, Note};
use crate::payment::{self, PaymentProvider};
use crate::token::{TokenSettings, Tokens};

/// Tells the time. The only clock there is; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock.
#[must_use]
pub fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    Arc::new(chrono::Utc::now)
}

/// What is configured, by environment variables on Lambda.
#[derive(Clone)]
pub struct Settings {
    /// The names of the tables.
    pub tables: Tables,
    /// How long holds last.
    pub hold_terms: HoldTerms,
    /// Which tokens are believed. Only functions that ask for a user need it.
    pub tokens: Option<TokenSettings>,
    /// Which payment provider, and where. Only functions that ask for payments need it.
    pub payments: Option<payment::Settings>,
    /// Takes the line about each invocation.
    pub log: Log,
}

/// A setting that is missing or malformed.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or malformed")]
pub struct MissingSetting(pub &'static str);

impl Settings {
    /// Reads the settings from environment variables; `template.yaml` sets them.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`] names the first variable that is.
    pub fn from_environment() -> Result<Self, MissingSetting> {
        Self::from_variables(&std::env::vars().collect())
    }

    /// Reads the settings from these variables.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`] names the first variable that is.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Result<Self, MissingSetting> {
        let find = |name| variables.get(name).filter(|value| !value.is_empty()).cloned();
        let need = |name| find(name).ok_or(MissingSetting(name));
        let hold_secs = match find("HOLD_SECONDS") {
            None => HOLD_TTL_SECS,
            Some(text) => text.parse().map_err(|_| MissingSetting("HOLD_SECONDS"))?,
        };
        let tokens = match find("JWT_SECRET") {
            None => None,
            // A shorter key than the hash can be guessed (RFC 7518, section 3.2).
            Some(secret) if secret.len() < 32 => return Err(MissingSetting("JWT_SECRET")),
            Some(secret) => Some(TokenSettings {
                secret,
                issuer: need("JWT_ISSUER")?,
                audience: need("JWT_AUDIENCE")?,
                roles_claim: find("JWT_ROLES_CLAIM").unwrap_or_else(|| "roles".to_owned()),
            }),
        };
        let payments = match find("PAYMENT_PROVIDER") {
            None => None,
            Some(provider) => Some(payment::Settings {
                provider: provider.parse().map_err(|_| MissingSetting("PAYMENT_PROVIDER"))?,
                base_url: need("PAYMENT_BASE_URL")?,
            }),
        };
        Ok(Self {
            tables: Tables {
                catalog: need("CATALOG_TABLE")?,
                seats: need("SEATS_TABLE")?,
                reservations: need("RESERVATIONS_TABLE")?,
                payments: need("PAYMENTS_TABLE")?,
            },
            hold_terms: HoldTerms::of_secs(hold_secs),
            tokens,
            payments,
            log: Arc::new(|line| println!("{line}")),
        })
    }
}

/// What a function has at hand. Cheap to clone; each invocation has its own with its own counts.
#[derive(Clone)]
pub struct App {
    /// The tables.
    pub store: Store,
    /// What is noted about this invocation.
    pub(crate) invocation: Arc<Invocation>,
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    clock: Clock,
    caches: Caches,
    tokens: OnceLock<Tokens>,
    payments: OnceLock<Box<dyn PaymentProvider>>,
}

impl App {
    /// An app over a store, with settings and a clock.
    #[must_use]
    pub fn new(store: Store, settings: Settings, clock: Clock) -> Self {
        let shared = Shared {
            settings,
            clock,
            caches: Caches {
                shows: Cache::new(512, Duration::from_secs(5)),
                layouts: Cache::new(32, Duration::from_secs(24 * 60 * 60)),
                days: Cache::new(64, Duration::from_secs(10)),
                cities: Cache::new(1, Duration::from_secs(60)),
                movies: Cache::new(64, Duration::from_secs(60)),
            },
            tokens: OnceLock::new(),
            payments: OnceLock::new(),
        };
        Self { store, invocation: Arc::default(), shared: Arc::new(shared) }
    }

    /// The app of a Lambda function: settings from the environment, clients made once, and the
    /// connection to `DynamoDB` open, so that the first request does not pay for it.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`].
    pub async fn on_lambda() -> Result<Self, MissingSetting> {
        let settings = Settings::from_environment()?;
        let client = crate::aws::dynamodb()?;
        let store = Store::new(client, settings.tables.clone());
        store.connect().await;
        Ok(Self::new(store, settings, system_clock()))
    }

    /// The same app for one invocation, with counts of its own.
    pub(crate) fn begin(&self, request_id: &str) -> Self {
        Self {
            store: self.store.metered(),
            invocation: Arc::new(Invocation::new(request_id)),
            shared: Arc::clone(&self.shared),
        }
    }

    /// The time, to the millisecond.
    pub(crate) fn now(&self) -> Timestamp {
        (self.shared.clock)().trunc_subsecs(3)
    }

    /// How long holds last.
    #[must_use]
    pub fn hold_terms(&self) -> HoldTerms {
        self.shared.settings.hold_terms
    }

    /// Notes something about this invocation for its log line and its metrics.
    pub fn note(&self, note: Note<'_>) {
        self.invocation.note(note);
    }

    /// The payment provider that is configured.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`] if none is.
    pub fn payments(&self) -> Result<&dyn PaymentProvider, MissingSetting> {
        let settings = self.shared.settings.payments.as_ref();
        let settings = settings.ok_or(MissingSetting("PAYMENT_PROVIDER"))?;
        if self.shared.payments.get().is_none() {
            // Two invocations may both come here; the second one's client is dropped.
            let _ = self.shared.payments.set(payment::provider(settings)?);
        }
        Ok(&**self.shared.payments.get().expect("it was set just now"))
    }

    pub(crate) fn tokens(&self) -> Result<&Tokens, MissingSetting> {
        let settings = self.shared.settings.tokens.as_ref();
        let settings = settings.ok_or(MissingSetting("JWT_SECRET"))?;
        Ok(self.shared.tokens.get_or_init(|| Tokens::new(settings)))
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.shared.caches
    }

    pub(crate) fn log(&self, line: &str) {
        (self.shared.settings.log)(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let tables = ["CATALOG_TABLE", "SEATS_TABLE", "RESERVATIONS_TABLE", "PAYMENTS_TABLE"];
        let tables = tables.map(|name| (name, "t"));
        let all = tables.iter().chain(pairs);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_missing_or_broken_setting_is_named() {
        let read = |pairs: &[(&str, &str)]| {
            Settings::from_variables(&variables(pairs)).map(drop).map_err(|error| error.0)
        };
        assert_eq!(read(&[]), Ok(()));
        assert_eq!(read(&[("SEATS_TABLE", "")]), Err("SEATS_TABLE"));
        assert_eq!(read(&[("HOLD_SECONDS", "five")]), Err("HOLD_SECONDS"));
        let secret = ("JWT_SECRET", "a secret of thirty-two characters");
        assert_eq!(read(&[secret, ("JWT_ISSUER", "i")]), Err("JWT_AUDIENCE"));
        assert_eq!(read(&[("JWT_SECRET", "short")]), Err("JWT_SECRET"));
        assert_eq!(read(&[("PAYMENT_PROVIDER", "sandbox")]), Err("PAYMENT_BASE_URL"));
    }
}
