//! `GET /api/admin/events`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::event::Type;
use domain::id::EventId;
use domain::limits::{EVENT_KEPT_SECS, EVENT_LOG_SETTLES_AFTER_SECS, EVENT_LOG_SHARDS};
use serde_json::{Value, json};
use store::EventPosition;

use crate::publish_events::{check, on_bus};
use crate::world::World;

async fn page(world: &World, query: &str) -> Value {
    let path = format!("/api/admin/events{query}");
    let page = world.admin("GET", &path, Value::Null).await.expect(200);
    items(&page).iter().for_each(check);
    page
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().unwrap()
}

fn users(page: &Value) -> Vec<&str> {
    items(page).iter().map(|event| event["data"]["userId"].as_str().unwrap()).collect()
}

fn cursor(page: &Value) -> &str {
    page["nextCursor"].as_str().unwrap()
}

/// Lets pass what the log takes to settle.
fn settle(world: &World) {
    world.advance(TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS));
}

/// Has users hold a seat each, one millisecond after the other, and publishes that.
async fn publish_holds(world: &World, users: &[&str]) {
    for (user, number) in users.iter().zip(1..) {
        let row = if user.len() > 1 { 'B' } else { 'A' };
        world.hold(user, &[&format!("{row}{number}")], "t1").await.expect(201);
        world.publish().await;
        world.advance(TimeDelta::milliseconds(1));
    }
}

#[tokio::test]
async fn events_come_in_their_order_page_by_page_and_as_they_were_told() {
    let world = World::new().await;
    publish_holds(&world, &["a", "b", "c", "d", "e"]).await;
    settle(&world);
    let first = page(&world, "?limit=2").await;
    let second = page(&world, &format!("?limit=2&cursor={}", cursor(&first))).await;
    let third = page(&world, &format!("?limit=2&cursor={}", cursor(&second))).await;
    assert_eq!([users(&first), users(&second)], [["a", "b"], ["c", "d"]]);
    assert_eq!(users(&third), ["e"]);
    let all = page(&world, "").await;
    assert_eq!(items(&all), on_bus(&world));
}

/// Goal: a reader can come back for more. Method: it reads to the end, and goes on from the cursor
/// that it was given last.
#[tokio::test]
async fn whoever_read_to_the_end_goes_on_from_there_later() {
    let world = World::new().await;
    assert_eq!(page(&world, "").await, json!({"items": [], "nextCursor": null}));
    publish_holds(&world, &["a", "b"]).await;
    settle(&world);
    let all = page(&world, "").await;
    let more = format!("?cursor={}", cursor(&all));
    assert_eq!(page(&world, &more).await, json!({"items": [], "nextCursor": null}));

    publish_holds(&world, &["bob"]).await;
    settle(&world);
    let later = page(&world, &more).await;
    assert_eq!(users(&later), ["bob"]);
    assert_ne!(cursor(&later), cursor(&all));
}

/// Goal: pages of many shards neither skip an event nor show one twice. Method: events of one
/// instant in every shard, in pages of many sizes.
#[tokio::test]
async fn events_of_one_instant_are_listed_once_each_in_one_order() {
    let world = World::new().await.with_limits("held_seats=12");
    for number in 1..=12 {
        world.hold("ann", &[&format!("A{number}")], &format!("t{number}")).await.expect(201);
        world.hold("bob", &[&format!("B{number}")], &format!("t{number}")).await.expect(201);
    }
    world.publish().await;
    let events = world.items(&world.tables.events);
    let shards: BTreeSet<&str> =
        events.iter().map(|item| item["log_shard"]["S"].as_str().unwrap()).collect();
    assert_eq!(shards.len(), usize::from(EVENT_LOG_SHARDS));
    settle(&world);
    let whole = page(&world, "").await;
    assert_eq!(items(&whole).len(), 24);
    for limit in [1, 5, 7, 23, 24] {
        let (mut listed, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page = page(&world, &query).await;
            if page["nextCursor"].is_null() {
                assert_eq!(items(&page).len(), 0, "only the empty page leads nowhere");
                break;
            }
            assert!((1..=limit).contains(&items(&page).len()), "pages of {limit}");
            listed.extend_from_slice(items(&page));
            query = format!("?limit={limit}&cursor={}", cursor(&page));
        }
        assert_eq!(listed, items(&whole), "pages of {limit}");
    }
}

/// Goal: nothing appears before a place that was given out, whoever's clock is slow. Method: the
/// last instant at which an event is not listed, and the first at which it is.
#[tokio::test]
async fn what_was_just_recorded_is_not_listed_yet() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.publish().await;
    let recorded_at = world.now();
    let settled_at = recorded_at + TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS);
    for (now, listed) in [
        (recorded_at, 0),
        (settled_at - TimeDelta::milliseconds(1), 0),
        (settled_at, 1),
        (settled_at + TimeDelta::milliseconds(1), 1),
    ] {
        world.set_now(now);
        assert_eq!(items(&page(&world, "").await).len(), listed, "{now}");
    }
}

/// Goal: 30 days are 30 days, whatever TTL has done. Method: both sides of the end, before the sweep
/// and after it.
#[tokio::test]
async fn an_event_is_listed_for_thirty_days() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.publish().await;
    let end = world.now() + TimeDelta::seconds(EVENT_KEPT_SECS);
    assert_eq!(end - world.now(), TimeDelta::days(30));
    world.set_now(end);
    assert_eq!(users(&page(&world, "").await), ["ann"]);
    world.set_now(end + TimeDelta::milliseconds(1));
    assert_eq!(items(&page(&world, "").await).len(), 0, "not swept yet, and over");
    assert_eq!(world.items(&world.tables.events).len(), 1);
    world.set_now(end + TimeDelta::seconds(1));
    world.db.sweep_ttl();
    assert_eq!(world.items(&world.tables.events).len(), 0);
}

/// A place is a place, whoever made it up: it shows nothing that the list would not.
#[tokio::test]
async fn a_cursor_from_elsewhere_leads_to_no_more_than_the_list() {
    let world = World::new().await;
    publish_holds(&world, &["a"]).await;
    settle(&world);
    for (years, listed) in [(-10, 1), (10, 0)] {
        let place = EventPosition {
            recorded_at: world.now() + TimeDelta::days(365 * years),
            event_id: EventId::of(Type::ReservationHeld, "none"),
        };
        let forged = URL_SAFE_NO_PAD.encode(json!(place).to_string());
        let page = page(&world, &format!("?cursor={forged}")).await;
        assert_eq!(items(&page).len(), listed, "{years} years away");
    }
    for query in ["?cursor=nonsense", "?limit=0", "?limit=101"] {
        let path = format!("/api/admin/events{query}");
        let answer = world.admin("GET", &path, Value::Null).await;
        assert_eq!(answer.problem(400), "invalid_request", "{query}");
    }
}

#[tokio::test]
async fn only_an_admin_reads_events() {
    let world = World::new().await;
    let path = "/api/admin/events";
    assert_eq!(world.call("ann", "GET", path, Value::Null).await.problem(403), "forbidden");
    assert_eq!(world.get(path).await.problem(401), "unauthenticated");
}

/// Goal: the list costs the same however many events there ever were. Method: what passes the wire.
#[tokio::test]
async fn a_page_costs_a_query_of_each_shard() {
    let world = World::new().await;
    publish_holds(&world, &["a", "b", "c"]).await;
    settle(&world);
    world.wire.take_calls();
    page(&world, "").await;
    let calls = world.wire.take_calls();
    assert_eq!(calls.len(), usize::from(EVENT_LOG_SHARDS));
    assert!(calls.iter().all(|call| call.operation == "Query"), "{calls:?}");
}
