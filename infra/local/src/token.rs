//! Tokens for a desk.

use domain::email::EmailAddress;
use domain::time::Timestamp;
use edge::{Role, TokenSettings};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

/// What a desk's tokens say of their issuer and audience.
pub const ISSUER: &str = "https://marquee.local";
/// For whom a desk's tokens are.
pub const AUDIENCE: &str = "marquee";

/// How long a desk's tokens last.
const TTL_SECS: i64 = 30 * 24 * 60 * 60;

/// Settings that believe what [`mint`] makes with this secret.
#[must_use]
pub fn settings(secret: &str) -> TokenSettings {
    TokenSettings {
        secret: secret.to_owned(),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        roles_claim: "roles".to_owned(),
    }
}

/// What signs tickets where this secret signs tokens. Another one, and as lasting; its length is more
/// than tickets ask for, however short the other is.
#[must_use]
pub fn ticket_secret(secret: &str) -> String {
    format!("{secret}, and for the tickets of Marquee")
}

/// A token for `user` in `role`, valid from `now` for 30 days. Its `email`, which
/// counts as verified, is the user, or one of that name at example.com if that can be.
#[must_use]
pub fn mint(settings: &TokenSettings, user: &str, role: Role, now: Timestamp) -> String {
    let address = |text: &str| text.parse::<EmailAddress>().ok();
    let email = address(user).or_else(|| address(&format!("{user}@example.com")));
    let mut claims = json!({
        "sub": user,
        "iss": settings.issuer,
        "aud": settings.audience,
        "iat": now.timestamp(),
        "exp": now.timestamp() + TTL_SECS,
        (&settings.roles_claim): [role.as_str()],
    });
    if let Some(email) = email {
        claims["email"] = json!(email.as_str());
        claims["email_verified"] = json!(true);
    }
    let key = EncodingKey::from_secret(settings.secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("plain claims can be signed")
}
