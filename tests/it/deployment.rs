//! `template.yaml` gives every function what it needs, and no more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use edge::Settings;
use local::template::Template;
use serde_json::{Value, json};

use crate::contract;
use crate::wire::Call;
use crate::world::World;

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
            "JWT_SECRET" => "s".repeat(32),
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
        let is_behind_no_request = route.is_none();
        let wants_payments = is_behind_no_request
            || ["CheckoutReservation", "ConfirmReservation", "ReceivePaymentWebhook"]
                .contains(&function.as_str());
        assert_eq!(settings.payments.is_some(), wants_payments, "{function}");
        let wants_a_queue = function == "ReceivePaymentWebhook";
        assert_eq!(settings.queue_url.is_some(), wants_a_queue, "{function}");
    }
}

/// Goal: a message is not seen twice while it is being settled, and an event that fails is not lost.
#[test]
fn the_queue_waits_for_its_function_and_keeps_what_failed() {
    let document = template();
    let template = Template::read().unwrap();
    let queues: BTreeMap<_, _> = template.queues().unwrap().into_iter().collect();
    let events = &queues["PaymentEvents"];
    let timeout = template.timeout("ProcessPaymentEvents").unwrap().num_seconds();
    assert!(i64::from(events.visibility_timeout_secs) >= 6 * timeout, "AWS asks for six times");
    let redrive = events.redrive.as_ref().unwrap();
    assert_eq!(
        (redrive.dead_letter_queue.as_str(), redrive.receives_max),
        ("PaymentEventsFailed", 5)
    );
    let properties = |id: &str| &document["Resources"][id]["Properties"];
    let retention = |id| properties(id)["MessageRetentionPeriod"].as_u64().unwrap();
    assert!(retention("PaymentEventsFailed") >= retention("PaymentEvents"));
    let url = &properties("ReceivePaymentWebhook")["Environment"]["Variables"];
    assert_eq!(url["PAYMENT_EVENTS_QUEUE_URL"], json!({"Ref": "PaymentEvents"}));
    let refunds = &properties("RefundPayments")["Events"]["Payments"]["Properties"];
    let on_failure = &refunds["DestinationConfig"]["OnFailure"]["Destination"];
    assert_eq!(on_failure, &json!({"GetAtt": "RefundsFailed.Arn"}));
}

type Grants = BTreeSet<(String, String)>;

/// What a function's policy allows: actions on tables or indexes.
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
    use_what_payments_drive(&mut seen).await;

    let template = template();
    let functions = Template::read().unwrap().functions();
    assert_eq!(used.len(), functions.len(), "every function was used");
    for function in functions {
        let mut uses = used[function.as_str()].clone();
        let variables = &template["Resources"][&function]["Properties"]["Environment"]["Variables"];
        if variables.get("PAYMENT_SECRET_ID").is_some() {
            let secret = "arn:AWS::Partition:secretsmanager:AWS::Region:AWS::AccountId:secret:\
                          PaymentSecret-??????";
            uses.insert(("secretsmanager:GetSecretValue".to_owned(), secret.to_owned()));
        }
        if variables.get("PAYMENT_EVENTS_QUEUE_URL").is_some() {
            assert_eq!(uses.len(), 1, "{function} touches no table: {uses:?}");
            uses.insert(("sqs:SendMessage".to_owned(), "PaymentEvents".to_owned()));
        } else {
            uses.insert(("dynamodb:GetItem".to_owned(), "Catalog".to_owned()));
        }
        assert_eq!(granted(&template, &function), uses, "{function}");
    }
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
