//! HTTP to a provider: rustls with ring and explicit roots, timeouts, and a second try where that is
//! safe.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use domain::money::MoneyError;
use lambda_http::BoxFuture;
use reqwest::{Request, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

/// How long an answer is waited for. A customer is waiting too, and a payment that is on its way is
/// told as such.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Tries of one call. Each only reads, carries an idempotency key, or makes what nobody was told of
/// and so nobody pays.
const ATTEMPTS: u32 = 2;

/// Why a provider did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It did not answer, or said that it cannot now. Whether it did something is not known; every
    /// call is safe to repeat.
    #[error("the provider did not answer")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered, and refuses. `code` is its own word for why.
    #[error("the provider refuses: {status} {code}")]
    Refused {
        /// Its status.
        status: u16,
        /// Its code.
        code: String,
    },
    /// What it says makes no sense to us, or what we want cannot be said to it.
    #[error("the provider and we do not understand each other: {0}")]
    Nonsense(String),
}

impl ProviderError {
    /// There was no answer, and its cause is told already.
    pub(crate) fn silent() -> Self {
        Self::Away("see the log above".into())
    }
}

impl From<MoneyError> for ProviderError {
    fn from(error: MoneyError) -> Self {
        Self::Nonsense(error.to_string())
    }
}

/// TLS by ring, which trusts the web's roots.
pub(crate) fn tls() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks the versions that rustls holds safe")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Why a request came to nothing.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The status and the body of an answer; or that there was none.
type Carried = BoxFuture<'static, Result<(StatusCode, Vec<u8>), Cause>>;

/// What carries requests to a provider in place of a socket: whoever brings the provider along in the
/// same process, and decides when an answer comes, and whether.
#[derive(Clone)]
pub struct Carrier(Arc<dyn Fn(Request) -> Carried + Send + Sync>);

impl Carrier {
    /// What `carry` carries.
    #[must_use]
    pub fn new(carry: impl Fn(Request) -> Carried + Send + Sync + 'static) -> Self {
        Self(Arc::new(carry))
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carrier")
    }
}

/// A client of one provider.
pub(super) struct Client {
    http: reqwest::Client,
    carrier: Option<Carrier>,
    base_url: String,
}

/// A provider's answer, read whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// The body as JSON of this shape.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ProviderError::Nonsense(error.to_string()))
    }
}

impl Client {
    pub(super) fn new(base_url: &str, carrier: Option<Carrier>) -> Self {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls())
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(1))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client with its own TLS has nothing to look for");
        Self { http, carrier, base_url: base_url.to_owned() }
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base_url))
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.base_url))
    }

    /// Sends a request that is safe to repeat, and reads the answer. Too many calls, and failures of
    /// the provider's own, count as no answer.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, ProviderError> {
        // A key with a line break in it, say, makes no request.
        let request = request.build().map_err(|error| ProviderError::Away(error.into()))?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let again = request.try_clone().expect("no body is a stream");
            match self.attempt(again).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(ProviderError::Away(last.expect("there is at least one attempt")))
    }

    async fn attempt(&self, request: Request) -> Result<Answer, Cause> {
        let (status, body) = match &self.carrier {
            Some(Carrier(carry)) => carry(request).await?,
            None => {
                let answer = self.http.execute(request).await?;
                (answer.status(), answer.bytes().await?.into())
            }
        };
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(format!("it answers {status}").into());
        }
        Ok(Answer { status, body })
    }
}
