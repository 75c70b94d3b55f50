//! Everything at once: engine, tables, demo, queues, bus, mailbox, provider, gateway, and what calls
//! functions. These are in this process, or each in processes of its own.

mod calls;
mod engine;
mod processes;
mod services;
mod settings;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use domain::id::Provider;
use domain::time::HoldTerms;
use edge::payment::ProviderSecrets;
use edge::{App, Clock, Role, TokenSettings};
use serde_json::{Value, json};
use store::{Store, Tables};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::calls::Calls;
use self::processes::{Processes, Told};
use self::services::Services;
use crate::sandbox::{self, Sandbox};
use crate::template::{Error, Template};
use crate::{demo, dynamodb, functions, gateway, token};

/// The payment provider with play money.
pub const SANDBOX: &str = "sandbox";

/// What the names of a desk's tables begin with.
const TABLE_PREFIX: &str = "marquee-";

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
    /// Whether each function is a process of its own; and where the binaries are, if not where builds
    /// put them.
    pub binaries: Option<Vec<PathBuf>>,
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
    processes: Option<Processes>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts everything, and returns when it serves.
    ///
    /// # Errors
    ///
    /// If a port is taken, a server is away, the data cannot be read, or a binary is missing.
    pub async fn start(options: &Options, clock: Clock) -> Result<Self, Error> {
        let template = Template::read()?;
        let mut tasks = Vec::new();
        let (engine, dynamodb_url) = engine::start(options, &mut tasks).await?;
        let client = engine.client();
        let tables =
            dynamodb::create_tables(&client, &template, TABLE_PREFIX, options.streams).await?;
        let store = Store::new(client, tables.clone());
        if options.demo {
            demo::fill(&store, clock()).await?;
        }
        let listener = listen(options.port).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let tokens = token::settings(&options.jwt_secret);
        let services = Services::new(&template, &clock)?;
        let settings = settings::of(options, &tables, &tokens, &url)?;
        let processes = match &options.binaries {
            None => None,
            Some(folders) => {
                let (port, served) = services.serve(&options.payments).await?;
                tasks.push(served);
                let told = Told::new(&template, options, &settings, &dynamodb_url, &port)?;
                let log = settings.log.clone();
                Some(Processes::start(folders, &template, &told, clock.clone(), log).await?)
            }
        };
        let app = App::new(store.clone(), services.clients(), settings, clock.clone());
        let find = |id: &str| match &processes {
            Some(processes) => processes.function(id),
            None => functions::by_id(id, &app),
        };
        let calls = Calls { template: &template, find: &find, clock: &clock };
        let cors = template.cors(&processes::values(&template)?)?;
        let mut router = gateway::router(&template.routes(), find, cors, &clock)?;
        let schedules = calls.schedules()?;
        router = router.merge(services.pages(schedules.clone()).router());
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
        let streams = Some(engine).filter(|_| options.streams);
        tasks.extend(calls.start(&services.sqs(), streams, &schedules).await?);
        let has_issuer = options.jwks.is_some();
        Ok(Self { url, dynamodb_url, tables, store, tokens, has_issuer, clock, processes, tasks })
    }

    /// The functions that are processes, by their binaries' names and the folders that have them. None
    /// if all are in this process.
    #[must_use]
    pub fn binaries(&self) -> BTreeMap<PathBuf, Vec<String>> {
        self.processes.as_ref().map(Processes::folders).unwrap_or_default()
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
        if let Some(processes) = self.processes.take() {
            processes.stop().await;
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

async fn listen(port: u16) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.map_err(|error| format!("port {port}: {error}").into())
}
