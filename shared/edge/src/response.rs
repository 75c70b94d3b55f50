//! Answers: JSON, problems, and what every answer carries.

use std::hash::{DefaultHasher, Hasher as _};

use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, http};
use serde::Serialize;
use serde_json::json;

use crate::problem::Problem;
use crate::request::Request;
use crate::view;

/// An answer.
pub type Response = http::Response<Body>;

/// Seconds after which a client that was told to try again may do so.
const RETRY_AFTER_SECS: &str = "1";

/// 200 with a JSON body.
pub fn ok(body: &impl Serialize) -> Response {
    json_response(StatusCode::OK, body)
}

/// 201 with a JSON body.
pub fn created(body: &impl Serialize) -> Response {
    json_response(StatusCode::CREATED, body)
}

/// 202 with a JSON body.
pub fn accepted(body: &impl Serialize) -> Response {
    json_response(StatusCode::ACCEPTED, body)
}

/// 204: done, and nothing to say.
#[must_use]
pub fn no_content() -> Response {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 200 with a JSON body and its `ETag`, or 304 without one if the client has it already (RFC 9110,
/// section 13.1.2).
pub fn ok_or_not_modified(request: &Request, body: &impl Serialize) -> Response {
    let mut response = ok(body);
    let mut hasher = DefaultHasher::new();
    hasher.write(response.body());
    let tag = format!("\"{:016x}\"", hasher.finish());
    if request.has_copy(&tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::Empty;
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::try_from(tag).expect("hex digits in quotes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).expect("views are plain values");
    respond(status, "application/json", text)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The answer that tells `problem`.
pub(crate) fn problem(problem: &Problem, request_id: &str) -> Response {
    let (status, code) = problem.kind();
    let mut document = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": problem.to_string(),
        "code": code,
        "requestId": request_id,
    });
    if let Problem::SeatsUnavailable(seats) = problem {
        document["conflicts"] = json!(view::conflicts(seats));
    }
    if let Problem::AlreadyEntered(entry) = problem {
        document["entry"] = json!(view::ticket::entry(entry));
    }
    let mut response = respond(status, "application/problem+json", document.to_string());
    let headers = response.headers_mut();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECS));
    }
    if let Problem::Unauthenticated(why) = problem {
        let challenge = format!("Bearer realm=\"marquee\", error_description=\"{why}\"");
        let challenge = HeaderValue::try_from(challenge).expect("our own words are ASCII");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
