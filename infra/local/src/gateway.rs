//! An HTTP API of API Gateway: requests become events of payload format 2.0, answers become
//! responses (AWS, "Create AWS Lambda proxy integrations for HTTP APIs"). Cookies stay among the headers:
//! nothing reads them, here or there, so there is no list of them. What browsers ask for first, and what
//! they are told, is in `cors`.

mod cors;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, RawPathParams, Request};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use edge::{Clock, Function};
use lambda_http::Context;
use lambda_http::LambdaEvent;
use serde_json::{Value, json};

use crate::runtime::Failure;
use crate::template::{Error, Route};

pub use self::cors::Cors;

/// Bytes of a request's body that API Gateway takes.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Bytes of a request's line and headers that it takes. Here only the line is measured.
const LINE_BYTES_MAX: usize = 10 * 1024;

/// A router with `routes`, to functions that `find` finds by their logical ids, and for browsers what
/// `cors` says, if anything.
///
/// # Errors
///
/// If a route names a function that is not there.
pub fn router(
    routes: &[Route],
    find: impl Fn(&str) -> Option<Function>,
    cors: Option<Cors>,
    clock: &Clock,
) -> Result<Router, Error> {
    let mut router = Router::new();
    for route in routes {
        let missing = || format!("template.yaml names {}, which is not built here", route.function);
        let function = find(&route.function).ok_or_else(missing)?;
        let method = MethodFilter::try_from(route.method.parse::<Method>()?)?;
        let (key, clock) = (format!("{} {}", route.method, route.path), clock.clone());
        let handle = move |from: ConnectInfo<SocketAddr>,
                           parameters: RawPathParams,
                           request: Request| async move {
            let (parts, body) = request.into_parts();
            if parts.uri.path_and_query().is_some_and(|uri| uri.as_str().len() > LINE_BYTES_MAX) {
                return message(StatusCode::URI_TOO_LONG, "URI Too Long");
            }
            let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
                return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
            };
            let parameters: BTreeMap<&str, &str> = parameters.iter().collect();
            let now = clock();
            let mut event = event(&key, &parts.method, &parts.uri, &parts.headers, &body, from.0);
            event["pathParameters"] = json!(parameters);
            event["requestContext"]["timeEpoch"] = json!(now.timestamp_millis());
            event["requestContext"]["time"] =
                json!(now.format("%d/%b/%Y:%H:%M:%S +0000").to_string());
            answer(&function, event).await
        };
        router = router.route(&route.path, on(method, handle));
    }
    let not_found = || async { message(StatusCode::NOT_FOUND, "Not Found") };
    let router = router
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(DefaultBodyLimit::disable());
    Ok(match cors {
        Some(cors) => cors.around(router),
        None => router,
    })
}

/// What API Gateway itself says.
fn message(status: StatusCode, text: &str) -> Response {
    let body = json!({"message": text}).to_string();
    (status, [("content-type", "application/json")], body).into_response()
}

fn event(
    route_key: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
    from: SocketAddr,
) -> Value {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|before| *before = format!("{before},{value}"))
            .or_insert_with(|| value.into_owned());
    }
    let user_agent = joined.get("user-agent").cloned();
    let (body, is_base64) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64.encode(body), true),
    };
    json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": joined,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": method.as_str(),
                "path": uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": from.ip().to_string(),
                "userAgent": user_agent,
            },
            "routeKey": route_key,
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

async fn answer(function: &Function, mut event: Value) -> Response {
    #[expect(
        clippy::disallowed_methods,
        reason = "Lambda draws the request id, and this is Lambda"
    )]
    let request_id = uuid::Uuid::new_v4().to_string();
    event["requestContext"]["requestId"] = json!(request_id);
    let mut context = Context::default();
    context.request_id = request_id;
    match function(LambdaEvent::new(event, context)).await.map(|answer| response(&answer)) {
        Ok(Some(response)) => response,
        Ok(None) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        Err(error) => {
            eprintln!("a function failed: {error}");
            refused(error.downcast_ref::<Failure>())
        }
    }
}

/// What API Gateway says when Lambda gave no answer of the function's. Its documentation names no
/// status for a function without a free sandbox; 503 is what an HTTP API says of an integration that
/// it cannot reach.
fn refused(failure: Option<&Failure>) -> Response {
    match failure {
        Some(failure) if failure.is_event_too_large() => {
            message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
        }
        Some(failure) if failure.is_throttled() => {
            message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        _its_own_or_unknown => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

/// A function's answer as a response, if it is one.
fn response(answer: &Value) -> Option<Response> {
    let status = u16::try_from(answer["statusCode"].as_u64()?).ok()?;
    let text = answer["body"].as_str().unwrap_or_default();
    let body = match answer["isBase64Encoded"].as_bool() {
        Some(true) => Body::from(BASE64.decode(text).ok()?),
        _text => Body::from(text.to_owned()),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in answer["headers"].as_object()? {
        response = response.header(name, value.as_str()?);
    }
    response.body(body).ok()
}
