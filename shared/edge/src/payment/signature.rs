//! HMAC-SHA256, as webhooks are signed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Seconds by which a signature may be older, or its clock ahead: what Stripe's libraries and the
/// Standard Webhooks specification allow.
pub(super) const TOLERANCE_SECS: u64 = 300;

/// Whether `signature` is the one of `parts`, one after the other. Takes the same time wherever the
/// two differ, so that nobody can guess it byte by byte.
pub(super) fn is_of(signature: &[u8], key: &[u8], parts: &[&[u8]]) -> bool {
    mac(key, parts).verify_slice(signature).is_ok()
}

/// The signature of `parts`, one after the other.
pub(crate) fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    mac(key, parts).finalize().into_bytes().into()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key has any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// The bytes that `text` is the hexadecimal of, in either case, if it is any's.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes =
        pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok());
    if rest.is_empty() { bytes.collect() } else { None }
}
