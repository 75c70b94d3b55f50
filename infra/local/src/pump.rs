//! What Lambda's pollers do: take what a queue, a stream or a clock has, call the function with it,
//! and let what failed come again.
//!
//! A pump's `step` is one round and never waits; tests drive it. Its `run` is the desk's: rounds
//! without end, and a pause whenever there is nothing to do.
//!
//! A function's answer is read as Lambda reads it (AWS, "Handling errors for an SQS event source in
//! Lambda", "Configuring partial batch response with DynamoDB and Lambda"). What Lambda does in
//! parallel happens here one after the other, and a call in this process is not cut off at its timeout.

mod queue;
mod schedule;
mod stream;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use edge::{Clock, Function};
use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};

use crate::template::{Error, Template};

pub use self::queue::QueuePump;
pub use self::schedule::SchedulePump;
pub use self::stream::StreamPump;

/// How long a pump rests that cannot reach its source.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// The function that a pump calls.
#[derive(Clone)]
pub struct Target {
    id: String,
    function: Function,
    timeout: TimeDelta,
    clock: Clock,
}

/// What came of a call with a batch.
struct Delivery {
    /// What the call was called.
    request_id: String,
    /// Whether the function failed as a whole, and said nothing of its records.
    is_error: bool,
    /// The positions of the records that failed.
    failed: BTreeSet<usize>,
}

impl Target {
    /// The function of this logical id.
    ///
    /// # Errors
    ///
    /// If the template's timeout for it is none.
    pub fn new(
        template: &Template,
        id: &str,
        function: Function,
        clock: Clock,
    ) -> Result<Self, Error> {
        Ok(Self { id: id.to_owned(), function, timeout: template.timeout(id)?, clock })
    }

    /// Calls the function with an event.
    ///
    /// # Errors
    ///
    /// The function's.
    pub async fn invoke(&self, event: Value) -> Result<Value, Error> {
        self.call(drawn_id(), event).await
    }

    async fn call(&self, request_id: String, event: Value) -> Result<Value, Error> {
        let mut context = Context::default();
        context.request_id = request_id;
        let deadline = (self.clock)() + self.timeout;
        context.deadline = deadline.timestamp_millis().unsigned_abs();
        (self.function)(LambdaEvent::new(event, context)).await
    }

    /// Calls the function with a batch. `id` points to what a record is called in the answer.
    async fn deliver(&self, records: &[Value], id: &str, reports_failures: bool) -> Delivery {
        let all: BTreeSet<usize> = (0..records.len()).collect();
        let request_id = drawn_id();
        let answer = match self.call(request_id.clone(), json!({"Records": records})).await {
            Ok(answer) => answer,
            Err(error) => {
                eprintln!("{} failed: {error}", self.id);
                return Delivery { request_id, is_error: true, failed: all };
            }
        };
        let named = answer["batchItemFailures"].as_array().filter(|_| reports_failures);
        let position = |failure: &Value| {
            let name = failure.get("itemIdentifier");
            records.iter().position(|record| record.pointer(id) == name)
        };
        // Whoever names a record that was not in the batch is not believed about the others.
        let failed = named.into_iter().flatten().map(position);
        let failed = failed.collect::<Option<_>>().unwrap_or(all);
        Delivery { request_id, is_error: false, failed }
    }

    /// Waits, if a step did nothing.
    async fn rest(&self, step: Result<usize, Error>, pause: Duration) {
        match step {
            Ok(0) => tokio::time::sleep(pause).await,
            Ok(_there_may_be_more) => {}
            Err(error) => {
                eprintln!("what calls {}: {error}", self.id);
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "AWS draws the ids of requests and events, and this is AWS"
)]
fn drawn_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
