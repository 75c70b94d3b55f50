//! The loop around a handler: event in, answer out, one line in the log.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{HOST, HeaderMap, HeaderValue};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, BoxFuture, RequestExt as _, Service as _, service_fn};
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::Error;
use crate::app::App;
use crate::aws::Clients;
use crate::log::{Note, causes};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::{self, Response};
use crate::settings::MissingSetting;

/// A function as Lambda calls it: an event in, its answer out.
pub type Function =
    Arc<dyn Fn(LambdaEvent<Value>) -> BoxFuture<'static, Result<Value, Error>> + Send + Sync>;

/// Bytes of a query, more than API Gateway takes of a request's line and headers together (AWS, "Quotas
/// for configuring and running an HTTP API"). Escaped it is still what a URL may be.
const QUERY_BYTES_MAX: usize = 10 * 1024;

/// Runs `handler` as the Lambda function of this name, until the sandbox ends.
///
/// # Errors
///
/// If the environment lacks a setting, or the Runtime API breaks off.
pub async fn serve<H, F>(name: &'static str, handler: H) -> Result<(), Error>
where
    H: Fn(App, Request) -> F + Sync,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    write_logs();
    run(&App::on_lambda(Clients::default()).await?, name, &handler).await
}

/// The same for a function that uses `clients`, besides.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with<H, F>(
    clients: fn() -> Result<Clients, MissingSetting>,
    name: &'static str,
    handler: H,
) -> Result<(), Error>
where
    H: Fn(App, Request) -> F + Sync,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    write_logs();
    run(&App::on_lambda(clients()?).await?, name, &handler).await
}

/// The same for a function that deals with payments.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with_payments<H, F>(name: &'static str, handler: H) -> Result<(), Error>
where
    H: Fn(App, Request) -> F + Sync,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    write_logs();
    run(&App::on_lambda_with_payments().await?, name, &handler).await
}

async fn run<H, F>(app: &App, name: &'static str, handler: &H) -> Result<(), Error>
where
    H: Fn(App, Request) -> F + Sync,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    lambda_runtime::run(lambda_runtime::service_fn(|event: LambdaEvent<LambdaRequest>| {
        let payload = harmless(event.payload);
        let service = service_fn(move |http| respond(app, name, handler, http));
        Adapter::from(service).call(LambdaEvent::new(payload, event.context))
    }))
    .await
}

/// Runs the function that `make` makes of an app that uses `clients` until the sandbox ends: one
/// behind a queue, a stream or a schedule.
///
/// # Errors
///
/// If the environment lacks a setting, or the Runtime API breaks off.
pub async fn serve_events_with(
    clients: fn() -> Result<Clients, MissingSetting>,
    make: impl FnOnce(&App) -> Function,
) -> Result<(), Error> {
    write_logs();
    let function = make(&App::on_lambda(clients()?).await?);
    lambda_runtime::run(lambda_runtime::service_fn(|event| function(event))).await
}

/// The same for a function that deals with payments.
///
/// # Errors
///
/// If the environment lacks a setting, or the Runtime API breaks off.
pub async fn serve_events(make: impl FnOnce(&App) -> Function) -> Result<(), Error> {
    write_logs();
    let function = make(&App::on_lambda_with_payments().await?);
    lambda_runtime::run(lambda_runtime::service_fn(|event| function(event))).await
}

fn write_logs() {
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::WARN)
        .with_current_span(false)
        .without_time()
        .init();
}

/// `handler` as the function of this name, to be called with events of API Gateway.
pub fn function<H, F>(app: &App, name: &'static str, handler: H) -> Function
where
    H: Fn(App, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let app = app.clone();
    Arc::new(move |event: LambdaEvent<Value>| {
        let (app, handler) = (app.clone(), handler.clone());
        Box::pin(async move {
            let payload = harmless(serde_json::from_value(event.payload)?);
            let service = service_fn(|http| respond(&app, name, &handler, http));
            let answer = Adapter::from(service).call(LambdaEvent::new(payload, event.context));
            Ok(serde_json::to_value(answer.await?)?)
        })
    })
}

/// Answers one request.
async fn respond<H, F>(
    app: &App,
    name: &'static str,
    handler: &H,
    http: lambda_http::Request,
) -> Result<Response, Infallible>
where
    H: Fn(App, Request) -> F + Sync,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    let id = http.lambda_context_ref().map_or("", |context| context.request_id.as_str());
    let app = app.begin(id);
    let request = Request::new(app.clone(), http);
    let answer = match app.admit(&request) {
        Ok(()) => {
            let is_of_the_house = request.is_of_the_house();
            let answer = handler(app.clone(), request).await;
            if is_of_the_house {
                app.caches().forget_lists();
            }
            answer
        }
        Err(problem) => Err(problem),
    };
    let (mut response, code) = match answer {
        Ok(response) => (response, None),
        Err(problem) => {
            note(&app, name, &problem);
            (response::problem(&problem, app.invocation.request_id()), Some(problem.kind().1))
        }
    };
    if let Ok(id) = HeaderValue::from_str(app.invocation.request_id()) {
        response.headers_mut().insert("x-request-id", id);
    }
    if let Some(quota) = app.invocation.quota() {
        quota.write(response.headers_mut());
    }
    app.log(name, response.status().as_u16(), code);
    Ok(response)
}

/// Ends the invocation of a function that answers nothing but whether it went well.
pub(crate) fn finish(app: &App, name: &'static str, outcome: Result<(), Problem>) -> bool {
    let (status, code) = match &outcome {
        Ok(()) => (StatusCode::OK, None),
        Err(problem) => {
            note(app, name, problem);
            let (status, code) = problem.kind();
            // Whatever it is, nobody outside did it.
            (status.max(StatusCode::INTERNAL_SERVER_ERROR), Some(code))
        }
    };
    app.log(name, status.as_u16(), code);
    outcome.is_ok()
}

/// Notes a failure once, here, with what the client is not told.
fn note(app: &App, name: &str, problem: &Problem) {
    let request_id = app.invocation.request_id();
    match problem {
        Problem::SeatsUnavailable(seats) => app.note(Note::SeatConflicts(seats.len())),
        Problem::TryAgain(fault) => {
            tracing::warn!(function = name, request_id, cause = causes(fault), "no answer");
        }
        Problem::ProviderAway(error) => {
            tracing::warn!(function = name, request_id, cause = causes(error), "no answer");
        }
        Problem::OutOfTurn => {
            tracing::warn!(function = name, request_id, "a refund of a payment not heard of");
        }
        Problem::QueueAway(error)
        | Problem::BusAway(error)
        | Problem::EmailAway(error)
        | Problem::IssuerAway(error) => {
            tracing::error!(function = name, request_id, cause = causes(&**error), "no answer");
        }
        Problem::Internal(fault) => {
            let cause = causes(fault);
            tracing::error!(function = name, request_id, cause, "somebody must look");
        }
        Problem::ProviderRefused(error) => {
            let cause = causes(error);
            tracing::error!(function = name, request_id, cause, "somebody must look");
        }
        Problem::NotConfigured(missing) => {
            tracing::error!(function = name, request_id, %missing, "not configured");
        }
        _told_to_the_client => {}
    }
}

/// Makes what a stranger can write harmless where `lambda_http` would build the request of it and
/// panic: a scheme or host that is none, for which nothing here asks, characters that no query may
/// have, more of it than API Gateway takes, and a body that says to be Base64 and is not. The last two
/// count as none.
fn harmless(mut event: LambdaRequest) -> LambdaRequest {
    let strip = |headers: &mut HeaderMap| {
        headers.remove(HOST);
        headers.remove("x-forwarded-proto");
    };
    let decodes = |text: &String| BASE64.decode(text).is_ok();
    match &mut event {
        LambdaRequest::ApiGatewayV1(event) => {
            strip(&mut event.headers);
            strip(&mut event.multi_value_headers);
            if event.is_base64_encoded {
                event.body = event.body.take().filter(decodes);
            }
        }
        LambdaRequest::ApiGatewayV2(event) => {
            strip(&mut event.headers);
            if event.is_base64_encoded {
                event.body = event.body.take().filter(decodes);
            }
            let query = event.raw_query_string.take();
            let query = query.filter(|query| query.len() <= QUERY_BYTES_MAX);
            event.raw_query_string = query.map(|query| escape(&query));
        }
        _others_are_not_enabled => {}
    }
    event
}

/// `query` with what RFC 3986 does not allow in one percent-encoded, which reads the same.
fn escape(query: &str) -> String {
    let mut escaped = String::with_capacity(query.len());
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
