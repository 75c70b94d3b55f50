//! Putting messages on queues, to be worked off by another invocation, or later.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::json;

use crate::App;
use crate::problem::Problem;
use crate::settings::{MissingSetting, QueueUrls};

/// Seconds that SQS keeps a message back at most (AWS, "Amazon SQS delay queues").
const DELAY_SECS_MAX: i64 = 15 * 60;

/// A queue by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// What payment providers tell.
    PaymentEvents,
    /// Pages of the sweep of a cancelled show.
    ShowCancellations,
    /// Events on their way to subscribers.
    EventDeliveries,
    /// Events that a customer is written about.
    Emails,
    /// Records of streams that make no sense.
    RecordsFailed,
}

impl Queue {
    fn url(self, urls: &QueueUrls) -> Result<&str, MissingSetting> {
        let (url, setting) = match self {
            Self::PaymentEvents => (&urls.payment_events, "PAYMENT_EVENTS_QUEUE_URL"),
            Self::ShowCancellations => (&urls.show_cancellations, "SHOW_CANCELLATIONS_QUEUE_URL"),
            Self::EventDeliveries => (&urls.event_deliveries, "EVENT_DELIVERIES_QUEUE_URL"),
            Self::Emails => (&urls.emails, "EMAILS_QUEUE_URL"),
            Self::RecordsFailed => (&urls.records_failed, "RECORDS_FAILED_QUEUE_URL"),
        };
        url.as_deref().ok_or(MissingSetting(setting))
    }
}

impl App {
    /// Puts a message on a queue, to be seen after `delay`: 15 minutes at most, whatever is said.
    /// Costs one call of SQS.
    ///
    /// # Errors
    ///
    /// [`Problem::QueueAway`]; repeat it. Then it may be there twice.
    pub async fn send(
        &self,
        queue: Queue,
        message: &impl Serialize,
        delay: TimeDelta,
    ) -> Result<(), Problem> {
        let (urls, client) = self.queues();
        let url = queue.url(urls)?;
        let client = client.ok_or(MissingSetting("a client of SQS"))?;
        let secs = delay.num_seconds().clamp(0, DELAY_SECS_MAX);
        let secs = i32::try_from(secs).expect("it was clamped");
        let body = json!(message).to_string();
        let sent = client.send_message().queue_url(url).message_body(body);
        let sent = sent.set_delay_seconds(Some(secs).filter(|secs| *secs > 0)).send().await;
        sent.map(drop).map_err(|error| Problem::QueueAway(error.into()))
    }
}
