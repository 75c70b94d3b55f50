//! Who is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use edge::Role;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::world::{Answer, World};

fn claims(world: &World) -> Value {
    json!({
        "sub": "ann",
        "iss": local::token::ISSUER,
        "aud": local::token::AUDIENCE,
        "exp": world.now().timestamp() + 600,
        "roles": ["user"],
    })
}

fn sign(world: &World, header: &Header, claims: &Value) -> String {
    let key = EncodingKey::from_secret(world.tokens.secret.as_bytes());
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

async fn list(world: &World, authorization: &str) -> Answer {
    world.raw("GET", "/api/reservations", &[("authorization", authorization)], "").await
}

/// The answer to good claims with one of them changed; null takes it away.
async fn with(world: &World, name: &str, value: Value) -> Answer {
    let mut claims = claims(world);
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    list(world, &format!("Bearer {}", sign(world, &Header::default(), &claims))).await
}

#[tokio::test]
async fn a_good_token_is_believed_in_any_spelling_of_the_scheme() {
    let world = World::new().await;
    let token = sign(&world, &Header::default(), &claims(&world));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        list(&world, &format!("{scheme} {token}")).await.expect(200);
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused() {
    let world = World::new().await;
    let now = world.now().timestamp();
    let refused = [
        ("aud", json!("somebody-else")),
        ("aud", Value::Null),
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("exp", json!(now - 60)),
        ("nbf", json!(now + 61)),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!("x".repeat(129))),
        ("sub", json!(7)),
    ];
    for (name, value) in refused {
        let answer = with(&world, name, value.clone()).await;
        let challenge = answer.headers.get("www-authenticate").cloned().unwrap_or_default();
        assert_eq!(answer.problem(401), "unauthenticated", "{name}: {value}");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
    }
    let believed = [
        ("exp", json!(now - 59)),
        ("nbf", json!(now + 60)),
        ("aud", json!(["other", local::token::AUDIENCE])),
        ("sub", json!("a user|with # any text — at all")),
        ("roles", Value::Null),
        ("roles", json!("admin user")),
    ];
    for (name, value) in believed {
        with(&world, name, value.clone()).await.expect(200);
    }
    for roles in [json!([]), json!(["admin"]), json!("superuser"), json!({"user": true})] {
        assert_eq!(with(&world, "roles", roles.clone()).await.problem(403), "forbidden", "{roles}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_signed_by_us_is_refused() {
    let world = World::new().await;
    let good = sign(&world, &Header::default(), &claims(&world));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let payload = signed.split_once('.').unwrap().1;
    let none = BASE64URL.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let other_key = EncodingKey::from_secret(b"another secret");
    let forged = jsonwebtoken::encode(&Header::default(), &claims(&world), &other_key).unwrap();
    let changed = BASE64URL.encode(json!({"sub": "bob"}).to_string());
    let head = signed.split_once('.').unwrap().0;
    let bad = [
        format!("Bearer {signed}."),
        format!("Bearer {signed}"),
        format!("Bearer {none}.{payload}."),
        format!("Bearer {none}.{payload}.{signature}"),
        format!("Bearer {forged}"),
        format!("Bearer {head}.{changed}.{signature}"),
        "Bearer ".to_owned(),
        "Bearer a.b.c".to_owned(),
        format!("Basic {good}"),
        good.clone(),
        format!("Bearer {}", "a".repeat(100_000)),
    ];
    for authorization in bad {
        let answer = list(&world, &authorization).await;
        assert_eq!(answer.problem(401), "unauthenticated", "{:.60}", authorization);
    }
    let missing = world.raw("GET", "/api/reservations", &[], "").await;
    assert_eq!(missing.problem(401), "unauthenticated");
}

#[tokio::test]
async fn the_algorithm_is_ours_to_choose() {
    let world = World::new().await;
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = sign(&world, &Header::new(algorithm), &claims(&world));
        let answer = list(&world, &format!("Bearer {token}")).await;
        assert_eq!(answer.problem(401), "unauthenticated", "{algorithm:?}");
    }
    // A header that asks for an extension nobody here knows (RFC 7515, section 4.1.11).
    let header = BASE64URL.encode(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#);
    let payload = BASE64URL.encode(claims(&world).to_string());
    let message = format!("{header}.{payload}");
    let key = EncodingKey::from_secret(world.tokens.secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    let answer = list(&world, &format!("Bearer {message}.{signature}")).await;
    assert_eq!(answer.problem(401), "unauthenticated");
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
