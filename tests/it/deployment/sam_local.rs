//! `infra/sam-local`, which needs Docker to run, and none to be checked.

use std::collections::{BTreeMap, BTreeSet};

use edge::Settings;
use local::template::Template;
use serde_json::Value;

use super::template;

/// Goal: under SAM's local API no function lacks a setting, and none is given that nobody reads. Method:
/// read each one's environment, as SAM gives it from infra/sam-local/env.json, as the edge does.
#[test]
fn sam_local_has_what_every_function_needs() {
    let document = template();
    let given: Value =
        serde_json::from_str(include_str!("../../../infra/sam-local/env.json")).unwrap();
    let given = given["Parameters"].as_object().unwrap();
    let globals = document["Globals"]["Function"]["Environment"]["Variables"].as_object().unwrap();
    let mut named: BTreeSet<&String> = globals.keys().collect();
    for function in Template::read().unwrap().functions() {
        let own = &document["Resources"][&function]["Properties"]["Environment"]["Variables"];
        let own: Vec<&String> = own.as_object().into_iter().flat_map(|own| own.keys()).collect();
        named.extend(&own);
        let value = |name: &str| match name {
            // `start` puts the desk's secrets in.
            "JWT_SECRET" | "TICKET_SECRET" => "s".repeat(32),
            name => given[name].as_str().unwrap().to_owned(),
        };
        let variables: BTreeMap<String, String> =
            globals.keys().chain(own).map(|name| (name.clone(), value(name))).collect();
        Settings::from_variables(&variables).unwrap_or_else(|error| panic!("{function}: {error}"));
    }
    assert_eq!(given.keys().collect::<BTreeSet<_>>(), named, "SAM passes on what is in both only");
}

/// Goal: a function finds its queue there. Method: the names in queues.conf are those of the template, and
/// each queue's URL ends in one.
#[test]
fn sam_local_has_every_queue() {
    let there = include_str!("../../../infra/sam-local/queues.conf");
    let (_, there) = there.split_once("\nqueues {\n").unwrap();
    let there: BTreeSet<&str> = there
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   ") && line.contains('{'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let queues = Template::read().unwrap().queues().unwrap();
    assert_eq!(there, queues.iter().map(|(id, _)| id.as_str()).collect());
    let given: Value =
        serde_json::from_str(include_str!("../../../infra/sam-local/env.json")).unwrap();
    for (name, url) in given["Parameters"].as_object().unwrap() {
        if name.ends_with("_QUEUE_URL") {
            let queue = url.as_str().unwrap().rsplit('/').next().unwrap();
            assert!(there.contains(queue), "{name}");
        }
    }
}

/// Goal: Docker is asked for what can be read. Method: parse it; each image is pinned by a version, and each
/// port is one of loopback.
#[test]
fn sam_local_reaches_nobody_else() {
    let compose = include_str!("../../../infra/sam-local/compose.yaml");
    let compose: Value = serde_yaml_ng::from_str(compose).unwrap();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["dynamodb", "queue"]);
    for (name, service) in services {
        let (_, tag) = service["image"].as_str().unwrap().split_once(':').unwrap();
        assert!(tag.starts_with(|first: char| first.is_ascii_digit()), "{name}: {tag}");
        for port in service["ports"].as_array().unwrap() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}
