//! Events of either kind: HTTP APIs send payload format 2.0, REST APIs and proxies 1.0.

use serde_json::{Value, json};

use crate::world::World;

/// The event that a REST API makes of a request (payload format 1.0).
fn version_1(path: &str, resource: &str, token: &str, body: &Value) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query: serde_json::Map<String, Value> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let many: serde_json::Map<String, Value> =
        query.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    let id = path.strip_prefix("/api/shows/").and_then(|rest| rest.split('/').next());
    json!({
        "resource": resource,
        "path": path,
        "httpMethod": if body.is_null() { "GET" } else { "POST" },
        "headers": {"Authorization": token, "Host": "localhost"},
        "multiValueHeaders": {"Authorization": [token], "Host": ["localhost"]},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": many,
        "pathParameters": id.map(|id| json!({"showId": id})),
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000", "apiId": "local", "httpMethod": "GET", "path": path,
            "requestId": "r", "resourceId": "r", "resourcePath": resource, "stage": "Prod",
            "identity": {"sourceIp": "127.0.0.1"}, "protocol": "HTTP/1.1",
        },
        "body": if body.is_null() { Value::Null } else { json!(body.to_string()) },
        "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn a_rest_api_is_answered_like_an_http_api() {
    let world = World::new().await;
    let token = format!("Bearer {}", world.token("ann"));
    let hold = json!({"showId": "show-1", "seatIds": ["A1"], "holdToken": "t1"});
    for (method, path, body, status) in [
        ("GET", "/api/shows?city=delhi&date=2026-11-23", Value::Null, 200),
        ("GET", "/api/shows/show-1", Value::Null, 200),
        ("GET", "/api/shows/show-1/seats", Value::Null, 200),
        ("POST", "/api/reservations/hold", hold, 201),
        ("GET", "/api/reservations", Value::Null, 200),
    ] {
        let (route, _) = world.event(method, path, &[], "");
        let event = version_1(path, &route.path, &token, &body);
        let answer = world.invoke(&route, event).await;
        crate::contract::check(method, &route.path, &answer);
        let by_version_1 = answer.expect(status);
        let by_version_2 = world.call("ann", method, path, body).await.expect(status);
        assert_eq!(by_version_1, by_version_2, "{path}");
    }
}

#[tokio::test]
async fn every_answer_carries_its_request_id() {
    let world = World::new().await;
    for path in ["/api/cities", "/api/shows/nowhere"] {
        let answer = world.get(path).await;
        assert_eq!(answer.headers["x-request-id"], "request-1", "{path}");
    }
    let problem = world.get("/api/shows/nowhere").await.expect(404);
    assert_eq!(problem["requestId"], "request-1");
}

#[tokio::test]
async fn a_forged_host_or_scheme_is_only_a_header() {
    let world = World::new().await;
    for forged in [("host", "a b"), ("x-forwarded-proto", ":"), ("x-forwarded-proto", "a b")] {
        world.raw("GET", "/api/cities", &[forged], "").await.expect(200);
        let (route, _) = world.event("GET", "/api/cities", &[], "");
        let mut event = version_1("/api/cities", &route.path, "", &Value::Null);
        event["headers"][forged.0] = json!(forged.1);
        event["multiValueHeaders"][forged.0] = json!([forged.1]);
        world.invoke(&route, event).await.expect(200);
    }
    for query in ["city=\"<delhi>\"", "city=a b|c^d`{e}", "city=\u{7f}\u{e9}", "city=delhi&x=\\"] {
        world.raw("GET", &format!("/api/movies?{query}"), &[], "").await.expect(200);
    }
}
