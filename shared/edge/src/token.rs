//! Tokens: who is asking, and in what role (RFC 7519, with the advice of RFC 8725).
//!
//! Keys are chosen by configuration: a secret, or the public keys of an issuer. A key binds its
//! algorithm; what a token's header says of it is compared and never followed, and of keys a header
//! may only say the name (`kid`). Times are judged by the request's `now`, so that there is one clock.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use domain::email::EmailAddress;
use domain::id::UserId;
use domain::time::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use self::jwks::Jwks;
use crate::problem::{NO_TOKEN, Problem};

mod jwks;
mod ring;

pub(crate) use self::jwks::is_jwks_url;
pub use self::ring::install_crypto;

/// Seconds that two machines' clocks may differ by.
const LEEWAY_SECS: i64 = 60;

/// Bytes of an `Authorization` header. A real one has some hundred, with many groups some thousand;
/// nothing larger is parsed.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// What is wrong with a token that is no compact JWS of a JSON header and of claims as we need them.
const MALFORMED: &str = "the token is malformed";

/// What is wrong with a token whose header names another algorithm than its key is for.
const WRONG_ALGORITHM: &str = "the token's algorithm is not allowed";

/// What is wrong with a token whose header names no key that we know.
const UNKNOWN_KEY: &str = "the token's key is unknown";

/// What verifies tokens.
#[derive(Clone)]
pub enum Keys {
    /// The secret that signs them, with HS256: on a desk, and where whoever signs can be told one.
    Secret(String),
    /// The public keys of an issuer (JWK Set, RFC 7517): RS256, ES256 and `EdDSA`.
    Jwks {
        /// Where the issuer keeps them: `https`, or `http` on this very machine.
        url: String,
    },
}

/// Which tokens are believed.
#[derive(Clone)]
pub struct TokenSettings {
    /// What verifies them.
    pub keys: Keys,
    /// Who issues them: `iss`.
    pub issuer: String,
    /// For whom: `aud`, or `client_id` of Cognito's access tokens.
    pub audience: String,
    /// The claim that holds the roles.
    pub roles_claim: String,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Book seats.
    User,
    /// Run the house.
    Admin,
}

impl Role {
    /// As tokens name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// Whose token it is.
pub(crate) struct Caller {
    /// The token's `sub`.
    pub(crate) user: UserId,
    /// Where to write to them: the token's `email`, if it says that it is verified; or without one
    /// its `sub`, if that is an address.
    pub(crate) email: Option<EmailAddress>,
}

/// A key with the one algorithm it is for.
struct Key {
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

impl Key {
    fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        // The library checks the signature. What is claimed is checked here, where each refusal has
        // its reason and `now` is an argument.
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { algorithm, key, validation }
    }

    /// What a token claims, if this key signed it.
    fn claims(&self, token: &str) -> Result<Claims, Problem> {
        let verified = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation);
        verified.map(|token| token.claims).map_err(|error| {
            Problem::Unauthenticated(match error.kind() {
                ErrorKind::InvalidSignature => "the token's signature is wrong",
                _others => MALFORMED,
            })
        })
    }
}

/// What a token's header says that matters. Where else keys may be had (`jku`, `x5u`), or which one
/// to use (`jwk`, `x5c`), an attacker says as well as anybody: it is not even looked at.
struct Head {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Head {
    fn of(token: &str) -> Result<Self, Problem> {
        let malformed = || Problem::Unauthenticated(MALFORMED);
        let text = token.split('.').next().and_then(|head| BASE64URL.decode(head).ok());
        let fields = text.and_then(|text| serde_json::from_slice(&text).ok());
        let mut fields: serde_json::Map<String, Value> = fields.ok_or_else(malformed)?;
        // No extension is understood here, so none may be critical (RFC 7515, section 4.1.11).
        if fields.contains_key("crit") || token.split('.').count() != 3 {
            return Err(malformed());
        }
        let algorithm = fields.get("alg").and_then(Value::as_str).ok_or_else(malformed)?;
        let algorithm = algorithm.parse::<Algorithm>();
        let algorithm = algorithm.map_err(|_| Problem::Unauthenticated(WRONG_ALGORITHM))?;
        let kid = match fields.remove("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid),
            Some(_) => return Err(malformed()),
        };
        Ok(Self { algorithm, kid })
    }
}

/// Whole seconds since the epoch. Those of a token may have a fraction (RFC 7519, section 2), which
/// makes no difference here.
#[derive(Clone, Copy)]
struct NumericDate(i64);

impl<'de> serde::Deserialize<'de> for NumericDate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(from)?;
        #[expect(clippy::cast_possible_truncation, reason = "what is out of range is far away")]
        let whole = || number.as_f64().map(|secs| secs.floor() as i64);
        let secs = number.as_i64().or_else(whole);
        secs.map(Self).ok_or_else(|| serde::de::Error::custom("it is no number of seconds"))
    }
}

#[derive(serde::Deserialize)]
struct Claims {
    #[serde(default)]
    sub: String,
    exp: NumericDate,
    #[serde(default)]
    nbf: Option<NumericDate>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

/// Where keys come from.
enum Source {
    Secret(Arc<Key>),
    Issuer(Box<Jwks>),
}

/// Verifies tokens.
pub(crate) struct Tokens {
    source: Source,
    issuer: String,
    audience: String,
    roles_claim: String,
}

impl Tokens {
    pub(crate) fn new(settings: &TokenSettings) -> Self {
        install_crypto();
        let source = match &settings.keys {
            Keys::Secret(secret) => {
                let key = DecodingKey::from_secret(secret.as_bytes());
                Source::Secret(Arc::new(Key::new(Algorithm::HS256, key)))
            }
            Keys::Jwks { url } => Source::Issuer(Box::new(Jwks::new(url))),
        };
        Self {
            source,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            roles_claim: settings.roles_claim.clone(),
        }
    }

    /// Gets what the first token needs, before it comes. Costs a call to an issuer, if there is one;
    /// whether it answers or not, that first token finds out.
    pub(crate) async fn warm(&self, now: Timestamp) {
        match &self.source {
            Source::Secret(_) => {}
            Source::Issuer(jwks) => jwks.warm(now).await,
        }
    }

    /// Whose token an `Authorization` header brings, if it has `role` at `now`. Costs nothing, or a
    /// call to the issuer where the key is unknown or old and nobody asked a moment ago.
    ///
    /// # Errors
    ///
    /// [`Problem::Unauthenticated`] with the reason, [`Problem::Forbidden`]; [`Problem::IssuerAway`]
    /// if there are no keys at all yet: that is not the token's fault.
    pub(crate) async fn verify(
        &self,
        header: &[u8],
        role: Role,
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let token = bearer(header)?;
        let key = self.key(&Head::of(token)?, now).await?;
        let claims = key.claims(token)?;
        self.check(&claims, now)?;
        let (email, has_role) = (email(&claims), self.grants(&claims, role));
        let user = UserId::try_from(claims.sub);
        let user = user.map_err(|_| Problem::Unauthenticated("the token names nobody"))?;
        if !has_role {
            return Err(Problem::Forbidden(role.as_str()));
        }
        Ok(Caller { user, email })
    }

    /// The key that a token must be signed with.
    async fn key(&self, head: &Head, now: Timestamp) -> Result<Arc<Key>, Problem> {
        let key = match &self.source {
            Source::Secret(key) => Arc::clone(key),
            // No issuer is asked for the sake of a token that no key of it can have signed.
            Source::Issuer(_) if !jwks::ALGORITHMS.contains(&head.algorithm) => {
                return Err(Problem::Unauthenticated(WRONG_ALGORITHM));
            }
            Source::Issuer(jwks) => {
                let unknown = Problem::Unauthenticated(UNKNOWN_KEY);
                let Some(kid) = &head.kid else { return Err(unknown) };
                let found = jwks.key(kid, head.algorithm, now).await;
                found.map_err(|error| Problem::IssuerAway(error.into()))?.ok_or(unknown)?
            }
        };
        if key.algorithm == head.algorithm {
            Ok(key)
        } else {
            Err(Problem::Unauthenticated(WRONG_ALGORITHM))
        }
    }

    /// Whether the claims are for us, and now.
    fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), Problem> {
        let issuer = claims.others.get("iss").and_then(Value::as_str);
        let second = now.timestamp();
        let why = if issuer != Some(self.issuer.as_str()) {
            "the token is from another issuer"
        } else if !self.is_for_us(claims) {
            "the token is for another audience"
        } else if claims.exp.0.saturating_add(LEEWAY_SECS) <= second {
            "the token is expired"
        } else if claims.nbf.is_some_and(|from| from.0.saturating_sub(LEEWAY_SECS) > second) {
            "the token is not valid yet"
        } else {
            return Ok(());
        };
        Err(Problem::Unauthenticated(why))
    }

    /// Whether the audience is ours. Cognito's access tokens have none, but name the app that they
    /// were issued to; as in API Gateway's own authorizers, that counts only without an `aud` (AWS,
    /// "Control access to HTTP APIs with JWT authorizers in API Gateway").
    fn is_for_us(&self, claims: &Claims) -> bool {
        let audience = self.audience.as_str();
        let claimed = |name| claims.others.get(name);
        match claimed("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one == audience),
            Some(_) => false,
            None => {
                claimed("token_use").is_some_and(|token_use| token_use == "access")
                    && claimed("client_id").is_some_and(|client| client == audience)
            }
        }
    }

    /// Whether the claims grant `role`. Whoever has no role claim at all is a customer: identity
    /// providers give groups to staff, not to the public.
    fn grants(&self, claims: &Claims, role: Role) -> bool {
        match claims.others.get(&self.roles_claim) {
            None => role == Role::User,
            Some(Value::Array(roles)) => roles.iter().any(|name| name == role.as_str()),
            Some(Value::String(roles)) => roles.split(' ').any(|name| name == role.as_str()),
            Some(_) => false,
        }
    }
}

/// The token of an `Authorization` header (RFC 6750, section 2.1).
fn bearer(header: &[u8]) -> Result<&str, Problem> {
    if header.len() > HEADER_BYTES_MAX {
        return Err(Problem::Unauthenticated("the token is too long"));
    }
    let token = std::str::from_utf8(header).ok().and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.filter(|token| !token.is_empty()).ok_or(Problem::Unauthenticated(NO_TOKEN))
}

/// What the claims say of an address (OpenID Connect Core 1.0, section 5.1). One that nobody
/// verified may be a stranger's, and one that cannot be written to is none.
fn email(claims: &Claims) -> Option<EmailAddress> {
    let Some(claimed) = claims.others.get("email") else { return claims.sub.parse().ok() };
    let verified = claims.others.get("email_verified")?;
    // Apple says it in a string.
    let is_theirs = *verified == true || *verified == "true";
    claimed.as_str().filter(|_| is_theirs)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Goal: nobody is written to whose address is only claimed. Method: what `email_verified` may
    /// be, and what a token says who has no `email`.
    #[test]
    fn an_address_is_theirs_if_it_was_verified_or_they_log_in_with_it() {
        let (ann, bob) = (json!("ann@example.com"), json!("bob@example.com"));
        let (none, address) = (Value::Null, Some("ann@example.com"));
        for (claims, expected) in [
            (json!({"sub": "u-1", "email": ann, "email_verified": true}), address),
            (json!({"sub": "u-1", "email": ann, "email_verified": "true"}), address),
            (json!({"sub": bob, "email": ann, "email_verified": true}), address),
            (json!({"sub": "u-1", "email": ann}), None),
            (json!({"sub": "u-1", "email": ann, "email_verified": none}), None),
            (json!({"sub": "u-1", "email": ann, "email_verified": false}), None),
            (json!({"sub": "u-1", "email": ann, "email_verified": "false"}), None),
            (json!({"sub": "u-1", "email": ann, "email_verified": "True"}), None),
            (json!({"sub": "u-1", "email": ann, "email_verified": 1}), None),
            (json!({"sub": "u-1", "email": ann, "email_verified": [true]}), None),
            (json!({"sub": "u-1", "email": "ann", "email_verified": true}), None),
            (json!({"sub": "u-1", "email_verified": true}), None),
            (json!({"sub": ann}), address),
            (json!({"sub": ann, "email_verified": false}), address),
            (json!({"sub": ann, "email": bob}), None),
            (json!({"sub": ann, "email": bob, "email_verified": false}), None),
            (json!({"sub": ann, "email": "bob", "email_verified": true}), None),
            (json!({"sub": ann, "email": none, "email_verified": true}), None),
            (json!({"sub": ann, "email": [ann], "email_verified": true}), None),
        ] {
            let mut all = claims.clone();
            all["exp"] = json!(0);
            let email = email(&serde_json::from_value(all).unwrap());
            assert_eq!(email.as_ref().map(EmailAddress::as_str), expected, "{claims}");
        }
    }
}
