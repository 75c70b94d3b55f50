//! `template.yaml` gives every function what it needs, and no more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use domain::limits::{EVENT_LOG_SETTLES_AFTER_SECS, SWEEP_SETTLES_AFTER_SECS};
use edge::Settings;
use local::template::{Source, Template};
use serde_json::{Value, json};

use crate::contract;
use crate::wire::Call;
use crate::world::{HOLD_SECS, World};

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

/// Goal: no function dies at its start for want of a setting, and none knows what it need not.
/// Method: read each one's environment as the edge does, and compare what it can do with what it is
/// there for.
#[test]
fn every_function_has_the_settings_that_it_needs() {
    let document = template();
    let template = Template::read().unwrap();
    let globals = &document["Globals"]["Function"]["Environment"]["Variables"];
    let routes = template.routes();
    for function in template.functions() {
        let own = &document["Resources"][&function]["Properties"]["Environment"]["Variables"];
        let variables = [globals, own].into_iter().filter_map(Value::as_object).flatten();
        let value = |name: &str| match name {
            "PAYMENT_PROVIDER" => "stripe".to_owned(),
            "PAYMENT_LIVE" => "true".to_owned(),
            "AWS_ENDPOINT_URL_DYNAMODB" | "PAYMENT_BASE_URL" => String::new(),
            "JWT_SECRET" | "TICKET_SECRET" | "TICKET_SECRET_PREVIOUS" => "s".repeat(32),
            name => name.to_lowercase(),
        };
        let variables: BTreeMap<String, String> =
            variables.map(|(name, _)| (name.clone(), value(name))).collect();
        let settings = Settings::from_variables(&variables)
            .unwrap_or_else(|error| panic!("{function}: {error}"));
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
                &["PublishEvents", "ReleaseExpiredHolds"],
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
    use_what_customers_call(&mut seen).await;
    use_what_payments_drive(&mut seen).await;
    use_what_ends_holds_and_shows(&mut seen).await;
    use_what_tells_others(&mut seen).await;
    use_a_ticket(&mut seen).await;

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

/// Uses what anybody and customers call, each in all its ways.
async fn use_what_customers_call(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    for (function, path) in [
        ("ListCities", "/api/cities"),
        ("ListMovies", "/api/movies?city=delhi"),
        ("SearchShows", "/api/shows?city=delhi&date=2026-11-23"),
        ("GetShow", "/api/shows/show-1"),
        ("GetSeatMap", "/api/shows/show-2/seats"),
    ] {
        world.get(path).await.expect(200);
        seen(&world, function);
    }
    let world = world.with_provider_at(&world.provider_url);
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.hold_of("ann", "begun", &["A1"], "t9").await.expect(409);
    seen(&world, "HoldSeats");

    let world = world.with_provider_at(&world.provider_url);
    world.checkout("ann", "t1").await.expect(200);
    seen(&world, "CheckoutReservation");

    let world = world.with_provider_at(&world.provider_url);
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
    let again = world.hold("ann", &["A2"], "t2").await.expect(201);
    world.wire.take_calls();
    let slow = world.pay(&again, "stay_pending").await;
    world.confirm("ann", "t2", &slow).await.expect(202);
    let returned = world.pay(&again, "succeed").await;
    world.give_back(&returned).await;
    world.confirm("ann", "t2", &returned).await.expect(409);
    let payment = world.pay(&held, "succeed").await;
    world.confirm("ann", "t1", &payment).await.expect(200);
    seen(&world, "ConfirmReservation");

    let id = held["reservationId"].as_str().unwrap();
    let path = format!("/api/reservations/{id}");
    world.call("ann", "GET", &path, Value::Null).await.expect(200);
    seen(&world, "GetReservation");
    world.call("ann", "GET", "/api/reservations", Value::Null).await.expect(200);
    seen(&world, "ListReservations");
    world.cancel("ann", id).await.expect(200);
    seen(&world, "CancelReservation");
    world.refund().await;
    seen(&world, "RefundPayments");
}

/// Uses the functions behind a webhook, the queue and the schedule, each in all its ways.
async fn use_what_payments_drive(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let one = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&one, "succeed").await;
    world.wire.take_calls();
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    seen(&world, "ReceivePaymentWebhook");
    world.process().await;
    world.give_back(&payment).await;
    world.rest().await;
    seen(&world, "ProcessPaymentEvents");

    let world = World::new().await;
    let [one, two, three] = [("A1", "t1"), ("A2", "t2"), ("A3", "t3")];
    for (seat, token) in [one, two, three] {
        world.hold("ann", &[seat], token).await.expect(201);
        world.checkout("ann", token).await.expect(200);
    }
    let payments = world.references();
    world.finish(&payments[0], "succeed").await;
    world.finish(&payments[1], "succeed").await;
    world.give_back(&payments[1]).await;
    world.take_deliveries();
    world.advance(TimeDelta::minutes(16));
    let world = world.with_provider_at(&world.provider_url);
    world.wire.take_calls();
    world.reconcile().await.unwrap();
    seen(&world, "ReconcilePayments");
}

/// Uses what ends holds and shows, each in all its ways.
async fn use_what_ends_holds_and_shows(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.wire.take_calls();
    world.release().await;
    seen(&world, "ReleaseExpiredHolds");

    world.book("ann", &["A2"], "t2").await;
    let world = world.cold();
    world.wire.take_calls();
    let path = "/api/admin/shows/show-1/cancel";
    world.admin("POST", path, json!({"dryRun": true})).await.expect(200);
    for _ in 0..2 {
        world.admin("POST", path, Value::Null).await.expect(202);
    }
    seen(&world, "CancelShow");
    let path = "/api/admin/shows/show-1/cancellation";
    world.admin("GET", path, Value::Null).await.expect(200);
    seen(&world, "GetShowCancellation");
    world.sweep().await;
    world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    world.sweep().await;
    seen(&world, "SweepCancelledShows");
    world.refund().await;
    seen(&world, "RefundPayments");
    let done = world.admin("GET", path, Value::Null).await.expect(200);
    assert_eq!((&done["status"], &done["refundsDone"]), (&json!("COMPLETED"), &json!(1)));
}

/// Uses what tells others of events, each in all its ways. Nobody is at the subscriber's address, so
/// that there is more to do.
async fn use_what_tells_others(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let all = "/api/admin/subscriptions";
    let body = json!({"url": "http://127.0.0.1:9/"});
    let made = world.admin("POST", all, body).await.expect(201);
    seen(&world, "CreateSubscription");
    world.admin("GET", all, Value::Null).await.expect(200);
    seen(&world, "ListSubscriptions");
    let one = format!("{all}/{}", made["subscriptionId"].as_str().unwrap());
    world.admin("POST", &format!("{one}/rotate"), Value::Null).await.expect(200);
    seen(&world, "RotateSubscriptionSecret");
    world.admin("POST", &format!("{one}/enable"), Value::Null).await.expect(200);
    seen(&world, "EnableSubscription");

    let ann = "ann@example.com";
    let booked = world.book(ann, &["A1"], "t1").await;
    tell(&world, seen).await;
    world.cancel(ann, booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.refund().await;
    tell(&world, seen).await;

    world.advance(TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS));
    let events = world.admin("GET", "/api/admin/events", Value::Null).await.expect(200);
    let told = events["items"].as_array().unwrap().len();
    assert_eq!(told, 4, "held, confirmed, cancelled, refunded");
    seen(&world, "ListEvents");
    world.admin("DELETE", &one, Value::Null).await.expect(204);
    seen(&world, "DeleteSubscription");
}

/// Tells what happened, to whomever it concerns.
async fn tell(world: &World, seen: &mut impl FnMut(&World, &'static str)) {
    world.wire.take_calls();
    world.publish().await;
    seen(world, "PublishEvents");
    world.deliver().await;
    seen(world, "DeliverEvents");
    world.mail().await;
    seen(world, "SendEmails");
}

/// Uses what lets people in.
async fn use_a_ticket(seen: &mut impl FnMut(&World, &'static str)) {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    let id = booked["reservationId"].as_str().unwrap().parse().unwrap();
    let booking = world.store.reservation(&id).await.unwrap().unwrap();
    let ticket = world.app.ticket(&booking).unwrap();
    let scan = json!({"ticket": ticket, "gate": "Gate 1", "scanId": "s1"});
    world.wire.take_calls();
    world.admin("POST", "/api/admin/tickets/scan", scan).await.expect(200);
    seen(&world, "ScanTicket");
}
