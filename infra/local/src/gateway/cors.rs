//! Pages from elsewhere: which of them may call the API, as an HTTP API of API Gateway has it (AWS,
//! "Configure CORS for HTTP APIs in Amazon API Gateway").
//!
//! It answers preflight requests itself, whatever their path. What a function says about the matter
//! does not count.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};

/// What lets anything through, where it stands in a list.
const ANYTHING: &str = "*";

/// Which pages may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Where pages may come from.
    pub allow_origins: Vec<String>,
    /// The methods that they may use.
    pub allow_methods: Vec<String>,
    /// The headers that they may send.
    pub allow_headers: Vec<String>,
    /// The headers of answers that they may read.
    pub expose_headers: Vec<String>,
    /// For how many seconds they may remember this.
    pub max_age_secs: Option<u32>,
    /// Whether browsers send cookies along.
    pub allow_credentials: bool,
}

impl Cors {
    /// `router`, where pages from elsewhere may do what this says.
    pub(super) fn around(self, router: Router) -> Router {
        let cors = Arc::new(self);
        router.layer(from_fn(move |request: Request, next: Next| {
            let cors = Arc::clone(&cors);
            async move { cors.answer(request, next).await }
        }))
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        let origin = text(request.headers(), ORIGIN).map(str::to_owned);
        let asks = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let mut answer = match &origin {
            Some(origin) if request.method() == Method::OPTIONS && asks => {
                return self.preflight(origin, request.headers());
            }
            _is_no_preflight => next.run(request).await,
        };
        for name in [
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_ALLOW_HEADERS,
            ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            ACCESS_CONTROL_MAX_AGE,
        ] {
            answer.headers_mut().remove(name);
        }
        if let Some(origin) = origin {
            let headers = answer.headers_mut();
            self.allow(&origin, headers);
            if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
                insert(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers.join(","));
            }
        }
        answer
    }

    /// The answer to who asks whether it may. Without headers it is a no.
    fn preflight(&self, origin: &str, asked: &HeaderMap) -> Response {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        let method = text(asked, ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default();
        let wanted = text(asked, ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let mut wanted = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
        let is_allowed = is_in(&self.allow_methods, method)
            && wanted.all(|name| is_in(&self.allow_headers, name));
        if is_allowed {
            let headers = answer.headers_mut();
            self.allow(origin, headers);
            if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
                insert(headers, ACCESS_CONTROL_ALLOW_METHODS, &self.allow_methods.join(","));
                insert(headers, ACCESS_CONTROL_ALLOW_HEADERS, &self.allow_headers.join(","));
                let max_age = self.max_age_secs.map(|secs| secs.to_string());
                insert(headers, ACCESS_CONTROL_MAX_AGE, &max_age.unwrap_or_default());
            }
        }
        answer
    }

    /// Says that pages from `origin` may read this, if they may.
    fn allow(&self, origin: &str, headers: &mut HeaderMap) {
        if self.allow_origins.iter().any(|allowed| allowed == ANYTHING) {
            insert(headers, ACCESS_CONTROL_ALLOW_ORIGIN, ANYTHING);
        } else if is_in(&self.allow_origins, origin) {
            insert(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        } else {
            return;
        }
        if self.allow_credentials {
            insert(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
    }
}

/// A header's text, if it is there and text.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a list lets this through. Capitals mean nothing: methods have them all, origins have none,
/// and to headers they mean nothing.
fn is_in(list: &[String], wanted: &str) -> bool {
    list.iter().any(|allowed| allowed == ANYTHING || allowed.eq_ignore_ascii_case(wanted))
}

/// Sets a header, unless there is nothing to say.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text)
        && !text.is_empty()
    {
        headers.insert(name, value);
    }
}
