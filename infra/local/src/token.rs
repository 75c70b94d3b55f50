//! Tokens for a desk.

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

/// A token for `user` in `role`, valid from `now` for 30 days.
#[must_use]
pub fn mint(settings: &TokenSettings, user: &str, role: Role, now: Timestamp) -> String {
    let claims = json!({
        "sub": user,
        "iss": settings.issuer,
        "aud": settings.audience,
        "iat": now.timestamp(),
        "exp": now.timestamp() + TTL_SECS,
        (&settings.roles_claim): [role.as_str()],
    });
    let key = EncodingKey::from_secret(settings.secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("plain claims can be signed")
}
