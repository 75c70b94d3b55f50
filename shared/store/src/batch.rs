//! Reading many items by their keys.

use std::time::Duration;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity::Total};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::Item;
use crate::{Fault, Store};

/// Items in one `BatchGetItem` (AWS, "`DynamoDB` quotas": 100).
const BATCH_ITEMS: usize = 100;

/// Calls under way side by side.
const AT_ONCE: usize = 16;

/// The longest pauses before each try of a batch, for what `DynamoDB` left over in the last one.
const BATCH_PAUSES_MS: [u64; 6] = [0, 50, 100, 200, 400, 800];

impl Store {
    /// What `read` makes of the items at these keys, in any order; of what is not there, nothing. No
    /// key may be named twice. Costs a consistent read of each (1 unit per 4 KB), a hundred of them
    /// in a call, 16 calls at once.
    pub(crate) async fn batch<T>(
        &self,
        table: &str,
        keys: Vec<Item>,
        read: impl Fn(Item) -> Result<T, Fault> + Copy,
    ) -> Result<Vec<T>, Fault> {
        let calls =
            keys.chunks(BATCH_ITEMS).map(|keys| self.batch_once(table, keys.to_vec(), read));
        stream::iter(calls.collect::<Vec<_>>()).buffered(AT_ONCE).try_concat().await
    }

    /// The same of a hundred at most.
    async fn batch_once<T>(
        &self,
        table: &str,
        mut keys: Vec<Item>,
        read: impl Fn(Item) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut found = Vec::with_capacity(keys.len());
        for pause_ms in BATCH_PAUSES_MS {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=pause_ms))).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
            let wanted = wanted.build().expect("there are keys");
            self.meter.called();
            let mut answer = self
                .client
                .batch_get_item()
                .request_items(table, wanted)
                .return_consumed_capacity(Total)
                .send()
                .await?;
            for used in answer.consumed_capacity() {
                self.meter.read(Some(used));
            }
            let items = answer.responses.take().unwrap_or_default();
            for item in items.into_values().flatten() {
                found.push(read(item)?);
            }
            let rest = answer.unprocessed_keys.take().unwrap_or_default();
            keys = rest.into_values().flat_map(|rest| rest.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
        }
        Err(Fault::Contended)
    }
}
