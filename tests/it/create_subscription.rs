//! `POST /api/admin/subscriptions`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::limits::{SUBSCRIBER_URL_CHARS_MAX, SUBSCRIPTIONS_MAX};
use serde_json::{Value, json};

use crate::world::World;

pub(crate) const SUBSCRIPTIONS: &str = "/api/admin/subscriptions";

/// A new subscription, as the admin who made it sees it.
pub(crate) async fn subscribe(world: &World, url: &str, event_types: &[&str]) -> Value {
    let body = json!({"url": url, "eventTypes": event_types});
    world.admin("POST", SUBSCRIPTIONS, body).await.expect(201)
}

#[tokio::test]
async fn a_subscription_shows_its_secret_when_it_is_made() {
    let world = World::new().await;
    let types = ["payment.refunded", "reservation.held", "payment.refunded"];
    let made = subscribe(&world, "HTTPS://Hooks.Example.com:443/a?b=c", &types).await;
    let secret = made["secret"].as_str().unwrap();
    let expected = json!({
        "subscriptionId": made["subscriptionId"],
        "url": "https://hooks.example.com/a?b=c",
        "eventTypes": ["reservation.held", "payment.refunded"],
        "status": "ACTIVE",
        "secret": secret,
        "createdAt": "2026-11-22T06:30:00.000Z",
        "failingSince": null,
        "disabledAt": null,
    });
    assert_eq!(made, expected);
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    assert!((24..=64).contains(&key.len()), "{} bytes", key.len());
    assert!(!world.last_line().to_string().contains(secret), "it is in no log");

    let body = json!({"url": "https://example.com"});
    let other = world.admin("POST", SUBSCRIPTIONS, body).await.expect(201);
    assert_eq!(other["eventTypes"], json!([]), "these are all");
    assert_ne!(other["secret"], made["secret"]);
    assert_ne!(other["subscriptionId"], made["subscriptionId"]);
}

/// Goal: nobody has us call what only we can reach. Method: what leads there, as far as it can be
/// seen before a name is looked up; `subscribers/target.rs` enumerates the rest.
#[tokio::test]
async fn events_go_to_public_places_only() {
    let world = World::new().await;
    for url in [
        "http://example.com/",
        "ftp://example.com/",
        "https://printer.local/",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://10.0.0.1/",
        "https://172.16.0.1:8443/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://167772161/",
        "https://0x0a000001/",
        "https://012.1/",
        "https://[::]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[2001:0:a00:1::]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[fec0::1]/",
    ] {
        let answer = world.admin("POST", SUBSCRIPTIONS, json!({"url": url})).await;
        assert_eq!(answer.problem(422), "forbidden_target", "{url}");
    }
    assert_eq!(world.items(&world.tables.events), Vec::<Value>::new());
}

#[tokio::test]
async fn what_is_no_subscription_is_told_so() {
    let world = World::new().await;
    let long = format!("https://example.com/{}", "x".repeat(SUBSCRIBER_URL_CHARS_MAX));
    for body in [
        json!({}),
        json!({"url": null}),
        json!({"url": ""}),
        json!({"url": "example.com"}),
        json!({"url": "https://"}),
        json!({"url": "https://ann:secret@example.com/"}),
        json!({"url": "https://example.com/#here"}),
        json!({"url": long}),
        json!({"url": "https://example.com/", "eventTypes": ["reservation.made"]}),
        json!({"url": "https://example.com/", "eventTypes": "reservation.held"}),
        json!({"url": "https://example.com/", "secret": "whsec_of_mine"}),
    ] {
        let answer = world.admin("POST", SUBSCRIPTIONS, body.clone()).await;
        assert_eq!(answer.problem(400), "invalid_request", "{body}");
    }
    assert_eq!(world.items(&world.tables.events), Vec::<Value>::new());
}

#[tokio::test]
async fn there_are_only_so_many() {
    let world = World::new().await;
    for _ in 0..SUBSCRIPTIONS_MAX {
        subscribe(&world, "https://example.com/", &[]).await;
    }
    let body = json!({"url": "https://example.com/"});
    let answer = world.admin("POST", SUBSCRIPTIONS, body.clone()).await;
    assert_eq!(answer.problem(409), "too_many_subscriptions");
    assert_eq!(world.items(&world.tables.events).len(), SUBSCRIPTIONS_MAX);

    let list = world.admin("GET", SUBSCRIPTIONS, Value::Null).await.expect(200);
    let id = list["items"][0]["subscriptionId"].as_str().unwrap();
    world.admin("DELETE", &format!("{SUBSCRIPTIONS}/{id}"), Value::Null).await.expect(204);
    world.admin("POST", SUBSCRIPTIONS, body).await.expect(201);
}

#[tokio::test]
async fn subscriptions_are_for_admins() {
    let world = World::new().await;
    let made = subscribe(&world, "https://example.com/", &[]).await;
    let before = world.items(&world.tables.events);
    let one = format!("{SUBSCRIPTIONS}/{}", made["subscriptionId"].as_str().unwrap());
    for (method, path, body) in [
        ("POST", SUBSCRIPTIONS.to_owned(), json!({"url": "https://example.com/"})),
        ("GET", SUBSCRIPTIONS.to_owned(), Value::Null),
        ("DELETE", one.clone(), Value::Null),
        ("POST", format!("{one}/rotate"), Value::Null),
        ("POST", format!("{one}/enable"), Value::Null),
    ] {
        let answer = world.call("ann", method, &path, body).await;
        assert_eq!(answer.problem(403), "forbidden", "{method} {path}");
        let answer = world.raw(method, &path, &[], "").await;
        assert_eq!(answer.problem(401), "unauthenticated", "{method} {path}");
    }
    assert_eq!(world.items(&world.tables.events), before);
}
