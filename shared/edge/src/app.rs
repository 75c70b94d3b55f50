//! What a function has at hand: made once per cold start, shared by all its invocations.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta};
use domain::limits::{EVENT_LOG_SETTLES_AFTER_SECS, HOLD_TTL_SECS, SWEEP_SETTLES_AFTER_SECS};
use domain::time::{HoldTerms, Timestamp};
use store::{Store, Tables};

use crate::aws::Clients;
use crate::cache::Cache;
use crate::catalog::Caches;
use crate::log::{Invocation, Log, Note};
use crate::payment::{self, PaymentProvider, SecretSource, Secrets};
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
    /// Which payment provider, and where. Only functions that deal with payments need it.
    pub payments: Option<payment::Settings>,
    /// The queues that a function puts something on.
    pub queues: QueueUrls,
    /// The name of the bus that other systems hear of events by.
    pub event_bus: Option<String>,
    /// Whom customers get letters from. Without it they get none.
    pub email_from: Option<String>,
    /// What signs tickets.
    pub ticket_secret: Option<String>,
    /// What signed tickets before it, some of which are still out there.
    pub previous_ticket_secret: Option<String>,
    /// Whether subscribers may be on this very machine, as they are on a desk.
    pub allows_loopback: bool,
    /// How long after it was recorded an event is listed. Elsewhere than on a desk, machines record at
    /// once, and the index lags.
    pub log_settles_after: TimeDelta,
    /// How long after a show was cancelled no function sells it any more.
    pub sweep_settles_after: TimeDelta,
    /// Takes the line about each invocation.
    pub log: Log,
}

/// The URLs of the queues that a function puts something on; of the others it knows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueUrls {
    /// What payment providers tell.
    pub payment_events: Option<String>,
    /// Pages of the sweep of a cancelled show.
    pub show_cancellations: Option<String>,
    /// Events on their way to subscribers.
    pub event_deliveries: Option<String>,
    /// Events that a customer is written about.
    pub emails: Option<String>,
    /// Records of streams that make no sense.
    pub records_failed: Option<String>,
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
                base_url: find("PAYMENT_BASE_URL")
                    .or_else(|| payment::base_url_of(&provider).map(str::to_owned))
                    .ok_or(MissingSetting("PAYMENT_BASE_URL"))?,
                provider: provider.parse().map_err(|_| MissingSetting("PAYMENT_PROVIDER"))?,
                live: match find("PAYMENT_LIVE").as_deref() {
                    Some("true") => true,
                    Some("false") => false,
                    _neither => return Err(MissingSetting("PAYMENT_LIVE")),
                },
                secrets: SecretSource::Managed { id: need("PAYMENT_SECRET_ID")? },
            }),
        };
        let ticket_secret = |name| match find(name) {
            Some(secret) if secret.len() < 32 => Err(MissingSetting(name)),
            secret => Ok(secret),
        };
        Ok(Self {
            tables: Tables {
                catalog: need("CATALOG_TABLE")?,
                seats: need("SEATS_TABLE")?,
                reservations: need("RESERVATIONS_TABLE")?,
                payments: need("PAYMENTS_TABLE")?,
                events: need("EVENTS_TABLE")?,
            },
            hold_terms: HoldTerms::of_secs(hold_secs),
            tokens,
            payments,
            queues: QueueUrls {
                payment_events: find("PAYMENT_EVENTS_QUEUE_URL"),
                show_cancellations: find("SHOW_CANCELLATIONS_QUEUE_URL"),
                event_deliveries: find("EVENT_DELIVERIES_QUEUE_URL"),
                emails: find("EMAILS_QUEUE_URL"),
                records_failed: find("RECORDS_FAILED_QUEUE_URL"),
            },
            event_bus: find("EVENT_BUS_NAME"),
            email_from: find("EMAIL_FROM"),
            ticket_secret: ticket_secret("TICKET_SECRET")?,
            previous_ticket_secret: ticket_secret("TICKET_SECRET_PREVIOUS")?,
            allows_loopback: false,
            log_settles_after: TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS),
            sweep_settles_after: TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS),
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
    clients: Clients,
    clock: Clock,
    caches: Caches,
    secrets: Option<Secrets>,
    tokens: OnceLock<Tokens>,
    payments: OnceLock<Box<dyn PaymentProvider>>,
    subscribers: OnceLock<reqwest::Client>,
}

impl App {
    /// An app over a store and other services, with settings and a clock.
    #[must_use]
    pub fn new(store: Store, clients: Clients, settings: Settings, clock: Clock) -> Self {
        let secrets = settings.payments.as_ref().and_then(|payments| secrets(payments, &clients));
        let shared = Shared {
            settings,
            clients,
            clock,
            secrets,
            caches: Caches {
                shows: Cache::new(512, Duration::from_secs(5)),
                layouts: Cache::new(32, Duration::from_secs(24 * 60 * 60)),
                days: Cache::new(64, Duration::from_secs(10)),
                cities: Cache::new(1, Duration::from_secs(60)),
                movies: Cache::new(64, Duration::from_secs(60)),
                past: Cache::new(1_024, Duration::from_secs(24 * 60 * 60)),
                subscriptions: Cache::new(1, Duration::from_secs(10)),
            },
            tokens: OnceLock::new(),
            payments: OnceLock::new(),
            subscribers: OnceLock::new(),
        };
        Self { store, invocation: Arc::default(), shared: Arc::new(shared) }
    }

    /// The app of a Lambda function: settings from the environment, clients made once, and the
    /// connection to `DynamoDB` open, so that the first request does not pay for it.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`].
    pub async fn on_lambda(clients: Clients) -> Result<Self, MissingSetting> {
        let settings = Settings::from_environment()?;
        let store = Store::new(crate::aws::dynamodb()?, settings.tables.clone());
        store.connect().await;
        Ok(Self::new(store, clients, settings, system_clock()))
    }

    /// The app of a Lambda function that deals with payments. Its secrets are here before the first
    /// request, too. A function with a queue to write to does not touch `DynamoDB`.
    ///
    /// Apart from [`App::on_lambda`], so that the other functions link none of it.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`].
    pub async fn on_lambda_with_payments() -> Result<Self, MissingSetting> {
        let settings = Settings::from_environment()?;
        let store = Store::new(crate::aws::dynamodb()?, settings.tables.clone());
        let secrets_manager = Some(crate::aws::secrets_manager()?);
        let mut clients = Clients { secrets_manager, ..Clients::default() };
        if settings.queues.payment_events.is_some() {
            clients.sqs = Some(crate::aws::hurried_sqs()?);
        } else {
            store.connect().await;
        }
        let app = Self::new(store, clients, settings, system_clock());
        if let Some((payments, secrets)) = app.shared.settings.payments.as_ref().zip(app.secrets())
            && let Err(error) = secrets.of(&payments.provider).await
        {
            tracing::warn!(cause = crate::log::causes(&error), "no secrets at the start");
        }
        Ok(app)
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
            let secrets = self.secrets().ok_or(MissingSetting("PAYMENT_SECRET_ID"))?;
            // Two invocations may both come here; the second one's client is dropped.
            let _ = self.shared.payments.set(payment::provider(settings, secrets.clone())?);
        }
        Ok(&**self.shared.payments.get().expect("it was set just now"))
    }

    pub(crate) fn payment_settings(&self) -> Option<&payment::Settings> {
        self.shared.settings.payments.as_ref()
    }

    pub(crate) fn secrets(&self) -> Option<&Secrets> {
        self.shared.secrets.as_ref()
    }

    /// The queues that are configured, and who reaches them.
    pub(crate) fn queues(&self) -> (&QueueUrls, Option<&aws_sdk_sqs::Client>) {
        (&self.shared.settings.queues, self.shared.clients.sqs.as_ref())
    }

    /// The bus that other systems hear of events by.
    pub(crate) fn event_bus(&self) -> Result<(&aws_sdk_eventbridge::Client, &str), MissingSetting> {
        let name = self.shared.settings.event_bus.as_deref();
        let client = self.shared.clients.event_bridge.as_ref();
        client.zip(name).ok_or(MissingSetting("EVENT_BUS_NAME"))
    }

    /// Who sends letters, and from whom they are, if customers get any.
    pub(crate) fn email(&self) -> Option<(&aws_sdk_sesv2::Client, &str)> {
        let from = self.shared.settings.email_from.as_deref();
        self.shared.clients.email.as_ref().zip(from)
    }

    /// What signs tickets.
    pub(crate) fn ticket_secret(&self) -> Result<&str, MissingSetting> {
        self.shared.settings.ticket_secret.as_deref().ok_or(MissingSetting("TICKET_SECRET"))
    }

    /// What signed tickets before, and signs none any more.
    pub(crate) fn previous_ticket_secret(&self) -> Option<&str> {
        self.shared.settings.previous_ticket_secret.as_deref()
    }

    /// Whether subscribers may be on this very machine.
    pub(crate) fn allows_loopback(&self) -> bool {
        self.shared.settings.allows_loopback
    }

    /// How long after it was recorded an event is listed.
    #[must_use]
    pub fn log_settles_after(&self) -> TimeDelta {
        self.shared.settings.log_settles_after
    }

    /// How long after a show was cancelled no function sells it any more.
    pub(crate) fn sweep_settles_after(&self) -> TimeDelta {
        self.shared.settings.sweep_settles_after
    }

    /// What calls subscribers.
    pub(crate) fn subscribers(&self) -> &reqwest::Client {
        let allows_loopback = self.allows_loopback();
        self.shared.subscribers.get_or_init(|| crate::subscribers::client(allows_loopback))
    }

    #[expect(clippy::disallowed_methods, reason = "what nobody may guess is drawn here")]
    fn draw() -> uuid::Uuid {
        uuid::Uuid::new_v4()
    }

    /// A fresh id.
    pub(crate) fn draw_id(&self) -> String {
        Self::draw().to_string()
    }

    /// Fresh bytes that nobody can guess: 244 random bits, as two random UUIDs have.
    pub(crate) fn draw_secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(Self::draw().as_bytes());
        secret[16..].copy_from_slice(Self::draw().as_bytes());
        secret
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

fn secrets(settings: &payment::Settings, clients: &Clients) -> Option<Secrets> {
    match &settings.secrets {
        SecretSource::Given(secrets) => Some(Secrets::given(secrets.clone())),
        SecretSource::Managed { id } => {
            let client = clients.secrets_manager.clone()?;
            Some(Secrets::managed(client, id.clone(), settings.provider.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let tables = [
            "CATALOG_TABLE",
            "SEATS_TABLE",
            "RESERVATIONS_TABLE",
            "PAYMENTS_TABLE",
            "EVENTS_TABLE",
        ];
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
        let (short, long) = ("s".repeat(31), "s".repeat(32));
        for name in ["TICKET_SECRET", "TICKET_SECRET_PREVIOUS"] {
            assert_eq!(read(&[(name, short.as_str())]), Err(name));
            assert_eq!(read(&[(name, long.as_str())]), Ok(()));
        }
        let sandbox = ("PAYMENT_PROVIDER", "sandbox");
        assert_eq!(read(&[sandbox]), Err("PAYMENT_BASE_URL"));
        let (stripe, test) = (("PAYMENT_PROVIDER", "stripe"), ("PAYMENT_LIVE", "false"));
        assert_eq!(read(&[stripe]), Err("PAYMENT_LIVE"), "it is never guessed");
        assert_eq!(read(&[stripe, ("PAYMENT_LIVE", "no")]), Err("PAYMENT_LIVE"));
        assert_eq!(read(&[stripe, test]), Err("PAYMENT_SECRET_ID"));
        assert_eq!(read(&[stripe, test, ("PAYMENT_SECRET_ID", "marquee/dev")]), Ok(()));
    }
}
