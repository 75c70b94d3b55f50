//! DynamoDB on a desk: an embedded engine behind the real SDK, or a compatible server elsewhere.
//!
//! The embedded one answers in process, below the SDK's HTTP layer: requests are signed,
//! serialized and parsed as ever, only the socket is missing. The same engine can be served on a
//! port, for people with the AWS CLI or boto3.

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use dynoxide::errors::DynoxideError;
use dynoxide::{Database, Result as Answer};
use serde::{Serialize, de::DeserializeOwned};

use crate::template::{Error, Template};

/// A connector to an embedded engine.
#[derive(Clone)]
pub struct Embedded(pub Database);

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedded")
    }
}

impl HttpConnector for Embedded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(self.answer(&request)))
    }
}

impl Embedded {
    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let operation = operation_of(request).unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let (status, text) = match dispatch(&self.0, operation, body) {
            Ok(text) => (200, text),
            Err(error) => (error.status_code(), error.to_json()),
        };
        let status = status.try_into().expect("the engine's status codes are status codes");
        HttpResponse::new(status, SdkBody::from(text))
    }
}

/// The operation that a request asks for, as `PutItem`.
#[must_use]
pub fn operation_of(request: &HttpRequest) -> Option<&str> {
    request.headers().get("x-amz-target")?.split_once('.').map(|(_, operation)| operation)
}

/// The operations that Marquee uses, and those that make its tables.
fn dispatch(db: &Database, operation: &str, body: &[u8]) -> Answer<String> {
    match operation {
        "GetItem" => run(body, |request| db.get_item(request)),
        "BatchGetItem" => run(body, |request| db.batch_get_item(request)),
        "PutItem" => run(body, |request| db.put_item(request)),
        "Query" => run(body, |request| db.query(request)),
        "Scan" => run(body, |request| db.scan(request)),
        "TransactWriteItems" => run(body, |request| db.transact_write_items(request)),
        "CreateTable" => run(body, |request| db.create_table(request)),
        "UpdateTimeToLive" => run(body, |request| db.update_time_to_live(request)),
        other => Err(DynoxideError::ValidationException(format!("no {other} on this desk"))),
    }
}

fn run<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    call: impl FnOnce(Q) -> Answer<A>,
) -> Answer<String> {
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
