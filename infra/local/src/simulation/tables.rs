//! DynamoDB in a simulation: the embedded engine, with each item that a write touches looked at before
//! and after it. So streams have exact images, and what a write did can be judged at once.
//!
//! The engine's own streams are off: they look through all records at each write, and tell of writes
//! that change nothing, as AWS does not.

use std::collections::BTreeMap;

use dynoxide::Database;
use serde_json::{Value, json};

use crate::dynamodb::{Engine, carry_out};

/// What happened to an item.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// The table's logical id.
    pub(super) table: String,
    /// `pk|sk`, or `pk` alone.
    pub(super) key: String,
    /// As it was, as DynamoDB has it in JSON; nothing if there was none.
    pub(super) old: Option<Value>,
    /// As it is.
    pub(super) new: Option<Value>,
    /// Whether its time had come, and nobody asked for it.
    pub(super) by_ttl: bool,
}

impl Change {
    /// The item's key as DynamoDB has it.
    pub(super) fn keys(&self) -> Value {
        key_of(self.new.as_ref().or(self.old.as_ref()).expect("something changed"))
    }
}

/// A place in the tables: the table and the key.
type Place = (String, String);

/// The tables, and what is in them.
pub(super) struct Tables {
    db: Database,
    items: BTreeMap<Place, Value>,
}

impl Tables {
    pub(super) fn new(db: Database) -> Self {
        Self { db, items: BTreeMap::new() }
    }

    pub(super) fn engine(&self) -> Engine {
        Engine::Embedded(self.db.clone())
    }

    /// Carries out a request: a status, and what is answered.
    pub(super) fn carry_out(&self, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
        carry_out(&self.db, operation, body)
    }

    /// The items of a table, by their keys.
    pub(super) fn items(&self, table: &str) -> impl Iterator<Item = &Value> {
        let of = (table.to_owned(), String::new());
        let in_table = self.items.range(of..).take_while(move |((of, _), _)| of == table);
        in_table.map(|(_, item)| item)
    }

    /// Notes what is there, put by somebody who came around us.
    pub(super) fn look(&mut self, table: &str) {
        let page = self.engine().call_now("Scan", &json!({"TableName": table}));
        let mut page = page.expect("the engine answers");
        assert!(page["LastEvaluatedKey"].is_null(), "what is put at the start is one page");
        for item in page["Items"].as_array_mut().into_iter().flatten() {
            self.items.insert((table.to_owned(), name_of(item)), item.take());
        }
    }

    /// What a write changed that was just carried out.
    pub(super) fn changes_of(&mut self, operation: &str, request: &Value) -> Vec<Change> {
        let touched = touched(operation, request);
        touched.into_iter().filter_map(|(table, key)| self.change(&table, &key, false)).collect()
    }

    fn change(&mut self, table: &str, key: &Value, by_ttl: bool) -> Option<Change> {
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        let answer = self.engine().call_now("GetItem", &request);
        let new = match answer.expect("the engine answers")["Item"].take() {
            Value::Null => None,
            item => Some(item),
        };
        let name = name_of(key);
        let place = (table.to_owned(), name.clone());
        let old = match &new {
            Some(item) => self.items.insert(place, item.clone()),
            None => self.items.remove(&place),
        };
        let table = table.to_owned();
        (old != new).then_some(Change { table, key: name, old, new, by_ttl })
    }

    /// Deletes items whose time has come, as TTL does; `chosen` says which of them today.
    pub(super) fn sweep(&mut self, now_secs: i64, mut chosen: impl FnMut() -> bool) -> Vec<Change> {
        let over = |((table, _), item): (&Place, &Value)| {
            let attribute = match table.as_str() {
                "Seats" => "expires_at",
                "Events" | "Limits" => "kept_until",
                _without_ttl => return None,
            };
            let until: i64 = item[attribute]["N"].as_str()?.parse().ok()?;
            (until < now_secs).then(|| (table.clone(), key_of(item)))
        };
        let over: Vec<(String, Value)> = self.items.iter().filter_map(over).collect();
        let mut changes = Vec::new();
        for (table, key) in over {
            if chosen() {
                let request = json!({"TableName": table, "Key": key});
                self.engine().call_now("DeleteItem", &request).expect("the engine answers");
                changes.extend(self.change(&table, &key, true));
            }
        }
        changes
    }
}

/// The tables and the keys that a call writes. Whatever writes is a transaction here.
pub(super) fn touched(operation: &str, request: &Value) -> Vec<(String, Value)> {
    let place = |step: &Value| {
        let table = step["TableName"].as_str().unwrap_or_default().to_owned();
        let key = if step["Item"].is_null() { &step["Key"] } else { &step["Item"] };
        (table, key_of(key))
    };
    match operation {
        "TransactWriteItems" => {
            let steps = request["TransactItems"].as_array().into_iter().flatten();
            let steps = steps.filter_map(|step| step.as_object()?.values().next());
            steps.map(place).collect()
        }
        "GetItem" | "BatchGetItem" | "Query" => Vec::new(),
        other => panic!("nobody looks at what {other} writes"),
    }
}

/// The key in an item.
fn key_of(item: &Value) -> Value {
    let part = |name: &str| Some((name.to_owned(), item.get(name)?.clone()));
    ["pk", "sk"].into_iter().filter_map(part).collect()
}

fn name_of(item: &Value) -> String {
    let part = |name: &str| item[name]["S"].as_str();
    match (part("pk"), part("sk")) {
        (Some(pk), Some(sk)) => format!("{pk}|{sk}"),
        (pk, _) => pk.unwrap_or_default().to_owned(),
    }
}
