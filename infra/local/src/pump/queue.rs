//! From a queue to its function.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::{Map, Value, json};

use super::Target;
use crate::queue::url_of;
use crate::template::{Error, QueueSource};

/// How long a queue is left alone that had no message.
const PAUSE: Duration = Duration::from_millis(50);

/// Messages that SQS gives at once.
const MESSAGES_MAX: usize = 10;

/// Calls a function with the messages of a queue.
pub struct QueuePump {
    target: Target,
    source: QueueSource,
    client: Client,
    url: String,
}

impl QueuePump {
    /// A pump from the queue that `source` names.
    #[must_use]
    pub fn new(target: Target, source: QueueSource, client: Client) -> Self {
        let url = url_of(&source.queue);
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
        let delivery = self.target.deliver(&records, "/messageId", reports_failures).await;
        let mut done = Vec::new();
        for (position, message) in messages.iter().enumerate() {
            if !delivery.failed.contains(&position) {
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
            self.target.rest(step, PAUSE).await;
        }
    }
}
