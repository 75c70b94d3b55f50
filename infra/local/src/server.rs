//! Everything at once: engine, tables, demo, provider, gateway.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::time::HoldTerms;
use dynoxide::Database;
use edge::{App, Clock, Role, Settings, TokenSettings};
use serde_json::{Value, json};
use store::{Store, Tables};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::dynamodb::{self, Embedded};
use crate::template::{Error, Template};
use crate::{demo, gateway, sandbox, token};

/// How often the engine's TTL is run. DynamoDB takes its time; a desk need not.
const TTL_SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What can be chosen.
#[derive(Debug, Clone)]
pub struct Options {
    /// The gateway's port; 0 for any.
    pub port: u16,
    /// The secret that signs tokens.
    pub jwt_secret: String,
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
    /// What signs tokens.
    pub tokens: TokenSettings,
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
        let (client, dynamodb_url) = match &options.dynamodb_url {
            Some(url) => (dynamodb::client_at(url), url.clone()),
            None => {
                let db = open(options)?;
                let listener = listen(0).await?;
                let url = format!("http://{}", listener.local_addr()?);
                tasks.push(tokio::spawn(dynoxide::server::serve_on(listener, db.clone())));
                if options.ttl {
                    tasks.push(tokio::spawn(sweep(db.clone())));
                }
                (dynamodb::client_over(Embedded(db)), url)
            }
        };
        let tables =
            dynamodb::create_tables(&client, &template, "marquee-", options.streams).await?;
        let store = Store::new(client, tables.clone());
        if options.demo {
            demo::fill(&store, clock()).await?;
        }

        let listener = listen(options.port).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let tokens = token::settings(&options.jwt_secret);
        let settings = Settings {
            tables: tables.clone(),
            hold_terms: options.hold_terms,
            tokens: Some(tokens.clone()),
            payments: Some(edge::payment::Settings {
                provider: "sandbox".parse().expect("it is an id"),
                base_url: url.clone(),
            }),
            log: if options.log { Arc::new(|line| println!("{line}")) } else { Arc::new(|_| {}) },
        };
        let app = App::new(store.clone(), settings, clock.clone());
        let router = gateway::router(&template.routes(), &app, &clock)?.merge(sandbox::router());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tasks.push(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                eprintln!("the gateway stopped: {error}");
            }
        }));
        Ok(Self { url, dynamodb_url, tables, store, tokens, clock, tasks })
    }

    /// A token for `user` in `role`.
    #[must_use]
    pub fn token(&self, user: &str, role: Role) -> String {
        token::mint(&self.tokens, user, role, (self.clock)())
    }

    /// What an outsider needs to know, as JSON.
    #[must_use]
    pub fn ready(&self) -> Value {
        json!({
            "url": self.url,
            "userToken": self.token("demo-user", Role::User),
            "otherUserToken": self.token("other-user", Role::User),
            "adminToken": self.token("demo-admin", Role::Admin),
            "dynamodbUrl": self.dynamodb_url,
            "tables": {
                "catalog": self.tables.catalog,
                "seats": self.tables.seats,
                "reservations": self.tables.reservations,
                "payments": self.tables.payments,
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
