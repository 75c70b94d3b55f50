//! SQS on a desk: standard queues in process, behind the real SDK.
//!
//! Answers what Marquee asks of SQS and refuses the rest, unknown parameters too, so that nothing
//! is dropped in silence. A receive never waits; time is the clock's, so that tests can move it.
//!
//! Not the crate `winterbaume-sqs`: it links the default features of `aws-config`, and so a second
//! TLS stack (aws-lc), and it reads the machine's clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use domain::time::Timestamp;
use edge::{Clock, QueueUrls};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::dynamodb::operation_of;
use crate::service::{http_over, refusal, response};

/// What every queue's URL begins with; its name follows.
const URLS: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/";

/// Seconds that a message can be kept back.
const DELAY_SECS_MAX: i64 = 15 * 60;

/// Queues, and a connector to them.
#[derive(Clone)]
pub struct Queues {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

/// How a queue behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a message is hidden once it was received.
    pub visibility_timeout_secs: u32,
    /// What becomes of messages that nobody manages to process.
    pub redrive: Option<Redrive>,
}

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The name of the queue they go to.
    pub dead_letter_queue: String,
    /// How often a message is received at most before it goes there.
    pub receives_max: u32,
}

impl Queues {
    /// No queues yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// Makes a queue.
    pub fn create(&self, name: &str, settings: Settings) {
        self.state().queues.insert(name.to_owned(), settings);
    }

    /// Takes a queue away, as a wrong template would.
    pub fn remove(&self, name: &str) {
        self.state().queues.remove(name);
    }

    /// How many messages a queue has, hidden ones too.
    #[must_use]
    pub fn depth(&self, name: &str) -> usize {
        self.bodies(name).len()
    }

    /// The bodies of a queue's messages, hidden ones too, oldest first.
    #[must_use]
    pub fn bodies(&self, name: &str) -> Vec<String> {
        let state = self.state();
        let messages = state.messages.iter().filter(|message| message.queue == name);
        messages.map(|message| message.body.clone()).collect()
    }

    /// The queues by their names, and how many messages each has, hidden ones too.
    #[must_use]
    pub fn depths(&self) -> BTreeMap<String, usize> {
        let state = self.state();
        let depth = |name: &str| state.messages.iter().filter(|it| it.queue == name).count();
        state.queues.keys().map(|name| (name.clone(), depth(name))).collect()
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let operation = operation_of(request).unwrap_or_default();
        let parameters = request.body().bytes().unwrap_or_default();
        let now = (self.clock)();
        match self.state().answer(operation, parameters, now) {
            Ok(answer) => response(200, &answer),
            Err(Refusal { code, message }) => {
                let mut response = refusal(400, code, message);
                // The SDK knows errors by the names that they have in the older query protocol.
                response.headers_mut().insert("x-amzn-query-error", format!("{code};Sender"));
                response
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics who holds the lock")
    }
}

#[derive(Default)]
struct State {
    queues: BTreeMap<String, Settings>,
    messages: Vec<Message>,
    sent: u64,
}

struct Message {
    id: String,
    queue: String,
    body: String,
    sent_at: Timestamp,
    visible_at: Timestamp,
    receives: u32,
}

/// What can be asked of a queue.
#[derive(Deserialize)]
#[serde(rename_all_fields = "PascalCase", deny_unknown_fields)]
enum Request {
    SendMessage { message_body: String, delay_seconds: Option<i64> },
    ReceiveMessage(Receive),
    DeleteMessageBatch { entries: Vec<Deletion> },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Receive {
    max_number_of_messages: Option<usize>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Deletion {
    id: String,
    receipt_handle: String,
}

/// Why a request is refused, as SQS puts it.
struct Refusal {
    code: &'static str,
    message: String,
}

fn invalid(message: impl ToString) -> Refusal {
    Refusal { code: "InvalidParameterValue", message: message.to_string() }
}

impl State {
    fn answer(
        &mut self,
        operation: &str,
        parameters: &[u8],
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let mut parameters: Map<String, Value> =
            serde_json::from_slice(parameters).map_err(invalid)?;
        let url = parameters.remove("QueueUrl").unwrap_or_default();
        let queue = url.as_str().and_then(|url| url.strip_prefix(URLS)).unwrap_or_default();
        let settings = self.queues.get(queue).cloned().ok_or_else(|| Refusal {
            code: "AWS.SimpleQueueService.NonExistentQueue",
            message: format!("there is no queue {url}"),
        })?;
        let request: Request =
            serde_json::from_value(json!({operation: parameters})).map_err(invalid)?;
        match request {
            Request::SendMessage { message_body, delay_seconds } => {
                self.send(queue, message_body, delay_seconds.unwrap_or(0), now)
            }
            Request::ReceiveMessage(request) => self.receive(queue, &settings, &request, now),
            Request::DeleteMessageBatch { entries } => {
                let mut deleted = Vec::new();
                for Deletion { id, receipt_handle } in entries {
                    self.delete(queue, &receipt_handle);
                    deleted.push(json!({"Id": id}));
                }
                Ok(json!({"Successful": deleted, "Failed": []}))
            }
        }
    }

    fn send(
        &mut self,
        queue: &str,
        body: String,
        delay_secs: i64,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        if !(0..=DELAY_SECS_MAX).contains(&delay_secs) {
            return Err(invalid(format!(
                "Value {delay_secs} for parameter DelaySeconds is invalid. \
                 Reason: DelaySeconds must be >= 0 and <= {DELAY_SECS_MAX}."
            )));
        }
        self.sent += 1;
        let id = format!("message-{}", self.sent);
        self.messages.push(Message {
            id: id.clone(),
            queue: queue.to_owned(),
            body,
            sent_at: now,
            visible_at: now + TimeDelta::seconds(delay_secs),
            receives: 0,
        });
        Ok(json!({"MessageId": id}))
    }

    /// Shows the next messages, and hides them for a while. One that was received often enough goes
    /// to the dead-letter queue instead.
    fn receive(
        &mut self,
        queue: &str,
        settings: &Settings,
        request: &Receive,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let most = request.max_number_of_messages.unwrap_or(1);
        if !(1..=10).contains(&most) {
            return Err(invalid(format!("MaxNumberOfMessages must be 1 to 10, not {most}")));
        }
        let hidden = TimeDelta::seconds(settings.visibility_timeout_secs.into());
        let mut received = Vec::new();
        for message in &mut self.messages {
            if message.queue != queue || message.visible_at > now || received.len() == most {
                continue;
            }
            match &settings.redrive {
                Some(redrive) if message.receives >= redrive.receives_max => {
                    message.queue.clone_from(&redrive.dead_letter_queue);
                    message.receives = 0;
                }
                _another_receive_is_allowed => {
                    message.receives += 1;
                    message.visible_at = now + hidden;
                    received.push(message.shown(&request.message_system_attribute_names));
                }
            }
        }
        Ok(json!({"Messages": received}))
    }

    /// Deletes the message with this receipt. A receipt that is not the message's last one deletes
    /// nothing, and is no error.
    fn delete(&mut self, queue: &str, receipt: &str) {
        self.messages.retain(|message| message.queue != queue || message.receipt() != receipt);
    }
}

impl Message {
    /// What deletes it, until it is received again.
    fn receipt(&self) -> String {
        format!("{}/{}", self.id, self.receives)
    }

    /// The message for its receiver, with those attributes that were asked for.
    fn shown(&self, asked: &[String]) -> Value {
        let mut attributes = BTreeMap::from([
            ("ApproximateReceiveCount", self.receives.to_string()),
            ("SentTimestamp", self.sent_at.timestamp_millis().to_string()),
        ]);
        attributes.retain(|name, _| asked.iter().any(|asked| asked == name || asked == "All"));
        json!({
            "MessageId": self.id,
            "ReceiptHandle": self.receipt(),
            "Body": self.body,
            "Attributes": attributes,
        })
    }
}

/// The URL of the queue of this name.
#[must_use]
pub fn url_of(name: &str) -> String {
    format!("{URLS}{name}")
}

/// The queues that functions put something on.
#[must_use]
pub fn urls() -> QueueUrls {
    QueueUrls {
        payment_events: Some(url_of("PaymentEvents")),
        show_cancellations: Some(url_of("ShowCancellations")),
        event_deliveries: Some(url_of("EventDeliveries")),
        emails: Some(url_of("Emails")),
        records_failed: Some(url_of("RecordsFailed")),
    }
}

/// A client of `queues`.
#[must_use]
pub fn client_over(queues: Queues) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "a desk"))
        .http_client(http_over(move |request| queues.answer(request)));
    Client::from_conf(config.build())
}
