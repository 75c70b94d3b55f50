//! Functions that no request calls: a queue, a table's stream, a schedule. Each message and each
//! record is handled by itself, and those that failed are told apart, so that only they come again
//! (AWS, "Handling errors for an SQS event source in Lambda", "Configuring partial batch response
//! with DynamoDB and Lambda").

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use aws_lambda_events::dynamodb::{Event as StreamEvent, EventRecord, UserIdentity};
use aws_lambda_events::sqs::SqsEvent;
use chrono::TimeDelta;
use domain::id::{SectionId, ShowId};
use domain::payment::Payment;
use domain::time::Timestamp;
use lambda_runtime::{Context, LambdaEvent};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{Fault, Image};

use crate::app::App;
use crate::log::causes;
use crate::problem::Problem;
use crate::queues::Queue;
use crate::serve::{Function, finish};

/// What a run leaves unused of its time: what it began it can end.
const RUN_MARGIN: TimeDelta = TimeDelta::seconds(20);

/// The same of a batch. A message that is not begun comes again; one that is cut off in the middle
/// takes its whole batch with it.
const BATCH_MARGIN: TimeDelta = TimeDelta::seconds(20);

/// A message from a queue.
pub struct Message {
    /// When it came.
    pub now: Timestamp,
    app: App,
    deadline: Timestamp,
    body: String,
}

impl Message {
    /// Whether there is time to begin something more.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.app.now() + BATCH_MARGIN < self.deadline
    }

    /// What it says.
    ///
    /// # Errors
    ///
    /// If it is not what we put on the queue. It is tried again like any other, and ends in the
    /// dead-letter queue, where somebody can look at it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_str(&self.body)
            .map_err(|error| Problem::Internal(Fault::Corrupt(format!("a message: {error}"))))
    }
}

/// A change of an item in a table's stream.
pub struct Change {
    /// When it came here.
    pub now: Timestamp,
    /// When it was written, to the second at worst. The same however often it is told.
    pub at: Timestamp,
    old: Option<serde_dynamo::Item>,
    new: Option<serde_dynamo::Item>,
    by: Option<UserIdentity>,
}

impl Change {
    fn of(record: EventRecord, now: Timestamp) -> Self {
        let image = |image: serde_dynamo::Item| Some(image).filter(|image| !image.is_empty());
        Self {
            now,
            at: record.change.approximate_creation_date_time,
            old: image(record.change.old_image),
            new: image(record.change.new_image),
            by: record.user_identity,
        }
    }

    /// The item before, if there was one, and after, if there is one. By now it may be further on.
    ///
    /// # Errors
    ///
    /// If an image is of no item of ours.
    pub fn images(self) -> Result<(Option<Image>, Option<Image>), Problem> {
        let read = |image: Option<serde_dynamo::Item>| image.map(Image::read).transpose();
        Ok((read(self.old)?, read(self.new)?))
    }

    /// The payment that it made or changed, as it was then.
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn payment(self) -> Result<Payment, Problem> {
        match self.images()? {
            (_, Some(Image::Payment(payment))) => Ok(*payment),
            (_, other) => Err(Fault::Corrupt(format!("{other:?} is no payment")).into()),
        }
    }

    /// The section of a show that the seat which it made, changed or freed is in.
    ///
    /// # Errors
    ///
    /// If it is of no seat.
    pub fn section(self) -> Result<(ShowId, SectionId), Problem> {
        let image = self.new.or(self.old);
        let image = image.ok_or_else(|| Fault::Corrupt("a change of nothing".to_owned()))?;
        Ok(Image::section_of(image)?)
    }

    /// Whether `DynamoDB` deleted the item because its time had come (AWS, "`DynamoDB` Streams and
    /// Time to Live"), and not one of us.
    #[must_use]
    pub fn is_by_ttl(&self) -> bool {
        let is_service = |by: &UserIdentity| {
            by.type_ == "Service" && by.principal_id == "dynamodb.amazonaws.com"
        };
        self.new.is_none() && self.by.as_ref().is_some_and(is_service)
    }
}

/// A run of a schedule.
pub struct Run {
    app: App,
    deadline: Timestamp,
}

impl Run {
    /// The time. A run is long, so it is asked for again and again.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// Whether there is time to begin something.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.now() + RUN_MARGIN < self.deadline
    }
}

/// When Lambda cuts the invocation off.
fn deadline(context: &Context) -> Timestamp {
    let deadline = i64::try_from(context.deadline).unwrap_or_default();
    Timestamp::from_timestamp_millis(deadline).unwrap_or_default()
}

/// `handler` as the function of this name behind a queue.
pub fn queue<H, F>(app: &App, name: &'static str, handler: H) -> Function
where
    H: Fn(App, Message) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let app = app.clone();
    Arc::new(move |event: LambdaEvent<Value>| {
        let (app, handler) = (app.clone(), handler.clone());
        Box::pin(async move {
            let deadline = deadline(&event.context);
            let batch: SqsEvent = serde_json::from_value(event.payload)?;
            let mut failed = Vec::new();
            for record in batch.records {
                let id = record.message_id.unwrap_or_default();
                let app = app.begin(&id);
                if app.now() + BATCH_MARGIN >= deadline {
                    failed.push(json!({"itemIdentifier": id}));
                    continue;
                }
                let body = record.body.unwrap_or_default();
                let message = Message { now: app.now(), app: app.clone(), deadline, body };
                if !finish(&app, name, handler(app.clone(), message).await) {
                    failed.push(json!({"itemIdentifier": id}));
                }
            }
            Ok(json!({"batchItemFailures": failed}))
        })
    })
}

/// `handler` as the function of this name behind a table's stream. All records are handled; from the
/// first that failed on they come again, and what was done is then found done. For work that
/// something else comes back to when the stream gives up.
pub fn stream<H, F>(app: &App, name: &'static str, handler: H) -> Function
where
    H: Fn(App, Change) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let app = app.clone();
    Arc::new(move |event: LambdaEvent<Value>| {
        let (app, handler) = (app.clone(), handler.clone());
        Box::pin(async move {
            let batch: StreamEvent = serde_json::from_value(event.payload)?;
            let mut failed = None;
            for record in batch.records {
                let app = app.begin(&record.event_id);
                let number = record.change.sequence_number.clone();
                let change = Change::of(record, app.now());
                if !finish(&app, name, handler(app.clone(), change).await) && failed.is_none() {
                    failed = Some(number.ok_or("a record without a sequence number failed")?);
                }
            }
            let failed = failed.map(|number| json!({"itemIdentifier": number}));
            Ok(json!({"batchItemFailures": Vec::from_iter(failed)}))
        })
    })
}

/// `handler` as the function of this name behind a stream that nothing stands behind: what it does not
/// do is never done.
///
/// So while something is away, it stops at the first record that fails, and from there all come again,
/// for as long as the stream keeps them. A record that makes no sense would fail for ever and hold up
/// all others: it is put on the failure queue, with what is in it, and counts as done.
pub fn outbox<H, F>(app: &App, name: &'static str, handler: H) -> Function
where
    H: Fn(App, Change) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    in_turn(app, name, handler, |records| {
        let told = |record: Value| Told { from: number_of(&record).clone(), record };
        records.into_iter().map(told).collect()
    })
}

/// `handler` as the function of this name behind a stream that says where to look, and not what there is:
/// of a batch it gets the last record of each partition, and looks up the rest. As [`outbox()`] else.
pub fn digest<H, F>(app: &App, name: &'static str, handler: H) -> Function
where
    H: Fn(App, Change) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    in_turn(app, name, handler, last_of_each_partition)
}

/// What a handler is told of a batch at once.
struct Told {
    /// The number of the first record that is done with it. All before that belong to what was told
    /// earlier.
    from: Value,
    /// The record that it gets.
    record: Value,
}

fn last_of_each_partition(records: Vec<Value>) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for record in records {
        let from = number_of(&record).clone();
        // What has no key makes no sense, and is set aside by itself.
        let partition = record["dynamodb"]["Keys"]["pk"]["S"].as_str();
        let partition = partition.map_or_else(|| from.to_string(), str::to_owned);
        match places.entry(partition) {
            Entry::Occupied(place) => told[*place.get()].record = record,
            Entry::Vacant(place) => {
                place.insert(told.len());
                told.push(Told { from, record });
            }
        }
    }
    told
}

fn number_of(record: &Value) -> &Value {
    &record["dynamodb"]["SequenceNumber"]
}

/// Tells `handler` of what `group` makes of a batch, one after the other, and stops at the first that
/// fails.
fn in_turn<H, F>(
    app: &App,
    name: &'static str,
    handler: H,
    group: fn(Vec<Value>) -> Vec<Told>,
) -> Function
where
    H: Fn(App, Change) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let app = app.clone();
    Arc::new(move |mut event: LambdaEvent<Value>| {
        let (app, handler) = (app.clone(), handler.clone());
        Box::pin(async move {
            let deadline = deadline(&event.context);
            let records: Vec<Value> = serde_json::from_value(event.payload["Records"].take())?;
            for Told { from, record } in group(records) {
                let app = app.begin(record["eventID"].as_str().unwrap_or_default());
                let has_time = app.now() + BATCH_MARGIN < deadline;
                if !has_time || !is_done(&app, name, &handler, &record).await {
                    return Ok(json!({"batchItemFailures": [{"itemIdentifier": from}]}));
                }
            }
            Ok(json!({"batchItemFailures": []}))
        })
    })
}

/// Handles one record. Says whether it is done with: well, or set aside.
async fn is_done<H, F>(app: &App, name: &'static str, handler: &H, raw: &Value) -> bool
where
    H: Fn(App, Change) -> F,
    F: Future<Output = Result<(), Problem>>,
{
    let outcome = match EventRecord::deserialize(raw) {
        Ok(record) => handler(app.clone(), Change::of(record, app.now())).await,
        Err(error) => Err(Fault::Corrupt(format!("a record: {error}")).into()),
    };
    let senseless = match &outcome {
        Err(Problem::Internal(fault @ Fault::Corrupt(_))) => Some(causes(fault)),
        _for_now => None,
    };
    let is_done = finish(app, name, outcome);
    let Some(cause) = senseless else { return is_done };
    let message = json!({"function": name, "cause": cause, "record": raw});
    match app.send(Queue::RecordsFailed, &message, TimeDelta::zero()).await {
        Ok(()) => true,
        Err(problem) => {
            tracing::warn!(function = name, cause = causes(&problem), "not set aside");
            false
        }
    }
}

/// `handler` as the function of this name behind a schedule.
pub fn schedule<H, F>(app: &App, name: &'static str, handler: H) -> Function
where
    H: Fn(App, Run) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    let app = app.clone();
    Arc::new(move |event: LambdaEvent<Value>| {
        let (app, handler) = (app.clone(), handler.clone());
        Box::pin(async move {
            let app = app.begin(&event.context.request_id);
            let run = Run { app: app.clone(), deadline: deadline(&event.context) };
            if finish(&app, name, handler(app.clone(), run).await) {
                Ok(Value::Null)
            } else {
                Err("the run failed; its log says why".into())
            }
        })
    })
}
