//! `template.yaml` gives every function what it needs, and no more.

use std::collections::{BTreeMap, BTreeSet};

use edge::{Keys, Limits, Settings};
use local::template::{Source, Template};
use serde_json::{Value, json};

use crate::contract;
use crate::wire::Call;
use crate::world::World;

mod uses;

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

/// The template with its intrinsic functions as plain JSON: `!Ref X` is `{"Ref": "X"}`.
fn template() -> Value {
    fn plain(value: serde_yaml_ng::Value) -> Value {
        use serde_yaml_ng::Value as Yaml;
        match value {
            Yaml::Tagged(tagged) => {
                let name = tagged.tag.to_string().trim_start_matches('!').to_owned();
                json!({name: plain(tagged.value)})
            }
            Yaml::Mapping(map) => map
                .into_iter()
                .map(|(key, value)| (key.as_str().unwrap().to_owned(), plain(value)))
                .collect(),
            Yaml::Sequence(list) => list.into_iter().map(plain).collect(),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    plain(serde_yaml_ng::from_str(local::template::TEXT).unwrap())
}

/// A function's environment, as the edge reads it where tokens are of an issuer, or signed by a
/// secret.
fn settings(document: &Value, function: &str, has_issuer: bool) -> Settings {
    let value = |name: &str| match name {
        "PAYMENT_PROVIDER" => "stripe".to_owned(),
        "PAYMENT_LIVE" => "true".to_owned(),
        "AWS_ENDPOINT_URL_DYNAMODB" | "PAYMENT_BASE_URL" | "LIMITS" => String::new(),
        "JWT_SECRET" if has_issuer => String::new(),
        "JWKS_URL" if !has_issuer => String::new(),
        "JWKS_URL" => "https://issuer.example/keys".to_owned(),
        "JWT_SECRET" | "TICKET_SECRET" | "TICKET_SECRET_PREVIOUS" => "s".repeat(32),
        name => name.to_lowercase(),
    };
    let globals = &document["Globals"]["Function"]["Environment"]["Variables"];
    let own = &document["Resources"][function]["Properties"]["Environment"]["Variables"];
    let variables = [globals, own].into_iter().filter_map(Value::as_object).flatten();
    let variables: BTreeMap<String, String> =
        variables.map(|(name, _)| (name.clone(), value(name))).collect();
    Settings::from_variables(&variables).unwrap_or_else(|error| panic!("{function}: {error}"))
}

/// Goal: who asks for tokens can believe either kind, and nobody both at once.
#[test]
fn tokens_are_those_of_an_issuer_or_signed_by_a_secret() {
    let document = template();
    let mut asking = 0;
    for function in Template::read().unwrap().functions() {
        let keys = |has_issuer| settings(&document, &function, has_issuer).tokens.map(|it| it.keys);
        match (keys(false), keys(true)) {
            (None, None) => {}
            (Some(Keys::Secret(_)), Some(Keys::Jwks { .. })) => asking += 1,
            _one_of_them => panic!("{function} believes one kind only"),
        }
    }
    assert!(asking > 40, "{asking} functions ask for tokens");
    for rule in ["TokensHaveOneSource", "ProductionHasAnIssuer"] {
        assert!(document["Rules"][rule]["Assertions"].is_array(), "{rule}");
    }
}

/// Goal: whoever mistypes a limit hears of it before anything is deployed. Method: around every bound,
/// compare what the parameter lets through with what the functions can read.
#[test]
fn limits_that_a_deployment_takes_are_limits_that_functions_read() {
    let document = template();
    let pattern = &document["Parameters"]["LimitPolicies"]["AllowedPattern"];
    let pattern = jsonschema::validator_for(&json!({"pattern": pattern})).unwrap();
    let is_taken = |text: &str| pattern.is_valid(&json!(text));
    let reads = |text: &str| text.parse::<Limits>().is_ok();
    let whole = "hold=60/60,confirm=60/60,cancel=60/60,checkout=60/60,read=3000/60,held_seats=10";
    for good in ["", whole, "held_seats=8,hold=5/10", "read=60000/60", "read=100000/100"] {
        assert!(reads(good) && is_taken(good), "{good:?}");
    }
    let bad = "hold hold= hold=1 hold=1/ hold=/1 hold=a/1 hold=-1/1 Hold=1/1 x=1/1 hold=1/1/1 \
        hold=1/1;read=1/1 hold=1/1read=1/1 hold=1/1,read \
        held_seats held_seats=0 held_seats=1/1 held_seats=ten held_seats=99999999999";
    for bad in bad.split(' ') {
        assert!(!reads(bad) && !is_taken(bad), "{bad:?}");
    }
    let around = |bounds: &[u32]| -> BTreeSet<u32> {
        bounds.iter().flat_map(|bound| bound - 1..=bound + 1).collect()
    };
    let bursts = around(&[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]);
    let times = around(&[1, 10, 100, 1_000, 10_000, 80_000, 86_000, 86_400, 90_000, 100_000]);
    for burst in bursts {
        for &secs in &times {
            let text = format!("read={burst}/{secs}");
            assert!(reads(&text) || !is_taken(&text), "{text}");
            let is_fast = burst > 1_000 && secs < 100;
            assert!(is_taken(&text) || is_fast || !reads(&text), "{text} is a limit");
        }
    }
}

/// Goal: no flood of clients holds up what payment providers tell. Method: their route has a limit of
/// its own, above that of each other route, and both fit what an account has.
#[test]
fn the_api_slows_clients_and_leaves_webhooks_their_share() {
    let document = template();
    let api = &document["Resources"]["Api"]["Properties"];
    let routes = api["RouteSettings"].as_object().unwrap();
    let webhooks = Template::read().unwrap().routes();
    let webhooks = webhooks.iter().find(|route| route.function == "ReceivePaymentWebhook").unwrap();
    let webhooks = format!("{} {}", webhooks.method, webhooks.path);
    assert_eq!(routes.keys().collect::<Vec<_>>(), [&webhooks]);
    // AWS, "Amazon API Gateway quotas": of all requests of an account in a region.
    for (limit, quota) in [("ThrottlingRateLimit", 10_000), ("ThrottlingBurstLimit", 5_000)] {
        let default = |settings: &Value| {
            let parameter = settings[limit]["Ref"].as_str().unwrap_or_else(|| panic!("{limit}"));
            let parameter = &document["Parameters"][parameter];
            assert_eq!((&parameter["Type"], &parameter["MinValue"]), (&json!("Number"), &json!(1)));
            parameter["Default"].as_u64().unwrap()
        };
        let (each, own) = (default(&api["DefaultRouteSettings"]), default(&routes[&webhooks]));
        assert!(own > each, "{limit}: webhooks have more than any other route");
        assert!(own + each <= quota, "{limit}");
    }
}

/// Goal: no function dies for want of a table's name.
#[test]
fn every_table_is_named_to_every_function() {
    let document = template();
    let variables = &document["Globals"]["Function"]["Environment"]["Variables"];
    for (id, resource) in document["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::DynamoDB::Table" {
            let variable = format!("{}_TABLE", id.to_uppercase());
            assert_eq!(variables[&variable], json!({"Ref": id}), "{variable}");
        }
    }
}

/// Goal: no function dies at its start for want of a setting, and none knows what it need not.
/// Method: read each one's environment as the edge does, and compare what it can do with what it is
/// there for.
#[test]
fn every_function_has_the_settings_that_it_needs() {
    let document = template();
    let template = Template::read().unwrap();
    let routes = template.routes();
    for function in template.functions() {
        let settings = settings(&document, &function, false);
        let route = routes.iter().find(|route| route.function == function);
        let operation = route.and_then(|of| contract::operation(&of.method, &of.path));
        let security = operation.and_then(|operation| operation["security"].as_array());
        let wants_a_user = security.is_some_and(|list| !list.is_empty());
        assert_eq!(settings.tokens.is_some(), wants_a_user, "{function}");
        assert!(!settings.allows_loopback, "{function}");
        let payments: &[&str] = &[
            "CheckoutReservation",
            "ConfirmReservation",
            "ProcessPaymentEvents",
            "ReceivePaymentWebhook",
            "ReconcilePayments",
            "RefundPayments",
        ];
        let queues = &settings.queues;
        let wanted_by: [(&str, bool, &[&str]); 10] = [
            ("payments", settings.payments.is_some(), payments),
            ("payment events", queues.payment_events.is_some(), &["ReceivePaymentWebhook"]),
            (
                "show cancellations",
                queues.show_cancellations.is_some(),
                &["CancelShow", "SweepCancelledShows"],
            ),
            (
                "event deliveries",
                queues.event_deliveries.is_some(),
                &["PublishEvents", "DeliverEvents"],
            ),
            ("e-mails", queues.emails.is_some(), &["PublishEvents"]),
            ("the event bus", settings.event_bus.is_some(), &["PublishEvents"]),
            ("a sender", settings.email_from.is_some(), &["SendEmails"]),
            (
                "what makes no sense",
                queues.records_failed.is_some(),
                &["CountAvailableSeats", "PublishEvents", "ReleaseExpiredHolds"],
            ),
            ("older tickets", settings.previous_ticket_secret.is_some(), &["ScanTicket"]),
            ("tickets", settings.ticket_secret.is_some(), &["SendEmails", "ScanTicket"]),
        ];
        for (what, is_set, functions) in wanted_by {
            assert_eq!(is_set, functions.contains(&function.as_str()), "{function}: {what}");
        }
    }
}

/// Goal: a message is not seen twice while it is being worked off, and one that fails is not lost.
#[test]
fn a_queue_waits_for_its_function_and_keeps_what_failed() {
    let document = template();
    let template = Template::read().unwrap();
    let queues: BTreeMap<_, _> = template.queues().unwrap().into_iter().collect();
    let retention = |id: &str| {
        document["Resources"][id]["Properties"]["MessageRetentionPeriod"].as_u64().unwrap()
    };
    let mut tries = BTreeMap::new();
    for (function, source) in template.sources().unwrap() {
        let Source::Queue(source) = source else { continue };
        let queue = source.queue;
        assert!(source.reports_failures, "{function}");
        let visible_again = i64::from(queues[&queue].visibility_timeout_secs);
        let timeout = template.timeout(&function).unwrap().num_seconds();
        assert!(visible_again >= 6 * timeout, "AWS asks for six times: {queue}");
        let redrive = queues[&queue].redrive.as_ref().unwrap();
        assert_eq!(redrive.dead_letter_queue, format!("{queue}Failed"));
        assert!(retention(&redrive.dead_letter_queue) >= retention(&queue), "{queue}");
        tries.insert(queue, redrive.receives_max);
    }
    let expected = [
        ("PaymentEvents", 5),
        ("ShowCancellations", 100),
        ("EventDeliveries", 100),
        ("Emails", 200),
    ];
    let expected = expected.map(|(queue, tries)| (queue.to_owned(), tries));
    assert_eq!(tries, BTreeMap::from(expected));
}

/// Goal: who calls strangers, or SES, never takes the account's functions from those that sell.
#[test]
fn what_calls_others_is_bounded() {
    let document = template();
    for (function, most) in [("DeliverEvents", 20), ("SendEmails", 2), ("SweepCancelledShows", 2)] {
        let queue = &document["Resources"][function]["Properties"]["Events"]["Queue"];
        let scaling = &queue["Properties"]["ScalingConfig"]["MaximumConcurrency"];
        assert_eq!(scaling, &json!(most), "{function}");
    }
}

/// Goal: no record is lost while something is away; where one stands that expired is kept.
#[test]
fn a_stream_goes_on_trying_and_keeps_where_a_record_stands() {
    let mut kept = BTreeSet::new();
    for (function, source) in Template::read().unwrap().sources().unwrap() {
        let Source::Stream(source) = source else { continue };
        assert!(source.reports_failures && source.bisects, "{function}");
        // Something else comes back to a refund, and to nothing else.
        let retries = (function == "RefundPayments").then_some(5);
        assert_eq!(source.retries, retries, "{function}");
        kept.insert((function, source.table, source.on_failure.unwrap()));
    }
    let expected = [
        ("CountAvailableSeats", "Seats", "RecordsFailed"),
        ("PublishEvents", "Payments", "RecordsFailed"),
        ("PublishEvents", "Reservations", "RecordsFailed"),
        ("RefundPayments", "Payments", "RefundsFailed"),
        ("ReleaseExpiredHolds", "Seats", "RecordsFailed"),
    ];
    let owned = |(function, table, queue): (&str, &str, &str)| {
        (function.to_owned(), table.to_owned(), queue.to_owned())
    };
    assert_eq!(kept, BTreeSet::from(expected.map(owned)));
}

/// Goal: somebody hears of whatever was given up, and of a stream that stands still.
#[test]
fn there_is_an_alarm_on_all_that_fails() {
    let document = template();
    let resources = document["Resources"].as_object().unwrap().values();
    let alarms: BTreeSet<(&str, &str)> = resources
        .filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm")
        .map(|alarm| {
            let of = &alarm["Properties"]["Dimensions"][0]["Value"];
            let of = of["GetAtt"].as_str().or(of["Ref"].as_str()).or(of.as_str());
            (alarm["Properties"]["MetricName"].as_str().unwrap(), of.unwrap())
        })
        .collect();
    let template = Template::read().unwrap();
    let redrives = template.queues().unwrap().into_iter().filter_map(|(_, queue)| queue.redrive);
    let mut failed: BTreeSet<String> = redrives.map(|redrive| redrive.dead_letter_queue).collect();
    for (function, source) in template.sources().unwrap() {
        let Source::Stream(source) = source else { continue };
        assert!(alarms.contains(&("IteratorAge", function.as_str())), "{function}");
        failed.extend(source.on_failure);
    }
    assert_eq!(failed.len(), 6, "{failed:?}");
    for queue in failed {
        let name = format!("{queue}.QueueName");
        let depth = ("ApproximateNumberOfMessagesVisible", name.as_str());
        assert!(alarms.contains(&depth), "{queue}");
    }
}

type Grants = BTreeSet<(String, String)>;

/// What a function's policy allows: actions on tables, indexes, queues and so on.
fn granted(template: &Value, function: &str) -> Grants {
    let policies = &template["Resources"][function]["Properties"]["Policies"];
    let statements = policies
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|policy| policy["Statement"].as_array().unwrap());
    let mut grants = Grants::new();
    for statement in statements {
        let resource = &statement["Resource"];
        let resource = resource["GetAtt"].as_str().or(resource["Sub"].as_str()).unwrap();
        let resource = resource.replace("${", "").replace('}', "").replace(".Arn", "");
        for action in statement["Action"].as_array().unwrap() {
            grants.insert((action.as_str().unwrap().to_owned(), resource.clone()));
        }
    }
    grants
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
