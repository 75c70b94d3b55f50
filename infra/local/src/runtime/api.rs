//! The Runtime API over HTTP: what a sandbox asks of Lambda. Each has a path of its own, by which it is
//! known; nobody can guess it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::failure::Failure;
use super::{ANSWER_BYTES_MAX, Shared};

/// An event on its way to a sandbox.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) deadline_ms: i64,
    pub(super) function_arn: String,
    pub(super) trace_id: String,
    pub(super) payload: Bytes,
}

/// What a sandbox says.
#[derive(Debug)]
pub(super) enum Said {
    /// That it is ready for the next event.
    Next,
    /// The answer to its event.
    Answer(Bytes),
    /// That its event, or its start, failed.
    Failed(Failure),
}

/// The line between a sandbox and its keeper.
pub(super) struct Line {
    events: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    said: mpsc::UnboundedSender<Said>,
    /// The id of the event that it works on.
    current: Mutex<Option<String>>,
}

impl Line {
    pub(super) fn new(
        events: mpsc::Receiver<Invocation>,
        said: mpsc::UnboundedSender<Said>,
    ) -> Self {
        Self { events: tokio::sync::Mutex::new(events), said, current: Mutex::default() }
    }

    fn say(&self, said: Said) {
        // A keeper that has gone has killed the sandbox.
        let _ = self.said.send(said);
    }

    /// Takes note of what it works on, and says what that was before.
    fn turn_to(&self, request_id: Option<String>) -> Option<String> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, request_id)
    }

    /// Whether it works on this event, which it then does no more.
    fn ends(&self, request_id: &str) -> bool {
        let current = self.turn_to(None);
        let is_current = current.as_deref() == Some(request_id);
        if !is_current {
            self.turn_to(current);
        }
        is_current
    }
}

/// The API over the sandboxes of `shared`.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let runtime = "/{sandbox}/2018-06-01/runtime";
    Router::new()
        .route(&format!("{runtime}/invocation/next"), get(next))
        .route(&format!("{runtime}/invocation/{{request_id}}/response"), post(response))
        .route(&format!("{runtime}/invocation/{{request_id}}/error"), post(error))
        .route(&format!("{runtime}/init/error"), post(init_error))
        .with_state(shared)
}

/// Waits for an event, however long.
async fn next(State(shared): State<Arc<Shared>>, Path(sandbox): Path<String>) -> Response {
    let Some(line) = shared.line(&sandbox) else { return unknown() };
    line.say(Said::Next);
    let Some(event) = line.events.lock().await.recv().await else { return unknown() };
    line.turn_to(Some(event.request_id.clone()));
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", event.request_id)
        .header("lambda-runtime-deadline-ms", event.deadline_ms)
        .header("lambda-runtime-invoked-function-arn", event.function_arn)
        .header("lambda-runtime-trace-id", event.trace_id)
        .body(Body::from(event.payload));
    answer.expect("ids can be headers")
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path((sandbox, request_id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Some(line) = shared.line(&sandbox) else { return unknown() };
    // Read whole, however large: who is cut off while it writes does not hear why.
    let Ok(answer) = to_bytes(request.into_body(), usize::MAX).await else {
        return refused(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "it has no end");
    };
    if !line.ends(&request_id) {
        return refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
    }
    if answer.len() > ANSWER_BYTES_MAX {
        line.say(Said::Failed(Failure::answer_too_large()));
        let why = format!("Exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes).");
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &why);
    }
    line.say(Said::Answer(answer));
    accepted()
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path((sandbox, request_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(line) = shared.line(&sandbox) else { return unknown() };
    if !line.ends(&request_id) {
        return refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
    }
    line.say(Said::Failed(told(&headers, &body)));
    accepted()
}

async fn init_error(
    State(shared): State<Arc<Shared>>,
    Path(sandbox): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(line) = shared.line(&sandbox) else { return unknown() };
    line.say(Said::Failed(told(&headers, &body)));
    accepted()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Told {
    error_type: String,
    error_message: String,
}

/// What a function says of its error: in the body or, its kind alone, in a header.
fn told(headers: &HeaderMap, body: &[u8]) -> Failure {
    let mut told: Told = serde_json::from_slice(body).unwrap_or_default();
    if told.error_type.is_empty() {
        let kind = headers.get("lambda-runtime-function-error-type");
        let kind = kind.and_then(|kind| kind.to_str().ok());
        told.error_type = kind.unwrap_or("Runtime.UnknownReason").to_owned();
    }
    Failure { error_type: told.error_type, message: told.error_message }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({"status": "OK"}))).into_response()
}

/// Whoever it is, it is no sandbox, or none any more.
fn unknown() -> Response {
    refused(StatusCode::FORBIDDEN, "InvalidSandbox", "there is no such sandbox")
}

fn refused(status: StatusCode, error_type: &str, why: &str) -> Response {
    (status, Json(json!({"errorType": error_type, "errorMessage": why}))).into_response()
}
