//! Who is believed: tokens of a desk's secret, and tokens of an issuer whose public keys are fetched.

use std::os::unix::fs::PermissionsExt as _;

use chrono::TimeDelta;
use edge::{Keys, Role};
use ring::hmac;
use serde_json::{Value, json};

use crate::issuer::{Issuer, Key, claims, message, sign_with};
use crate::world::{Answer, World};

const MALFORMED: &str = "the token is malformed";
const WRONG_ALGORITHM: &str = "the token's algorithm is not allowed";
const WRONG_SIGNATURE: &str = "the token's signature is wrong";
const UNKNOWN_KEY: &str = "the token's key is unknown";

/// What signs the tokens of a world without an issuer.
fn secret(world: &World) -> &str {
    match &world.tokens.keys {
        Keys::Secret(secret) => secret,
        Keys::Jwks { url } => panic!("{url} signs"),
    }
}

/// The world as each kind of key has it, with the key: a secret, and an issuer's RSA, P-256 and
/// Ed25519.
async fn houses(world: &World) -> Vec<(World, Key)> {
    let mut houses = vec![(world.cold(), Key::secret(secret(world)))];
    for key in [Key::rsa("rsa"), Key::p256("p256"), Key::ed25519("ed25519")] {
        let issuer = Issuer::start(&[&key]).await;
        houses.push((world.with_issuer(&issuer.url), key));
    }
    houses
}

async fn list(world: &World, authorization: &str) -> Answer {
    world.raw("GET", "/api/reservations", &[("authorization", authorization)], "").await
}

async fn show(world: &World, token: &str) -> Answer {
    list(world, &format!("Bearer {token}")).await
}

/// Good claims with one of them changed; null takes it away.
fn changed(world: &World, name: &str, value: &Value) -> Value {
    let mut claims = claims(world);
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value.clone();
    }
    claims
}

/// The key's header with members set besides.
fn header(key: &Key, more: &Value) -> Value {
    let mut header = key.header();
    for (name, value) in more.as_object().unwrap() {
        header[name] = value.clone();
    }
    header
}

/// The answer refuses the token, and says why.
#[track_caller]
fn refused(answer: &Answer, why: &str, what: &str) {
    let challenge = answer.headers.get("www-authenticate").cloned().unwrap_or_default();
    assert_eq!(answer.clone().problem(401), "unauthenticated", "{what:.80}");
    let expected =
        format!("Bearer realm=\"marquee\", error=\"invalid_token\", error_description=\"{why}\"");
    assert_eq!(challenge, expected, "{what:.80}");
    assert_eq!(answer.body["detail"], why, "{what:.80}");
}

#[tokio::test]
async fn a_good_token_is_believed_in_any_spelling_of_the_scheme() {
    let world = World::new().await;
    for (world, key) in houses(&world).await {
        let token = key.token(&claims(&world));
        for scheme in ["Bearer", "bearer", "BEARER"] {
            list(&world, &format!("{scheme} {token}")).await.expect(200);
        }
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused_with_the_reason() {
    let world = World::new().await;
    let now = world.now().timestamp();
    let (issuer, audience) =
        ("the token is from another issuer", "the token is for another audience");
    let (expired, nobody) = ("the token is expired", "the token names nobody");
    for (world, key) in houses(&world).await {
        let ours = &world.tokens.issuer;
        for (name, value, why) in [
            ("aud", json!("somebody-else"), audience),
            ("aud", json!(["somebody", "else"]), audience),
            ("aud", json!([]), audience),
            ("aud", json!({"marquee": true}), audience),
            ("aud", Value::Null, audience),
            ("iss", json!("https://evil.example"), issuer),
            ("iss", json!(format!("{ours}/")), issuer),
            ("iss", json!([ours]), issuer),
            ("iss", Value::Null, issuer),
            ("exp", json!(now - 60), expired),
            ("exp", json!(i64::MIN), expired),
            ("exp", Value::Null, MALFORMED),
            ("exp", json!("soon"), MALFORMED),
            ("nbf", json!(now + 61), "the token is not valid yet"),
            ("nbf", json!("soon"), MALFORMED),
            ("sub", Value::Null, nobody),
            ("sub", json!(""), nobody),
            ("sub", json!("x".repeat(129)), nobody),
            ("sub", json!(7), MALFORMED),
        ] {
            let token = key.token(&changed(&world, name, &value));
            let what = format!("{}: {name}: {value}", key.algorithm());
            refused(&show(&world, &token).await, why, &what);
        }
    }
}

#[tokio::test]
async fn claims_that_fit_are_believed() {
    let world = World::new().await;
    let now = world.now().timestamp();
    for (world, key) in houses(&world).await {
        for (name, value) in [
            ("exp", json!(now - 59)),
            ("exp", json!(i64::MAX)),
            ("nbf", json!(now + 60)),
            ("nbf", json!(1.5)),
            ("aud", json!(["other", world.tokens.audience])),
            ("sub", json!("a user|with # any text — at all")),
            ("roles", Value::Null),
            ("roles", json!("admin user")),
        ] {
            show(&world, &key.token(&changed(&world, name, &value))).await.expect(200);
        }
        for roles in [json!([]), json!(["admin"]), json!("superuser"), json!({"user": true})] {
            let answer = show(&world, &key.token(&changed(&world, "roles", &roles))).await;
            let challenge = answer.headers.get("www-authenticate").cloned().unwrap_or_default();
            assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            assert_eq!(answer.problem(403), "forbidden", "{roles}");
        }
    }
}

/// Goal: Cognito's access tokens, which have no `aud`, are believed if they were issued to our app,
/// and nothing else without an `aud` is.
#[tokio::test]
async fn an_access_token_without_an_audience_counts_for_the_app_it_was_issued_to() {
    let world = World::new().await;
    let ours = world.tokens.audience.as_str();
    for (world, key) in houses(&world).await {
        let with = |more: Value| {
            let mut claims = changed(&world, "aud", &Value::Null);
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            key.token(&claims)
        };
        let good = with(json!({"token_use": "access", "client_id": ours}));
        show(&world, &good).await.expect(200);
        for more in [
            json!({"token_use": "access", "client_id": "another-app"}),
            json!({"token_use": "access", "client_id": [ours]}),
            json!({"token_use": "access"}),
            json!({"token_use": "id", "client_id": ours}),
            json!({"client_id": ours}),
            json!({"token_use": "access", "client_id": ours, "aud": "somebody-else"}),
            json!({"token_use": "access", "client_id": ours, "aud": null}),
        ] {
            let answer = show(&world, &with(more.clone())).await;
            refused(&answer, "the token is for another audience", &more.to_string());
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_signed_by_its_key_is_refused() {
    let world = World::new().await;
    for (world, key) in houses(&world).await {
        let good = key.token(&claims(&world));
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (head, payload) = signed.split_once('.').unwrap();
        let as_bob = key.token(&changed(&world, "sub", &json!("bob")));
        let bobs = as_bob.split('.').nth(1).unwrap();
        let none = |alg: &str| message(&header(&key, &json!({"alg": alg})), &claims(&world));
        for (token, why) in [
            (format!("{signed}."), WRONG_SIGNATURE),
            (format!("{signed}.AAAA"), WRONG_SIGNATURE),
            (format!("{signed}.{}", "A".repeat(342)), WRONG_SIGNATURE),
            (format!("{head}.{bobs}.{signature}"), WRONG_SIGNATURE),
            (format!("{}.", none("none")), WRONG_ALGORITHM),
            (format!("{}.", none("None")), WRONG_ALGORITHM),
            (format!("{}.{signature}", none("NONE")), WRONG_ALGORITHM),
            (format!("{}.{signature}", none("")), WRONG_ALGORITHM),
            (signed.to_owned(), MALFORMED),
            (format!("{good}.{signature}"), MALFORMED),
            (format!("{signed}.{signature}="), MALFORMED),
            (format!("{signed}.not base64"), MALFORMED),
            (format!(".{payload}.{signature}"), MALFORMED),
            ("a.b.c".to_owned(), MALFORMED),
            ("..".to_owned(), MALFORMED),
        ] {
            let what = format!("{}: {why}: {token}", key.algorithm());
            refused(&show(&world, &token).await, why, &what);
        }
    }
}

#[tokio::test]
async fn who_brings_no_token_is_asked_for_one() {
    let world = World::new().await;
    for (world, key) in houses(&world).await {
        let token = key.token(&claims(&world));
        let missing = world.raw("GET", "/api/reservations", &[], "").await;
        let mut answers = vec![missing];
        for authorization in ["", "Bearer", "Bearer ", &token, &format!("Basic {token}")] {
            answers.push(list(&world, authorization).await);
        }
        for answer in answers {
            let challenge = answer.headers.get("www-authenticate").cloned();
            assert_eq!(answer.problem(401), "unauthenticated");
            assert_eq!(challenge.as_deref(), Some("Bearer realm=\"marquee\""));
        }
    }
}

#[tokio::test]
async fn a_huge_token_is_not_even_parsed() {
    let world = World::new().await;
    for (world, key) in houses(&world).await {
        let padded = key.token(&changed(&world, "pad", &json!("x".repeat(1024 * 1024))));
        for token in [padded, "a".repeat(1024 * 1024), ".".repeat(8 * 1024)] {
            refused(&show(&world, &token).await, "the token is too long", &token);
        }
        let large = key.token(&changed(&world, "pad", &json!("x".repeat(4 * 1024))));
        show(&world, &large).await.expect(200);
    }
}

/// Goal: the algorithm is the key's, not the header's. Method: good keys with other algorithms in the
/// header, and above all the public key, which everybody knows, used as if it were a secret.
#[tokio::test]
async fn the_algorithm_is_bound_to_the_key() {
    let world = World::new().await;
    let shared = secret(&world).as_bytes();
    for (world, key) in houses(&world).await {
        let claims = claims(&world);
        for other in
            ["HS256", "HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
        {
            if other != key.algorithm() {
                let token = key.sign(&header(&key, &json!({"alg": other})), &claims);
                refused(&show(&world, &token).await, WRONG_ALGORITHM, other);
            }
        }
        for (name, algorithm) in [("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
            let header = header(&key, &json!({"alg": name}));
            let token = sign_with(algorithm, shared, &header, &claims);
            refused(&show(&world, &token).await, WRONG_ALGORITHM, name);
        }
    }
    for (world, key) in houses(&world).await.into_iter().skip(1) {
        let jwk = key.jwk().to_string();
        let text = key.jwk()["n"].as_str().unwrap_or_default().to_owned();
        for public in [key.public(), jwk.into_bytes(), text.into_bytes(), Vec::new()] {
            let forged = header(&key, &json!({"alg": "HS256"}));
            let token = sign_with(hmac::HMAC_SHA256, &public, &forged, &claims(&world));
            refused(&show(&world, &token).await, WRONG_ALGORITHM, key.algorithm());
            let token = sign_with(hmac::HMAC_SHA256, &public, &key.header(), &claims(&world));
            refused(&show(&world, &token).await, WRONG_SIGNATURE, key.algorithm());
        }
    }
}

/// Goal: what a header points at is not followed. Method: an attacker with keys and an issuer of their
/// own, who is never asked; and the same words in an honest token, which they do not spoil.
#[tokio::test]
async fn keys_that_a_header_brings_or_points_at_are_ignored() {
    let world = World::new().await;
    for (world, key) in houses(&world).await {
        let evil = match key.algorithm() {
            "ES256" => Key::p256("p256"),
            "HS256" => Key::secret("a secret that somebody else thought of"),
            // There is but one RSA key here; one of another kind is refused for that alone.
            "RS256" => Key::p256("rsa"),
            _ed25519 => Key::ed25519("ed25519"),
        };
        let theirs = Issuer::start(&[&evil]).await;
        let brought = json!({
            "jku": theirs.url, "x5u": theirs.url, "jwk": evil.jwk(), "x5c": ["MIIB"],
            "x5t": "AAAA", "x5t#S256": "AAAA",
        });
        let answer = show(&world, &evil.sign(&header(&evil, &brought), &claims(&world))).await;
        let why = if key.algorithm() == "RS256" { WRONG_ALGORITHM } else { WRONG_SIGNATURE };
        refused(&answer, why, key.algorithm());
        show(&world, &key.sign(&header(&key, &brought), &claims(&world))).await.expect(200);
        assert_eq!(theirs.calls(), 0);
    }
}

/// Goal: a header that asks for an extension nobody here knows is refused (RFC 7515, section 4.1.11).
#[tokio::test]
async fn critical_extensions_are_refused_in_any_form() {
    let world = World::new().await;
    for (world, key) in houses(&world).await {
        for more in [
            json!({"crit": ["exp"], "exp": 1}),
            json!({"crit": ["b64"], "b64": false}),
            json!({"crit": ["http://example.com/extension"]}),
            json!({"crit": []}),
            json!({"crit": null}),
            json!({"crit": "exp"}),
            json!({"kid": 7}),
            json!({"kid": null}),
        ] {
            let token = key.sign(&header(&key, &more), &claims(&world));
            refused(&show(&world, &token).await, MALFORMED, &more.to_string());
        }
    }
}

#[tokio::test]
async fn an_issuers_token_must_name_its_key() {
    let world = World::new().await;
    for (world, key) in houses(&world).await.into_iter().skip(1) {
        let nameless = json!({"typ": "JWT", "alg": key.algorithm()});
        let token = key.sign(&nameless, &claims(&world));
        refused(&show(&world, &token).await, UNKNOWN_KEY, key.algorithm());
        for kid in ["", "other", "../rsa", "rsa\u{0}", &"k".repeat(4_000)] {
            let token = key.sign(&header(&key, &json!({"kid": kid})), &claims(&world));
            refused(&show(&world, &token).await, UNKNOWN_KEY, kid);
        }
    }
}

#[tokio::test]
async fn keys_are_fetched_once_however_many_ask() {
    let world = World::new().await;
    let key = Key::ed25519("key");
    let issuer = Issuer::start(&[&key]).await;
    let world = world.with_issuer(&issuer.url);
    let token = key.token(&claims(&world));
    assert_eq!(issuer.calls(), 0, "nobody asked for a user yet");
    let ask = || show(&world, &token);
    let answers = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask());
    for answer in <[Answer; 8]>::from(answers) {
        answer.expect(200);
    }
    world.advance(TimeDelta::minutes(9));
    ask().await.expect(200);
    assert_eq!(issuer.calls(), 1);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_its_first_token_comes() {
    let world = World::new().await;
    let (old, new) = (Key::p256("old"), Key::p256("new"));
    let issuer = Issuer::start(&[&old]).await;
    let world = world.with_issuer(&issuer.url);
    show(&world, &old.token(&claims(&world))).await.expect(200);
    issuer.publish(&[&new, &old]);
    for key in [&new, &old, &new, &old] {
        show(&world, &key.token(&claims(&world))).await.expect(200);
    }
    assert_eq!(issuer.calls(), 2, "once at first, and once for the new key");
}

#[tokio::test]
async fn made_up_keys_cause_one_call_a_minute() {
    let world = World::new().await;
    let (key, strange) = (Key::ed25519("key"), Key::ed25519("strange"));
    let issuer = Issuer::start(&[&key]).await;
    let world = world.with_issuer(&issuer.url);
    let made_up = |kid: usize| {
        let header = header(&strange, &json!({"kid": format!("made-up-{kid}")}));
        strange.sign(&header, &claims(&world))
    };
    for minute in 1..=3 {
        for kid in 0..10 {
            refused(&show(&world, &made_up(kid)).await, UNKNOWN_KEY, "made up");
            show(&world, &key.token(&claims(&world))).await.expect(200);
        }
        world.advance(TimeDelta::milliseconds(59_999));
        refused(&show(&world, &made_up(11)).await, UNKNOWN_KEY, "made up");
        assert_eq!(issuer.calls(), minute + 1, "and once at first");
        world.advance(TimeDelta::milliseconds(1));
    }
}

#[tokio::test]
async fn algorithms_that_no_issuer_has_cause_no_call() {
    let world = World::new().await;
    let key = Key::ed25519("key");
    let issuer = Issuer::start(&[&key]).await;
    let world = world.with_issuer(&issuer.url);
    for alg in ["none", "HS256", "HS512", "PS256", "ES384", "Ed25519"] {
        let token = key.sign(&header(&key, &json!({"alg": alg})), &claims(&world));
        refused(&show(&world, &token).await, WRONG_ALGORITHM, alg);
    }
    assert_eq!(issuer.calls(), 0);
}

/// Goal: an outage of the issuer is none of ours. Method: keys are known, then the issuer fails in
/// each way that it can, for a day.
#[tokio::test]
async fn keys_stay_while_the_issuer_is_away() {
    let world = World::new().await;
    let (key, new) = (Key::rsa("key"), Key::p256("new"));
    let issuer = Issuer::start(&[&key]).await;
    let elsewhere = Issuer::start(&[&new]).await;
    let world = world.with_issuer(&issuer.url);
    show(&world, &key.token(&claims(&world))).await.expect(200);
    let too_large = json!({"keys": [new.jwk()], "pad": "x".repeat(64 * 1024)}).to_string();
    for (calls, (status, body)) in [
        (500, ""),
        (503, r#"{"keys": []}"#),
        (404, "not here"),
        (200, ""),
        (200, "<html>"),
        (200, r#"{"error": "busy"}"#),
        (200, r#"{"keys": []}"#),
        (200, r#"{"keys": [{"kty": "oct", "kid": "key", "k": "AAAA"}]}"#),
        (200, too_large.as_str()),
        (302, ""),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.answer(status, body);
        if status == 302 {
            issuer.redirect(&elsewhere.url);
        }
        world.advance(TimeDelta::hours(3));
        for _ in 0..3 {
            show(&world, &key.token(&claims(&world))).await.expect(200);
            refused(&show(&world, &new.token(&claims(&world))).await, UNKNOWN_KEY, body);
        }
        assert_eq!(issuer.calls(), calls + 2, "once at first, and once in this minute: {status}");
    }
    assert_eq!(elsewhere.calls(), 0, "no redirect is followed");
    issuer.publish(&[&new]);
    world.advance(TimeDelta::minutes(1));
    show(&world, &new.token(&claims(&world))).await.expect(200);
    refused(&show(&world, &key.token(&claims(&world))).await, UNKNOWN_KEY, "withdrawn");
}

#[tokio::test]
async fn a_key_that_is_withdrawn_is_believed_for_an_hour_at_most() {
    let world = World::new().await;
    let (key, other) = (Key::ed25519("key"), Key::ed25519("other"));
    let issuer = Issuer::start(&[&key, &other]).await;
    let world = world.with_issuer(&issuer.url);
    show(&world, &key.token(&claims(&world))).await.expect(200);
    issuer.publish(&[&other]);
    world.advance(TimeDelta::seconds(3_599));
    show(&world, &key.token(&claims(&world))).await.expect(200);
    world.advance(TimeDelta::seconds(1));
    refused(&show(&world, &key.token(&claims(&world))).await, UNKNOWN_KEY, "withdrawn");
    show(&world, &other.token(&claims(&world))).await.expect(200);
    assert_eq!(issuer.calls(), 2);
}

/// Goal: without any keys nobody can be told apart, which is not the token's fault: 503, never 401.
#[tokio::test]
async fn an_issuer_that_was_never_there_is_no_fault_of_the_token() {
    let world = World::new().await;
    let key = Key::p256("key");
    let issuer = Issuer::start(&[]).await;
    issuer.answer(503, "");
    let nobody = "http://127.0.0.1:9/keys";
    for (url, calls) in [(issuer.url.as_str(), 1), (nobody, 1), ("http://issuer.example/keys", 1)] {
        let world = world.with_issuer(url);
        for _ in 0..3 {
            let answer = show(&world, &key.token(&claims(&world))).await;
            assert!(answer.headers.contains_key("retry-after"), "{url}");
            assert_eq!(answer.problem(503), "try_again", "{url}");
        }
        assert_eq!(issuer.calls(), calls, "{url}");
    }
    let world = world.with_issuer(&issuer.url);
    show(&world, &key.token(&claims(&world))).await.expect(503);
    issuer.publish(&[&key]);
    show(&world, &key.token(&claims(&world))).await.expect(503);
    world.advance(TimeDelta::seconds(5));
    show(&world, &key.token(&claims(&world))).await.expect(200);
    assert_eq!(issuer.calls(), 3);
}

/// Goal: a secret in a set, which anybody may read, signs nothing; nor does a key for something else.
#[tokio::test]
async fn only_public_keys_that_are_for_signing_are_taken() {
    let world = World::new().await;
    let (oct, key) = (Key::secret("a secret that everybody can read"), Key::rsa("key"));
    let issuer = Issuer::start(&[]).await;
    let (mut secret, mut encrypts, mut short) = (oct.jwk(), key.jwk(), key.jwk());
    secret["kid"] = json!("secret");
    encrypts["use"] = json!("enc");
    encrypts["kid"] = json!("encrypts");
    short["n"] = json!(short["n"].as_str().unwrap()[..170]);
    short["kid"] = json!("short");
    issuer.answer(200, &json!({"keys": [secret, encrypts, short, key.jwk()]}).to_string());
    let world = world.with_issuer(&issuer.url);
    let by_secret = oct.sign(&header(&oct, &json!({"kid": "secret"})), &claims(&world));
    refused(&show(&world, &by_secret).await, WRONG_ALGORITHM, "secret");
    for kid in ["secret", "encrypts", "short"] {
        let token = key.sign(&header(&key, &json!({"kid": kid})), &claims(&world));
        refused(&show(&world, &token).await, UNKNOWN_KEY, kid);
    }
    show(&world, &key.token(&claims(&world))).await.expect(200);
}

#[tokio::test]
async fn every_reservation_route_wants_a_user_and_no_other_route_a_token() {
    let world = World::new().await;
    let admin = local::token::mint(&world.tokens, "boss", Role::Admin, world.now());
    let admin = format!("Bearer {admin}");
    for (method, path) in [
        ("POST", "/api/reservations/hold"),
        ("POST", "/api/reservations/confirm"),
        ("POST", "/api/reservations/cancel"),
        ("GET", "/api/reservations/r"),
        ("GET", "/api/reservations"),
    ] {
        assert_eq!(world.raw(method, path, &[], "").await.problem(401), "unauthenticated");
        let answer = world.raw(method, path, &[("authorization", &admin)], "").await;
        assert_eq!(answer.problem(403), "forbidden", "{path}");
    }
    for path in ["/api/cities", "/api/shows/show-1", "/api/shows/show-1/seats"] {
        world.get(path).await.expect(200);
    }
}

/// Goal: a desk and `cargo run -p local -- token` sign alike, and go on doing so. Method: what is kept
/// in a file, by who comes first, for its owner only.
#[test]
fn a_desks_secret_is_drawn_once_and_kept_for_its_owner() {
    let folder = std::env::temp_dir().join(format!("marquee-secret-{}", std::process::id()));
    let file = folder.join("desk/jwt-secret");
    let keep = |drawn: &str| local::token::kept_secret(&file, || drawn.to_owned());
    let first = "the secret that was drawn at first";
    assert_eq!(keep(first).unwrap(), first);
    assert_eq!(keep("another secret that is drawn later").unwrap(), first);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing besides");
    std::fs::write(&file, "short\n").unwrap();
    assert!(keep(first).unwrap_err().to_string().contains("delete the file"));
    std::fs::remove_dir_all(&folder).unwrap();
}
