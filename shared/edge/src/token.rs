//! Tokens: who is asking, and in what role (RFC 7519, with the advice of RFC 8725).
//!
//! The key is chosen by configuration and binds the algorithm; what the token's header says is
//! compared with it and never followed. Times are judged by the request's `now`, so that there is
//! one clock. Keys by JWKS have their place in [`Key`].

use domain::email::EmailAddress;
use domain::id::UserId;
use domain::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::problem::Problem;

/// Seconds that two machines' clocks may differ by.
const LEEWAY_SECS: i64 = 60;

/// Bytes of an `Authorization` header. A real one has some hundred; nothing larger is parsed.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// Which tokens are believed.
#[derive(Clone)]
pub struct TokenSettings {
    /// The secret that signs them, with HS256.
    pub secret: String,
    /// Who issues them: `iss`.
    pub issuer: String,
    /// For whom: `aud`.
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
}

/// Verifies tokens.
pub(crate) struct Tokens {
    key: Key,
    validation: Validation,
    roles_claim: String,
}

#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

impl Tokens {
    pub(crate) fn new(settings: &TokenSettings) -> Self {
        let algorithm = Algorithm::HS256;
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let key = Key { algorithm, key: DecodingKey::from_secret(settings.secret.as_bytes()) };
        Self { key, validation, roles_claim: settings.roles_claim.clone() }
    }

    /// Whose token an `Authorization` header brings, if it has `role` at `now`.
    pub(crate) fn verify(
        &self,
        header: &[u8],
        role: Role,
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let refuse = |why| Problem::Unauthenticated(why);
        if header.len() > HEADER_BYTES_MAX {
            return Err(refuse("the token is too long"));
        }
        let token = std::str::from_utf8(header).ok().and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let token = token.ok_or(refuse("a bearer token is needed"))?;
        let parsed = jsonwebtoken::decode_header(token).map_err(|_| refuse("no token of ours"))?;
        if parsed.alg != self.key.algorithm || parsed.crit.is_some() {
            return Err(refuse("no token of ours"));
        }
        let verified = jsonwebtoken::decode::<Claims>(token, &self.key.key, &self.validation);
        let claims = verified.map_err(|_| refuse("no token of ours"))?.claims;

        let second = now.timestamp();
        if claims.exp.saturating_add(LEEWAY_SECS) <= second {
            return Err(refuse("the token is expired"));
        }
        if claims.nbf.is_some_and(|from| from.saturating_sub(LEEWAY_SECS) > second) {
            return Err(refuse("the token is not valid yet"));
        }
        if !self.grants(&claims, role) {
            return Err(Problem::Forbidden(role.as_str()));
        }
        let email = email(&claims);
        let user = claims.sub.try_into().map_err(|_| refuse("the token names nobody"))?;
        Ok(Caller { user, email })
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
