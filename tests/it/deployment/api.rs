//! What stands before the functions: pages of other origins, floods, the line that each request leaves.

use std::collections::{BTreeMap, BTreeSet};

use local::template::Template;
use serde_json::{Value, json};

use super::{resources, template};
use crate::contract;

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

/// Goal: a token is judged in one place, which is the function. Method: API Gateway asks for nothing, neither
/// for all routes nor for one.
#[test]
fn the_api_leaves_tokens_to_functions() {
    let document = template();
    let api = &document["Resources"]["Api"]["Properties"];
    assert_eq!(api["Auth"], json!({"EnableIamAuthorizer": false}));
    for (function, resource) in resources(&document, "AWS::Serverless::Function") {
        let events = resource["Properties"]["Events"].as_object().unwrap();
        assert!(events.values().all(|event| event["Properties"]["Auth"].is_null()), "{function}");
    }
}

/// Goal: no flood takes the account's functions from what sells and from what hears of money. Method: these
/// can have a share of their own, and a deployment that gives them none says so by leaving it out.
#[test]
fn what_sells_can_have_a_share_of_the_accounts_functions() {
    let document = template();
    let (share, none) = (json!({"Ref": "ReservedConcurrency"}), json!({"Ref": "AWS::NoValue"}));
    let share = json!({"If": ["ReservesConcurrency", share, none]});
    let with_a_share = Template::read().unwrap().functions().into_iter().filter(|function| {
        let given = &document["Resources"][function]["Properties"]["ReservedConcurrentExecutions"];
        assert!(given.is_null() || *given == share, "{function}");
        !given.is_null()
    });
    let selling =
        ["CheckoutReservation", "ConfirmReservation", "HoldSeats", "ReceivePaymentWebhook"];
    assert_eq!(with_a_share.collect::<BTreeSet<_>>(), BTreeSet::from(selling.map(str::to_owned)));
}

/// Goal: a page of another origin can use all of the API: it may send each header that an operation reads,
/// and sees each that an answer has. Method: collect them from the contract.
#[test]
fn pages_may_send_and_see_every_header_of_the_contract() {
    let document = template();
    let cors = &document["Resources"]["Api"]["Properties"]["CorsConfiguration"]["If"];
    assert_eq!((&cors[0], &cors[2]), (&json!("AnswersPages"), &json!({"Ref": "AWS::NoValue"})));
    let cors = &cors[1];
    let (mut methods, mut sent, mut seen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for route in Template::read().unwrap().routes() {
        let operation = contract::operation(&route.method, &route.path).unwrap();
        for response in operation["responses"].as_object().unwrap().values() {
            let headers = resolve(response)["headers"].as_object().into_iter().flatten();
            seen.extend(headers.map(|(name, _)| name.to_lowercase()));
        }
        methods.insert(route.method);
        // No page signs what a payment provider tells.
        if operation["x-access"] != "signature" {
            sent.extend(read_by(operation));
        }
    }
    // Pages see it in any case (Fetch, "CORS-safelisted response-header name").
    seen.remove("cache-control");
    assert_eq!(listed(&cors["AllowMethods"]), methods);
    assert_eq!(listed(&cors["AllowHeaders"]), sent);
    assert_eq!(listed(&cors["ExposeHeaders"]), seen);
    assert!(seen.len() > 4 && sent.len() > 3, "{seen:?}, {sent:?}");
    // With credentials, a browser would not take `*`; tokens are no credentials of that kind.
    assert!(cors["AllowCredentials"].is_null());
    assert_eq!(cors["AllowOrigins"], json!({"Split": [",", {"Ref": "CorsOrigins"}]}));
}

/// The headers that an operation reads.
fn read_by(operation: &'static Value) -> BTreeSet<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolve);
    let headers = parameters.filter(|parameter| parameter["in"] == "header");
    let mut names: BTreeSet<String> =
        headers.map(|header| header["name"].as_str().unwrap().to_lowercase()).collect();
    if operation["security"].as_array().is_some_and(|security| !security.is_empty()) {
        names.insert("authorization".to_owned());
    }
    if operation.get("requestBody").is_some() {
        names.insert("content-type".to_owned());
    }
    names
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            resolve(contract::document().pointer(pointer).unwrap())
        }
        None => value,
    }
}

fn listed(names: &Value) -> BTreeSet<String> {
    names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Goal: each request can be found, and followed into its function; what was searched for stays with who
/// searched. Method: the line is JSON whatever is in it, and each of its values is one that API Gateway
/// makes.
#[test]
fn a_request_leaves_a_line_that_leads_to_its_function() {
    let document = template();
    let log = &document["Resources"]["Api"]["Properties"]["AccessLogSettings"];
    assert_eq!(log["DestinationArn"], json!({"GetAtt": "AccessLogs.Arn"}));
    let line: BTreeMap<String, String> =
        serde_json::from_str(log["Format"].as_str().unwrap()).unwrap();
    assert_eq!(line["functionRequestId"], "$context.integration.requestId");
    // With quotes, or any other sign that a client likes.
    let told_by_clients =
        ["path", "userAgent", "protocol", "error.message", "queryString", "header"];
    for (name, value) in &line {
        let variable = value.strip_prefix("$context.").unwrap_or_else(|| panic!("{name}: {value}"));
        assert!(!told_by_clients.iter().any(|told| variable.contains(told)), "{name}: {value}");
        assert!(
            variable.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '.'),
            "{value}"
        );
    }
}
