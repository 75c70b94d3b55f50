//! Events out: what happened is recorded, and told to other systems, subscribers and customers. The
//! recording comes first, so that all of them are told the same, also by a second try.

use std::sync::Arc;

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use chrono::TimeDelta;
use domain::event::{Delivery, Event, Letter, Subject};
use domain::subscription::Subscription;
use domain::time::Timestamp;
use futures_util::future::try_join_all;
use store::RecordedEvent;

use crate::App;
use crate::catalog::remembered;
use crate::log::Note;
use crate::problem::Problem;
use crate::queues::Queue;
use crate::view;

/// Whose events these are, as rules of the bus know us.
const SOURCE: &str = "marquee";

impl App {
    /// Tells of an event: by a message for the customer's letter, on the bus, and by a message for each
    /// subscriber who wants it.
    ///
    /// Safe to repeat: every step is done at least once, and whoever is told twice is told the
    /// same, under the same id. Costs what `Store::record_event` costs, a call of the bus, and one
    /// of SQS for each message; and a query of the subscriptions if it was not made in the last 10
    /// seconds, which is how long a new subscription may hear of nothing.
    ///
    /// # Errors
    ///
    /// A fault, a bus or a queue that is away: nothing is lost if it is told again.
    pub async fn publish(&self, event: &Event, now: Timestamp) -> Result<(), Problem> {
        match &event.subject {
            Subject::Reservation(reservation) => self.note(Note::Reservation(&reservation.id)),
            Subject::Payment(payment) => self.note(Note::Payment(&payment.reference)),
        }
        let body = serde_json::to_string(&view::event::event(event));
        let body = body.expect("views are plain values");
        let recorded = self.store.record_event(&event.id, event.kind, &body, now).await?;
        // A customer waits for this, and it is sent once however often it is asked for.
        if event.has_letter() {
            let letter = Letter { event_id: event.id.clone() };
            self.send(Queue::Emails, &letter, TimeDelta::zero()).await?;
        }
        self.put_on_bus(&recorded).await?;
        let subscriptions = self.remembered_subscriptions(now).await?;
        let told = subscriptions.iter().filter(|subscription| subscription.wants(event.kind));
        let told = told.map(|subscription| async {
            let delivery = Delivery {
                subscription_id: subscription.id.clone(),
                event_id: event.id.clone(),
                attempt: 0,
                first_at: now,
                not_before: now,
            };
            self.send(Queue::EventDeliveries, &delivery, TimeDelta::zero()).await
        });
        try_join_all(told).await?;
        self.note(Note::Published(event.kind));
        Ok(())
    }

    async fn put_on_bus(&self, event: &RecordedEvent) -> Result<(), Problem> {
        let (client, bus) = self.event_bus()?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(bus)
            .source(SOURCE)
            .detail_type(event.kind.as_str())
            .detail(&event.body);
        let put = client.put_events().entries(entry.build()).send().await;
        let put = put.map_err(|error| Problem::BusAway(error.into()))?;
        // An entry that is refused is no error of the call.
        if put.failed_entry_count() > 0 {
            let why = |entry: &PutEventsResultEntry| {
                entry.error_message().or(entry.error_code()).map(str::to_owned)
            };
            let why = put.entries().iter().find_map(why);
            return Err(Problem::BusAway(why.unwrap_or_default().into()));
        }
        Ok(())
    }

    async fn remembered_subscriptions(
        &self,
        now: Timestamp,
    ) -> Result<Arc<[Subscription]>, Problem> {
        let load = async { Ok(self.store.subscriptions().await?.into()) };
        remembered(&self.caches().subscriptions, (), now, load).await
    }
}
