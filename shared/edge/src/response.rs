//! Answers: JSON, problems, and what every answer carries.

use std::hash::{DefaultHasher, Hasher as _};

use chrono::TimeDelta;
use lambda_http::http::{HeaderValue, StatusCode, header};
use lambda_http::{Body, http};
use serde::Serialize;
use serde_json::{Value, json};

use crate::problem::{NO_TOKEN, Problem};
use crate::request::Request;
use crate::view;

/// Characters of what is told of one mistake, at most. What is quoted in it may be as long as an upload,
/// and what Lambda answers ends at 6 MB.
const DETAIL_CHARS_MAX: usize = 1_000;

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
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `response` with the version of what it shows as its `ETag`. What was asked for with it in `If-Match`
/// is changed only if nobody else changed it.
#[must_use]
pub fn tagged(response: Response, version: u32) -> Response {
    tagged_as(response, &format!("\"{version}\""))
}

/// `response` with this `ETag`, which has its quotes.
#[must_use]
pub fn tagged_as(mut response: Response, tag: &str) -> Response {
    let tag = HeaderValue::try_from(tag).expect("our own tags are ASCII");
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// 200 with a JSON body and its `ETag`, or 304 without one if the client has it already. Anybody on the
/// way may keep it for `max_age_secs` (RFC 9111).
pub fn cacheable(request: &Request, body: &impl Serialize, max_age_secs: u32) -> Response {
    let response = ok(body);
    let tag = tag_of(&response);
    with_freshness(request, response, &tag, &format!("public, max-age={max_age_secs}"))
}

/// [`cacheable`], with the version of what it shows as its `ETag`.
pub fn cacheable_version(
    request: &Request,
    body: &impl Serialize,
    version: u32,
    max_age_secs: u32,
) -> Response {
    let freshness = format!("public, max-age={max_age_secs}");
    with_freshness(request, ok(body), &format!("\"{version}\""), &freshness)
}

/// 200 with a JSON body and its `ETag`, or 304 without one if the client has it already (RFC 9110,
/// section 13.1.2).
pub fn ok_or_not_modified(request: &Request, body: &impl Serialize) -> Response {
    let response = ok(body);
    let tag = tag_of(&response);
    with_freshness(request, response, &tag, "no-cache")
}

fn tag_of(response: &Response) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(response.body());
    format!("\"{:016x}\"", hasher.finish())
}

fn with_freshness(
    request: &Request,
    mut response: Response,
    tag: &str,
    freshness: &str,
) -> Response {
    if request.has_copy(tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::Empty;
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    let text = |text: &str| HeaderValue::try_from(text).expect("our own words are ASCII");
    headers.insert(header::ETAG, text(tag));
    headers.insert(header::CACHE_CONTROL, text(freshness));
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
    // Nobody on the way keeps what does not say for how long.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer that tells `problem`.
pub(crate) fn problem(problem: &Problem, request_id: &str) -> Response {
    let (status, code) = problem.kind();
    let mut document = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": brief(&problem.to_string()),
        "code": code,
        "requestId": request_id,
    });
    for (name, value) in members_of(problem) {
        document[name] = value;
    }
    let mut response = respond(status, "application/problem+json", document.to_string());
    let headers = response.headers_mut();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECS));
    }
    if let Problem::RateLimited { retry_after } = problem {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_secs(*retry_after)));
    }
    if let Some(challenge) = challenge(problem) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// What a problem tells besides its detail.
fn members_of(problem: &Problem) -> Vec<(&'static str, Value)> {
    match problem {
        Problem::SeatsUnavailable(seats) => vec![("conflicts", json!(view::conflicts(seats)))],
        Problem::AlreadyEntered(entry) => vec![("entry", json!(view::ticket::entry(entry)))],
        Problem::OrphanSeats(seats) => vec![("orphans", json!(seats))],
        Problem::AccessibleSeats(seats) => vec![("seatIds", json!(seats))],
        Problem::InvalidLayout(mistakes) => {
            let mistakes = mistakes.iter().map(|of| json!({"detail": brief(&of.to_string())}));
            vec![("errors", mistakes.collect())]
        }
        Problem::InvalidSchedule { created, errors } => {
            let errors = errors.iter().map(
                |of| json!({"line": of.line, "showId": of.show_id, "detail": brief(&of.detail)}),
            );
            vec![("created", json!(created)), ("errors", errors.collect())]
        }
        _nothing_more => Vec::new(),
    }
}

/// As much of a text as somebody reads.
fn brief(text: &str) -> String {
    match text.char_indices().nth(DETAIL_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Whole seconds, up: whoever waits so long is not too early.
pub(crate) fn whole_secs(delta: TimeDelta) -> i64 {
    (delta + TimeDelta::milliseconds(999)).num_seconds().max(1)
}

/// What a client is told that has no token, or not the right one (RFC 6750, section 3).
fn challenge(problem: &Problem) -> Option<HeaderValue> {
    let challenge = match problem {
        Problem::Unauthenticated(NO_TOKEN) => "Bearer realm=\"marquee\"".to_owned(),
        Problem::Unauthenticated(why) => format!(
            "Bearer realm=\"marquee\", error=\"invalid_token\", error_description=\"{why}\""
        ),
        Problem::Forbidden(role) => {
            format!("Bearer realm=\"marquee\", error=\"insufficient_scope\", scope=\"{role}\"")
        }
        _no_matter_of_tokens => return None,
    };
    Some(HeaderValue::try_from(challenge).expect("our own words are ASCII"))
}
