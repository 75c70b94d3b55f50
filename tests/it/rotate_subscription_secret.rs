//! `POST /api/admin/subscriptions/{subscriptionId}/rotate`. What signs then is in
//! `deliver_events.rs`.

use chrono::TimeDelta;
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::create_subscription::{SUBSCRIPTIONS, subscribe};
use crate::deliver_events::shown;
use crate::world::World;

#[tokio::test]
async fn a_new_secret_is_shown_once_and_the_old_one_has_a_day() {
    let world = World::new().await;
    let made = subscribe(&world, "https://example.com/", &[]).await;
    let path = format!("{SUBSCRIPTIONS}/{}/rotate", made["subscriptionId"].as_str().unwrap());
    world.advance(TimeDelta::hours(1));
    let rotated = world.admin("POST", &path, Value::Null).await.expect(200);
    let mut expected = made.clone();
    expected["secret"] = rotated["secret"].clone();
    assert_eq!(rotated, expected, "nothing else has changed");
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(shown(&world).await.get("secret"), None);

    check(&world, &rotated["secret"], &made["secret"], world.now() + TimeDelta::days(1));
}

/// Goal: whoever lost the answer and asks again does not cut off the secret in use. Method: again
/// and again until its day is over, and once more.
#[tokio::test]
async fn the_secret_in_use_has_its_day_however_often_it_is_rotated() {
    let world = World::new().await;
    let made = subscribe(&world, "https://example.com/", &[]).await;
    let path = format!("{SUBSCRIPTIONS}/{}/rotate", made["subscriptionId"].as_str().unwrap());
    let began = world.now();
    let mut last = Value::Null;
    for hours in [0, 1, 23] {
        world.set_now(began + TimeDelta::hours(hours));
        last = world.admin("POST", &path, Value::Null).await.expect(200)["secret"].clone();
        check(&world, &last, &made["secret"], began + TimeDelta::days(1));
    }
    world.set_now(began + TimeDelta::days(1));
    let next = world.admin("POST", &path, Value::Null).await.expect(200);
    check(&world, &next["secret"], &last, began + TimeDelta::days(2));
}

/// Goal: what was not seen is not overwritten, and a write that is sent twice is one. Method: what
/// was read before another rotation.
#[tokio::test]
async fn what_was_rotated_meanwhile_is_not_rotated_by_what_was_read_before() {
    let world = World::new().await;
    let made = subscribe(&world, "https://example.com/", &[]).await;
    let read = world.store.subscriptions().await.unwrap().remove(0);
    let day_after = world.now() + TimeDelta::days(1);
    for (secret, expected) in [("whsec_bmV3", true), ("whsec_bmV3", false), ("whsec_b2xk", false)] {
        let rotated = world.store.rotate_subscription_secret(&read, secret, world.now()).await;
        assert_eq!(rotated.unwrap(), expected, "{secret}");
        check(&world, &json!("whsec_bmV3"), &made["secret"], day_after);
        world.advance(TimeDelta::hours(1));
    }
    world.store.delete_subscription(&read.id).await.unwrap();
    let rotated = world.store.rotate_subscription_secret(&read, "whsec_bmV3", world.now()).await;
    assert!(!rotated.unwrap());
    assert_eq!(world.items(&world.tables.events), Vec::<Value>::new(), "and is not made again");
}

/// Goal: of many who rotate at once none cuts off the secret in use. Method: three at once, of whom
/// each reads before another writes, now and then.
#[tokio::test]
async fn those_who_rotate_at_once_leave_the_secret_in_use() {
    let world = World::new().await;
    let made = subscribe(&world, "https://example.com/", &[]).await;
    let path = format!("{SUBSCRIPTIONS}/{}/rotate", made["subscriptionId"].as_str().unwrap());
    let rotate = || world.admin("POST", &path, Value::Null);
    let (one, two, three) = tokio::join!(rotate(), rotate(), rotate());
    let drawn = [one, two, three].map(|answer| answer.expect(200)["secret"].clone());
    let last = world.store.subscriptions().await.unwrap().remove(0).secret;
    assert!(drawn.iter().any(|secret| *secret == last));
    check(&world, &json!(last), &made["secret"], world.now() + TimeDelta::days(1));
}

/// Checks what is stored of the only subscription's secrets.
#[track_caller]
fn check(world: &World, secret: &Value, previous: &Value, until: Timestamp) {
    let item = &world.items(&world.tables.events)[0];
    assert_eq!(item["signing_secret"]["S"], *secret);
    assert_eq!(item["previous_secret"]["S"], *previous);
    assert_eq!(item["previous_until"]["S"], domain::time::text(until));
}

#[tokio::test]
async fn what_is_not_there_has_no_secret() {
    let world = World::new().await;
    let path = format!("{SUBSCRIPTIONS}/never-was/rotate");
    assert_eq!(world.admin("POST", &path, Value::Null).await.problem(404), "not_found");
    assert_eq!(world.items(&world.tables.events), Vec::<Value>::new(), "and is not made");
}
