//! A DynamoDB-compatible server elsewhere: DynamoDB Local, or what speaks as it does.
//!
//! It is asked from a thread beside the one that asks. So who cannot await may wait for an answer;
//! and while one is under way, tokio lets no paused clock run ahead, which it does whenever all
//! that a test waits for is a socket.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::{Answer, Refusal, understood};
use crate::sandbox::plain_http;

/// How long a server may take for an answer: longer than any client of ours waits.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Such servers take any signature, but some want to see one, and of when it is.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
    Credential=local/20261122/us-east-1/dynamodb/aws4_request, \
    SignedHeaders=host;x-amz-target, Signature=0";
const DATE: &str = "20261122T000000Z";

/// Those of the operations that are streams'.
const STREAM_OPERATIONS: [&str; 4] =
    ["ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"];

/// What talks to servers, for as long as the process lives.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("one more thread can be had")
});

/// A server.
#[derive(Clone)]
pub struct Elsewhere {
    url: Arc<str>,
    http: reqwest::Client,
    /// What was deleted in TTL's name. It stays: any number of readers may come to the record.
    expired: Arc<Mutex<HashSet<Value>>>,
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Elsewhere").field(&self.url).finish()
    }
}

impl Elsewhere {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.into(), http: plain_http(), expired: Arc::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request, and waits.
    pub(super) fn send(&self, operation: &str, body: Vec<u8>) -> Result<Answer, Refusal> {
        let streams = if STREAM_OPERATIONS.contains(&operation) { "Streams" } else { "" };
        let request = self
            .http
            .post(&*self.url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB{streams}_20120810.{operation}"))
            .header("authorization", AUTHORIZATION)
            .header("x-amz-date", DATE)
            .timeout(TIMEOUT)
            .body(body);
        let (answer, answered) = mpsc::sync_channel(1);
        RUNTIME.spawn(async move {
            let sent = async {
                let response = request.send().await?;
                let status = response.status().as_u16();
                Ok::<Answer, reqwest::Error>((status, response.bytes().await?.to_vec()))
            };
            // Who asked waits for it.
            let _ = answer.send(sent.await.map_err(|error| unanswered(&error)));
        });
        answered.recv().unwrap_or_else(|error| Err(unanswered(&error)))
    }

    /// Sends a request, and lets others go on.
    pub(super) async fn send_aside(
        &self,
        operation: String,
        body: Vec<u8>,
    ) -> Result<Answer, Refusal> {
        let server = self.clone();
        let sent = tokio::task::spawn_blocking(move || server.send(&operation, body));
        sent.await.unwrap_or_else(|error| Err(unanswered(&error)))
    }

    /// Has an operation carried out, and lets others go on.
    pub(super) async fn call(&self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        let body = request.to_string().into_bytes();
        understood(&self.send_aside(operation.to_owned(), body).await?)
    }

    /// Deletes an item as TTL would: if its time, which the attribute has in seconds, is over. Says
    /// whether it was.
    ///
    /// For who has a clock of their own, since a server's TTL goes by its own. To the server this is
    /// a deletion like any other, but whoever reads its record through this engine is told that it
    /// was TTL's.
    ///
    /// # Errors
    ///
    /// The server's.
    pub fn expire(
        &self,
        table: &str,
        key: &Value,
        attribute: &str,
        now_secs: u64,
    ) -> Result<bool, Refusal> {
        let request = json!({
            "TableName": table,
            "Key": key,
            "ConditionExpression": "#until < :now",
            "ExpressionAttributeNames": {"#until": attribute},
            "ExpressionAttributeValues": {":now": {"N": now_secs.to_string()}},
            "ReturnValues": "ALL_OLD",
        });
        // Nobody reads the record before it is known whose it is.
        let mut expired = self.expired.lock().expect("nobody panics who holds the lock");
        let answer = self.send("DeleteItem", request.to_string().into_bytes())?;
        match understood(&answer) {
            Ok(mut deleted) => {
                expired.insert(deleted["Attributes"].take());
                Ok(true)
            }
            Err(refusal) if refusal.code == "ConditionalCheckFailedException" => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Who made a change, as Lambda spells it, if that was not a client. The API of streams has other
    /// names for the same.
    pub(super) fn identity_in(&self, record: &Value) -> Option<Value> {
        let is_removal = record["eventName"] == "REMOVE";
        if is_removal && self.has_expired(&record["dynamodb"]["OldImage"]) {
            return Some(json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"}));
        }
        let by = record.get("userIdentity")?;
        let named = |here: &str, there: &str| by.get(here).or(by.get(there)).cloned();
        let (kind, principal) = (named("type", "Type")?, named("principalId", "PrincipalId")?);
        Some(json!({"type": kind, "principalId": principal}))
    }

    fn has_expired(&self, item: &Value) -> bool {
        self.expired.lock().expect("nobody panics who holds the lock").contains(item)
    }
}

fn unanswered(error: &dyn std::error::Error) -> Refusal {
    Refusal { code: String::new(), message: DisplayErrorContext(error).to_string() }
}
