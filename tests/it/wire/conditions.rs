//! Conditions as they pass: which ones are sent, and one of them with a bug in it, if the environment
//! says so. `infra/proof/planted conditions` breaks all conditions of the store like this, one after the
//! other, and wants some test to notice. It is done below the SDK, so nothing is built anew for it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};

/// The file that the places of all conditions go to, one a line, as [`place`] has them.
const LOG: &str = "MARQUEE_CONDITION_LOG";

/// A place in JSON, of which all but the condition can be left out, and what is sent there `instead`.
const BUG: &str = "MARQUEE_CONDITION_BUG";

/// What says whether something is done, or found.
const CONDITIONS: [&str; 2] = ["ConditionExpression", "FilterExpression"];

const VALUES: &str = "ExpressionAttributeValues";

/// What is asked for.
struct Order {
    log: Option<String>,
    bug: Option<Value>,
}

fn order() -> Option<&'static Order> {
    static ORDER: OnceLock<Option<Order>> = OnceLock::new();
    let read = || {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let bug = variable(BUG).map(|text| serde_json::from_str(&text).unwrap());
        let order = Order { log: variable(LOG), bug };
        (order.log.is_some() || order.bug.is_some()).then_some(order)
    };
    ORDER.get_or_init(read).as_ref()
}

/// Notes the conditions of a request, and plants the bug where it belongs. Says whether it was planted.
pub(super) fn pass(operation: &str, request: &mut HttpRequest) -> bool {
    let Some(order) = order() else { return false };
    let sent = request.body().bytes().and_then(|body| serde_json::from_slice::<Value>(body).ok());
    let Some(mut sent) = sent else { return false };
    let mut is_planted = false;
    for (deed, part) in parts(operation, &mut sent) {
        let Some(place) = place(deed, part) else { continue };
        if let Some(log) = &order.log {
            note(log, place.to_string());
        }
        if let Some(bug) = order.bug.as_ref().filter(|bug| belongs(bug, &place)) {
            plant(bug, part);
            is_planted = true;
        }
    }
    if is_planted {
        *request.body_mut() = SdkBody::from(sent.to_string());
    }
    is_planted
}

/// Panics if DynamoDB takes what was planted for no condition: then every test would fail, and none of
/// them for the bug.
pub(super) fn expect_sense(answer: &Value) {
    let answer = answer.to_string();
    let is_senseless = ["ValidationException", "ValidationError"].map(|code| answer.contains(code));
    assert!(is_senseless == [false, false], "what was planted is no condition: {answer}");
}

/// Each part of a request that can have a condition, with what it does.
fn parts<'a>(operation: &'a str, sent: &'a mut Value) -> Vec<(&'a str, &'a mut Value)> {
    if sent["TransactItems"].is_null() {
        return vec![(operation, sent)];
    }
    let steps = sent["TransactItems"].as_array_mut().into_iter().flatten();
    let steps = steps.filter_map(Value::as_object_mut).flatten();
    steps.map(|(deed, step)| (deed.as_str(), step)).collect()
}

/// Where a condition stands: what it says, of which kind of item, and what is done if it holds.
fn place(deed: &str, part: &Value) -> Option<Value> {
    let condition = CONDITIONS.into_iter().find_map(|name| part[name].as_str())?;
    let told = part["UpdateExpression"].as_str().or(part["KeyConditionExpression"].as_str());
    // One condition is for giving up holds and for taking back sales, and one for several claims.
    let claim =
        part["Item"]["seat_status"]["S"].as_str().or(part[VALUES][":claimed"]["S"].as_str());
    let by = [Some(deed), told.or(claim)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(json!({"condition": condition, "of": kind(part), "by": by}))
}

/// What kind of item a part is of: `SEAT` of `SEAT#A1`.
fn kind(part: &Value) -> &str {
    let key = if part["Key"].is_null() { &part["Item"] } else { &part["Key"] };
    let name = key["sk"]["S"].as_str().or(key["pk"]["S"].as_str());
    let name = name.or(part[VALUES][":partition"]["S"].as_str()).unwrap_or_default();
    name.split('#').next().unwrap_or_default()
}

fn note(log: &str, place: String) {
    static NOTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut noted = NOTED.lock().unwrap();
    if !noted.contains(&place) {
        let mut log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        writeln!(log, "{place}").unwrap();
        noted.insert(place);
    }
}

fn belongs(bug: &Value, place: &Value) -> bool {
    let fits = |name: &str| bug[name].is_null() || bug[name] == place[name];
    ["condition", "of", "by"].into_iter().all(fits)
}

/// Sends something else instead, or no condition at all.
fn plant(bug: &Value, part: &mut Value) {
    let Some(part) = part.as_object_mut() else { return };
    let instead = bug["instead"].as_str().unwrap();
    for name in CONDITIONS {
        if part.remove(name).is_some() && !instead.is_empty() {
            part.insert(name.to_owned(), json!(instead));
        }
    }
    drop_unnamed_values(part);
}

/// DynamoDB refuses values that no expression names.
fn drop_unnamed_values(part: &mut Map<String, Value>) {
    let expressions = part.iter().filter(|(name, _)| name.ends_with("Expression"));
    let expressions = expressions.filter_map(|(_, text)| text.as_str());
    let words = expressions.flat_map(|text| text.split(|letter: char| !is_of_a_name(letter)));
    let named: BTreeSet<String> = words.map(str::to_owned).collect();
    let Some(values) = part.get_mut(VALUES).and_then(Value::as_object_mut) else { return };
    values.retain(|name, _| named.contains(name));
    if values.is_empty() {
        part.remove(VALUES);
    }
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || ":_".contains(letter)
}

/// A hold of two seats, of which the second is of no interest.
fn hold() -> Value {
    let claim = |seat: &str| {
        json!({"Put": {
            "TableName": "Seats",
            "Item": {"pk": {"S": "SHOW#s#MAIN"}, "sk": {"S": seat}, "seat_status": {"S": "HELD"}},
            "ConditionExpression": "seat_status = :held AND expires_at <= :now",
            "ExpressionAttributeValues": {":held": {"S": "HELD"}, ":now": {"N": "1"}},
        }})
    };
    json!({"TransactItems": [claim("SEAT#A1"), claim("SEAT#A2")]})
}

#[test]
fn a_condition_is_known_by_what_it_guards() {
    let mut hold = hold();
    let parts = parts("TransactWriteItems", &mut hold);
    assert_eq!(parts.len(), 2);
    let seat = place(parts[0].0, parts[0].1).unwrap();
    let condition = "seat_status = :held AND expires_at <= :now";
    assert_eq!(seat, json!({"condition": condition, "of": "SEAT", "by": "Put HELD"}));
    assert!(belongs(&json!({"condition": condition}), &seat));
    assert!(belongs(&json!({"condition": condition, "by": "Put HELD"}), &seat));
    assert!(!belongs(&json!({"condition": condition, "by": "Put BOOKED"}), &seat));

    let update = json!({
        "Key": {"pk": {"S": "PAYMENT#sandbox#p1"}},
        "ConditionExpression": "payment_status = :from", "UpdateExpression": "SET updated_at = :now",
    });
    let payment = place("Update", &update).unwrap();
    assert_eq!(
        (&payment["of"], &payment["by"]),
        (&json!("PAYMENT"), &json!("Update SET updated_at = :now"))
    );
    assert_eq!(place("Update", &json!({"Key": {}})), None, "what has none has no place");
}

#[test]
fn a_planted_bug_takes_the_values_with_it_that_nothing_names_any_more() {
    let mut hold = hold();
    let part = &mut hold["TransactItems"][0]["Put"];
    plant(&json!({"instead": "seat_status = :held"}), part);
    assert_eq!(part["ConditionExpression"], "seat_status = :held");
    assert_eq!(part[VALUES], json!({":held": {"S": "HELD"}}));
    plant(&json!({"instead": ""}), part);
    assert!(part.get("ConditionExpression").is_none() && part.get(VALUES).is_none(), "{part}");

    let mut update = json!({
        "ConditionExpression": "version = :seen", "UpdateExpression": "ADD version :one",
        "ExpressionAttributeValues": {":seen": {"N": "1"}, ":one": {"N": "1"}},
    });
    plant(&json!({"instead": "attribute_exists(pk)"}), &mut update);
    assert_eq!(update[VALUES], json!({":one": {"N": "1"}}), "the update names it");
}

#[test]
#[should_panic(expected = "what was planted is no condition")]
fn what_is_no_condition_is_not_taken_for_a_bug_that_was_found() {
    expect_sense(&json!({"__type": "com.amazon.coral.validate#ValidationException"}));
}
