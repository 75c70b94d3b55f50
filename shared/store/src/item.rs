//! Items and attribute values, as short as sentences need them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::Fault;

/// One item, or the key of one.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A string value.
pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// An instant as whole epoch seconds, as TTL wants it.
pub(crate) fn seconds(instant: Timestamp) -> AttributeValue {
    AttributeValue::N(instant.timestamp().to_string())
}

/// An instant as text.
pub(crate) fn instant(instant: Timestamp) -> AttributeValue {
    string(domain::time::text(instant))
}

/// An enum or a newtype, as it is stored.
pub(crate) fn value(of: &impl Serialize) -> AttributeValue {
    serde_dynamo::to_attribute_value(of).expect("plain values have an attribute value")
}

/// Name-value pairs as a map.
pub(crate) fn item<const N: usize>(pairs: [(&str, AttributeValue); N]) -> Item {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A number below `shards`, the same for a text at all times.
pub(crate) fn shard_of(text: &str, shards: u8) -> u8 {
    let mixed = |hash: u8, byte: u8| hash.wrapping_mul(31).wrapping_add(byte);
    text.bytes().fold(0, mixed) % shards
}

/// A record as an item.
pub(crate) fn to_item(record: &impl Serialize) -> Item {
    serde_dynamo::to_item(record).expect("records are maps with text keys")
}

/// An item as a record. Says which attribute is missing or malformed.
pub(crate) fn from_item<T: DeserializeOwned>(what: &str, item: Item) -> Result<T, Fault> {
    serde_dynamo::from_item(item).map_err(|error| Fault::Corrupt(format!("{what}: {error}")))
}
