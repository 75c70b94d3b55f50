//! `DELETE /api/admin/subscriptions/{subscriptionId}`.

use serde_json::{Value, json};

use crate::create_subscription::{SUBSCRIPTIONS, subscribe};
use crate::deliver_events::shown;
use crate::world::World;

/// Goal: a repetition after a lost answer is told the same. Method: twice, and what never was.
#[tokio::test]
async fn a_deleted_subscription_is_gone_however_often_it_is_deleted() {
    let world = World::new().await;
    let gone = subscribe(&world, "https://example.com/1", &[]).await;
    let other = subscribe(&world, "https://example.com/2", &[]).await;
    for id in [&gone["subscriptionId"], &gone["subscriptionId"], &json!("never-was")] {
        let path = format!("{SUBSCRIPTIONS}/{}", id.as_str().unwrap());
        assert_eq!(world.admin("DELETE", &path, Value::Null).await.expect(204), Value::Null);
        assert_eq!(shown(&world).await["subscriptionId"], other["subscriptionId"]);
    }
}

#[tokio::test]
async fn what_cannot_be_an_id_is_not_found() {
    let world = World::new().await;
    let path = format!("{SUBSCRIPTIONS}/a%20b");
    assert_eq!(world.admin("DELETE", &path, Value::Null).await.problem(404), "not_found");
}
