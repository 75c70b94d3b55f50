//! `POST /api/admin/subscriptions/{subscriptionId}/enable`.

use chrono::TimeDelta;
use domain::subscription::Subscription;
use serde_json::{Value, json};

use crate::create_subscription::{SUBSCRIPTIONS, subscribe};
use crate::deliver_events::{Receiver, happen, put, shown, waiting};
use crate::world::World;

/// Goal: whoever is back is told again, of what happens from then on. Method: a subscriber says
/// that it is gone, and comes back.
#[tokio::test]
async fn an_enabled_subscription_is_told_of_events_again() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let made = subscribe(&world, &receiver.url, &[]).await;
    let path = format!("{SUBSCRIPTIONS}/{}/enable", made["subscriptionId"].as_str().unwrap());
    happen(&world).await;
    let delivery = waiting(&world).unwrap();
    receiver.answer(410);
    world.deliver().await;
    assert_eq!(shown(&world).await["status"], "DISABLED");

    receiver.answer(200);
    for _ in 0..2 {
        let enabled = world.admin("POST", &path, Value::Null).await.expect(200);
        assert_eq!(enabled, shown(&world).await);
        assert_eq!((&enabled["status"], &enabled["disabledAt"]), (&json!("ACTIVE"), &Value::Null));
        let count = receiver.count();
        put(&world, &delivery).await;
        world.deliver().await;
        assert_eq!(receiver.count(), count + 1);
    }
}

/// Goal: who fails is forgiven, and has five days from the next failure on.
#[tokio::test]
async fn an_active_subscription_is_forgiven_its_failures() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let made = subscribe(&world, &receiver.url, &[]).await;
    let path = format!("{SUBSCRIPTIONS}/{}/enable", made["subscriptionId"].as_str().unwrap());
    happen(&world).await;
    receiver.answer(500);
    world.deliver().await;
    assert_eq!(shown(&world).await["failingSince"], made["createdAt"]);
    let enabled = world.admin("POST", &path, Value::Null).await.expect(200);
    assert_eq!(enabled["failingSince"], Value::Null);
}

/// Goal: nobody is disabled for what is over. Method: what an attempt read before it failed, and
/// what others did since.
#[tokio::test]
async fn whoever_was_enabled_or_got_well_meanwhile_is_not_disabled() {
    let world = World::new().await;
    subscribe(&world, "https://example.com/", &[]).await;
    let store = &world.store;
    let read = async || store.subscriptions().await.unwrap().remove(0);
    let disable =
        async |read: &Subscription| store.disable_subscription(read, world.now()).await.unwrap();
    let well = read().await;
    store.subscription_fails(&well.id, world.now()).await.unwrap();
    let failing = read().await;
    assert!(!disable(&well).await, "it began to fail");
    store.enable_subscription(&well.id).await.unwrap();
    assert!(!disable(&failing).await, "somebody enabled it");
    world.advance(TimeDelta::seconds(1));
    store.subscription_fails(&well.id, world.now()).await.unwrap();
    assert!(!disable(&failing).await, "it began to fail anew");
    store.subscription_recovered(&well.id).await.unwrap();
    assert!(!disable(&failing).await, "it got well");
    assert_eq!(shown(&world).await["status"], "ACTIVE");

    assert!(disable(&well).await, "it is as it was read");
    let disabled_at = domain::time::text(world.now());
    world.advance(TimeDelta::seconds(1));
    assert!(!disable(&well).await, "it is disabled");
    assert_eq!(shown(&world).await["disabledAt"], disabled_at);
}

/// Goal: since when a subscriber fails, and when it was disabled, is noted once.
#[tokio::test]
async fn a_failure_is_noted_once() {
    let world = World::new().await;
    subscribe(&world, "https://example.com/", &[]).await;
    let store = &world.store;
    let read = async || store.subscriptions().await.unwrap().remove(0);
    let noted = async || {
        let Subscription { failing_since, disabled_at, .. } = read().await;
        (failing_since, disabled_at)
    };
    let began = world.now();
    let well = read().await;
    store.subscription_fails(&well.id, began).await.unwrap();
    let failing = read().await;
    let later = began + TimeDelta::seconds(1);
    store.subscription_fails(&well.id, later).await.unwrap();
    assert_eq!(noted().await, (Some(began), None), "it failed before");

    assert!(store.disable_subscription(&failing, later).await.unwrap());
    let much_later = later + TimeDelta::seconds(1);
    assert!(!store.disable_subscription(&failing, much_later).await.unwrap());
    store.subscription_fails(&well.id, much_later).await.unwrap();
    assert_eq!(noted().await, (Some(began), Some(later)), "it is told nothing any more");

    // One that was disabled at once has not failed.
    store.enable_subscription(&well.id).await.unwrap();
    assert!(store.disable_subscription(&well, later).await.unwrap());
    store.subscription_fails(&well.id, much_later).await.unwrap();
    assert_eq!(noted().await, (None, Some(later)));
}

#[tokio::test]
async fn what_is_not_there_is_not_enabled() {
    let world = World::new().await;
    let path = format!("{SUBSCRIPTIONS}/never-was/enable");
    assert_eq!(world.admin("POST", &path, Value::Null).await.problem(404), "not_found");
    assert_eq!(world.items(&world.tables.events), Vec::<Value>::new(), "and is not made");
}

/// Goal: what is deleted stays deleted, and what was made is made once. Method: whatever is noted of a
/// subscription comes late; and the write that made it, too, as if its answer had been lost.
#[tokio::test]
async fn what_was_deleted_meanwhile_does_not_come_back() {
    let world = World::new().await;
    subscribe(&world, "https://example.com/", &[]).await;
    let made = world.store.subscriptions().await.unwrap().remove(0);
    let (store, now) = (&world.store, world.now());
    assert!(store.rotate_subscription_secret(&made, "whsec_bmV3", now).await.unwrap());
    let rotated = world.items(&world.tables.events);
    store.put_subscription(&made).await.unwrap();
    assert_eq!(world.items(&world.tables.events), rotated, "it is there already");

    store.delete_subscription(&made.id).await.unwrap();
    store.enable_subscription(&made.id).await.unwrap();
    store.subscription_fails(&made.id, now).await.unwrap();
    store.subscription_recovered(&made.id).await.unwrap();
    assert!(!store.disable_subscription(&made, now).await.unwrap());
    assert!(!store.rotate_subscription_secret(&made, "whsec_b2xk", now).await.unwrap());
    assert_eq!(world.items(&world.tables.events), Vec::<Value>::new());
}
