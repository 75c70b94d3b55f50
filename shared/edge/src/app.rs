//! What a function has at hand: made once per cold start, shared by all its invocations.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta};
use domain::time::{HoldTerms, Timestamp};
use store::Store;

use crate::aws::Clients;
use crate::cache::Cache;
use crate::catalog::Caches;
use crate::limits::{Buckets, Limits};
use crate::log::{Invocation, Note};
use crate::payment::{self, PaymentProvider, SecretSource, Secrets};
use crate::settings::{MissingSetting, QueueUrls, Settings};
use crate::token::Tokens;

/// Tells the time. The only clock there is; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock.
#[must_use]
pub fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    Arc::new(chrono::Utc::now)
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
    readers: Buckets,
    holders: Buckets,
    secrets: Option<Secrets>,
    tokens: OnceLock<Tokens>,
    payments: OnceLock<Box<dyn PaymentProvider>>,
    subscribers: OnceLock<reqwest::Client>,
    /// Whether an invocation was begun.
    is_warm: AtomicBool,
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
            readers: Buckets::default(),
            holders: Buckets::default(),
            caches: Caches {
                shows: Cache::new(512, Duration::from_secs(5)),
                layouts: Cache::new(32, Duration::from_secs(24 * 60 * 60)),
                days: Cache::new(64, Duration::from_secs(10)),
                cities: Cache::new(1, Duration::from_secs(60)),
                movies: Cache::new(64, Duration::from_secs(60)),
                past: Cache::new(1_024, Duration::from_secs(24 * 60 * 60)),
                subscriptions: Cache::new(1, Duration::from_secs(10)),
                allowances: Cache::new(1_024, Duration::from_secs(15 * 60)),
            },
            tokens: OnceLock::new(),
            payments: OnceLock::new(),
            subscribers: OnceLock::new(),
            is_warm: AtomicBool::new(false),
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
        let app = Self::new(store, clients, settings, system_clock());
        tokio::join!(app.store.connect(), app.warm_tokens());
        Ok(app)
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
        let receives = settings.queues.payment_events.is_some();
        if receives {
            clients.sqs = Some(crate::aws::hurried_sqs()?);
        }
        let app = Self::new(store, clients, settings, system_clock());
        if !receives {
            tokio::join!(app.store.connect(), app.warm_tokens());
        }
        if let Some((payments, secrets)) = app.shared.settings.payments.as_ref().zip(app.secrets())
            && let Err(error) = secrets.of(&payments.provider).await
        {
            tracing::warn!(cause = crate::log::causes(&error), "no secrets at the start");
        }
        Ok(app)
    }

    /// The same app for one invocation, with counts of its own.
    pub(crate) fn begin(&self, request_id: &str) -> Self {
        let invocation = Invocation::new(request_id);
        if !self.shared.is_warm.swap(true, Relaxed) {
            invocation.note(Note::ColdStart);
        }
        Self {
            store: self.store.metered(),
            invocation: Arc::new(invocation),
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

    /// What the front proves itself by: none without a front.
    pub(crate) fn front_secrets(&self) -> &[String] {
        &self.shared.settings.front_secrets
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

    /// Has the keys of an issuer here before the first request asks for them.
    async fn warm_tokens(&self) {
        if let Ok(tokens) = self.tokens() {
            tokens.warm(self.now()).await;
        }
    }

    pub(crate) fn tokens(&self) -> Result<&Tokens, MissingSetting> {
        let settings = self.shared.settings.tokens.as_ref();
        let settings = settings.ok_or(MissingSetting("JWT_SECRET"))?;
        Ok(self.shared.tokens.get_or_init(|| Tokens::new(settings)))
    }

    /// How often a user may do what.
    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.settings.limits
    }

    /// What addresses have read lately.
    pub(crate) fn readers(&self) -> &Buckets {
        &self.shared.readers
    }

    /// Which holds users have tried lately.
    pub(crate) fn holders(&self) -> &Buckets {
        &self.shared.holders
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.shared.caches
    }

    /// Logs the line about this invocation of `function`, which was answered so.
    pub(crate) fn log(&self, function: &str, status: u16, code: Option<&str>) {
        let settings = &self.shared.settings;
        let (namespace, meter) = (&settings.metrics_namespace, self.store.meter());
        let line = self.invocation.line(namespace, function, status, code, meter, self.now());
        (settings.log)(&line);
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
