//! From a table's stream to its function, and to a queue with what the function cannot do.

use std::collections::VecDeque;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use chrono::SecondsFormat;
use domain::time::{self, Timestamp};
use serde_json::{Value, json};

use super::{Delivery, Target};
use crate::dynamodb::{Engine, Stream};
use crate::queue::url_of;
use crate::template::{Error, StreamSource, matches};

/// How long a stream is left alone that had no record. Longer than a queue, because the embedded
/// engine looks through all its records for the new ones, 2 ms for 20,000, and others wait.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the pause doubles while a batch of a stream fails: up to 6.4 seconds.
const PAUSE_DOUBLINGS: u32 = 6;

/// Calls a function with the changes of a table's items, in their order, from the oldest on.
pub struct StreamPump {
    target: Target,
    source: StreamSource,
    stream: Stream,
    sqs: Client,
    /// Records that were read and wait for their call.
    waiting: VecDeque<Value>,
    /// What is being tried.
    batch: Vec<Value>,
    /// How often it was tried in vain.
    failures: u32,
}

impl StreamPump {
    /// A pump from the stream of this table. `sqs` is for what is given up.
    ///
    /// # Errors
    ///
    /// If the table has none.
    pub async fn new(
        target: Target,
        source: StreamSource,
        engine: Engine,
        table_name: &str,
        sqs: Client,
    ) -> Result<Self, Error> {
        Ok(Self {
            target,
            source,
            stream: Stream::open(&engine, table_name).await?,
            sqs,
            waiting: VecDeque::new(),
            batch: Vec::new(),
            failures: 0,
        })
    }

    /// Calls the function with the next records that pass a filter. Says how many of them are done
    /// with, well or not: none if there was none, or if the first one is to be tried again.
    ///
    /// # Errors
    ///
    /// Those of the stream, and of the queue for what is given up, which is then tried once more. A
    /// failure of the function is none.
    pub async fn step(&mut self) -> Result<usize, Error> {
        if self.batch.is_empty() {
            while self.waiting.is_empty() && self.read().await? > 0 {}
            let next = self.source.batch_size.min(self.waiting.len());
            self.batch.extend(self.waiting.drain(..next));
        }
        if self.batch.is_empty() {
            return Ok(0);
        }
        let reports_failures = self.source.reports_failures;
        let number = "/dynamodb/SequenceNumber";
        let delivery = self.target.deliver(&self.batch, number, reports_failures).await;
        let done = delivery.failed.first().copied().unwrap_or(self.batch.len());
        self.batch.drain(..done);
        if done > 0 {
            self.failures = 0;
        }
        let given_up = if delivery.failed.is_empty() { 0 } else { self.fail(&delivery).await? };
        Ok(done + given_up)
    }

    /// Decides what becomes of a batch whose first record failed. Says how many records are given
    /// up.
    async fn fail(&mut self, delivery: &Delivery) -> Result<usize, Error> {
        if self.source.bisects && self.batch.len() > 1 {
            // A split is no retry. In the end the record that cannot succeed is alone.
            for record in self.batch.drain(self.batch.len() / 2..).rev() {
                self.waiting.push_front(record);
            }
            return Ok(0);
        }
        self.failures += 1;
        if self.source.retries.is_none_or(|most| self.failures <= most) {
            return Ok(0);
        }
        for record in &self.batch {
            eprintln!("{} gives up on {}", self.target.id, record["dynamodb"]["Keys"]);
        }
        if let Some(queue) = &self.source.on_failure {
            let record = self.invocation_record(delivery).to_string();
            let sent = self.sqs.send_message().queue_url(url_of(queue)).message_body(record);
            sent.send().await.map_err(|error| DisplayErrorContext(error).to_string())?;
        }
        self.failures = 0;
        Ok(std::mem::take(&mut self.batch).len())
    }

    /// What Lambda leaves of a batch that it gives up: where in the stream it is, and not what it
    /// says (AWS, "Retain discarded records for a DynamoDB event source in Lambda").
    fn invocation_record(&self, delivery: &Delivery) -> Value {
        let number = |record: Option<&Value>| Some(record?["dynamodb"]["SequenceNumber"].clone());
        let (first, last) = (self.batch.first(), self.batch.last());
        let mut record = json!({
            "requestContext": {
                "requestId": delivery.request_id,
                "functionArn":
                    format!("arn:aws:lambda:us-east-1:000000000000:function:{}", self.target.id),
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": self.failures,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
            "version": "1.0",
            "timestamp": time::text((self.target.clock)()),
            "DDBStreamBatchInfo": {
                "shardId": self.stream.shard_id(),
                "startSequenceNumber": number(first),
                "endSequenceNumber": number(last),
                "approximateArrivalOfFirstRecord": first.and_then(arrival),
                "approximateArrivalOfLastRecord": last.and_then(arrival),
                "batchSize": self.batch.len(),
                "streamArn": self.stream.arn(),
            },
        });
        // A function that names its failures has not failed itself.
        if delivery.is_error {
            record["responseContext"]["functionError"] = json!("Unhandled");
        }
        record
    }

    /// The records that pass a filter and are not done with, taken: for tests that call the
    /// function in ways of their own.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub async fn take(&mut self) -> Result<Vec<Value>, Error> {
        while self.read().await? > 0 {}
        self.failures = 0;
        Ok(self.batch.drain(..).chain(self.waiting.drain(..)).collect())
    }

    /// Reads on, and keeps what passes a filter. Says how many records were read.
    async fn read(&mut self) -> Result<usize, Error> {
        let records = self.stream.read().await?;
        let count = records.len();
        let filters = &self.source.filters;
        let passes = |record: &Value| {
            filters.is_empty() || filters.iter().any(|filter| matches(filter, record))
        };
        self.waiting.extend(records.into_iter().filter(passes));
        Ok(count)
    }

    /// Pumps until the task is aborted.
    pub async fn run(mut self) {
        loop {
            let step = self.step().await;
            let pause = PAUSE * 2_u32.pow(self.failures.min(PAUSE_DOUBLINGS));
            self.target.rest(step, pause).await;
        }
    }
}

/// When a record came into the stream. The engine tells whole seconds, as a number with a fraction.
fn arrival(record: &Value) -> Option<String> {
    let number = record["dynamodb"]["ApproximateCreationDateTime"].to_string();
    let secs = number.split('.').next()?.parse().ok()?;
    Some(Timestamp::from_timestamp(secs, 0)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}
