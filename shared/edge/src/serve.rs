//! The loop around a handler: event in, answer out, one line in the log.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use domain::time::Timestamp;
use lambda_http::http::HeaderValue;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, BoxFuture, RequestExt as _, Service as _, service_fn};
use lambda_runtime::LambdaEvent;
use serde_json::Value;

use crate::Error;
use crate::app::App;
use crate::log::{LogTo, Note};
use crate::problem::Problem;
use crate::request::Request;
use crate::response::{self, Response};

/// A function as the gateway on a desk calls it: an event of API Gateway in, its answer out.
pub type Function =
    Arc<dyn Fn(LambdaEvent<Value>) -> BoxFuture<'static, Result<Value, Error>> + Send + Sync>;

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
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::WARN)
        .with_current_span(false)
        .without_time()
        .init();
    let app = App::on_lambda().await?;
    let service = service_fn(|http| respond(&app, name, &handler, http));
    lambda_runtime::run(Adapter::from(service)).await
}

/// `handler` as the function of this name, to be called with events.
pub fn function<H, F>(app: &App, name: &'static str, handler: H) -> Function
where
    H: Fn(App, Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let app = app.clone();
    Arc::new(move |event: LambdaEvent<Value>| {
        let (app, handler) = (app.clone(), handler.clone());
        Box::pin(async move {
            let payload: LambdaRequest = serde_json::from_value(event.payload)?;
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
    let answer = match Request::new(app.clone(), http) {
        Ok(request) => handler(app.clone(), request).await,
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
    tell(&app, name, response.status().as_u16(), code, app.now());
    Ok(response)
}

/// Notes a failure once, here, with what the client is not told.
fn note(app: &App, name: &str, problem: &Problem) {
    let request_id = app.invocation.request_id();
    match problem {
        Problem::SeatsUnavailable(seats) => app.note(Note::SeatConflicts(seats.len())),
        Problem::TryAgain(fault) => {
            app.note(Note::LockFailure);
            let cause = std::error::Error::source(fault).map(ToString::to_string);
            tracing::warn!(function = name, request_id, %fault, cause, "no answer");
        }
        Problem::Internal(fault) => {
            app.note(Note::LockFailure);
            tracing::error!(function = name, request_id, %fault, "corrupt");
        }
        Problem::NotConfigured(missing) => {
            tracing::error!(function = name, request_id, %missing, "not configured");
        }
        _told_to_the_client => {}
    }
}

fn tell(app: &App, name: &str, status: u16, code: Option<&str>, now: Timestamp) {
    match app.log_to() {
        LogTo::Stdout => {
            println!("{}", app.invocation.line(name, status, code, app.store.meter(), now));
        }
        LogTo::Nowhere => {}
    }
}
