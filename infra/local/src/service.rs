//! What the services on a desk have in common: they answer in process, below the SDK's HTTP.

use std::fmt;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

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

/// An answer in JSON.
pub(crate) fn response(status: u16, answer: &Value) -> HttpResponse {
    let status = status.try_into().expect("it is a status code");
    HttpResponse::new(status, SdkBody::from(answer.to_string()))
}

/// An error as the protocols of AWS have it that speak JSON.
pub(crate) fn refusal(status: u16, code: &str, message: impl ToString) -> HttpResponse {
    response(status, &json!({"__type": code, "message": message.to_string()}))
}
