//! The public keys of an issuer: a JWK Set (RFC 7517), asked for at its URL and remembered.
//!
//! A key that is not known is looked for again, since an issuer changes its keys; but seldom, since
//! anybody can make up the name of a key. While the issuer is away the keys that are known stay: it
//! signs with them still, and its outage need not be ours. Once an hour all are asked for anew, so that
//! a key that was withdrawn is believed no longer than that.
//!
//! Keys that two sides share (`oct`) do not belong into what anybody may read, and are never taken: a
//! token that is "signed" with one could be anybody's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use domain::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::Key;
use crate::log::causes;

/// What an issuer may sign with.
pub(super) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// How long an issuer has to answer. A customer waits, and Lambda starts a function within 10 s.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The same where the token's key is known, and only old.
const TIMEOUT_OF_OLD: Duration = Duration::from_millis(500);

/// How long a connection takes at most, out of that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of a set. A key has some 500, with its certificates some 3,000, and an issuer has a few.
const SET_BYTES_MAX: usize = 64 * 1024;

/// Seconds from one call to the next, whether or not it was answered, but for the first that was.
/// Whoever makes up names of keys causes no more calls than this, and an issuer tells of a new key
/// minutes before it is used.
const REFRESH_PAUSE_SECS: i64 = 60;

/// The same while there are no keys at all, and so nobody is let in.
const KEYLESS_PAUSE_SECS: i64 = 5;

/// Seconds after which keys are asked for anew, though none is missing.
const AGE_SECS_MAX: i64 = 60 * 60;

/// Bytes of an RSA modulus, 2,048 to 8,192 bits: below it can be broken (RFC 7518, section 3.3), and
/// above each token would cost milliseconds.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Bytes of a coordinate of P-256, and of a point of Ed25519.
const COORDINATE_BYTES: usize = 32;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKeys {
    /// On its way anybody could change them.
    #[error("an issuer's keys come by https, or from this very machine")]
    Insecure,
    /// The issuer did not answer, or not in time.
    #[error("the issuer did not answer")]
    Away(#[source] reqwest::Error),
    /// It answered something else.
    #[error("the issuer answered with {0}")]
    Refused(StatusCode),
    /// It said more than anybody needs to say.
    #[error("the issuer's keys have more than {SET_BYTES_MAX} bytes")]
    TooLarge,
    /// None of the keys that it told of is one that tokens are signed with.
    #[error("the issuer told of no key that tokens are signed with")]
    Useless,
    /// What it said is no JWK Set.
    #[error("the issuer's keys make no sense")]
    Nonsense(#[source] serde_json::Error),
    /// It is not asked now.
    #[error("the issuer was away a moment ago, see the log above")]
    Silent,
}

/// Keys by their names. There are few, and two of different kinds may share a name (RFC 7517, section
/// 4.5).
type Keys = Vec<(String, Arc<Key>)>;

/// The keys of an issuer.
pub(super) struct Jwks {
    http: reqwest::Client,
    url: String,
    known: Mutex<Known>,
    /// Whoever has it may ask; the others wait for what is answered.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Keys,
    answered_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

impl Known {
    /// The key of this name, if it can be for this algorithm; if none is, any of the name.
    fn find(&self, kid: &str, algorithm: Algorithm) -> Option<Arc<Key>> {
        let named = || self.keys.iter().filter(|(name, _)| name == kid).map(|(_, key)| key);
        named().find(|key| key.algorithm == algorithm).or_else(|| named().next()).cloned()
    }

    fn are_old(&self, now: Timestamp) -> bool {
        !is_within(self.answered_at, AGE_SECS_MAX, now)
    }

    fn may_ask(&self, now: Timestamp) -> bool {
        let have_any = self.answered_at.is_some();
        let pause = if have_any { REFRESH_PAUSE_SECS } else { KEYLESS_PAUSE_SECS };
        !is_within(self.asked_at, pause, now)
    }
}

/// Whether it was less than so many seconds from `now`. Requests that run together may come a little
/// before what they waited for; a clock that went back further makes a time old, not eternal.
fn is_within(time: Option<Timestamp>, secs: i64, now: Timestamp) -> bool {
    time.is_some_and(|time| (now - time).num_milliseconds().abs() < secs * 1_000)
}

impl Jwks {
    pub(super) fn new(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::payment::tls())
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // A function that was frozen since its last call would find the connection dead.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .expect("a client with its own TLS has nothing to look for");
        Self {
            http,
            url: url.to_owned(),
            known: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Asks for the keys before the first token comes.
    pub(super) async fn warm(&self, now: Timestamp) {
        let _turn = self.turn.lock().await;
        if let Err(error) = self.refresh(now, TIMEOUT).await {
            tracing::warn!(cause = causes(&error), "no keys of the issuer at the start");
        }
    }

    /// The key of this name; none if the issuer, asked lately, has no such key. If its algorithm is
    /// another one, so is the key's.
    ///
    /// # Errors
    ///
    /// [`NoKeys`] if the issuer never told any.
    pub(super) async fn key(
        &self,
        kid: &str,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Option<Arc<Key>>, NoKeys> {
        let (key, are_old) = {
            let known = self.known();
            (known.find(kid, algorithm), known.are_old(now))
        };
        if key.is_some() && !are_old {
            return Ok(key);
        }
        // Who has an old key goes on with it while another one asks; who has none waits.
        let turn = match key {
            Some(_) => self.turn.try_lock().ok(),
            None => Some(self.turn.lock().await),
        };
        let failure = match turn {
            // While we waited for our turn, another one may have had it brought.
            Some(_) if key.is_some() || self.known().find(kid, algorithm).is_none() => {
                let timeout = if key.is_some() { TIMEOUT_OF_OLD } else { TIMEOUT };
                self.refresh(now, timeout).await.err()
            }
            Some(_) | None => None,
        };
        drop(turn);
        let known = self.known();
        if known.answered_at.is_none() {
            return Err(failure.unwrap_or(NoKeys::Silent));
        }
        if let Some(error) = failure {
            tracing::warn!(cause = causes(&error), "the issuer's keys stay as they were");
        }
        Ok(known.find(kid, algorithm))
    }

    /// Asks the issuer, unless that was done a moment ago. What is known stays if it does not answer.
    async fn refresh(&self, now: Timestamp, timeout: Duration) -> Result<(), NoKeys> {
        {
            let mut known = self.known();
            if !known.may_ask(now) {
                return Ok(());
            }
            // Noted before the call, so that one that is broken off counts, too.
            known.asked_at = Some(now);
        }
        let keys = self.fetch(timeout).await?;
        let mut known = self.known();
        if known.answered_at.is_none() {
            // A function that has just begun has looked for no key in vain.
            known.asked_at = None;
        }
        known.keys = keys;
        known.answered_at = Some(now);
        Ok(())
    }

    async fn fetch(&self, timeout: Duration) -> Result<Keys, NoKeys> {
        if !is_jwks_url(&self.url) {
            return Err(NoKeys::Insecure);
        }
        let mut answer =
            self.http.get(&self.url).timeout(timeout).send().await.map_err(NoKeys::Away)?;
        if answer.status() != StatusCode::OK {
            return Err(NoKeys::Refused(answer.status()));
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(NoKeys::Away)? {
            if text.len() + chunk.len() > SET_BYTES_MAX {
                return Err(NoKeys::TooLarge);
            }
            text.extend_from_slice(&chunk);
        }
        let keys = keys_of(&text).map_err(NoKeys::Nonsense)?;
        if keys.is_empty() { Err(NoKeys::Useless) } else { Ok(keys) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether keys may be had there: nobody on the way can change them.
pub(crate) fn is_jwks_url(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| match url.scheme() {
        "https" => true,
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")),
        _others => false,
    })
}

/// A JWK Set. Its keys are read one by one, so that one that is strange to us spoils no other.
#[derive(serde::Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// A JWK, as far as we look.
#[derive(serde::Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that tokens can be verified with. All others are left out.
fn keys_of(text: &[u8]) -> Result<Keys, serde_json::Error> {
    let set: Set = serde_json::from_slice(text)?;
    let usable = |key: Value| {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let key = jwk.key()?;
        Some((jwk.kid, Arc::new(key)))
    };
    Ok(set.keys.into_iter().filter_map(usable).collect())
}

impl Jwk {
    /// The key with the one algorithm that it is for, if we verify with such.
    fn key(&self) -> Option<Key> {
        let verifies = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        let (name, algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => ("RS256", Algorithm::RS256, self.rsa()?),
            ("EC", Some("P-256")) => ("ES256", Algorithm::ES256, self.p256()?),
            ("OKP", Some("Ed25519")) => ("EdDSA", Algorithm::EdDSA, self.ed25519()?),
            _others => return None,
        };
        let is_for_it = self.alg.as_deref().is_none_or(|alg| alg == name);
        (verifies && is_for_it).then(|| Key::new(algorithm, key))
    }

    fn rsa(&self) -> Option<DecodingKey> {
        let (n, e) = (number(self.n.as_deref()?)?, number(self.e.as_deref()?)?);
        let fits = MODULUS_BYTES.contains(&n.len()) && !e.is_empty();
        fits.then(|| DecodingKey::from_rsa_raw_components(&n, &e))
    }

    fn p256(&self) -> Option<DecodingKey> {
        let (x, y) = (self.x.as_deref()?, self.y.as_deref()?);
        let fits = is_coordinate(x) && is_coordinate(y);
        fits.then(|| DecodingKey::from_ec_components(x, y).ok()).flatten()
    }

    fn ed25519(&self) -> Option<DecodingKey> {
        let x = self.x.as_deref()?;
        is_coordinate(x).then(|| DecodingKey::from_ed_components(x).ok()).flatten()
    }
}

/// A number of an RSA key. Some issuers write a zero before it, which ring does not read.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64URL.decode(text).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn is_coordinate(text: &str) -> bool {
    BASE64URL.decode(text).is_ok_and(|bytes| bytes.len() == COORDINATE_BYTES)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(count: usize) -> String {
        BASE64URL.encode(vec![0xb5; count])
    }

    /// A good key of each kind.
    fn rsa() -> Value {
        json!({"kid": "k", "kty": "RSA", "n": bytes(256), "e": "AQAB"})
    }

    fn p256() -> Value {
        json!({"kid": "k", "kty": "EC", "crv": "P-256", "x": bytes(32), "y": bytes(32)})
    }

    fn ed25519() -> Value {
        json!({"kid": "k", "kty": "OKP", "crv": "Ed25519", "x": bytes(32)})
    }

    /// The key with some of its members changed; null takes one away.
    fn with(mut key: Value, changes: Value) -> Value {
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        key.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        key
    }

    fn algorithm_of(key: &Value) -> Option<Algorithm> {
        let keys = keys_of(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
        keys.first().map(|(_, key)| key.algorithm)
    }

    #[test]
    fn a_key_is_for_one_algorithm_whatever_it_says_besides() {
        let zero_first = BASE64URL.encode([&[0_u8][..], &[0xb5; 256]].concat());
        for (key, algorithm) in [
            (rsa(), Algorithm::RS256),
            (with(rsa(), json!({"use": "sig", "alg": "RS256"})), Algorithm::RS256),
            (with(rsa(), json!({"key_ops": ["verify"], "x5c": ["MIIB"]})), Algorithm::RS256),
            (with(rsa(), json!({"n": bytes(1024)})), Algorithm::RS256),
            (with(rsa(), json!({"n": zero_first})), Algorithm::RS256),
            (p256(), Algorithm::ES256),
            (with(p256(), json!({"use": "sig", "alg": "ES256"})), Algorithm::ES256),
            (ed25519(), Algorithm::EdDSA),
            (with(ed25519(), json!({"use": "sig", "alg": "EdDSA"})), Algorithm::EdDSA),
        ] {
            assert_eq!(algorithm_of(&key), Some(algorithm), "{key}");
        }
    }

    #[test]
    fn keys_that_are_not_for_us_are_left_out() {
        let secret = json!({"kid": "k", "kty": "oct", "k": bytes(32)});
        for key in [
            json!(null),
            json!("key"),
            json!({}),
            with(rsa(), json!({"kid": null})),
            with(rsa(), json!({"kid": 7})),
            with(rsa(), json!({"use": "enc"})),
            with(rsa(), json!({"key_ops": ["encrypt"]})),
            with(rsa(), json!({"alg": "RS512"})),
            with(rsa(), json!({"alg": "PS256"})),
            with(rsa(), json!({"alg": "HS256"})),
            with(rsa(), json!({"n": bytes(255)})),
            with(rsa(), json!({"n": bytes(1025)})),
            with(rsa(), json!({"n": "not base64"})),
            with(rsa(), json!({"n": null})),
            with(rsa(), json!({"e": "AA"})),
            with(rsa(), json!({"e": null})),
            with(p256(), json!({"crv": "P-384"})),
            with(p256(), json!({"crv": "secp256k1"})),
            with(p256(), json!({"crv": null})),
            with(p256(), json!({"x": bytes(31)})),
            with(p256(), json!({"y": bytes(33)})),
            with(p256(), json!({"y": null})),
            with(p256(), json!({"alg": "RS256"})),
            with(ed25519(), json!({"crv": "X25519"})),
            with(ed25519(), json!({"crv": "Ed448", "x": bytes(57)})),
            with(ed25519(), json!({"x": bytes(33)})),
            secret.clone(),
            with(secret, json!({"alg": "HS256", "use": "sig"})),
        ] {
            assert_eq!(algorithm_of(&key), None, "{key}");
        }
    }

    #[test]
    fn a_strange_key_spoils_no_other_and_a_name_may_be_shared() {
        let set = json!({"keys": ["key", rsa(), {"kid": "k", "kty": "new"}, p256()]});
        let keys = keys_of(set.to_string().as_bytes()).unwrap();
        let known = Known { keys, ..Known::default() };
        let found = |kid, algorithm| known.find(kid, algorithm).map(|key| key.algorithm);
        assert_eq!(found("k", Algorithm::RS256), Some(Algorithm::RS256));
        assert_eq!(found("k", Algorithm::ES256), Some(Algorithm::ES256));
        assert_eq!(found("k", Algorithm::EdDSA), Some(Algorithm::RS256), "the token is refused");
        assert_eq!(found("l", Algorithm::RS256), None);
        for nonsense in ["", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": [}"#] {
            assert!(keys_of(nonsense.as_bytes()).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn keys_come_by_https_or_from_this_machine() {
        for url in [
            "https://issuer.example/.well-known/jwks.json",
            "http://127.0.0.1:9000/jwks",
            "http://localhost/jwks",
            "http://[::1]:9000/jwks",
        ] {
            assert!(is_jwks_url(url), "{url}");
        }
        for url in [
            "",
            "issuer.example",
            "http://issuer.example/jwks",
            "http://127.0.0.1.issuer.example/jwks",
            "http://127.0.0.1@issuer.example/jwks",
            "http://10.0.0.1/jwks",
            "file:///etc/jwks",
            "ftp://127.0.0.1/jwks",
        ] {
            assert!(!is_jwks_url(url), "{url}");
        }
    }

    #[test]
    fn an_issuer_is_asked_seldom_and_a_clock_that_went_back_stops_nothing() {
        let at = |second| Timestamp::from_timestamp(second, 0).unwrap();
        let mut known = Known::default();
        assert!(known.may_ask(at(0)) && known.are_old(at(0)), "nobody asked yet");
        known.asked_at = Some(at(0));
        assert!(!known.may_ask(at(4)) && known.may_ask(at(5)), "sooner while there are no keys");
        known.answered_at = Some(at(0));
        assert!(!known.may_ask(at(59)) && known.may_ask(at(60)));
        assert!(!known.are_old(at(3_599)) && known.are_old(at(3_600)));
        assert!(!known.may_ask(at(-59)) && known.may_ask(at(-60)));
        assert!(known.are_old(at(-3_600)));
    }
}
