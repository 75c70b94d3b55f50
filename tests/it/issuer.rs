//! An issuer of tokens, and whatever signs tokens here. It signs by itself, without what verifies, so
//! that the two agree only if both are right.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use crate::world::World;

/// An RSA key of 2,048 bits that signs nothing else; ring makes none. PKCS #8.
const RSA_KEY: &str = "\
    MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC0zI9fosgdXUQvK1L62+9VZ5JdLfg0HNs/scLc/k46\
    MOdu08qfSoygHpu1o0Le8XVFvFU6guHaL1mg+6YnFxKyCU+GKBKhX6fi1t8vceh0Vp1rjX4sxUmsBcM49DuPi9rYKH1l\
    YkhTvND7ySzVy67wv+hOJ5ZjkcUD8bFrG15Juf3W4scDlzBA6ahUtX16Gqo1LVAIPD2nRmTDZw4Bm8hyXVvGdBV9hb4x\
    7+6aYZeO7d2Gzt6GyMo0LvvZUQGtlgq5zyT6ngTI0jKRn49EyFSlRVlDU8W3dyVZlTF0KO9+vHxpIr/uCANa9AuSpkEd\
    frhMpSig79oBFeMOSsi6lMKfAgMBAAECggEADDPun2Hqfocrfy6rwucyS2aaZwZWV6oZgodn44OZIxIwEmU9zweK39wT\
    TD71fNewiNgNhpbVCJxI01FCAN2RTq446OylVvpHehSp60TMaxQMFvlbWCSqK12FD+SII77NacQ92Lq5rtpW3qH1NKpX\
    gw0NcGPU6sVfurt9xpMcYv6vdPGOXiQCEFg5bcj67wvG+H11ImIagoisNb1XKl/aXlCj5pWUGdm3L/8LooHx2IKk9nTI\
    rnQHU8rtis905xl2sRQeghp5RqHOuI59fxfHpxHTaHxt5L27PlNDMsluSd69KkbHMc9OPSP39PR3APoVtXD2wR4XVenB\
    ZFqScvaN1QKBgQD/AMfWIeUd319dIt2cLhi+EYyEuk8tsgfPdWtg7+B5IQz60aX88Ec5lzpW60rh7KBFhnpfl2H9pj8P\
    4dQtU/mzZNvlJjUoPXOFmZ1BodGccAzKhd08n5Iy15RhaMxU42fQ5VThen3IR+dNEQCEfAJjqBBmc33+jc7K17VnsXO7\
    lQKBgQC1gYMzVtY6OlnHbAZgvlbGHMyGC8Ykywwl30Y8hhiC1kOJ7DDzlywLp6OcWRlX0Ej4L+rqlbAbFHbdrKoCSnv2\
    0LN+1YGSmn69CW7+KWPzsOZyfM09FwomLrNbyslw5iLd6hrdUET/XhOJ7onyb9c2Qdl07DEbRfkh2vyUsvhYYwKBgQCB\
    tqrwkPNUO8DtxoOGI6iwXorlJUSLkQkKDceeWscLtrU8jRJrVOpWMEgb2LqRq+VnGF39bCsLdNqVQKHGoPXevEpjCQl3\
    O7Mc3aQxs5fFhPXsuyVr5hvfQuwWlNGDyN2RVGbV/5ImI/VTrXde7RnmCaK2Cr+nkgkEA7AiXBDr9QKBgQCKJ5aSEVrm\
    31tO6+6+3KJ4EZurvHKJtvP8L8LqdrdZf3XRGbL49uxTwrpKW5dqu+OO5gpNnLp7IkyH1tFhBQjuiVTXCfSifm5RvUh6\
    tU6bQt9l7ZDbGxpijdF/4Q8LnGCVwYfJRTv/lMASkTr3CiIp7l1zHgUS2WQUXPc8yC04OQKBgB64+dAkTdsUgIT5bu29\
    Dp6jHQL22vc4ptwHaFQTAWXMcxwwjSDARIswLLdidDAyG1Y0Rnn8282hifV/fAI+OP4z86vdEDtKFYf7YjtGwsLV99qR\
    MaoOmjpCbr+F7KzozGZFY72aBM1JJC41swtt5uEGO4JuMFSdn11hwJ7GOLu0";

/// What signs.
enum Private {
    Secret(String),
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A key with its name.
pub(crate) struct Key {
    kid: String,
    private: Private,
}

impl Key {
    /// A secret. It has no name in the tokens that it signs.
    pub(crate) fn secret(secret: &str) -> Self {
        Self { kid: String::new(), private: Private::Secret(secret.to_owned()) }
    }

    /// The one RSA key that there is.
    pub(crate) fn rsa(kid: &str) -> Self {
        let pair = RsaKeyPair::from_pkcs8(&BASE64.decode(RSA_KEY).unwrap()).unwrap();
        Self { kid: kid.to_owned(), private: Private::Rsa(Box::new(pair)) }
    }

    /// A new key on P-256.
    pub(crate) fn p256(kid: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { kid: kid.to_owned(), private: Private::P256(Box::new(pair)) }
    }

    /// A new key on Ed25519.
    pub(crate) fn ed25519(kid: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        Self { kid: kid.to_owned(), private: Private::Ed25519(Box::new(pair)) }
    }

    /// The one algorithm that it is for.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.private {
            Private::Secret(_) => "HS256",
            Private::Rsa(_) => "RS256",
            Private::P256(_) => "ES256",
            Private::Ed25519(_) => "EdDSA",
        }
    }

    /// What the header of its tokens says.
    pub(crate) fn header(&self) -> Value {
        match &self.private {
            Private::Secret(_) => json!({"typ": "JWT", "alg": self.algorithm()}),
            Private::Rsa(_) | Private::P256(_) | Private::Ed25519(_) => {
                json!({"typ": "JWT", "alg": self.algorithm(), "kid": self.kid})
            }
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    /// A token with any header.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", BASE64URL.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let random = SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Private::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
            }
            Private::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key, as bytes: what an attacker knows. Of a secret, nothing.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.private {
            Private::Secret(_) => Vec::new(),
            Private::Rsa(pair) => pair.public().as_ref().to_vec(),
            Private::P256(pair) => pair.public_key().as_ref().to_vec(),
            Private::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The key as an issuer tells it: the public one, except for a secret, which no issuer should tell.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL.encode(bytes);
        let mut jwk = match &self.private {
            Private::Secret(secret) => json!({"kty": "oct", "k": text(secret.as_bytes())}),
            Private::Rsa(pair) => {
                let public: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": text(&public.n), "e": text(&public.e)})
            }
            Private::P256(_) => {
                let point = self.public();
                let (x, y) = point[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            Private::Ed25519(_) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(&self.public())})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm());
        jwk
    }
}

/// What is signed: a header and claims.
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| BASE64URL.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// A token that is signed with bytes as a secret.
pub(crate) fn sign_with(
    algorithm: hmac::Algorithm,
    secret: &[u8],
    header: &Value,
    claims: &Value,
) -> String {
    let message = message(header, claims);
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
    format!("{message}.{}", BASE64URL.encode(tag))
}

/// The claims of a token of ann's, good for ten minutes.
pub(crate) fn claims(world: &World) -> Value {
    json!({
        "sub": "ann",
        "iss": world.tokens.issuer,
        "aud": world.tokens.audience,
        "exp": world.now().timestamp() + 600,
        "roles": ["user"],
    })
}

/// What an issuer answers, and how often it was asked.
struct Served {
    status: StatusCode,
    location: String,
    body: String,
    calls: usize,
}

/// An issuer on a port of its own, for as long as the test runs.
pub(crate) struct Issuer {
    /// Where its keys are.
    pub(crate) url: String,
    served: Arc<Mutex<Served>>,
}

impl Issuer {
    /// An issuer with these keys.
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let served = Served {
            status: StatusCode::OK,
            location: String::new(),
            body: String::new(),
            calls: 0,
        };
        let served = Arc::new(Mutex::new(served));
        let answer = async |State(served): State<Arc<Mutex<Served>>>| {
            let mut served = served.lock().unwrap();
            served.calls += 1;
            (served.status, [(header::LOCATION, served.location.clone())], served.body.clone())
        };
        let router = Router::new().route("/keys", get(answer)).with_state(Arc::clone(&served));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        let issuer = Self { url, served };
        issuer.publish(keys);
        issuer
    }

    /// Tells these keys from now on, and no others.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.answer(200, &json!({"keys": keys}).to_string());
    }

    /// Answers so from now on.
    pub(crate) fn answer(&self, status: u16, body: &str) {
        let mut served = self.served.lock().unwrap();
        served.status = StatusCode::from_u16(status).unwrap();
        body.clone_into(&mut served.body);
    }

    /// Sends whoever asks elsewhere, from now on.
    pub(crate) fn redirect(&self, location: &str) {
        self.answer(302, "");
        location.clone_into(&mut self.served.lock().unwrap().location);
    }

    /// How often it was asked so far.
    pub(crate) fn calls(&self) -> usize {
        self.served.lock().unwrap().calls
    }
}
