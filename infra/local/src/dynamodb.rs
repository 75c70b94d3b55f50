//! DynamoDB on a desk: an embedded engine behind the real SDK, or a compatible server elsewhere.
//!
//! The embedded one answers in process, below the SDK's HTTP layer: requests are signed,
//! serialized and parsed as ever, only the socket is missing. The same engine can be served on a
//! port, for people with the AWS CLI or boto3.
//!
//! [`Engine`] is either of them, and what needs to know which one it is asks here.

mod elsewhere;
mod stream;

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{TableDescription, TableStatus};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use dynoxide::errors::{DynoxideError, Result as Dispatched};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::template::{Error, Template};

pub use self::elsewhere::Elsewhere;
pub(crate) use self::stream::Stream;

/// How often it is asked whether a table can be used yet, and the pause between.
const ACTIVE_ASKED_MAX: usize = 600;
const ACTIVE_PAUSE: Duration = Duration::from_millis(100);

/// Where items are.
#[derive(Clone)]
pub enum Engine {
    /// In this process.
    Embedded(Database),
    /// On a compatible server.
    Elsewhere(Elsewhere),
}

/// Why an engine did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What DynamoDB calls it, as `ResourceNotFoundException`; nothing if nobody answered.
    pub code: String,
    /// What else there is to say.
    pub message: String,
}

/// An answer as it is on the wire: a status, and JSON.
pub(crate) type Answer = (u16, Vec<u8>);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = if self.code.is_empty() { "no answer" } else { &self.code };
        write!(f, "{code}: {}", self.message)
    }
}

impl std::error::Error for Refusal {}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(_) => f.write_str("Embedded"),
            Self::Elsewhere(server) => fmt::Debug::fmt(server, f),
        }
    }
}

impl HttpConnector for Engine {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.answer(&request))
    }
}

impl Engine {
    /// A compatible server, by its `http` URL. It is connected to when it is used.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self::Elsewhere(Elsewhere::new(url))
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        match self {
            Self::Embedded(_) => client_over(self.clone()),
            Self::Elsewhere(server) => client_at(server.url()),
        }
    }

    /// Answers a request of the SDK.
    pub fn answer(
        &self,
        request: &HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, ConnectorError>> + Send + use<> {
        let engine = self.clone();
        let operation = operation_of(request).unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        async move {
            let (status, body) = match engine {
                Self::Embedded(db) => carry_out(&db, &operation, &body),
                Self::Elsewhere(server) => {
                    let answer = server.send_aside(operation, body).await;
                    answer.map_err(|refusal| ConnectorError::io(refusal.into()))?
                }
            };
            let status = status.try_into().expect("a status code is a status code");
            Ok(HttpResponse::new(status, SdkBody::from(body)))
        }
    }

    /// Has an operation carried out, as `DescribeStream`.
    ///
    /// # Errors
    ///
    /// The engine's, and if nobody answers.
    pub async fn call(&self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        match self {
            Self::Embedded(_) => self.call_now(operation, request),
            Self::Elsewhere(server) => server.call(operation, request).await,
        }
    }

    /// The same, for whom can do nothing but wait: this blocks the thread, whatever runs on it.
    ///
    /// # Errors
    ///
    /// The engine's, and if nobody answers.
    pub fn call_now(&self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        let body = request.to_string().into_bytes();
        match self {
            Self::Embedded(db) => understood(&carry_out(db, operation, &body)),
            Self::Elsewhere(server) => understood(&server.send(operation, body)?),
        }
    }
}

/// What an answer says.
fn understood((status, body): &Answer) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Refusal {
        code: String::new(),
        message: format!("status {status}, and no JSON: {error}"),
    })?;
    if *status == 200 {
        return Ok(body);
    }
    let text = |name: &str| body[name].as_str();
    let kind = text("__type").unwrap_or_default();
    Err(Refusal {
        code: kind.rsplit('#').next().unwrap_or(kind).to_owned(),
        message: text("message").or(text("Message")).unwrap_or_default().to_owned(),
    })
}

/// The operation that a request asks for, as `PutItem`.
#[must_use]
pub fn operation_of(request: &HttpRequest) -> Option<&str> {
    request.headers().get("x-amz-target")?.split_once('.').map(|(_, operation)| operation)
}

/// Has the embedded engine carry out a request.
pub(crate) fn carry_out(db: &Database, operation: &str, body: &[u8]) -> Answer {
    match dispatch(db, operation, body) {
        Ok(text) => (200, text.into_bytes()),
        Err(error) => (error.status_code(), error.to_json().into_bytes()),
    }
}

/// The operations that Marquee uses, and those of who makes its tables and looks into them.
fn dispatch(db: &Database, operation: &str, body: &[u8]) -> Dispatched<String> {
    match operation {
        "GetItem" => run(body, |request| db.get_item(request)),
        "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
        "PutItem" => run(body, |request| db.put_item(request)),
        "DeleteItem" => run(body, |request| db.delete_item(request)),
        "Query" => run(body, |request| db.query(request)),
        "Scan" => run(body, |request| db.scan(request)),
        "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
        "CreateTable" => run(body, |request| db.create_table(request)),
        "DescribeTable" => run(body, |request| db.describe_table(request)),
        "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
        other => Err(DynoxideError::ValidationException(format!("no {other} on this desk"))),
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    call: impl FnOnce(Q) -> Dispatched<A>,
) -> Dispatched<String> {
    let malformed =
        |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let answer = call(serde_json::from_slice(body).map_err(malformed)?)?;
    serde_json::to_string(&answer).map_err(malformed)
}

/// A client over `connector`.
#[must_use]
pub fn client_over(connector: impl HttpConnector + Clone + 'static) -> Client {
    let http = http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone()));
    Client::from_conf(config().http_client(http).build())
}

/// A client of a compatible server.
#[must_use]
pub fn client_at(url: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    Client::from_conf(config().http_client(http).endpoint_url(url).build())
}

fn config() -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "a desk"))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(5)),
        )
}

/// Makes the template's tables, unless they are there, and returns their names.
///
/// # Errors
///
/// Those of the template and of the server.
pub async fn create_tables(
    client: &Client,
    template: &Template,
    prefix: &str,
    streams: bool,
) -> Result<store::Tables, Error> {
    let name_of = |id: &str| format!("{prefix}{id}");
    for table in template.tables()? {
        table.create(client, &name_of(&table.id), streams).await?;
    }
    Ok(store::Tables {
        catalog: name_of("Catalog"),
        seats: name_of("Seats"),
        reservations: name_of("Reservations"),
        payments: name_of("Payments"),
        events: name_of("Events"),
        limits: name_of("Limits"),
    })
}

/// Waits until a table that was just made can be used. The embedded engine's can at once.
///
/// # Errors
///
/// Those of the server, and if it takes longer than a minute.
pub async fn until_active(client: &Client, table: &str) -> Result<(), Error> {
    for _ in 0..ACTIVE_ASKED_MAX {
        match client.describe_table().table_name(table).send().await {
            Ok(described) => {
                let status = described.table().and_then(TableDescription::table_status);
                if status == Some(&TableStatus::Active) {
                    return Ok(());
                }
            }
            // Who asks may be ahead of who makes it.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) => {}
            Err(error) => return Err(DisplayErrorContext(error).to_string().into()),
        }
        tokio::time::sleep(ACTIVE_PAUSE).await;
    }
    Err(format!("the table {table} is not there after a minute").into())
}
