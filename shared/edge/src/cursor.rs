//! Cursors: a place in a list, opaque to clients and checked when it comes back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::Problem;

/// The cursor for `place`.
pub(crate) fn encode(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).expect("places are plain values"))
}

/// The place that a cursor stands for. It says where to go on, never what may be seen: that is
/// for the token and the query to say, so a forged cursor gains nothing.
pub(crate) fn decode<T: DeserializeOwned>(cursor: &str) -> Result<T, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.ok_or_else(|| Problem::Invalid("`cursor` is not one that this list gave".to_owned()))
}
