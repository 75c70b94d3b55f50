//! `Authorization`: a header, claims and a signature, of a desk's secret and of an issuer's keys.
//!
//! An input names the key in its first line, the token's header in the second, and the claims behind it.
//! Both are signed as they are, be they JSON or not; with a number behind the key's name, one bit of the
//! token is changed afterwards. `raw` is a whole `Authorization`. `@ISSUER@` and `@AUDIENCE@` are those
//! that the key's tokens need.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use edge::Keys;
use ring::hmac;
use serde_json::{Value, json};

use super::{
    NO_LIMITS, Seen, Target, arena_seat, call, chosen, filled, fingerprint, header_value,
    split_line,
};
use crate::issuer::{Issuer, Key};
use crate::world::{Answer, World};

/// The keys by their names.
const NAMES: [&str; 4] = ["secret", "rsa", "p256", "ed25519"];

pub(super) struct Tokens {
    /// Believes what a secret signed.
    desk: World,
    /// Believes what an issuer's keys signed.
    house: World,
    secret: String,
    keys: [Key; 3],
    /// Answers as long as it is here.
    _issuer: Issuer,
    seats: usize,
}

impl Target for Tokens {
    const NAME: &'static str = "tokens";
    const CASES: usize = 600;
    const CASES_PER_WORLD: usize = 2_000;
    const REACHES: &'static [&'static str] = &[
        "user by secret 200",
        "user by rsa 200",
        "user by p256 200",
        "user by ed25519 200",
        "user by secret 401 unauthenticated",
        "user by p256 401 unauthenticated",
        "user by raw 401 unauthenticated",
        "user by secret 403 forbidden",
        "admin by secret 200",
        "hold 201",
    ];

    async fn open() -> Self {
        let world = World::new().await.with_limits(NO_LIMITS);
        let Keys::Secret(secret) = world.tokens.keys.clone() else { panic!("a desk's secret") };
        let keys = [Key::rsa("rsa"), Key::p256("p256"), Key::ed25519("ed25519")];
        let issuer = Issuer::start(&[&keys[0], &keys[1], &keys[2]]).await;
        let house = world.with_issuer(&issuer.url);
        Self { desk: world, house, secret, keys, _issuer: issuer, seats: 0 }
    }

    fn world(&self) -> &World {
        &self.desk
    }

    async fn send(&mut self, input: &[u8], seen: &mut Seen) {
        let (first, rest) = split_line(input);
        if first == b"raw" {
            let authorization = header_value(rest);
            for world in [&self.desk, &self.house] {
                let answer = list(world, &authorization).await;
                seen.answer("user by raw", &answer);
            }
            return;
        }
        let mut words = first.split(|byte| *byte == b' ');
        let name = words.next().unwrap_or_default();
        let known = NAMES.iter().find(|known| known.as_bytes() == name);
        let name = *known.unwrap_or_else(|| chosen(&NAMES, first));
        let flipped = words.next().map(fingerprint);
        let world = if name == "secret" { &self.desk } else { &self.house };
        let mut token = self.signed(world, name, rest);
        if let Some(bit) = flipped {
            flip(&mut token, bit);
        }
        let authorization = header_value(format!("Bearer {token}").as_bytes());
        let answer = list(world, &authorization).await;
        assert!(flipped.is_none() || answer.status == 401, "a changed token is believed");
        seen.answer(&format!("user by {name}"), &answer);
        let headers = [("authorization", authorization.as_str())];
        let city = call(world, "GET", "/api/admin/cities/delhi", &headers, b"").await;
        seen.answer(&format!("admin by {name}"), &city);
        if answer.status == 200 {
            let seat = arena_seat(self.seats);
            self.seats += 1;
            let hold = json!({
                "showId": "arena-show", "seatIds": [seat], "holdToken": format!("t{}", self.seats),
            });
            let body = hold.to_string();
            let path = "/api/reservations/hold";
            let held = call(world, "POST", path, &headers, body.as_bytes()).await;
            seen.answer("hold", &held);
            assert_eq!(list(world, &authorization).await.status, 200, "what is held is shown");
        }
    }
}

impl Tokens {
    /// A token of a header and claims, signed by the key of this name.
    fn signed(&self, world: &World, name: &str, text: &[u8]) -> String {
        let settings = &world.tokens;
        let names =
            [("@ISSUER@", settings.issuer.as_str()), ("@AUDIENCE@", settings.audience.as_str())];
        let (header, claims) = split_line(text);
        let (header, claims) = (filled(header, &names), filled(claims, &names));
        match NAMES.iter().skip(1).position(|known| *known == name) {
            Some(key) => self.keys[key].sign(&value(&header), &value(&claims)),
            None => {
                let message = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
                let tag = hmac::sign(&key, message.as_bytes());
                format!("{message}.{}", BASE64URL.encode(tag))
            }
        }
    }
}

/// What [`Key`] signs is JSON; any other text becomes a string of it.
fn value(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|_| json!(String::from_utf8_lossy(text)))
}

async fn list(world: &World, authorization: &str) -> Answer {
    let headers = [("authorization", authorization)];
    call(world, "GET", "/api/reservations", &headers, b"").await
}

/// Changes one letter of a token, so that it is another one.
fn flip(token: &mut String, bit: u64) {
    let places = u64::try_from(token.len()).unwrap();
    let place = usize::try_from(bit % places).unwrap();
    let other = if token.as_bytes()[place] == b'A' { "B" } else { "A" };
    token.replace_range(place..=place, other);
}
