//! What is deployed: `template.yaml`, with its parts, gives every function what it needs, and no more.

use serde_json::{Value, json};

mod api;
mod environment;
mod kept;
mod policies;
mod sam_local;
mod sources;
mod uses;

/// A template with its intrinsic functions as plain JSON: `!Ref X` is `{"Ref": "X"}`.
pub(crate) fn plain(text: &str) -> Value {
    fn of(value: serde_yaml_ng::Value) -> Value {
        use serde_yaml_ng::Value as Yaml;
        match value {
            Yaml::Tagged(tagged) => {
                let name = tagged.tag.to_string().trim_start_matches('!').to_owned();
                json!({name: of(tagged.value)})
            }
            Yaml::Mapping(map) => map
                .into_iter()
                .map(|(key, value)| (key.as_str().unwrap().to_owned(), of(value)))
                .collect(),
            Yaml::Sequence(list) => list.into_iter().map(of).collect(),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    of(serde_yaml_ng::from_str(text).unwrap())
}

pub(crate) fn template() -> Value {
    plain(local::template::TEXT)
}

/// The part of it that makes a user pool, as it is written.
const IDENTITY: &str = include_str!("../../infra/identity.yaml");

fn identity() -> Value {
    plain(IDENTITY)
}

/// The part of it that watches.
pub(crate) fn monitoring() -> Value {
    plain(include_str!("../../infra/monitoring.yaml"))
}

/// The resources of a type, by their logical ids.
fn resources<'a>(document: &'a Value, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = document["Resources"].as_object().unwrap().iter();
    all.filter(move |(_, resource)| resource["Type"] == kind).map(|(id, it)| (id.as_str(), it))
}
