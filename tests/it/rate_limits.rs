//! How much one user and one address may do, and that nothing gets around it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::wire::Fault;
use crate::world::{Answer, HOLD_SECS, World};

/// Seats of the arena's NORTH, row by row.
fn north(first: usize, count: usize) -> Vec<String> {
    let rows: Vec<char> = ('A'..='T').collect();
    let seat = |index: usize| format!("NORTH-{}{}", rows[index / 100], index % 100 + 1);
    (first..first + count).map(seat).collect()
}

async fn hold_north(world: &World, user: &str, first: usize, count: usize, token: &str) -> Answer {
    let seats = north(first, count);
    let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
    world.hold_of(user, "arena-show", &seats, token).await
}

async fn book_all(world: &World, held: &Value, token: &str) {
    let payment = world.pay(held, "succeed").await;
    world.confirm("ann", token, &payment).await.expect(200);
}

/// Reads from an address.
async fn read_from(world: &World, ip: &str, path: &str) -> Answer {
    let (route, mut event) = world.event("GET", path, &[], "");
    event["requestContext"]["http"]["sourceIp"] = json!(ip);
    world.invoke(&route, event).await
}

/// What a user has left, as it is stored.
fn stored(world: &World) -> Value {
    let mut items = world.items(&world.tables.limits);
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

/// Goal: no number of requests at once beats the cap, and none of them is told that we failed. Method:
/// 200 holds of a seat each, and of two seats each, by one user.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_parallel_holds_by_one_user_never_hold_more_than_the_cap() {
    for seats_each in [1, 3] {
        let world = Arc::new(World::new().await);
        world.get("/api/shows/arena-show/seats").await.expect(200);
        let start = Arc::new(Barrier::new(200));
        let mut holds = JoinSet::new();
        for number in 0..200 {
            let (world, start) = (Arc::clone(&world), Arc::clone(&start));
            holds.spawn(async move {
                start.wait().await;
                let token = format!("t{number}");
                hold_north(&world, "ann", number * seats_each, seats_each, &token).await
            });
        }
        let mut told: BTreeMap<(u16, String), usize> = BTreeMap::new();
        for answer in holds.join_all().await {
            let code = answer.body["code"].as_str().unwrap_or("held").to_owned();
            *told.entry((answer.status, code)).or_default() += 1;
        }
        let won = told.remove(&(201, "held".to_owned())).unwrap_or_default();
        assert!((1..=10 / seats_each).contains(&won), "{won} of {seats_each} seats: {told:?}");
        assert_eq!(world.items(&world.tables.seats).len(), won * seats_each);
        told.remove(&(422, "too_many_seats".to_owned()));
        told.remove(&(429, "rate_limited".to_owned()));
        assert_eq!(told, BTreeMap::new(), "{won} won");
    }
}

#[tokio::test]
async fn the_cap_is_of_one_user_and_one_show_and_is_told() {
    let world = World::new().await;
    hold_north(&world, "ann", 0, 7, "t1").await.expect(201);
    let refused = hold_north(&world, "ann", 10, 4, "t2").await;
    let body = refused.expect(422);
    assert_eq!(body["code"], "too_many_seats");
    assert!(body["detail"].as_str().unwrap().contains('7'), "{body}");
    hold_north(&world, "ann", 10, 3, "t3").await.expect(201);
    for world in [&world, &world.cold()] {
        assert_eq!(hold_north(world, "ann", 20, 1, "t4").await.problem(422), "too_many_seats");
    }
    hold_north(&world, "bob", 20, 10, "t4").await.expect(201);
    world.hold("ann", &["A1", "A2"], "t5").await.expect(201);
}

#[tokio::test]
async fn the_limits_speak_before_the_seats() {
    let world = World::new().await;
    hold_north(&world, "bob", 0, 1, "t1").await.expect(201);
    hold_north(&world, "ann", 10, 10, "t1").await.expect(201);
    for world in [&world, &world.cold()] {
        assert_eq!(hold_north(world, "ann", 0, 1, "t2").await.problem(422), "too_many_seats");
    }
    let taken = hold_north(&world.cold(), "bob", 10, 1, "t2").await;
    assert_eq!(taken.problem(409), "seats_unavailable");
}

#[tokio::test]
async fn the_cap_heals_when_holds_lapse() {
    let world = World::new().await;
    hold_north(&world, "ann", 0, 10, "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS) - TimeDelta::milliseconds(1));
    assert_eq!(hold_north(&world, "ann", 10, 1, "t2").await.problem(422), "too_many_seats");
    world.advance(TimeDelta::milliseconds(1));
    hold_north(&world, "ann", 10, 10, "t3").await.expect(201);
    let allowance = stored(&world)["allowance"]["S"].as_str().unwrap().to_owned();
    assert_eq!(allowance.matches(';').count(), 1, "{allowance}: what lapsed is forgotten");
    assert_eq!(hold_north(&world.cold(), "ann", 20, 1, "t4").await.problem(422), "too_many_seats");
}

#[tokio::test]
async fn the_cap_heals_at_once_when_holds_are_cancelled_or_booked() {
    let world = World::new().await;
    let held = hold_north(&world, "ann", 0, 10, "t1").await.expect(201);
    world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
    let held = hold_north(&world, "ann", 10, 10, "t2").await.expect(201);
    book_all(&world, &held, "t2").await;
    hold_north(&world.cold(), "ann", 20, 10, "t3").await.expect(201);
    assert_eq!(hold_north(&world, "ann", 30, 1, "t4").await.problem(422), "too_many_seats");
}

#[tokio::test]
async fn a_hold_that_a_checkout_lengthened_counts_for_as_long() {
    let world = World::new().await;
    hold_north(&world, "ann", 0, 10, "t1").await.expect(201);
    world.checkout("ann", "t1").await.expect(200);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    for world in [&world, &world.cold()] {
        assert_eq!(hold_north(world, "ann", 10, 1, "t2").await.problem(422), "too_many_seats");
    }
    world.advance(TimeDelta::seconds(2 * HOLD_SECS) - TimeDelta::milliseconds(1));
    assert_eq!(hold_north(&world, "ann", 10, 1, "t2").await.problem(422), "too_many_seats");
    world.advance(TimeDelta::milliseconds(1));
    hold_north(&world, "ann", 10, 10, "t3").await.expect(201);
}

/// TTL is garbage collection: what it takes counted no more.
#[tokio::test]
async fn what_is_left_is_kept_until_it_counts_no_more() {
    let world = World::new().await;
    hold_north(&world, "ann", 0, 10, "t1").await.expect(201);
    let item = stored(&world);
    assert_eq!(item["pk"]["S"], "LIMIT#hold#ann");
    let end = world.now() + TimeDelta::seconds(3 * HOLD_SECS);
    assert_eq!(item["clear_at"]["N"], end.timestamp_millis().to_string());
    let kept_until: i64 = item["kept_until"]["N"].as_str().unwrap().parse().unwrap();
    assert!(kept_until > end.timestamp());
    world.set_now(end + TimeDelta::days(1));
    world.db.sweep_ttl();
    assert_eq!(world.items(&world.tables.limits).len(), 0);
}

/// Goal: an item that TTL took while a warm function remembers it is written anew.
#[tokio::test]
async fn what_is_remembered_and_gone_stops_nobody() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.db.delete(&world.tables.limits, &json!({"pk": {"S": "LIMIT#hold#ann"}}));
    world.hold("ann", &["A2"], "t2").await.expect(201);
    stored(&world);
}

#[tokio::test]
async fn a_bucket_that_is_empty_fills_again_and_says_when() {
    let world = World::new().await.with_limits("hold=2/20");
    for (seat, left) in [("A1", "r=1;t=10"), ("A2", "r=0;t=10")] {
        let answer = world.hold("ann", &[seat], seat).await;
        assert_eq!(answer.headers["ratelimit-policy"], "\"hold\";q=2;w=20");
        assert_eq!(answer.headers["ratelimit"], format!("\"hold\";{left}"));
        answer.expect(201);
    }
    for world in [&world, &world.with_limits("hold=2/20")] {
        let answer = world.hold("ann", &["A3"], "t3").await;
        assert_eq!(answer.headers["retry-after"], "10");
        assert_eq!(answer.headers["ratelimit-policy"], "\"hold\";q=2;w=20");
        assert_eq!(answer.headers["ratelimit"], "\"hold\";r=0;t=10");
        assert_eq!(answer.problem(429), "rate_limited");
    }
    world.hold("bob", &["A3"], "t3").await.expect(201);
    world.advance(TimeDelta::milliseconds(9_999));
    let answer = world.hold("ann", &["A4"], "t4").await;
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.problem(429), "rate_limited");
    world.advance(TimeDelta::milliseconds(1));
    world.hold("ann", &["A4"], "t4").await.expect(201);
    world.hold("ann", &["A5"], "t5").await.expect(429);
}

#[tokio::test]
async fn a_repeated_hold_is_not_limited_and_takes_nothing() {
    let limits = "hold=1/60,held_seats=2";
    let world = World::new().await.with_limits(limits);
    let first = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    for world in [&world, &world, &world.with_limits(limits)] {
        assert_eq!(world.hold("ann", &["A1", "A2"], "t1").await.expect(201), first);
        assert_eq!(world.hold("ann", &["A1"], "t1").await.problem(422), "hold_token_reused");
    }
    assert_eq!(world.hold("ann", &["A3"], "t2").await.problem(429), "rate_limited");
    world.advance(TimeDelta::seconds(60));
    assert_eq!(world.hold("ann", &["A3"], "t2").await.problem(422), "too_many_seats");
}

#[tokio::test]
async fn a_hold_that_is_refused_takes_nothing() {
    let world = World::new().await.with_limits("hold=1/60");
    world.hold("bob", &["A1"], "t1").await.expect(201);
    for _ in 0..3 {
        let taken = world.hold("ann", &["A1", "A2"], "t1").await;
        assert_eq!(taken.problem(409), "seats_unavailable");
    }
    world.hold("ann", &["A2"], "t2").await.expect(201);
}

/// Goal: nobody sends losing holds without end: each is a transaction, in the way of others. Method: one
/// hold is allowed in a minute, so five are tried; they lose to another user.
#[tokio::test]
async fn who_tries_too_many_holds_is_told_to_wait_whatever_became_of_them() {
    let world = World::new().await.with_limits("hold=1/60");
    world.hold("bob", &["A1"], "t1").await.expect(201);
    for number in 0..5 {
        let taken = world.hold("ann", &["A1"], &format!("t{number}")).await;
        assert_eq!(taken.problem(409), "seats_unavailable");
    }
    let answer = world.hold("ann", &["A1"], "t5").await;
    assert_eq!(answer.headers["retry-after"], "12");
    assert_eq!(answer.headers["ratelimit-policy"], "\"hold\";q=1;w=60");
    assert_eq!(answer.headers["ratelimit"], "\"hold\";r=0;t=12");
    assert_eq!(answer.problem(429), "rate_limited");
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.get("/api/shows/show-1/seats").await.expect(200);
    world.advance(TimeDelta::milliseconds(11_999));
    assert_eq!(world.hold("ann", &["A2"], "t6").await.problem(429), "rate_limited");
    world.advance(TimeDelta::milliseconds(1));
    world.hold("ann", &["A2"], "t6").await.expect(201);
}

#[tokio::test]
async fn a_repetition_gets_its_first_answer_as_long_as_there_are_tries() {
    let world = World::new().await.with_limits("hold=1/60");
    let first = world.hold("ann", &["A1"], "t1").await.expect(201);
    for _ in 1..5 {
        assert_eq!(world.hold("ann", &["A1"], "t1").await.expect(201), first);
    }
    assert_eq!(world.hold("ann", &["A1"], "t1").await.problem(429), "rate_limited");
    world.advance(TimeDelta::seconds(12));
    assert_eq!(world.hold("ann", &["A1"], "t1").await.expect(201)["status"], first["status"]);
}

/// Goal: what a function learned by being refused refuses nobody for longer than the table does.
/// Method: it learns that a bucket is empty, and that a user holds too much; then the bucket fills, and
/// another function gives the seats back.
#[tokio::test]
async fn what_a_refusal_taught_is_not_believed_for_too_long() {
    let limits = "hold=2/20,held_seats=2";
    let world = World::new().await.with_limits(limits);
    let learns = world.with_limits(limits);
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    for _ in 0..2 {
        assert_eq!(learns.hold("ann", &["A3"], "t2").await.problem(422), "too_many_seats");
    }
    world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
    learns.hold("ann", &["A3"], "t2").await.expect(201);

    let learns = world.with_limits(limits);
    for millis in [0, 9_999] {
        world.advance(TimeDelta::milliseconds(millis));
        assert_eq!(learns.hold("ann", &["A4"], "t3").await.problem(429), "rate_limited");
    }
    world.advance(TimeDelta::milliseconds(1));
    learns.hold("ann", &["A4"], "t3").await.expect(201);
}

#[tokio::test]
async fn a_hold_whose_answer_was_lost_is_taken_once() {
    let world = World::new().await.with_limits("hold=2/60");
    world.get("/api/shows/show-1/seats").await.expect(200);
    world.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    assert_eq!(world.hold("ann", &["A1"], "t1").await.problem(503), "try_again");
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.hold("ann", &["A2"], "t2").await.expect(201);
    assert_eq!(world.hold("ann", &["A3"], "t3").await.problem(429), "rate_limited");
}

#[tokio::test]
async fn confirm_cancel_and_checkout_have_a_bucket_each() {
    let world = World::new().await.with_limits("confirm=1/60,cancel=1/60,checkout=1/60");
    for (seat, is_first) in [("A1", true), ("A2", false)] {
        let held = world.hold("ann", &[seat], seat).await.expect(201);
        let id = held["reservationId"].as_str().unwrap();
        let payment = world.pay(&held, "succeed").await;
        let answers = [
            ("checkout", world.checkout("ann", seat).await),
            ("confirm", world.confirm("ann", seat, &payment).await),
            ("cancel", world.cancel("ann", id).await),
        ];
        for (name, answer) in answers {
            assert_eq!(answer.headers["ratelimit-policy"], format!("\"{name}\";q=1;w=60"));
            assert_eq!(answer.headers["ratelimit"], format!("\"{name}\";r=0;t=60"));
            if is_first {
                answer.expect(200);
            } else {
                assert_eq!(answer.headers["retry-after"], "60", "{name}");
                assert_eq!(answer.problem(429), "rate_limited", "{name}");
            }
        }
    }
    assert_eq!(world.cancel("bob", "nothing").await.problem(404), "not_found");
    assert_eq!(world.cancel("bob", "nothing").await.problem(429), "rate_limited", "it counts");
}

/// Goal: who is in nobody's way but their own is told to slow down. Method: conflicts on every try,
/// of a write that only counts, and of a hold on what its user has left.
#[tokio::test(start_paused = true)]
async fn who_races_with_themselves_is_told_to_slow_down() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.wire.inject("Limits", Fault::TransactionConflict, 6);
    let answer = world.cancel("ann", held["reservationId"].as_str().unwrap()).await;
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(answer.problem(429), "rate_limited");
    assert_eq!(world.wire.faults_left(), 0);

    world.wire.inject("TransactWriteItems", Fault::OwnConflict, 6);
    assert_eq!(world.hold("ann", &["A2"], "t2").await.problem(429), "rate_limited");
    assert_eq!(world.wire.faults_left(), 0);
    world.wire.inject("TransactWriteItems", Fault::TransactionConflict, 6);
    let others = world.hold("ann", &["A2"], "t2").await;
    assert_eq!(others.problem(503), "try_again", "somebody else was faster");
}

#[tokio::test(start_paused = true)]
async fn a_count_that_nobody_answers_is_told_as_try_again() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let id = held["reservationId"].as_str().unwrap();
    world.wire.inject("Limits", Fault::Down, 3);
    assert_eq!(world.cancel("ann", id).await.problem(503), "try_again");
    world.wire.inject("Limits", Fault::LoseAnswer, 1);
    world.cancel("ann", id).await.expect(200);
}

#[tokio::test]
async fn an_address_that_reads_too_much_is_told_to_wait() {
    let world = World::new().await.with_limits("read=2/60");
    let path = "/api/shows/show-1/seats";
    for left in ["r=1;t=30", "r=0;t=30"] {
        let answer = read_from(&world, "192.0.2.1", path).await;
        assert_eq!(answer.headers["ratelimit-policy"], "\"read\";q=2;w=60");
        assert_eq!(answer.headers["ratelimit"], format!("\"read\";{left}"));
        answer.expect(200);
    }
    let answer = read_from(&world, "192.0.2.1", "/api/cities").await;
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(answer.headers["ratelimit"], "\"read\";r=0;t=30");
    assert_eq!(answer.problem(429), "rate_limited");
    read_from(&world, "192.0.2.2", path).await.expect(200);
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(30));
    read_from(&world, "192.0.2.1", path).await.expect(200);
}

#[tokio::test]
async fn a_read_from_nowhere_is_not_counted_and_no_header_says_where_from() {
    let world = World::new().await.with_limits("read=1/60");
    for _ in 0..3 {
        let answer = world.get("/api/cities").await;
        assert_eq!(answer.headers.get("ratelimit"), None);
        answer.expect(200);
    }
    for number in 0..3_u8 {
        let forwarded = IpAddr::from([198, 51, 100, number]).to_string();
        let headers = [("x-forwarded-for", forwarded.as_str())];
        let (route, mut event) = world.event("GET", "/api/cities", &headers, "");
        event["requestContext"]["http"]["sourceIp"] = json!("192.0.2.1");
        let answer = world.invoke(&route, event).await;
        assert_eq!(answer.status, if number == 0 { 200 } else { 429 }, "{forwarded}");
    }
}

/// Goal: what providers tell is heard, however often.
#[tokio::test]
async fn webhooks_are_never_limited() {
    let limits = "hold=1/86400,confirm=1/86400,cancel=1/86400,checkout=1/86400,read=1/86400";
    let world = World::new().await.with_limits(limits);
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    let told = world.take_deliveries();
    let succeeded = told.last().unwrap();
    for _ in 0..20 {
        world.tell(succeeded).await.expect(200);
    }
    for _ in 0..20 {
        let path = "/api/payments/webhooks/sandbox";
        let (route, mut event) = world.event("POST", path, &[], "{}");
        event["requestContext"]["http"]["sourceIp"] = json!("192.0.2.1");
        assert_eq!(world.invoke(&route, event).await.problem(400), "invalid_signature");
    }
    world.process().await;
    assert_eq!(world.seat("A1").await, "BOOKED");
}
