//! What the services on a desk have in common: they answer in process, below the SDK's HTTP, and on a
//! port for those who are other processes.

use std::fmt;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{self, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Bytes of a request that are read: more than any service here takes.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// HTTP that `answer` answers, and nobody else.
pub(crate) fn http_over(
    answer: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static,
) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(InProcess(answer));
    http_client_fn(move |_, _| connector.clone())
}

struct InProcess<F>(F);

impl<F> fmt::Debug for InProcess<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl<F: Fn(&HttpRequest) -> HttpResponse + Send + Sync> HttpConnector for InProcess<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok((self.0)(&request)))
    }
}

/// Has `answer` answer whatever comes to this port, until the task is aborted. Whom it answers is up to
/// it; no signature is looked at.
pub(crate) async fn serve(
    listener: TcpListener,
    answer: impl Fn(&HttpRequest) -> HttpResponse + Clone + Send + Sync + 'static,
) {
    let handle = move |request: Request| {
        let answer = answer.clone();
        async move {
            let answered = over_http(request, &answer).await;
            answered.unwrap_or_else(|why| (StatusCode::BAD_REQUEST, why).into_response())
        }
    };
    if let Err(error) = axum::serve(listener, Router::new().fallback(handle)).await {
        eprintln!("the services stopped: {error}");
    }
}

/// A request from a port, answered as one of the SDK's in process is.
async fn over_http(
    request: Request,
    answer: &(impl Fn(&HttpRequest) -> HttpResponse + Sync),
) -> Result<Response, String> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|error| error.to_string())?;
    let request = http::Request::from_parts(parts, SdkBody::from(body));
    let request = HttpRequest::try_from(request).map_err(|error| error.to_string())?;
    let answered = answer(&request).try_into_http1x().map_err(|error| error.to_string())?;
    let (parts, body) = answered.into_parts();
    Ok(Response::from_parts(parts, Body::from(body.bytes().unwrap_or_default().to_vec())))
}

/// An answer in JSON.
pub(crate) fn response(status: u16, answer: &Value) -> HttpResponse {
    let status = status.try_into().expect("it is a status code");
    HttpResponse::new(status, SdkBody::from(answer.to_string()))
}

/// An error as the protocols of AWS have it that speak JSON.
pub(crate) fn refusal(status: u16, code: &str, message: impl ToString) -> HttpResponse {
    response(status, &json!({"__type": code, "message": message.to_string()}))
}
