//! Events of API Gateway to every operation there is: what a client chooses of them, and what may be
//! left out.
//!
//! An input has an operation in its first line, the event's parts in the second, in JSON, and the body
//! behind them. Parts are `as` (`user`, `admin`, `nobody`, or an `Authorization`), `path` (parameters),
//! `query` (as it stands in the URL), `headers`, `cookies`, and `without`: fields that API Gateway leaves
//! out when they are empty. What no part says is such that the operation is reached.
//!
//! Besides the corpus it begins with every example of `openapi.yaml`.

use local::template::Route;
use serde_json::{Value, json};

use super::{
    LINE_BYTES_MAX, NO_LIMITS, Seen, Target, as_admin, chosen, fingerprint, header_value, invoke,
    is_header_name, put_body, split_line,
};
use crate::contract;
use crate::create_subscription::subscribe;
use crate::world::World;

/// What API Gateway leaves out when it is empty.
const OPTIONAL: [&str; 7] = [
    "body",
    "cookies",
    "headers",
    "pathParameters",
    "queryStringParameters",
    "rawQueryString",
    "stageVariables",
];

pub(super) struct Requests {
    world: World,
    /// The operations by their ids.
    operations: Vec<(String, Route)>,
    /// What parameters of paths are, if nobody says.
    places: Vec<(&'static str, String)>,
}

impl Target for Requests {
    const NAME: &'static str = "requests";
    const CASES: usize = 1_500;
    const CASES_PER_WORLD: usize = 200;
    const REACHES: &'static [&'static str] = &[
        "listCities 200",
        "searchShows 200",
        "getSeatMap 200",
        "getBestSeats 200",
        "holdSeats 201",
        "holdSeats 400 invalid_request",
        "holdSeats 401 unauthenticated",
        "holdSeats 403 forbidden",
        "holdSeats 409 seats_unavailable",
        "getReservation 200",
        "createCity 201",
        "updateCity 200",
        "updateCity 412 precondition_failed",
        "updateCity 428 precondition_required",
        "getLayout 404 not_found",
        "scanTicket 400 invalid_ticket",
        "receivePaymentWebhook 400 invalid_signature",
        "every operation",
    ];

    async fn open() -> Self {
        let world = World::new().await;
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        let made = subscribe(&world, "https://example.com/", &[]).await;
        let id = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
        let places = vec![
            ("city", "delhi".to_owned()),
            ("movieId", "inception".to_owned()),
            ("theatreId", "regal".to_owned()),
            ("auditoriumId", "screen-1".to_owned()),
            ("layoutVersion", "1".to_owned()),
            ("showId", "show-1".to_owned()),
            ("provider", "sandbox".to_owned()),
            ("reservationId", id(&held, "reservationId")),
            ("subscriptionId", id(&made, "subscriptionId")),
        ];
        let routes = world.template().routes().into_iter();
        let operations = routes.map(|route| {
            let operation = contract::operation(&route.method, &route.path).unwrap();
            (id(operation, "operationId"), route)
        });
        let operations = operations.collect();
        Self { world: world.with_limits(NO_LIMITS), operations, places }
    }

    fn world(&self) -> &World {
        &self.world
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        self.operations.iter().flat_map(|(id, route)| examples(id, route)).collect()
    }

    async fn send(&mut self, input: &[u8], seen: &mut Seen) {
        let (first, rest) = split_line(input);
        let (parts, body) = split_line(rest);
        let parts: Value = serde_json::from_slice(parts).unwrap_or_default();
        let named = self.operations.iter().find(|(id, _)| id.as_bytes() == first);
        let (id, route) = named.unwrap_or_else(|| chosen(&self.operations, first));
        let event = self.event(route, &parts, body);
        let answer = invoke(&self.world, route, event).await;
        seen.answer(id, &answer);
        let is_new = !seen.times.contains_key(&format!("reached {id}"));
        // Reached is what was asked by somebody who may, whatever became of it.
        if is_new && !matches!(answer.status, 401 | 403) {
            seen.count(format!("reached {id}"));
            let reached = seen.times.keys().filter(|what| what.starts_with("reached ")).count();
            if reached == self.operations.len() {
                seen.count("every operation");
            }
        }
    }
}

/// An input for each example of an operation's body; one without a body if there are none.
fn examples(id: &str, route: &Route) -> Vec<Vec<u8>> {
    let operation = contract::operation(&route.method, &route.path).unwrap();
    let contents = operation["requestBody"]["content"].as_object().into_iter().flatten();
    let mut inputs = Vec::new();
    for (content_type, content) in contents {
        for example in content["examples"].as_object().into_iter().flat_map(|all| all.values()) {
            let value = &example["value"];
            let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let parts = json!({"headers": {"content-type": content_type, "if-match": "*"}});
            inputs.push(format!("{id}\n{parts}\n{body}").into_bytes());
        }
    }
    if inputs.is_empty() {
        let parts = json!({"query": "limit=1", "headers": {"if-match": "*"}});
        inputs.push(format!("{id}\n{parts}\n").into_bytes());
    }
    inputs
}

impl Requests {
    /// The event that API Gateway makes of a request.
    fn event(&self, route: &Route, parts: &Value, body: &[u8]) -> Value {
        let mut parameters = json!({});
        let mut path = Vec::new();
        for part in route.path.split('/') {
            let name = part.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            let Some(name) = name else {
                path.push(part.to_owned());
                continue;
            };
            let known = self.places.iter().find(|(of, _)| *of == name);
            let known = known.map_or("", |(_, value)| value.as_str());
            let value = parts["path"][name].as_str().unwrap_or(known);
            parameters[name] = json!(value);
            path.push(value.to_owned());
        }
        let path = short(&path.join("/"));
        let query = short(parts["query"].as_str().unwrap_or_default());
        let source_ip = format!("203.0.113.{}", fingerprint(body) % 256);
        let mut event = json!({
            "version": "2.0",
            "routeKey": format!("{} {}", route.method, route.path),
            "rawPath": path,
            "rawQueryString": query,
            "headers": self.headers(route, parts),
            "pathParameters": parameters,
            "queryStringParameters": {"limit": "1"},
            "stageVariables": {},
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "api",
                "domainName": "api.example.com",
                "domainPrefix": "api",
                "http": {
                    "method": route.method, "path": path, "protocol": "HTTP/1.1",
                    "sourceIp": source_ip, "userAgent": "fuzz",
                },
                "requestId": "id",
                "routeKey": "$default",
                "stage": "$default",
                "time": "22/Nov/2026:06:30:00 +0000",
                "timeEpoch": 1_795_329_000_000_i64,
            },
        });
        put_body(&mut event, body);
        if let Some(cookies) = parts["cookies"].as_array() {
            let cookies = cookies.iter().filter_map(Value::as_str);
            event["cookies"] = cookies.map(|text| header_value(text.as_bytes())).collect();
        }
        for name in parts["without"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if OPTIONAL.contains(&name) {
                event.as_object_mut().unwrap().remove(name);
            }
        }
        event
    }

    fn headers(&self, route: &Route, parts: &Value) -> Value {
        let is_for_admins = route.path.starts_with("/api/admin/");
        let default = if is_for_admins { "admin" } else { "user" };
        let token = match parts["as"].as_str().unwrap_or(default) {
            "nobody" => None,
            "user" => Some(format!("Bearer {}", self.world.token("ann"))),
            "admin" => Some(as_admin(&self.world)),
            other => Some(header_value(short(other).as_bytes())),
        };
        let mut headers = json!({"host": "api.example.com", "user-agent": "fuzz"});
        if let Some(token) = token {
            headers["authorization"] = json!(token);
        }
        for (name, value) in parts["headers"].as_object().into_iter().flatten() {
            if is_header_name(name) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                headers[name.to_ascii_lowercase()] = json!(header_value(short(&value).as_bytes()));
            }
        }
        headers
    }
}

/// As much of a text as API Gateway takes in a line.
fn short(text: &str) -> String {
    let mut end = text.len().min(LINE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Nobody outside can have API Gateway say that a body is Base64 when it is none; but whoever may call
/// the function by itself is answered, too.
#[tokio::test]
async fn a_body_that_is_no_base64_is_a_bad_request() {
    let requests = Requests::open().await;
    for (_, route) in &requests.operations {
        for body in ["?", "AAA", "A A=", "====", "\u{301}"] {
            let mut event = requests.event(route, &json!({"as": "nobody"}), b"");
            event["body"] = json!(body);
            event["isBase64Encoded"] = json!(true);
            let answer = invoke(&requests.world, route, event).await;
            assert!(answer.status < 500, "{}: {body:?}", route.path);
        }
    }
}
