//! The front: what stands between the world and API Gateway, where the house has it (`infra/front.yaml`).
//!
//! It proves itself by a secret, so that nobody comes around its firewall. And it alone knows where a
//! request came from: all that API Gateway sees is the front.

use std::net::IpAddr;

use ring::hmac;

use crate::app::App;
use crate::problem::Problem;
use crate::request::Request;

/// The header that the front proves itself by.
const SECRET: &str = "x-front-secret";

/// The header in which it says where a request came from, whatever else was in it.
const VIEWER_ADDRESS: &str = "x-viewer-address";

impl App {
    /// Lets a request in, before anything is done about it. Costs no call.
    ///
    /// # Errors
    ///
    /// [`Problem::AroundTheFront`], [`Problem::RateLimited`].
    pub(crate) fn admit(&self, request: &Request) -> Result<(), Problem> {
        let secrets = self.front_secrets();
        if !secrets.is_empty() && !is_by_the_front(request, secrets) {
            return Err(Problem::AroundTheFront);
        }
        if !request.is_read() {
            return Ok(());
        }
        // Without a front, anybody can have written what its headers say.
        let viewer = if secrets.is_empty() { None } else { viewer(request) };
        self.limit_read(viewer.or_else(|| request.peer()), request.now)
    }
}

fn is_by_the_front(request: &Request, secrets: &[String]) -> bool {
    let said = request.header(SECRET).unwrap_or_default();
    secrets.iter().any(|secret| is_same(said, secret))
}

/// Whether `said` is `secret`. What is compared are their fingerprints by a key that only we know, so the
/// time it takes tells nothing of where the two differ.
fn is_same(said: &str, secret: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let expected = hmac::sign(&key, secret.as_bytes());
    hmac::verify(&key, said.as_bytes(), expected.as_ref()).is_ok()
}

fn viewer(request: &Request) -> Option<IpAddr> {
    request.header(VIEWER_ADDRESS)?.parse().ok()
}
