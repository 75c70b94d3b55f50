//! Functions that no request calls: a queue, a table's stream, a schedule. Each message and each
//! record is handled by itself, and those that failed are told apart, so that only they come again
//! (AWS, "Handling errors for an SQS event source in Lambda", "Configuring partial batch response
//! with DynamoDB and Lambda").

use std::sync::Arc;

use aws_lambda_events::dynamodb::Event as StreamEvent;
use aws_lambda_events::sqs::SqsEvent;
use chrono::TimeDelta;
use domain::payment::Payment;
use domain::time::Timestamp;
use lambda_runtime::{Context, LambdaEvent};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::{Fault, payment_in};

use crate::app::App;
use crate::problem::Problem;
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
    body: String,
}

impl Message {
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
    /// When it came.
    pub now: Timestamp,
    new: Option<serde_dynamo::Item>,
}

impl Change {
    /// The payment that it made or changed, as it was then. By now it may be further on.
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn payment(self) -> Result<Payment, Problem> {
        let image = self.new.filter(|image| !image.is_empty());
        let none = || Fault::Corrupt("a record without a new image".to_owned());
        Ok(payment_in(image.ok_or_else(none)?)?)
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
                let message = Message { now: app.now(), body: record.body.unwrap_or_default() };
                if !finish(&app, name, handler(app.clone(), message).await) {
                    failed.push(json!({"itemIdentifier": id}));
                }
            }
            Ok(json!({"batchItemFailures": failed}))
        })
    })
}

/// `handler` as the function of this name behind a table's stream. All records are handled; from the
/// first that failed on they come again, and what was done is then found done.
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
                let change = Change { now: app.now(), new: Some(record.change.new_image) };
                if !finish(&app, name, handler(app.clone(), change).await) && failed.is_none() {
                    let number = record.change.sequence_number;
                    failed = Some(number.ok_or("a record without a sequence number failed")?);
                }
            }
            let failed = failed.map(|number| json!({"itemIdentifier": number}));
            Ok(json!({"batchItemFailures": Vec::from_iter(failed)}))
        })
    })
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
