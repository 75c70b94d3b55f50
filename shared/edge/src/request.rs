//! What came in, and the ways to read it. Whatever is wrong with it is a [`Problem`].

use std::str::FromStr;

use domain::email::EmailAddress;
use domain::id::UserId;
use domain::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use domain::time::Timestamp;
use lambda_http::RequestExt as _;
use lambda_http::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::cursor;
use crate::log::Note;
use crate::problem::Problem;
use crate::token::{Caller, Role};

/// Bytes of a body. The largest hold has some 2 KB.
const BODY_BYTES_MAX: usize = 64 * 1024;

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
    pub fn user(&self) -> Result<UserId, Problem> {
        self.caller(Role::User).map(|caller| caller.user)
    }

    /// The user who asks, with where to write to them.
    ///
    /// # Errors
    ///
    /// As [`Request::user`].
    pub fn customer(&self) -> Result<(UserId, Option<EmailAddress>), Problem> {
        self.caller(Role::User).map(|caller| (caller.user, caller.email))
    }

    /// Who asks, if the token has the role `admin`.
    ///
    /// # Errors
    ///
    /// [`Problem::Unauthenticated`], [`Problem::Forbidden`].
    pub fn admin(&self) -> Result<UserId, Problem> {
        self.caller(Role::Admin).map(|caller| caller.user)
    }

    fn caller(&self, role: Role) -> Result<Caller, Problem> {
        let header = self.http.headers().get(header::AUTHORIZATION);
        let header = header.ok_or(Problem::Unauthenticated("a bearer token is needed"))?;
        let caller = self.app.tokens()?.verify(header.as_bytes(), role, self.now)?;
        self.app.note(Note::User(&caller.user));
        Ok(caller)
    }

    /// The body, byte by byte as it was sent.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`].
    pub fn body(&self) -> Result<&[u8], Problem> {
        let body: &[u8] = self.http.body();
        if body.len() > BODY_BYTES_MAX {
            return Err(Problem::TooLarge { limit_bytes: BODY_BYTES_MAX });
        }
        Ok(body)
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// [`Problem::TooLarge`]; [`Problem::Invalid`] says where it is not what was expected.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body = self.body()?;
        // A list would do for an object whose fields come in this order.
        if body.trim_ascii_start().starts_with(b"[") {
            return Err(Problem::Invalid("the body is a list, and no object".to_owned()));
        }
        serde_json::from_slice(body).map_err(|error| Problem::Invalid(format!("the body: {error}")))
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
