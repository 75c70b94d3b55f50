//! What Lambda's pollers do: take what a queue, a stream or a clock has, call the function with it,
//! and let what failed come again.
//!
//! A pump's `step` is one round and never waits; tests drive it. Its `run` is the desk's: rounds
//! without end, and a pause whenever there is nothing to do.
//!
//! A function's answer is read as Lambda reads it (AWS, "Handling errors for an SQS event source in
//! Lambda", "Configuring partial batch response with DynamoDB and Lambda"). What Lambda does in
//! parallel happens here one after the other, and no call is cut off at its timeout.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use chrono::{SecondsFormat, TimeDelta};
use dynoxide::Database;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use edge::{Clock, Function};
use lambda_http::{Context, LambdaEvent};
use serde_json::{Map, Value, json};

use crate::queue;
use crate::template::{Error, QueueSource, StreamSource, Template, matches};

/// How long a queue is left alone that had no message.
const QUEUE_PAUSE: Duration = Duration::from_millis(50);

/// How long a stream is left alone that had no record. Longer than a queue, because the embedded
/// engine looks through all its records for the new ones, 2 ms for 20,000, and others wait.
const STREAM_PAUSE: Duration = Duration::from_millis(100);

/// How often the pause doubles while a batch of a stream fails: up to 6.4 seconds.
const STREAM_PAUSE_DOUBLINGS: u32 = 6;

/// How long a pump rests that cannot reach its source.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// Messages that SQS gives at once.
const MESSAGES_MAX: usize = 10;

/// The function that a pump calls.
#[derive(Clone)]
pub struct Target {
    id: String,
    function: Function,
    timeout: TimeDelta,
    clock: Clock,
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
        let mut context = Context::default();
        context.request_id = drawn_id();
        let deadline = (self.clock)() + self.timeout;
        context.deadline = deadline.timestamp_millis().unsigned_abs();
        (self.function)(LambdaEvent::new(event, context)).await
    }

    /// Calls the function with a batch, and says which records failed, by their positions. `id`
    /// points to what a record is called in the answer.
    async fn deliver(
        &self,
        records: &[Value],
        id: &str,
        reports_failures: bool,
    ) -> BTreeSet<usize> {
        let all: BTreeSet<usize> = (0..records.len()).collect();
        let answer = match self.invoke(json!({"Records": records})).await {
            Ok(answer) => answer,
            Err(error) => {
                eprintln!("{} failed: {error}", self.id);
                return all;
            }
        };
        let named = answer["batchItemFailures"].as_array().filter(|_| reports_failures);
        let position = |failure: &Value| {
            let name = failure.get("itemIdentifier");
            records.iter().position(|record| record.pointer(id) == name)
        };
        // Whoever names a record that was not in the batch is not believed about the others.
        let failed = named.into_iter().flatten().map(position);
        failed.collect::<Option<_>>().unwrap_or(all)
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

/// Calls a function with the messages of a queue.
pub struct QueuePump {
    target: Target,
    source: QueueSource,
    client: aws_sdk_sqs::Client,
    url: String,
}

impl QueuePump {
    /// A pump from the queue that `source` names.
    #[must_use]
    pub fn new(target: Target, source: QueueSource, client: aws_sdk_sqs::Client) -> Self {
        let url = queue::url_of(&source.queue);
        Self { target, source, client, url }
    }

    /// Takes a batch and calls the function with it. Messages that did not fail are deleted; the
    /// others come again when their visibility timeout is over. Says how many were taken.
    ///
    /// # Errors
    ///
    /// Those of the queue. A failure of the function is none.
    pub async fn step(&self) -> Result<usize, Error> {
        let most = self.source.batch_size.min(MESSAGES_MAX);
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(most.try_into().expect("it is at most ten"))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| DisplayErrorContext(error).to_string())?;
        let messages = received.messages();
        if messages.is_empty() {
            return Ok(0);
        }
        let records: Vec<Value> = messages.iter().map(|message| self.record(message)).collect();
        let reports_failures = self.source.reports_failures;
        let failed = self.target.deliver(&records, "/messageId", reports_failures).await;
        let mut done = Vec::new();
        for (position, message) in messages.iter().enumerate() {
            if !failed.contains(&position) {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(position.to_string())
                    .set_receipt_handle(message.receipt_handle.clone());
                done.push(entry.build()?);
            }
        }
        if !done.is_empty() {
            let delete = self.client.delete_message_batch().queue_url(&self.url);
            let deleted = delete.set_entries(Some(done)).send().await;
            deleted.map_err(|error| DisplayErrorContext(error).to_string())?;
        }
        Ok(records.len())
    }

    /// A message as Lambda passes it on.
    fn record(&self, message: &Message) -> Value {
        let attributes = message.attributes().into_iter().flatten();
        let attributes: Map<String, Value> =
            attributes.map(|(name, value)| (name.as_str().to_owned(), json!(value))).collect();
        json!({
            "messageId": message.message_id(),
            "receiptHandle": message.receipt_handle(),
            "body": message.body(),
            "md5OfBody": message.md5_of_body(),
            "attributes": attributes,
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{}", self.source.queue),
            "awsRegion": "us-east-1",
        })
    }

    /// Pumps until the task is aborted.
    pub async fn run(self) {
        loop {
            let step = self.step().await;
            self.target.rest(step, QUEUE_PAUSE).await;
        }
    }
}

/// Calls a function with the changes of a table's items, in their order, from the oldest on.
pub struct StreamPump {
    target: Target,
    source: StreamSource,
    db: Database,
    stream_arn: String,
    /// How far the stream was read.
    iterator: String,
    /// Records that were read and wait for their call.
    waiting: VecDeque<Value>,
    /// What is being tried.
    batch: Vec<Value>,
    /// How often it was tried in vain.
    failures: u32,
}

impl StreamPump {
    /// A pump from the stream of this table.
    ///
    /// # Errors
    ///
    /// If the table has none.
    pub fn new(
        target: Target,
        source: StreamSource,
        db: Database,
        table_name: &str,
    ) -> Result<Self, Error> {
        let streams = db.list_streams(ListStreamsRequest {
            table_name: Some(table_name.to_owned()),
            exclusive_start_stream_arn: None,
            limit: None,
        })?;
        let stream = streams.streams.into_iter().next();
        let stream_arn = stream.ok_or_else(|| format!("{table_name} has no stream"))?.stream_arn;
        let iterator = db.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: stream_arn.clone(),
            shard_id: dynoxide::streams::shard_id(table_name),
            shard_iterator_type: "TRIM_HORIZON".to_owned(),
            sequence_number: None,
        })?;
        let iterator = iterator.shard_iterator.ok_or("a stream without a beginning")?;
        let (waiting, batch) = (VecDeque::new(), Vec::new());
        Ok(Self { target, source, db, stream_arn, iterator, waiting, batch, failures: 0 })
    }

    /// Calls the function with the next records that pass a filter. Says how many of them are done
    /// with, well or not: none if there was none, or if the first one is to be tried again.
    ///
    /// # Errors
    ///
    /// Those of the stream. A failure of the function is none.
    pub async fn step(&mut self) -> Result<usize, Error> {
        if self.batch.is_empty() {
            while self.waiting.is_empty() && self.read()? > 0 {}
            let next = self.source.batch_size.min(self.waiting.len());
            self.batch.extend(self.waiting.drain(..next));
        }
        if self.batch.is_empty() {
            return Ok(0);
        }
        let reports_failures = self.source.reports_failures;
        let number = "/dynamodb/SequenceNumber";
        let failed = self.target.deliver(&self.batch, number, reports_failures).await;
        let done = failed.first().copied().unwrap_or(self.batch.len());
        self.batch.drain(..done);
        if done > 0 {
            self.failures = 0;
        }
        let given_up = if failed.is_empty() { 0 } else { self.fail() };
        Ok(done + given_up)
    }

    /// Decides what becomes of a batch whose first record failed. Says how many records are given
    /// up.
    fn fail(&mut self) -> usize {
        if self.source.bisects && self.batch.len() > 1 {
            // A split is no retry. In the end the record that cannot succeed is alone.
            for record in self.batch.drain(self.batch.len() / 2..).rev() {
                self.waiting.push_front(record);
            }
            return 0;
        }
        self.failures += 1;
        if self.source.retries.is_none_or(|most| self.failures <= most) {
            return 0;
        }
        self.failures = 0;
        for record in &self.batch {
            eprintln!("{} gives up on {}", self.target.id, record["dynamodb"]["Keys"]);
        }
        std::mem::take(&mut self.batch).len()
    }

    /// The records that pass a filter and are not done with, taken: for tests that call the
    /// function in ways of their own.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub fn take(&mut self) -> Result<Vec<Value>, Error> {
        while self.read()? > 0 {}
        self.failures = 0;
        Ok(self.batch.drain(..).chain(self.waiting.drain(..)).collect())
    }

    /// Reads on, and keeps what passes a filter. Says how many records were read.
    fn read(&mut self) -> Result<usize, Error> {
        let request = GetRecordsRequest { shard_iterator: self.iterator.clone(), limit: None };
        let answer = self.db.get_records(request)?;
        self.iterator = answer.next_shard_iterator.ok_or("the stream has ended")?;
        for record in &answer.records {
            let mut record = serde_json::to_value(record)?;
            record["eventSourceARN"] = json!(self.stream_arn);
            let filters = &self.source.filters;
            if filters.is_empty() || filters.iter().any(|filter| matches(filter, &record)) {
                self.waiting.push_back(record);
            }
        }
        Ok(answer.records.len())
    }

    /// Pumps until the task is aborted.
    pub async fn run(mut self) {
        loop {
            let step = self.step().await;
            let pause = STREAM_PAUSE * 2_u32.pow(self.failures.min(STREAM_PAUSE_DOUBLINGS));
            self.target.rest(step, pause).await;
        }
    }
}

/// Calls a function again and again.
pub struct SchedulePump {
    target: Target,
    every: Duration,
}

impl SchedulePump {
    /// A pump that calls the function this often.
    #[must_use]
    pub fn new(target: Target, every: Duration) -> Self {
        Self { target, every }
    }

    /// Calls the function once.
    ///
    /// # Errors
    ///
    /// The function's.
    pub async fn step(&self) -> Result<(), Error> {
        let now = (self.target.clock)();
        let event = json!({
            "version": "0",
            "id": drawn_id(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000000",
            "time": now.to_rfc3339_opts(SecondsFormat::Secs, true),
            "region": "us-east-1",
            "resources": [],
            "detail": {},
        });
        self.target.invoke(event).await.map(drop)
    }

    /// Pumps until the task is aborted. Waits first.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(self.every).await;
            if let Err(error) = self.step().await {
                eprintln!("{} failed: {error}", self.target.id);
            }
        }
    }
}
