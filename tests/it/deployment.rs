//! `template.yaml` gives every function what it needs, and no more.

use std::collections::{BTreeMap, BTreeSet};

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

/// Goal: no function dies at its start for want of a setting. Method: read each one's environment
/// as the edge does, and compare what it can do with what its endpoint asks of it.
#[test]
fn every_function_has_the_settings_that_it_needs() {
    let template = template();
    let globals = &template["Globals"]["Function"]["Environment"]["Variables"];
    for route in Template::read().unwrap().routes() {
        let own = &template["Resources"][&route.function]["Properties"]["Environment"]["Variables"];
        let variables = [globals, own].into_iter().filter_map(Value::as_object).flatten();
        let value = |name: &str| match name {
            "PAYMENT_BASE_URL" => "http://provider".to_owned(),
            "AWS_ENDPOINT_URL_DYNAMODB" => String::new(),
            "JWT_SECRET" => "s".repeat(32),
            name => name.to_lowercase(),
        };
        let variables: BTreeMap<String, String> =
            variables.map(|(name, _)| (name.clone(), value(name))).collect();
        let settings = Settings::from_variables(&variables)
            .unwrap_or_else(|error| panic!("{}: {error}", route.function));
        let operation = contract::operation(&route.method, &route.path).unwrap();
        let wants_a_user = operation["security"].as_array().is_some_and(|list| !list.is_empty());
        assert_eq!(settings.tokens.is_some(), wants_a_user, "{}", route.function);
        let wants_payments = route.function == "ConfirmReservation";
        assert_eq!(settings.payments.is_some(), wants_payments, "{}", route.function);
    }
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
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
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

    let template = template();
    let connect = ("dynamodb:GetItem".to_owned(), "Catalog".to_owned());
    let functions: BTreeSet<String> =
        Template::read().unwrap().routes().into_iter().map(|route| route.function).collect();
    assert_eq!(used.len(), functions.len(), "every function was used");
    for function in functions {
        let mut uses = used[function.as_str()].clone();
        uses.insert(connect.clone());
        assert_eq!(granted(&template, &function), uses, "{function}");
    }
}
