//! What others were told: key, attributes, reader, and the log of the last 30 days.

use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;
use chrono::TimeDelta;
use domain::event::Type;
use domain::id::EventId;
use domain::limits::{EVENT_KEPT_SECS, EVENT_LOG_SHARDS};
use domain::time::{Timestamp, as_text, as_text_option, text};
use futures_util::future::try_join_all;

use crate::item::{Item, from_item, instant, item, shard_of, string, to_item};
use crate::txn::{Aborted, IF_ABSENT, If, Txn, corrupt};
use crate::{Fault, Store};

/// Events by when they were recorded. One partition takes 1,000 write units a second, so there are
/// [`EVENT_LOG_SHARDS`].
const BY_RECORDED_AT: &str = "by_recorded_at";

/// It is still kept, and nobody noted that its letter is sent.
const IF_NOT_MAILED: &str = "attribute_exists(pk) AND attribute_not_exists(mailed_at)";

/// An event as it was first told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: Type,
    /// The JSON that others are told, byte for byte.
    pub body: String,
    /// When it was recorded. The log is in this order, then by id.
    pub recorded_at: Timestamp,
    /// When its customer was written to.
    pub mailed_at: Option<Timestamp>,
}

/// A place in the log: behind this event.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EventPosition {
    /// When the event was recorded.
    #[serde(with = "as_text")]
    pub recorded_at: Timestamp,
    /// Which it is.
    pub event_id: EventId,
}

impl RecordedEvent {
    /// Its place in the log.
    #[must_use]
    pub fn position(&self) -> EventPosition {
        EventPosition { recorded_at: self.recorded_at, event_id: self.id.clone() }
    }
}

impl EventPosition {
    /// As it is stored. Of one width up to the `#`, so that texts sort as places do.
    fn stored(&self) -> String {
        format!("{}#{}", text(self.recorded_at), self.event_id)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    pk: String,
    sk: String,
    event_type: Type,
    event_body: String,
    #[serde(with = "as_text")]
    recorded_at: Timestamp,
    log_shard: String,
    recorded_at_event: String,
    #[serde(with = "chrono::serde::ts_seconds")]
    kept_until: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text_option")]
    mailed_at: Option<Timestamp>,
}

/// The key of an event.
fn key(id: &EventId) -> Item {
    item([("pk", string(format!("EVENT#{id}"))), ("sk", string("EVENT"))])
}

/// The item of an event.
fn item_of(event: &RecordedEvent) -> Item {
    to_item(&Record {
        pk: format!("EVENT#{}", event.id),
        sk: "EVENT".to_owned(),
        event_type: event.kind,
        event_body: event.body.clone(),
        recorded_at: event.recorded_at,
        log_shard: shard_of(event.id.as_str(), EVENT_LOG_SHARDS).to_string(),
        recorded_at_event: event.position().stored(),
        kept_until: event.recorded_at + TimeDelta::seconds(EVENT_KEPT_SECS),
        mailed_at: event.mailed_at,
    })
}

/// The event that an item is.
pub(crate) fn read(found: Item) -> Result<RecordedEvent, Fault> {
    let record: Record = from_item("event", found)?;
    let id = record.pk.strip_prefix("EVENT#").and_then(|id| id.parse().ok());
    Ok(RecordedEvent {
        id: id.ok_or_else(|| corrupt("event: `pk` is malformed"))?,
        kind: record.event_type,
        body: record.event_body,
        recorded_at: record.recorded_at,
        mailed_at: record.mailed_at,
    })
}

/// The event that refuses to be recorded again.
fn recorded(found: Option<&Item>) -> Result<RecordedEvent, Fault> {
    read(found.cloned().ok_or_else(|| corrupt("an event that is not there refused"))?)
}

/// What a query of a shard asks for: from one place in the log to another, both included.
struct Range {
    from: String,
    to: String,
}

impl Range {
    /// What is behind `after`, not too old, and settled at `now`; nothing, if nothing can be.
    fn new(
        after: Option<&EventPosition>,
        now: Timestamp,
        settles_after: TimeDelta,
    ) -> Option<Self> {
        let oldest = text(now - TimeDelta::seconds(EVENT_KEPT_SECS));
        // A space sorts before whatever an id can go on with, so this is next to that place.
        let behind = after.map(|after| format!("{} ", after.stored()));
        let from = behind.unwrap_or_default().max(oldest);
        // `$` sorts behind `#`, so this is behind every event of that instant.
        let to = format!("{}$", text(now - settles_after));
        // DynamoDB refuses a range that ends before it begins.
        (from <= to).then_some(Self { from, to })
    }
}

impl Store {
    /// Records an event, and answers with it as it is told: if it was recorded before, as it was
    /// then. It is kept for 30 days.
    ///
    /// Safe to repeat. Costs one transaction of one item: 2 write units for each started KB, of
    /// which an event of a few seats has one or two, and half as many of the index.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn record_event(
        &self,
        id: &EventId,
        kind: Type,
        body: &str,
        now: Timestamp,
    ) -> Result<RecordedEvent, Fault> {
        let body = body.to_owned();
        let event = RecordedEvent { id: id.clone(), kind, body, recorded_at: now, mailed_at: None };
        let only = If::new(IF_ABSENT, []);
        let txn = Txn::new(self).put(&self.tables.events, item_of(&event), only, recorded);
        match txn.commit().await {
            Ok(()) => Ok(event),
            Err(Aborted::Refused(before)) => {
                let before = before.into_iter().next();
                before.ok_or_else(|| corrupt("a refusal that says nothing"))
            }
            Err(Aborted::Fault(fault)) => Err(fault),
        }
    }

    /// One event, if it was recorded and is still kept. Costs one consistent read of one item (1
    /// unit per 4 KB).
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn event(&self, id: &EventId) -> Result<Option<RecordedEvent>, Fault> {
        self.get(&self.tables.events, key(id)).await?.map(read).transpose()
    }

    /// The events behind `after` of the last 30 days, oldest first.
    ///
    /// Clocks differ, writes take their time, and the index lags. So what was recorded less than
    /// `settles_after` ago is left for later: nothing is to appear before a place that was given out.
    /// Costs a query for each shard, side by side: half a unit per 4 KB of up to `limit` events of
    /// each, at least half a unit.
    ///
    /// # Errors
    ///
    /// [`Fault`].
    pub async fn events_after(
        &self,
        after: Option<&EventPosition>,
        now: Timestamp,
        settles_after: TimeDelta,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, Fault> {
        let Some(range) = Range::new(after, now, settles_after) else { return Ok(Vec::new()) };
        let shards = (0..EVENT_LOG_SHARDS).map(|shard| self.logged(shard, &range, limit));
        let mut events: Vec<_> = try_join_all(shards).await?.into_iter().flatten().collect();
        events.sort_by_cached_key(|event| event.position().stored());
        events.truncate(limit);
        Ok(events)
    }

    /// The first events of a shard in a range, `limit` of them unless it has fewer. If one answer
    /// is too short for them it is gone on, or those of other shards would be taken for the next.
    async fn logged(
        &self,
        shard: u8,
        range: &Range,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.tables.events)
            .index_name(BY_RECORDED_AT)
            .key_condition_expression(
                "log_shard = :shard AND recorded_at_event BETWEEN :from AND :to",
            )
            .expression_attribute_values(":shard", string(shard.to_string()))
            .expression_attribute_values(":from", string(&range.from))
            .expression_attribute_values(":to", string(&range.to))
            .return_consumed_capacity(Total);
        let (mut events, mut start) = (Vec::new(), None);
        loop {
            let missing = i32::try_from(limit - events.len()).expect("limits.rs bounds a page");
            self.meter.called();
            let page = query.clone().set_exclusive_start_key(start).limit(missing).send().await?;
            self.meter.read(page.consumed_capacity());
            for item in page.items.unwrap_or_default() {
                events.push(read(item)?);
            }
            start = page.last_evaluated_key;
            if start.is_none() || events.len() >= limit {
                return Ok(events);
            }
        }
    }

    /// Notes that the customer was written to about an event, unless somebody else did.
    ///
    /// Safe to repeat. Costs one transaction of one item: 2 write units for each started KB, and
    /// half as many of the index.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn mailed(&self, id: &EventId, now: Timestamp) -> Result<(), Fault> {
        let only = If::new(IF_NOT_MAILED, [(":now", instant(now))]);
        let set = "SET mailed_at = :now";
        let txn = Txn::new(self).update(&self.tables.events, key(id), set, only, |_| Ok(()));
        match txn.commit().await {
            Ok(()) | Err(Aborted::Refused(_)) => Ok(()),
            Err(Aborted::Fault(fault)) => Err(fault),
        }
    }
}
