//! What a table's stream tells, from its beginning on, in the form in which Lambda passes it on.
//!
//! The embedded engine has one shard for a table, which never ends. Elsewhere a shard ends some day,
//! and others go on where it was; they are not looked at before it is read to its end, so that
//! changes of one item stay in their order.

use std::collections::{BTreeSet, VecDeque};

use dynoxide::Database;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use serde_json::{Value, json};

use super::{Elsewhere, Engine, Refusal};
use crate::template::Error;

/// What a server says of an iterator that was not used for a while; and what DynamoDB Local says, too, now and
/// then, of one whose records are all there.
const STALE: [&str; 2] = ["ExpiredIteratorException", "TrimmedDataAccessException"];

/// How often a server is asked for another iterator before it is believed.
const ITERATORS_MAX: u32 = 10;

/// A stream, and how far it was read.
pub(crate) struct Stream {
    arn: String,
    /// The shard that was read last.
    shard_id: String,
    reader: Reader,
}

enum Reader {
    Embedded { db: Database, iterator: String },
    Elsewhere(Shards),
}

impl Stream {
    /// The stream of this table, at its beginning.
    ///
    /// # Errors
    ///
    /// If the table has none.
    pub(crate) async fn open(engine: &Engine, table: &str) -> Result<Self, Error> {
        match engine {
            Engine::Embedded(db) => Self::of_embedded(db.clone(), table),
            Engine::Elsewhere(server) => {
                let answer = server.call("ListStreams", &json!({"TableName": table})).await?;
                let arn = answer["Streams"][0]["StreamArn"].as_str();
                let arn = arn.ok_or_else(|| format!("{table} has no stream"))?.to_owned();
                let reader = Reader::Elsewhere(Shards::new(server.clone(), arn.clone()));
                Ok(Self { arn, shard_id: String::new(), reader })
            }
        }
    }

    fn of_embedded(db: Database, table: &str) -> Result<Self, Error> {
        let streams = db.list_streams(ListStreamsRequest {
            table_name: Some(table.to_owned()),
            exclusive_start_stream_arn: None,
            limit: None,
        })?;
        let stream = streams.streams.into_iter().next();
        let arn = stream.ok_or_else(|| format!("{table} has no stream"))?.stream_arn;
        let shard_id = dynoxide::streams::shard_id(table);
        let iterator = db.get_shard_iterator(GetShardIteratorRequest {
            stream_arn: arn.clone(),
            shard_id: shard_id.clone(),
            shard_iterator_type: "TRIM_HORIZON".to_owned(),
            sequence_number: None,
        })?;
        let iterator = iterator.shard_iterator.ok_or("a stream without a beginning")?;
        Ok(Self { arn, shard_id, reader: Reader::Embedded { db, iterator } })
    }

    /// What it is called.
    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// The shard that told of what was read last.
    pub(crate) fn shard_id(&self) -> &str {
        &self.shard_id
    }

    /// Reads on in one shard that has something. No records are there when nothing has changed.
    ///
    /// # Errors
    ///
    /// Those of the engine. What was not read then is read the next time.
    pub(crate) async fn read(&mut self) -> Result<Vec<Value>, Error> {
        let mut records = match &mut self.reader {
            Reader::Embedded { db, iterator } => {
                let request = GetRecordsRequest { shard_iterator: iterator.clone(), limit: None };
                let answer = db.get_records(request)?;
                *iterator = answer.next_shard_iterator.ok_or("the stream has ended")?;
                let records = answer.records.iter().map(serde_json::to_value);
                records.collect::<Result<Vec<_>, _>>()?
            }
            Reader::Elsewhere(shards) => shards.read(&mut self.shard_id).await?,
        };
        for record in &mut records {
            record["eventSourceARN"] = json!(self.arn);
        }
        Ok(records)
    }
}

/// The shards of a stream elsewhere.
struct Shards {
    server: Elsewhere,
    arn: String,
    /// Those that are being read, the next one first.
    open: VecDeque<Shard>,
    /// Those that were read to their end.
    ended: BTreeSet<String>,
    /// Whether there may be others than these.
    may_be_more: bool,
}

struct Shard {
    id: String,
    /// Where to read on; if that is not known, then after `last`, or else from the beginning.
    iterator: Option<String>,
    /// The sequence number of the last record that was read.
    last: Option<String>,
}

impl Shards {
    fn new(server: Elsewhere, arn: String) -> Self {
        let (open, ended) = (VecDeque::new(), BTreeSet::new());
        Self { server, arn, open, ended, may_be_more: true }
    }

    /// Reads on in the next shard that has something, and says which one it was.
    async fn read(&mut self, shard_id: &mut String) -> Result<Vec<Value>, Error> {
        loop {
            if self.may_be_more || self.open.is_empty() {
                self.look().await?;
            }
            for _ in 0..self.open.len() {
                let records = self.read_next(shard_id).await?;
                if !records.is_empty() {
                    return Ok(records);
                }
            }
            if !self.may_be_more {
                return Ok(Vec::new());
            }
        }
    }

    /// Looks for shards that are not known, and begins with those that go on where nothing is left
    /// to be read.
    async fn look(&mut self) -> Result<(), Error> {
        let mut shards: Vec<(String, Option<String>)> = Vec::new();
        let mut request = json!({"StreamArn": self.arn});
        loop {
            let mut answer = self.server.call("DescribeStream", &request).await?;
            let mut stream = answer["StreamDescription"].take();
            for shard in stream["Shards"].as_array().into_iter().flatten() {
                let text = |name: &str| shard[name].as_str().map(str::to_owned);
                shards.push((text("ShardId").ok_or("a shard has no id")?, text("ParentShardId")));
            }
            match stream["LastEvaluatedShardId"].take() {
                Value::Null => break,
                last => request["ExclusiveStartShardId"] = last,
            }
        }
        for (id, parent) in &shards {
            // A parent that the stream has forgotten is nothing to wait for.
            let waits = parent.as_ref().is_some_and(|parent| {
                let is_there = shards.iter().any(|(id, _)| id == parent);
                is_there && !self.ended.contains(parent)
            });
            let is_known = self.ended.contains(id) || self.open.iter().any(|open| open.id == *id);
            if !waits && !is_known {
                self.open.push_back(Shard { id: id.clone(), iterator: None, last: None });
            }
        }
        self.may_be_more = false;
        Ok(())
    }

    /// Reads on in the next shard, which is the last one then.
    async fn read_next(&mut self, shard_id: &mut String) -> Result<Vec<Value>, Error> {
        if !self.open.is_empty() {
            self.open.rotate_left(1);
        }
        let Some(shard) = self.open.back_mut() else { return Ok(Vec::new()) };
        let mut answer = shard.records(&self.server, &self.arn).await?;
        shard.iterator = answer["NextShardIterator"].as_str().map(str::to_owned);
        let mut records = match answer["Records"].take() {
            Value::Array(records) => records,
            _none => Vec::new(),
        };
        for record in &mut records {
            if let Some(identity) = self.server.identity_in(record) {
                record["userIdentity"] = identity;
            }
            shard.last = record["dynamodb"]["SequenceNumber"].as_str().map(str::to_owned);
        }
        shard_id.clone_from(&shard.id);
        if shard.iterator.is_none() {
            self.ended.insert(shard.id.clone());
            self.open.pop_back();
            self.may_be_more = true;
        }
        Ok(records)
    }
}

impl Shard {
    /// What a server answers for the next records.
    async fn records(&mut self, server: &Elsewhere, arn: &str) -> Result<Value, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let iterator = match self.iterator.take() {
                Some(iterator) => iterator,
                None => self.begin(server, arn).await?,
            };
            match server.call("GetRecords", &json!({"ShardIterator": iterator})).await {
                Ok(answer) => return Ok(answer),
                Err(refusal) if is_stale(&refusal) && tries < ITERATORS_MAX => {}
                Err(refusal) => {
                    self.iterator = Some(iterator);
                    return Err(refusal.into());
                }
            }
        }
    }

    /// Where to read on, as the server calls it.
    async fn begin(&self, server: &Elsewhere, arn: &str) -> Result<String, Error> {
        let mut request = json!({
            "StreamArn": arn,
            "ShardId": self.id,
            "ShardIteratorType": "TRIM_HORIZON",
        });
        if let Some(last) = &self.last {
            request["ShardIteratorType"] = json!("AFTER_SEQUENCE_NUMBER");
            request["SequenceNumber"] = json!(last);
        }
        let answer = server.call("GetShardIterator", &request).await?;
        let iterator = answer["ShardIterator"].as_str();
        Ok(iterator.ok_or("a shard without a beginning")?.to_owned())
    }
}

/// Whether another iterator may do.
fn is_stale(refusal: &Refusal) -> bool {
    STALE.contains(&refusal.code.as_str())
}
