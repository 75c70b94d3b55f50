//! `openapi.yaml`, held against every answer that a test sees.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::world::Answer;

/// `openapi.yaml`.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        serde_yaml_ng::from_str(include_str!("../../openapi.yaml")).expect("openapi.yaml is YAML")
    })
}

/// The operation of a route, if the document has it.
pub(crate) fn operation(method: &str, path: &str) -> Option<&'static Value> {
    document()["paths"].get(path)?.get(method.to_lowercase())
}

/// The response that the document has for a status, references resolved.
fn response(operation: &'static Value, status: u16) -> Option<&'static Value> {
    Some(resolve(operation["responses"].get(status.to_string())?))
}

fn resolve(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("references stay in the document");
            resolve(document().pointer(pointer).expect("a reference leads somewhere"))
        }
        None => value,
    }
}

/// Panics if the answer is not one that the document has for the route.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    let what = format!("{method} {path} {}", answer.status);
    let operation = operation(method, path).unwrap_or_else(|| panic!("{what}: no such operation"));
    let response = response(operation, answer.status)
        .unwrap_or_else(|| panic!("{what}: no such response: {}", answer.body));
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        let required = resolve(header)["required"].as_bool() == Some(true);
        let there = answer.headers.contains_key(&name.to_lowercase());
        assert!(there || !required, "{what}: the header {name} is missing");
    }
    let content = response.get("content").and_then(Value::as_object);
    let Some((content_type, content)) = content.and_then(|content| content.iter().next()) else {
        assert_eq!(answer.body, Value::Null, "{what}: has no body");
        return;
    };
    assert_eq!(answer.headers.get("content-type"), Some(content_type), "{what}");
    let errors = validate(&what, &content["schema"], &answer.body);
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{:#}", answer.body);
}

/// What is wrong with `body` by `schema`. Validators are made once per response.
fn validate(what: &str, schema: &Value, body: &Value) -> Vec<String> {
    static VALIDATORS: Mutex<Option<HashMap<String, Validator>>> = Mutex::new(None);
    let mut validators = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let validators = validators.get_or_insert_default();
    let validator = validators.entry(what.to_owned()).or_insert_with(|| {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": document()["components"],
            "allOf": [schema],
        });
        jsonschema::options().should_validate_formats(true).build(&whole).expect("it is a schema")
    });
    validator.iter_errors(body).map(|e| format!("{}: {e}", e.instance_path())).collect()
}
