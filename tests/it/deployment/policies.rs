//! What functions may do: what they do, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use local::template::{Source, Template};
use serde_json::{Value, json};

use super::{resources, template, uses};
use crate::wire::Call;
use crate::world::World;

/// What a policy allows besides tables, to whoever has a setting: the setting, what it is of, the
/// action and on what.
const BESIDES_TABLES: [(&str, &str, &str, &str); 8] = [
    ("PAYMENT_EVENTS_QUEUE_URL", "PaymentEvents", "sqs:SendMessage", "PaymentEvents"),
    ("SHOW_CANCELLATIONS_QUEUE_URL", "ShowCancellations", "sqs:SendMessage", "ShowCancellations"),
    ("EVENT_DELIVERIES_QUEUE_URL", "EventDeliveries", "sqs:SendMessage", "EventDeliveries"),
    ("EMAILS_QUEUE_URL", "Emails", "sqs:SendMessage", "Emails"),
    ("RECORDS_FAILED_QUEUE_URL", "RecordsFailed", "sqs:SendMessage", "RecordsFailed"),
    ("EVENT_BUS_NAME", "EventBus", "events:PutEvents", "EventBus"),
    (
        "EMAIL_FROM",
        "EmailFrom",
        "ses:SendEmail",
        "arn:AWS::Partition:ses:AWS::Region:AWS::AccountId:identity/*",
    ),
    (
        "PAYMENT_SECRET_ID",
        "PaymentSecret",
        "secretsmanager:GetSecretValue",
        "arn:AWS::Partition:secretsmanager:AWS::Region:AWS::AccountId:secret:PaymentSecret-??????",
    ),
];

/// What the boundary allows besides what policies do: a function's log and its traces, and the keys of the
/// tables and of its environment, which their policies leave to those of the keys.
const BESIDES_POLICIES: [(&str, &str); 10] = [
    ("kms:Decrypt", ANY_KEY),
    ("kms:Decrypt", "DataKey"),
    ("kms:DescribeKey", "DataKey"),
    ("kms:Encrypt", "DataKey"),
    ("kms:GenerateDataKey*", "DataKey"),
    ("kms:ReEncrypt*", "DataKey"),
    ("logs:CreateLogStream", "FunctionLogs"),
    ("logs:PutLogEvents", "FunctionLogs"),
    ("xray:PutTelemetryRecords", "*"),
    ("xray:PutTraceSegments", "*"),
];

/// Any of the account's: which one Lambda encrypts environments by is not known before.
const ANY_KEY: &str = "arn:AWS::Partition:kms:AWS::Region:AWS::AccountId:key/*";

/// Actions, each on a table, an index, a queue and so on.
type Grants = BTreeSet<(String, String)>;

/// What statements allow.
fn allowed(statements: &Value) -> Grants {
    let mut grants = Grants::new();
    for statement in statements.as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let resource = &statement["Resource"];
        let resources = resource.as_array().map_or(std::slice::from_ref(resource), Vec::as_slice);
        for action in statement["Action"].as_array().unwrap() {
            let action = action.as_str().unwrap();
            grants.extend(resources.iter().map(|resource| (action.to_owned(), named(resource))));
        }
    }
    grants
}

/// A resource by its logical id: `X` of `!GetAtt X.Arn`, `X/index/y` of an index.
fn named(resource: &Value) -> String {
    let text = resource["GetAtt"].as_str().or(resource["Sub"].as_str()).or(resource.as_str());
    text.unwrap().replace("${", "").replace('}', "").replace(".Arn", "")
}

/// What a function's policy allows.
fn granted(template: &Value, function: &str) -> Grants {
    let policies = &template["Resources"][function]["Properties"]["Policies"];
    policies.as_array().unwrap().iter().flat_map(|policy| allowed(&policy["Statement"])).collect()
}

/// What Lambda does in a function's name where something calls it (AWS, "AWSLambdaSQSQueueExecutionRole",
/// "AWSLambdaDynamoDBExecutionRole").
fn polled(source: &Source) -> Grants {
    let (actions, resource, on_failure): (&[&str], String, Option<&String>) = match source {
        Source::Queue(source) => (
            &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            source.queue.clone(),
            None,
        ),
        Source::Stream(source) => (
            &[
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            format!("{}/stream/*", source.table),
            source.on_failure.as_ref(),
        ),
        Source::Schedule { .. } => return Grants::new(),
    };
    let mut grants: Grants =
        actions.iter().map(|action| ((*action).to_owned(), resource.clone())).collect();
    grants.extend(on_failure.map(|queue| ("sqs:SendMessage".to_owned(), queue.clone())));
    grants
}

/// Goal: whatever somebody writes into a policy, and SAM adds to it, a function reaches nothing outside of the
/// stack; and nothing that it does, or that is done in its name, stops at the boundary.
#[test]
fn the_boundary_is_around_all_that_functions_do_and_around_nothing_else() {
    let document = template();
    let template = Template::read().unwrap();
    assert_eq!(document["Globals"]["Function"]["PermissionsBoundary"], json!({"Ref": "Boundary"}));
    let mut needs = Grants::new();
    for (function, resource) in resources(&document, "AWS::Serverless::Function") {
        for own in ["Role", "PermissionsBoundary"] {
            assert!(resource["Properties"][own].is_null(), "{function} has a {own} of its own");
        }
        needs.extend(granted(&document, function));
    }
    for (_, source) in template.sources().unwrap() {
        needs.extend(polled(&source));
    }
    let besides = BESIDES_POLICIES.map(|(action, of)| (action.to_owned(), of.to_owned()));
    needs.extend(besides);
    let needs: Grants = needs
        .into_iter()
        .map(|(action, of)| match of.split_once("/index/") {
            Some((table, _)) => (action, format!("{table}/index/*")),
            None => (action, of),
        })
        .collect();

    let boundary = &document["Resources"]["Boundary"]["Properties"]["PolicyDocument"]["Statement"];
    let boundary = allowed(boundary);
    let beyond: Grants = needs.difference(&boundary).cloned().collect();
    assert_eq!(beyond, Grants::new(), "stops at the boundary");
    let actions: BTreeSet<&String> = needs.iter().map(|(action, _)| action).collect();
    let within: BTreeSet<&String> = needs.iter().map(|(_, of)| of).collect();
    for (action, of) in &boundary {
        assert!(actions.contains(action), "no function needs {action}");
        assert!(within.contains(of), "no function has to do with {of}");
    }
}

/// Goal: a function starts, and reads nothing by a key that is not the stack's. Method: the boundary lets all
/// keys decrypt only for Lambda, which does so in the function's name.
#[test]
fn other_keys_decrypt_only_for_lambda_itself() {
    let document = template();
    let boundary = &document["Resources"]["Boundary"]["Properties"]["PolicyDocument"]["Statement"];
    let is_any_key = |resource: &Value| resource.is_object() && named(resource) == ANY_KEY;
    let mut of_any_key = boundary.as_array().unwrap().iter().filter(|statement| {
        let resource = &statement["Resource"];
        is_any_key(resource) || resource.as_array().is_some_and(|all| all.iter().any(is_any_key))
    });
    let statement = of_any_key.next().unwrap();
    let service = json!({"Sub": "lambda.${AWS::Region}.${AWS::URLSuffix}"});
    let condition = json!({"StringEquals": {"kms:ViaService": service}});
    assert_eq!(statement["Action"], json!(["kms:Decrypt"]));
    assert_eq!(statement["Condition"], condition);
    assert!(of_any_key.next().is_none());
}

/// What calls need: a transaction is allowed by the actions of its steps (AWS, "IAM policy
/// examples for transactions").
fn needed(calls: &[Call]) -> Grants {
    let mut needs = Grants::new();
    let mut need = |action: &str, table: &Value| {
        let table = table.as_str().unwrap().to_owned();
        needs.insert((format!("dynamodb:{action}"), table));
    };
    for Call { operation, request, .. } in calls {
        match (operation.as_str(), request["IndexName"].as_str()) {
            ("TransactWriteItems", _) => {
                for step in request["TransactItems"].as_array().unwrap() {
                    let (kind, step) = step.as_object().unwrap().iter().next().unwrap();
                    // A check is called `ConditionCheck`, and so its action `ConditionCheckItem`.
                    need(&format!("{kind}Item"), &step["TableName"]);
                }
            }
            ("BatchGetItem", _) => {
                for table in request["RequestItems"].as_object().unwrap().keys() {
                    need("BatchGetItem", &json!(table));
                }
            }
            (operation, None) => need(operation, &request["TableName"]),
            (operation, Some(index)) => {
                let index = format!("{}/index/{index}", request["TableName"].as_str().unwrap());
                need(operation, &json!(index));
            }
        }
    }
    needs
}

/// Goal: exactly the actions on exactly the tables. Method: use every function in every way that
/// changes what it calls, and compare the calls with its policy. Tables are named by their logical
/// ids here, as the template names them.
#[tokio::test]
async fn every_policy_allows_what_its_function_calls_and_nothing_else() {
    let mut used: BTreeMap<&str, Grants> = BTreeMap::new();
    let mut seen = |world: &World, function: &'static str| {
        used.entry(function).or_default().extend(needed(&world.wire.take_calls()));
    };
    uses::what_customers_call(&mut seen).await;
    uses::what_payments_drive(&mut seen).await;
    uses::what_ends_holds_and_shows(&mut seen).await;
    uses::what_tells_others(&mut seen).await;
    uses::a_ticket(&mut seen).await;
    uses::what_makes_a_house(&mut seen).await;
    uses::what_makes_shows(&mut seen).await;
    uses::what_looks_at_shows(&mut seen).await;

    let template = template();
    let functions = Template::read().unwrap().functions();
    assert_eq!(used.len(), functions.len(), "every function was used");
    for function in functions {
        let mut uses = used[function.as_str()].clone();
        if function == "ReceivePaymentWebhook" {
            assert_eq!(uses, Grants::new(), "{function} touches no table");
        } else {
            // Opens the connection.
            uses.insert(("dynamodb:GetItem".to_owned(), "Catalog".to_owned()));
        }
        let variables = &template["Resources"][&function]["Properties"]["Environment"]["Variables"];
        for (setting, of, action, resource) in BESIDES_TABLES {
            if let Some(value) = variables.get(setting) {
                assert_eq!(value, &json!({"Ref": of}), "{function}");
                uses.insert((action.to_owned(), resource.to_owned()));
            }
        }
        assert_eq!(granted(&template, &function), uses, "{function}");
    }
}
