//! EventBridge on a desk: one bus in process, behind the real SDK. No rule listens to it; what was
//! put on it is kept, so that people and tests can look.
//!
//! Answers `PutEvents` and refuses the rest, unknown parameters too, so that nothing is dropped in
//! silence.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use chrono::SecondsFormat;
use domain::time::Timestamp;
use edge::Clock;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::dynamodb::operation_of;
use crate::service::{http_over, refusal, response};

/// What a desk's bus is called.
pub const NAME: &str = "marquee";

/// Events that are kept, so that a desk that runs for days does not grow.
const EVENTS_MAX: usize = 10_000;

/// Entries that EventBridge takes at once.
const ENTRIES_MAX: usize = 10;

/// Bytes that it takes at once, all entries together. Some regions take more by now, none less.
const BYTES_MAX: usize = 256 * 1024;

/// Characters of a type that it takes.
const DETAIL_TYPE_CHARS_MAX: usize = 128;

/// A bus, and a connector to it. Clones share their events.
#[derive(Clone)]
pub struct Bus {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Value>,
    put: u64,
    failures: usize,
    refusals: usize,
    losses: usize,
}

impl Bus {
    /// A bus that nothing was put on yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// What was put on it, oldest first: the last 10,000 events, as rules would see them, with the
    /// name of the bus. Each is `{"id", "time", "bus", "source", "detail-type", "detail"}`.
    #[must_use]
    pub fn entries(&self) -> Vec<Value> {
        self.state().events.iter().cloned().collect()
    }

    /// The next `times` calls are answered 500, and nothing is taken. A client of [`client_over`]
    /// calls once, so each of its sends meets one of them.
    pub fn fail(&self, times: usize) {
        self.state().failures = times;
    }

    /// The next `times` calls are answered 200, and each of their entries is refused.
    pub fn refuse_entries(&self, times: usize) {
        self.state().refusals = times;
    }

    /// The next `times` calls are answered 500, and their entries are taken.
    pub fn lose_answers(&self, times: usize) {
        self.state().losses = times;
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let now = (self.clock)();
        let mut state = self.state();
        if is_one_of(&mut state.failures) {
            return refusal(500, "InternalException", "it was asked to fail");
        }
        let operation = operation_of(request).unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let entries = match entries(operation, body) {
            Ok(entries) => entries,
            Err(why) => return refusal(400, "ValidationException", why),
        };
        let answer = state.put(&entries, now);
        if is_one_of(&mut state.losses) {
            return refusal(500, "InternalException", "it was asked to lose its answer");
        }
        response(200, &answer)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics who holds the lock")
    }
}

/// Whether what happens now is one of those that are left, and then there is one less.
fn is_one_of(left: &mut usize) -> bool {
    let is_one = *left > 0;
    *left = left.saturating_sub(1);
    is_one
}

/// What can be asked of a bus.
#[derive(Deserialize)]
#[serde(rename_all_fields = "PascalCase", deny_unknown_fields)]
enum Request {
    PutEvents { entries: Vec<Entry> },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

/// The entries of a call.
fn entries(operation: &str, body: &[u8]) -> Result<Vec<Entry>, String> {
    let parameters: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let request = serde_json::from_value(json!({operation: parameters}));
    let Request::PutEvents { entries } = request.map_err(|error| error.to_string())?;
    if !(1..=ENTRIES_MAX).contains(&entries.len()) {
        return Err(format!("Entries must be 1 to {ENTRIES_MAX}, not {}", entries.len()));
    }
    if entries.iter().map(Entry::bytes).sum::<usize>() > BYTES_MAX {
        return Err("Total size of the entries in the request is over the limit.".to_owned());
    }
    Ok(entries)
}

/// Why an entry is refused: a code and a message.
type Refusal = (&'static str, String);

impl Entry {
    /// How large it is (AWS, "Calculating PutEvents event entry size").
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        texts.into_iter().flatten().map(String::len).sum()
    }

    /// The event that it is, if it is one.
    ///
    /// AWS takes an event for a bus that is not there, and drops it
    /// (<https://github.com/aws/aws-cli/issues/9186>). A desk says so, as the documentation has it.
    fn event(&self, id: &str, now: Timestamp) -> Result<Value, Refusal> {
        let bus = self.event_bus_name.as_deref().unwrap_or("default");
        if bus != NAME {
            return Err(("InvalidArgument", format!("Event bus {bus} does not exist.")));
        }
        let source = needed("Source", self.source.as_deref())?;
        let detail_type = needed("DetailType", self.detail_type.as_deref())?;
        if detail_type.chars().count() > DETAIL_TYPE_CHARS_MAX {
            return Err(("InvalidArgument", "Parameter DetailType is not valid.".to_owned()));
        }
        let detail = needed("Detail", self.detail.as_deref())?;
        let detail: Map<String, Value> = serde_json::from_str(detail)
            .map_err(|_| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
        Ok(json!({
            "id": id,
            "time": now.to_rfc3339_opts(SecondsFormat::Secs, true),
            "bus": bus,
            "source": source,
            "detail-type": detail_type,
            "detail": detail,
        }))
    }
}

fn needed<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, Refusal> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let why = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        ("InvalidArgument", why)
    })
}

impl State {
    /// Takes what can be taken, and says of each entry what became of it.
    fn put(&mut self, entries: &[Entry], now: Timestamp) -> Value {
        let mut results = Vec::new();
        let mut failed = 0;
        let is_refused = is_one_of(&mut self.refusals);
        for entry in entries {
            self.put += 1;
            let id = format!("event-{}", self.put);
            let event = if is_refused {
                Err(("InternalFailure", "it was asked to refuse".to_owned()))
            } else {
                entry.event(&id, now)
            };
            results.push(match event {
                Ok(event) => {
                    self.events.push_back(event);
                    json!({"EventId": id})
                }
                Err((code, message)) => {
                    failed += 1;
                    json!({"ErrorCode": code, "ErrorMessage": message})
                }
            });
        }
        while self.events.len() > EVENTS_MAX {
            self.events.pop_front();
        }
        json!({"FailedEntryCount": failed, "Entries": results})
    }
}

/// A client of `bus`. It calls once: there is no way here on which a call gets lost.
#[must_use]
pub fn client_over(bus: Bus) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "a desk"))
        .retry_config(RetryConfig::disabled())
        .http_client(http_over(move |request| bus.answer(request)));
    Client::from_conf(config.build())
}
