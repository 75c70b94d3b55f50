//! Tokens for a desk, and the secret that signs them.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use domain::email::EmailAddress;
use domain::time::Timestamp;
use edge::{Keys, Role, TokenSettings};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use crate::template::Error;

/// What a desk's tokens say of their issuer and audience.
pub const ISSUER: &str = "https://marquee.local";
/// For whom a desk's tokens are.
pub const AUDIENCE: &str = "marquee";

/// How long a desk's tokens last.
const TTL_SECS: i64 = 30 * 24 * 60 * 60;

/// Bytes of a secret that are enough for HS256 (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;

/// Settings that believe what [`mint`] makes with this secret.
#[must_use]
pub fn settings(secret: &str) -> TokenSettings {
    TokenSettings {
        keys: Keys::Secret(secret.to_owned()),
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

/// Where a desk and `token` find the secret that neither was given.
#[must_use]
pub fn secret_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/desk/jwt-secret")
}

/// The secret in this file. If there is no such file it is made, for nobody else to read, with what
/// `draw` draws. Safe to repeat, and at the same time: the first one's secret is everybody's.
///
/// # Errors
///
/// If it can neither be read nor made, or is too short to sign with.
pub fn kept_secret(file: &Path, draw: impl FnOnce() -> String) -> Result<String, Error> {
    let secret = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(file, &draw())?;
            std::fs::read_to_string(file)?
        }
        read => read?,
    };
    let secret = secret.trim();
    if secret.len() < SECRET_BYTES_MIN {
        return Err(format!(
            "the secret in {} has less than {SECRET_BYTES_MIN} bytes; delete the file, and another \
             one is drawn",
            file.display()
        )
        .into());
    }
    Ok(secret.to_owned())
}

/// Makes the file with this secret, unless somebody else was faster. It is never seen half written.
fn make(file: &Path, secret: &str) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut part = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    part.write_all(format!("{secret}\n").as_bytes())?;
    // Unlike a rename, a link takes no other one's place.
    let linked = std::fs::hard_link(&unfinished, file);
    std::fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _there_now => Ok(()),
    }
}

/// A token for `user` in `role`, valid from `now` for 30 days. Its `email`, which
/// counts as verified, is the user, or one of that name at example.com if that can be.
///
/// It is empty where an issuer signs: what it signs with, only the issuer has.
#[must_use]
pub fn mint(settings: &TokenSettings, user: &str, role: Role, now: Timestamp) -> String {
    let Keys::Secret(secret) = &settings.keys else { return String::new() };
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
    edge::install_crypto();
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("plain claims can be signed")
}
