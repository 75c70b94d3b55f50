//! The DynamoDB under a world: the embedded one, or with `MARQUEE_DYNAMODB=http://…` a compatible
//! server, on which each world has tables of its own.
//!
//! What a test does to a table behind everybody's back goes through here, and waits: also a closure
//! that the wire calls can do it.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use dynoxide::Database;
use dynoxide::storage_backend::{Clock, ManualClock};
use local::dynamodb::{self, operation_of};
use serde_json::{Value, json};

/// Where the server is, if one is to be used.
const VARIABLE: &str = "MARQUEE_DYNAMODB";

/// The engine under a world, and what those who share its tables do to them.
#[derive(Clone)]
pub(crate) struct Engine(Arc<Inner>);

struct Inner {
    engine: dynamodb::Engine,
    /// What TTL goes by: the world's clock, in seconds.
    clock: ManualClock,
    /// What the names of the tables begin with; nothing in an engine of the world's own.
    prefix: String,
    /// The tables on a server, and the attributes by which TTL would delete their items.
    tables: Mutex<BTreeMap<String, Option<String>>>,
}

/// Whether this runs on the embedded engine. Where it does not, it says what is left out and why.
pub(crate) fn only_embedded(reason: &str) -> bool {
    let is_embedded = server().is_none();
    if !is_embedded {
        println!("left out, since this engine is not the embedded one: {reason}");
    }
    is_embedded
}

fn server() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|url| !url.is_empty())
}

impl Engine {
    /// The one that was chosen, whose TTL begins at this time.
    pub(crate) fn new(now_secs: u64) -> Self {
        match server() {
            Some(url) => Self::at(&url, now_secs),
            None => {
                let clock = ManualClock::new(now_secs);
                let db = Database::memory_with_clock(clock.arc()).unwrap();
                Self::of(dynamodb::Engine::Embedded(db), clock, String::new())
            }
        }
    }

    /// A server, where no other world knows the tables.
    pub(crate) fn at(url: &str, now_secs: u64) -> Self {
        let drawn = RandomState::new().build_hasher().finish();
        let prefix = format!("test-{drawn:016x}-");
        Self::of(dynamodb::Engine::at(url), ManualClock::new(now_secs), prefix)
    }

    fn of(engine: dynamodb::Engine, clock: ManualClock, prefix: String) -> Self {
        Self(Arc::new(Inner { engine, clock, prefix, tables: Mutex::default() }))
    }

    /// For what reads streams.
    pub(crate) fn whole(&self) -> dynamodb::Engine {
        self.0.engine.clone()
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The name of a table that has this id in the template.
    pub(crate) fn table(&self, id: &str) -> String {
        format!("{}{id}", self.0.prefix)
    }

    /// What a body says, with the tables called as in the template.
    pub(crate) fn read(&self, body: &SdkBody) -> Value {
        let text = body.bytes().map(String::from_utf8_lossy).unwrap_or_default();
        let text = match self.0.prefix.as_str() {
            "" => text,
            prefix => text.replace(prefix, "").into(),
        };
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) fn set_now(&self, secs: u64) {
        self.0.clock.set(secs);
    }

    /// Answers a request of the SDK.
    pub(crate) fn answer(
        &self,
        request: &HttpRequest,
    ) -> impl Future<Output = Result<HttpResponse, ConnectorError>> + Send + use<> {
        let ours = self.answer_here(request);
        let theirs = self.0.engine.answer(request);
        async move {
            match ours {
                Some(ours) => Ok(ours),
                None => theirs.await,
            }
        }
    }

    /// Notes which tables are made on a server, and keeps its TTL off: it goes by a clock that is not
    /// the world's, and would delete what is not over here. [`Engine::sweep_ttl`] stands in for it.
    fn answer_here(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let dynamodb::Engine::Elsewhere(_) = &self.0.engine else { return None };
        let operation = operation_of(request)
            .filter(|operation| ["CreateTable", "UpdateTimeToLive"].contains(operation))?;
        let sent: Value = serde_json::from_slice(request.body().bytes()?).unwrap();
        let ttl = &sent["TimeToLiveSpecification"];
        let attribute = ttl["AttributeName"].as_str().map(str::to_owned);
        let table = sent["TableName"].as_str().unwrap().to_owned();
        self.0.tables.lock().unwrap().insert(table, attribute);
        (operation == "UpdateTimeToLive").then(|| {
            let answer = json!({"TimeToLiveSpecification": ttl}).to_string();
            HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer))
        })
    }

    fn call(&self, operation: &str, request: &Value) -> Value {
        let answer = self.0.engine.call_now(operation, request);
        answer.unwrap_or_else(|refusal| panic!("{operation} {request}: {refusal}"))
    }

    pub(crate) fn put(&self, table: &str, item: &Value) {
        self.call("PutItem", &json!({"TableName": table, "Item": item}));
    }

    pub(crate) fn delete(&self, table: &str, key: &Value) {
        self.call("DeleteItem", &json!({"TableName": table, "Key": key}));
    }

    /// An item; null if there is none.
    pub(crate) fn get(&self, table: &str, key: &Value) -> Value {
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        self.call("GetItem", &request)["Item"].take()
    }

    /// Every item of a table.
    pub(crate) fn scan(&self, table: &str) -> Vec<Value> {
        let mut request = json!({"TableName": table, "ConsistentRead": true});
        let mut items = Vec::new();
        loop {
            let mut page = self.call("Scan", &request);
            items.append(page["Items"].as_array_mut().unwrap_or(&mut Vec::new()));
            match page["LastEvaluatedKey"].take() {
                Value::Null => return items,
                next => request["ExclusiveStartKey"] = next,
            }
        }
    }

    /// Deletes what is past its time, as TTL does. Says how many items that were.
    pub(crate) fn sweep_ttl(&self) -> usize {
        let server = match &self.0.engine {
            dynamodb::Engine::Embedded(db) => return db.sweep_ttl().unwrap(),
            dynamodb::Engine::Elsewhere(server) => server,
        };
        let now = self.0.clock.now_unix_secs();
        let tables = self.0.tables.lock().unwrap().clone();
        let mut swept = 0;
        for (table, attribute) in tables {
            let Some(attribute) = attribute else { continue };
            for item in self.scan(&table) {
                let until =
                    item[&attribute]["N"].as_str().and_then(|secs| secs.parse::<u64>().ok());
                let is_over = until.is_some_and(|secs| secs < now);
                if is_over && server.expire(&table, &key_of(&item), &attribute, now).unwrap() {
                    swept += 1;
                }
            }
        }
        swept
    }
}

/// The tables of worlds that end well or badly are gone. Those of a process that was killed stay on
/// the server.
impl Drop for Inner {
    fn drop(&mut self) {
        let Ok(tables) = self.tables.get_mut() else { return };
        for table in tables.keys() {
            let deleted = self.engine.call_now("DeleteTable", &json!({"TableName": table}));
            if let Err(refusal) = deleted {
                eprintln!("{table} is left behind: {refusal}");
            }
        }
    }
}

/// The key of an item, in any of the tables.
fn key_of(item: &Value) -> Value {
    let part = |name: &str| Some((name.to_owned(), item.get(name)?.clone()));
    ["pk", "sk"].into_iter().filter_map(part).collect()
}
