//! How events are signed, so that a subscriber knows that they come from us and when: as the
//! Standard Webhooks specification says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::payment::sign;

/// What a signing secret begins with; the Base64 of its key follows.
const PREFIX: &str = "whsec_";

/// The secret of this key.
pub(super) fn secret(key: [u8; 32]) -> String {
    format!("{PREFIX}{}", BASE64.encode(key))
}

/// The `webhook-signature` of a message that is sent at this second: one by each secret. None if a
/// secret is none.
pub(super) fn of<'a>(
    secrets: impl Iterator<Item = &'a str>,
    id: &str,
    second: &str,
    body: &str,
) -> Option<String> {
    let signed = [id.as_bytes(), b".", second.as_bytes(), b".", body.as_bytes()];
    let by = |secret: &str| {
        let key = BASE64.decode(secret.strip_prefix(PREFIX)?).ok()?;
        Some(format!("v1,{}", BASE64.encode(sign(&key, &signed))))
    };
    let signatures: Option<Vec<String>> = secrets.map(by).collect();
    Some(signatures?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    // What the specification's own libraries test signing with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT_AT: &str = "1614265330";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    // The same signed with a key of 32 times the byte 7, by Python's `hmac`.
    const BY_SEVENS: &str = "v1,YO/ulmd+VFtlnbodv7yLOOsS6RlBZ48h++gXZrGOpZo=";

    fn signed_by(secrets: &[&str]) -> Option<String> {
        of(secrets.iter().copied(), ID, SENT_AT, BODY)
    }

    #[test]
    fn a_signature_is_the_one_that_the_specification_has() {
        assert_eq!(signed_by(&[SECRET]).as_deref(), Some(SIGNATURE));
    }

    #[test]
    fn two_secrets_sign_beside_each_other() {
        let sevens = secret([7; 32]);
        let found = signed_by(&[&sevens, SECRET]);
        assert_eq!(found, Some(format!("{BY_SEVENS} {SIGNATURE}")));
    }

    #[test]
    fn a_secret_that_is_none_signs_nothing() {
        for broken in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?"] {
            assert_eq!(signed_by(&[broken]), None, "{broken}");
            assert_eq!(signed_by(&[SECRET, broken]), None, "{broken}");
        }
    }
}
