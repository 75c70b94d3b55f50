//! Bugs that are planted in conditions, to see that they are found: as if the store had been written so.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A condition that says something else than the store wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bug {
    /// A part of its text.
    pub from: String,
    /// What stands there instead.
    pub to: String,
}

impl Bug {
    /// Puts the bug into every condition of a request that it fits. Says how many it fitted.
    pub fn plant(&self, request: &mut Value) -> usize {
        let alone = request.as_object_mut().map_or(0, |write| self.plant_in(write).into());
        let steps = request["TransactItems"].as_array_mut().into_iter().flatten();
        let steps = steps.flat_map(|step| step.as_object_mut().into_iter().flatten());
        let steps = steps.filter_map(|(_, write)| write.as_object_mut());
        alone + steps.filter_map(|write| self.plant_in(write).then_some(())).count()
    }

    fn plant_in(&self, write: &mut Map<String, Value>) -> bool {
        let condition = write.get("ConditionExpression").and_then(Value::as_str);
        let Some(condition) = condition.filter(|text| text.contains(&self.from)) else {
            return false;
        };
        let planted = condition.replace(&self.from, &self.to);
        if planted.trim().is_empty() {
            write.remove("ConditionExpression");
        } else {
            write.insert("ConditionExpression".to_owned(), planted.into());
        }
        drop_unused(write);
        true
    }
}

/// DynamoDB refuses values that no expression names.
fn drop_unused(write: &mut Map<String, Value>) {
    let expressions = ["ConditionExpression", "UpdateExpression"];
    let texts = expressions.iter().filter_map(|name| write.get(*name)?.as_str());
    let named: BTreeSet<String> = texts.flat_map(names_in).collect();
    if let Some(values) = write.get_mut("ExpressionAttributeValues").and_then(Value::as_object_mut)
    {
        values.retain(|name, _| named.contains(name));
        if values.is_empty() {
            write.remove("ExpressionAttributeValues");
        }
    }
}

/// The values that an expression names, as `:now`.
fn names_in(expression: &str) -> Vec<String> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let names = expression.split(':').skip(1);
    let end = |text: &str| text.find(|letter| !is_of_name(letter)).unwrap_or(text.len());
    names.map(|text| format!(":{}", &text[..end(text)])).collect()
}
