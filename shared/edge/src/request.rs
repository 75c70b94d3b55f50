//! What came in, and the ways to read it. Whatever is wrong with it is a [`Problem`].

use std::net::IpAddr;
use std::str::FromStr;

use domain::catalog::Expected;
use domain::email::EmailAddress;
use domain::id::UserId;
use domain::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use domain::time::Timestamp;
use lambda_http::RequestExt as _;
use lambda_http::http::{HeaderMap, Method, header};
use lambda_http::request::RequestContext;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::cursor;
use crate::log::Note;
use crate::problem::{NO_TOKEN, Problem};
use crate::token::{Caller, Role};

/// Bytes of a body. The largest hold has some 2 KB.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an upload: 5,000 shows at 1 KB. Lambda takes 6 MB.
const UPLOAD_BYTES_MAX: usize = 5 * 1024 * 1024;

/// A request.
pub struct Request {
    /// When it came. The only time that the code behind it knows.
    pub now: Timestamp,
    app: App,
    http: lambda_http::Request,
}

impl Request {
    pub(crate) fn new(app: App, http: lambda_http::Request) -> Self {
        Self { now: app.now(), app, http }
    }

    /// The user who asks, if the token has the role `user`.
    ///
    /// # Errors
    ///
    /// [`Problem::Unauthenticated`], [`Problem::Forbidden`].
    pub async fn user(&self) -> Result<UserId, Problem> {
        self.caller(Role::User).await.map(|caller| caller.user)
    }

    /// The user who asks, with where to write to them.
    ///
    /// # Errors
    ///
    /// As [`Request::user`].
    pub async fn customer(&self) -> Result<(UserId, Option<EmailAddress>), Problem> {
        self.caller(Role::User).await.map(|caller| (caller.user, caller.email))
    }

    /// Who asks, if the token has the role `admin`.
    ///
    /// # Errors
    ///
    /// [`Problem::Unauthenticated`], [`Problem::Forbidden`].
    pub async fn admin(&self) -> Result<UserId, Problem> {
        self.caller(Role::Admin).await.map(|caller| caller.user)
    }

    async fn caller(&self, role: Role) -> Result<Caller, Problem> {
        let header = self.http.headers().get(header::AUTHORIZATION);
        let header = header.ok_or(Problem::Unauthenticated(NO_TOKEN))?;
        let caller = self.app.tokens()?.verify(header.as_bytes(), role, self.now).await?;
        self.app.note(Note::User(&caller.user));
        Ok(caller)
    }

    /// The body, byte by byte as it was sent.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`].
    pub fn body(&self) -> Result<&[u8], Problem> {
        self.body_up_to(BODY_BYTES_MAX)
    }

    /// The body of an upload: a layout or a schedule.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`].
    pub fn upload(&self) -> Result<&[u8], Problem> {
        self.body_up_to(UPLOAD_BYTES_MAX)
    }

    fn body_up_to(&self, limit_bytes: usize) -> Result<&[u8], Problem> {
        let body: &[u8] = self.http.body();
        if body.len() > limit_bytes { Err(Problem::TooLarge { limit_bytes }) } else { Ok(body) }
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`]; [`Problem::Invalid`] says where it is not what was expected.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        object(self.body()?)
    }

    /// The body of an upload as JSON.
    ///
    /// # Errors
    ///
    /// As [`Request::json`].
    pub fn json_upload<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        object(self.upload()?)
    }

    /// Whether the body says that it is of this media type.
    #[must_use]
    pub fn is_of_type(&self, media_type: &str) -> bool {
        let said = self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let said = said.split(';').next().unwrap_or_default();
        said.trim().eq_ignore_ascii_case(media_type)
    }

    /// A header, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.http.headers().get(name)?.to_str().ok()
    }

    /// As what the client knows what it is about to change, by `If-Match` (RFC 9110, section 13.1.1).
    /// What is no tag of ours matches nothing.
    ///
    /// # Errors
    ///
    /// [`Problem::PreconditionRequired`] if it does not say (RFC 6585, section 3).
    pub fn if_match(&self) -> Result<Expected, Problem> {
        let tag = self.header(header::IF_MATCH.as_str()).ok_or(Problem::PreconditionRequired)?;
        if tag.trim() == "*" {
            return Ok(Expected::Any);
        }
        let digits = tag.trim().strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let version = digits.and_then(|digits| digits.parse().ok());
        // Versions begin at 1.
        Ok(Expected::Version(version.unwrap_or(0)))
    }

    /// `If-Match` as it was sent, if it was: for what has a tag, and no version.
    #[must_use]
    pub fn if_match_tag(&self) -> Option<&str> {
        let tags = self.http.headers().get(header::IF_MATCH)?;
        // What is no text matches nothing, and is a condition all the same.
        Some(tags.to_str().unwrap_or_default())
    }

    /// Whether it is a change that the house asks for.
    pub(crate) fn is_of_the_house(&self) -> bool {
        self.http.method() != Method::GET && self.http.uri().path().starts_with("/api/admin/")
    }

    /// Whether it only reads.
    pub(crate) fn is_read(&self) -> bool {
        self.http.method() == Method::GET
    }

    /// Who API Gateway had it from. What a header says of that, anybody can write.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        let address = match self.http.request_context_ref()? {
            RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref(),
            RequestContext::ApiGatewayV1(context) => context.identity.source_ip.as_deref(),
            _others_are_not_enabled => None,
        };
        address?.parse().ok()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.http.headers()
    }

    /// The body as JSON, or the default if there is none.
    ///
    /// # Errors
    ///
    /// As [`Request::json`].
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body()?.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// A part of the path. What cannot be an id is the id of nothing.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`].
    pub fn path<T: FromStr>(&self, name: &str) -> Result<T, Problem> {
        let parameters = self.http.path_parameters_ref();
        let text = parameters.and_then(|parameters| parameters.first(name));
        text.and_then(|text| text.parse().ok()).ok_or(Problem::NotFound)
    }

    /// A part of the query, if it is there and not empty.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let parameters = self.http.query_string_parameters_ref()?;
        parameters.first(name).filter(|text| !text.is_empty())
    }

    /// A part of the query that must be there.
    ///
    /// # Errors
    ///
    /// [`Problem::Invalid`].
    pub fn required_query(&self, name: &str) -> Result<&str, Problem> {
        self.query(name).ok_or_else(|| Problem::Invalid(format!("`{name}` is missing")))
    }

    /// How many items are asked for, by `limit`.
    ///
    /// # Errors
    ///
    /// [`Problem::Invalid`].
    pub fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.query("limit") else { return Ok(PAGE_ITEMS_DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_ITEMS_MAX).contains(limit));
        limit.ok_or_else(|| Problem::Invalid(format!("`limit` is not 1 to {PAGE_ITEMS_MAX}")))
    }

    /// Where to go on, by `cursor`.
    ///
    /// # Errors
    ///
    /// [`Problem::Invalid`].
    pub fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, Problem> {
        self.query("cursor").map(cursor::decode).transpose()
    }

    /// Whether the client has a copy with this tag, by `If-None-Match`.
    pub(crate) fn has_copy(&self, tag: &str) -> bool {
        let headers = self.http.headers().get_all(header::IF_NONE_MATCH);
        headers.iter().filter_map(|header| header.to_str().ok()).any(|header| {
            header
                .split(',')
                .map(str::trim)
                .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
        })
    }
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A list would do for an object whose fields come in this order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::Invalid("the body is a list, and no object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| Problem::Invalid(format!("the body: {error}")))
}
