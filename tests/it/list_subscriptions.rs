//! `GET /api/admin/subscriptions`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::create_subscription::{SUBSCRIPTIONS, subscribe};
use crate::world::World;

#[tokio::test]
async fn subscriptions_come_by_age_and_without_their_secrets() {
    let world = World::new().await;
    let list = world.admin("GET", SUBSCRIPTIONS, Value::Null).await.expect(200);
    assert_eq!(list, json!({"items": [], "nextCursor": null}));

    let mut made = Vec::new();
    for number in 0..5 {
        let url = format!("https://example.com/{number}");
        let mut subscription = subscribe(&world, &url, &["reservation.held"]).await;
        assert!(subscription.as_object_mut().unwrap().remove("secret").is_some());
        made.push(subscription);
        world.advance(TimeDelta::milliseconds(1));
    }
    let list = world.admin("GET", SUBSCRIPTIONS, Value::Null).await.expect(200);
    assert_eq!(list, json!({"items": made, "nextCursor": null}));
}
