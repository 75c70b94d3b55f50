//! Everything at once: engine, tables, demo, queues, bus, mailbox, provider, gateway, and what calls
//! functions.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use domain::id::Provider;
use domain::time::HoldTerms;
use dynoxide::Database;
use edge::payment::{self, ProviderSecrets, SecretSource};
use edge::{App, Clients, Clock, Keys, Limits, Role, Settings, TokenSettings};
use serde_json::{Value, json};
use store::{Store, Tables};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::bus::{self, Bus};
use crate::dynamodb::{self, Embedded};
use crate::mailbox::{self, Mailbox};
use crate::pages::Pages;
use crate::pump::{QueuePump, SchedulePump, StreamPump, Target};
use crate::queue::{self, Queues};
use crate::sandbox::{self, Sandbox};
use crate::template::{Error, Source, Template};
use crate::{demo, functions, gateway, token};

/// The payment provider with play money.
pub const SANDBOX: &str = "sandbox";

/// What the names of a desk's tables begin with.
const TABLE_PREFIX: &str = "marquee-";

/// How often the engine's TTL is run. DynamoDB takes its time; a desk need not.
const TTL_SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct Options {
    /// The gateway's port; 0 for any.
    pub port: u16,
    /// The secret that signs tokens.
    pub jwt_secret: String,
    /// Whose tokens are believed, in place of those that the secret signs.
    pub jwks: Option<JwksOptions>,
    /// How often one may do what, as `LIMITS` says it on Lambda.
    pub limits: Option<String>,
    /// How long holds last.
    pub hold_terms: HoldTerms,
    /// A compatible server to use instead of the embedded engine.
    pub dynamodb_url: Option<String>,
    /// Where the embedded engine keeps its data; in memory if not said.
    pub data: Option<PathBuf>,
    /// Whether to fill the catalogue.
    pub demo: bool,
    /// Whether the embedded engine deletes what is past its time.
    pub ttl: bool,
    /// Whether tables have streams.
    pub streams: bool,
    /// Whether each invocation prints its line.
    pub log: bool,
    /// Who takes the money.
    pub payments: PaymentOptions,
}

/// An issuer of tokens.
#[derive(Debug, Clone)]
pub struct JwksOptions {
    /// Where its keys are.
    pub url: String,
    /// What its tokens say of it.
    pub issuer: String,
    /// For whom they are.
    pub audience: String,
}

/// Who takes the money, and who may say so.
#[derive(Debug, Clone)]
pub struct PaymentOptions {
    /// The provider that checkout, confirm and refunds use.
    pub provider: Provider,
    /// Where its API is; the desk's own sandbox, or the provider's real one, if not said.
    pub base_url: Option<String>,
    /// The secret key of its API, and the public one before a colon where it has two.
    pub key: String,
    /// What signs webhooks, of any provider; several while one replaces another.
    pub webhook_secrets: Vec<(Provider, String)>,
}

impl PaymentOptions {
    /// What each provider and we know.
    fn secrets(&self) -> BTreeMap<Provider, ProviderSecrets> {
        let mut all: BTreeMap<Provider, ProviderSecrets> = BTreeMap::new();
        let own = all.entry(self.provider.clone()).or_default();
        let (key_id, api_key) = self.key.split_once(':').unwrap_or(("", &self.key));
        (own.key_id, own.api_key) = (key_id.to_owned(), api_key.to_owned());
        for (provider, secret) in &self.webhook_secrets {
            all.entry(provider.clone()).or_default().webhook_secrets.push(secret.clone());
        }
        all
    }

    /// What the desk's own sandbox signs with: the newest of its secrets.
    fn sandbox_secret(&self) -> Option<&str> {
        let is_sandbox = |(provider, _): &&(Provider, String)| provider.as_str() == SANDBOX;
        self.webhook_secrets.iter().find(is_sandbox).map(|(_, secret)| secret.as_str())
    }
}

/// A running Marquee. Ends when it is dropped, or by [`Server::stop`].
pub struct Server {
    /// Where the gateway is.
    pub url: String,
    /// Where DynamoDB is.
    pub dynamodb_url: String,
    /// The tables.
    pub tables: Tables,
    /// The store that the functions use.
    pub store: Store,
    /// What signs tokens. Those of a desk with an issuer are not believed there.
    pub tokens: TokenSettings,
    has_issuer: bool,
    clock: Clock,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts everything, and returns when it serves.
    ///
    /// # Errors
    ///
    /// If a port is taken, a server is away, or the data cannot be read.
    pub async fn start(options: &Options, clock: Clock) -> Result<Self, Error> {
        let template = Template::read()?;
        let mut tasks = Vec::new();
        let (client, dynamodb_url, db) = match &options.dynamodb_url {
            Some(url) => (dynamodb::client_at(url), url.clone(), None),
            None => {
                let db = open(options)?;
                let listener = listen(0).await?;
                let url = format!("http://{}", listener.local_addr()?);
                tasks.push(tokio::spawn(dynoxide::server::serve_on(listener, db.clone())));
                if options.ttl {
                    tasks.push(tokio::spawn(sweep(db.clone())));
                }
                (dynamodb::client_over(Embedded(db.clone())), url, Some(db))
            }
        };
        let tables =
            dynamodb::create_tables(&client, &template, TABLE_PREFIX, options.streams).await?;
        let store = Store::new(client, tables.clone());
        if options.demo {
            demo::fill(&store, clock()).await?;
        }
        let listener = listen(options.port).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let tokens = token::settings(&options.jwt_secret);
        let queues = Queues::new(clock.clone());
        for (name, settings) in template.queues()? {
            queues.create(&name, settings);
        }
        let (bus, mailbox) = (Bus::new(clock.clone()), Mailbox::new(clock.clone()));
        let sqs = queue::client_over(queues.clone());
        let clients = Clients {
            sqs: Some(sqs.clone()),
            secrets_manager: None,
            event_bridge: Some(bus::client_over(bus.clone())),
            email: Some(mailbox::client_over(mailbox.clone())),
        };
        let settings = settings(options, &tables, &tokens, &url)?;
        let has_issuer = options.jwks.is_some();
        let app = App::new(store.clone(), clients, settings, clock.clone());
        let mut router = gateway::router(&template.routes(), &app, &clock)?;
        router = router.merge(Pages { mailbox, bus, queues }.router());
        if let Some(secret) = options.payments.sandbox_secret() {
            let webhooks = format!("{url}/api/payments/webhooks/{SANDBOX}");
            let deliver = sandbox::deliver_to(webhooks, secret.to_owned(), clock.clone());
            router = router.merge(Sandbox::new(None, clock.clone(), deliver).router());
        }
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tasks.push(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                eprintln!("the gateway stopped: {error}");
            }
        }));
        tasks.extend(pumps(&template, &app, &clock, &sqs, db.filter(|_| options.streams))?);
        Ok(Self { url, dynamodb_url, tables, store, tokens, has_issuer, clock, tasks })
    }

    /// A token for `user` in `role`.
    #[must_use]
    pub fn token(&self, user: &str, role: Role) -> String {
        token::mint(&self.tokens, user, role, (self.clock)())
    }

    /// What an outsider needs to know, as JSON. A desk with an issuer has no tokens to give.
    #[must_use]
    pub fn ready(&self) -> Value {
        let token = |user, role| (!self.has_issuer).then(|| self.token(user, role));
        json!({
            "url": self.url,
            "userToken": token("demo-user", Role::User),
            "otherUserToken": token("other-user", Role::User),
            "adminToken": token("demo-admin", Role::Admin),
            "dynamodbUrl": self.dynamodb_url,
            "tables": {
                "catalog": self.tables.catalog,
                "seats": self.tables.seats,
                "reservations": self.tables.reservations,
                "payments": self.tables.payments,
                "events": self.tables.events,
                "limits": self.tables.limits,
            },
        })
    }

    /// Stops everything.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // An aborted task ends with an error that says so.
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What the functions are told of the desk.
fn settings(
    options: &Options,
    tables: &Tables,
    tokens: &TokenSettings,
    url: &str,
) -> Result<Settings, Error> {
    let limits = options.limits.as_deref().map(str::parse::<Limits>).transpose()?;
    Ok(Settings {
        tables: tables.clone(),
        hold_terms: options.hold_terms,
        limits: limits.unwrap_or_default(),
        tokens: Some(believed(options, tokens)),
        payments: Some(payments(&options.payments, url)?),
        queues: queue::urls(),
        event_bus: Some(bus::NAME.to_owned()),
        email_from: Some(mailbox::FROM.to_owned()),
        ticket_secret: Some(token::ticket_secret(&options.jwt_secret)),
        allows_loopback: true,
        log_settles_after: TimeDelta::seconds(1),
        sweep_settles_after: TimeDelta::seconds(10),
        previous_ticket_secret: None,
        log: if options.log { Arc::new(|line| println!("{line}")) } else { Arc::new(|_| {}) },
    })
}

/// Which tokens count: an issuer's, if there is one, or the desk's own.
fn believed(options: &Options, own: &TokenSettings) -> TokenSettings {
    match options.jwks.clone() {
        None => own.clone(),
        Some(JwksOptions { url, issuer, audience }) => {
            TokenSettings { keys: Keys::Jwks { url }, issuer, audience, ..own.clone() }
        }
    }
}

/// The provider that the functions use. The sandbox is this very process.
fn payments(options: &PaymentOptions, url: &str) -> Result<payment::Settings, Error> {
    let provider = &options.provider;
    let own = match provider.as_str() {
        SANDBOX => Some(url),
        other => payment::base_url_of(other),
    };
    let base_url = options.base_url.as_deref().or(own);
    let base_url = base_url.ok_or_else(|| format!("there is no payment provider {provider}"))?;
    Ok(payment::Settings {
        provider: provider.clone(),
        base_url: base_url.trim_end_matches('/').to_owned(),
        live: false,
        secrets: SecretSource::Given(options.secrets()),
    })
}

/// Starts what calls functions besides requests, as the template says. Without streams nothing
/// calls those behind one, and only the schedule sees what they would have done.
fn pumps(
    template: &Template,
    app: &App,
    clock: &Clock,
    sqs: &aws_sdk_sqs::Client,
    db: Option<Database>,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let mut tasks = Vec::new();
    for (id, source) in template.sources()? {
        let missing = || format!("template.yaml names {id}, which is not built here");
        let function = functions::by_id(&id, app).ok_or_else(missing)?;
        let target = Target::new(template, &id, function, clock.clone())?;
        match (source, &db) {
            (Source::Queue(source), _) => {
                tasks.push(tokio::spawn(QueuePump::new(target, source, sqs.clone()).run()));
            }
            (Source::Schedule { every }, _) => {
                tasks.push(tokio::spawn(SchedulePump::new(target, every).run()));
            }
            (Source::Stream(source), Some(db)) => {
                let table = format!("{TABLE_PREFIX}{}", source.table);
                let pump = StreamPump::new(target, source, db.clone(), &table, sqs.clone())?;
                tasks.push(tokio::spawn(pump.run()));
            }
            (Source::Stream(_), None) => {}
        }
    }
    Ok(tasks)
}

fn open(options: &Options) -> Result<Database, Error> {
    let Some(folder) = &options.data else { return Ok(Database::memory()?) };
    std::fs::create_dir_all(folder)?;
    let file = folder.join("dynamodb.sqlite");
    Ok(Database::new(file.to_str().ok_or("the folder's name is no text")?)?)
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.map_err(|error| format!("port {port}: {error}").into())
}

async fn sweep(db: Database) {
    let mut every = tokio::time::interval(TTL_SWEEP_EVERY);
    loop {
        every.tick().await;
        let db = db.clone();
        match tokio::task::spawn_blocking(move || db.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => eprintln!("TTL: {error}"),
            Err(_cancelled) => return,
        }
    }
}
