//! The front (`infra/front.yaml`): who comes around it is turned away, and it alone is believed about where
//! a request came from.

use domain::limits::RATE_READS;
use local::gateway;
use local::sandbox::plain_http;
use serde_json::json;

use crate::desk::listen;
use crate::world::{Answer, World};

const SECRET: &str = "what-the-front-and-we-have-agreed";
const NEXT_SECRET: &str = "what-they-have-agreed-on-after-it";

/// Asks by way of an API Gateway that had it from `peer`.
async fn ask(world: &World, peer: &str, headers: &[(&str, &str)]) -> Answer {
    let (route, mut event) = world.event("GET", "/api/cities", headers, "");
    event["requestContext"]["http"]["sourceIp"] = json!(peer);
    world.invoke(&route, event).await
}

/// Asks by way of the front, which had it from `viewer`.
async fn ask_front(world: &World, peer: &str, viewer: &str) -> Answer {
    ask(world, peer, &[("x-front-secret", SECRET), ("x-viewer-address", viewer)]).await
}

/// How often whoever asked has read.
#[track_caller]
fn reads(answer: &Answer) -> u32 {
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let left = answer.headers["ratelimit"].strip_prefix("\"read\";r=").unwrap();
    let left: u32 = left.split(';').next().unwrap().parse().unwrap();
    RATE_READS - left
}

/// Goal: the firewall of the front counts for something. Method: each kind of request, with every secret
/// that is not the right one.
#[tokio::test]
async fn who_comes_around_the_front_is_turned_away_and_nothing_is_done() {
    let world = World::new().await.with_front(&[SECRET]);
    let token = format!("Bearer {}", world.token("ann"));
    let hold = json!({"showId": "show-1", "seatIds": ["A1"], "holdToken": "t1"}).to_string();
    let asked = [
        ("GET", "/api/cities", ""),
        ("GET", "/api/shows/show-1/seats", ""),
        ("POST", "/api/reservations/hold", hold.as_str()),
        ("GET", "/api/reservations", ""),
        ("POST", "/api/payments/webhooks/sandbox", "{}"),
        ("POST", "/api/admin/shows/show-1/cancel", "{}"),
    ];
    let (less, more, loud) = (&SECRET[1..], format!("{SECRET}-"), SECRET.to_uppercase());
    let wrong = ["", " ", ",", less, more.as_str(), loud.as_str(), NEXT_SECRET];
    for (method, path, body) in asked {
        for secret in wrong.into_iter().map(Some).chain([None]) {
            let mut headers = vec![("authorization", token.as_str())];
            headers.extend(secret.map(|secret| ("x-front-secret", secret)));
            let (route, event) = world.event(method, path, &headers, body);
            let answer = world.invoke(&route, event).await;
            assert!(!answer.headers.contains_key("www-authenticate"), "no token helps");
            assert!(answer.headers.contains_key("x-request-id"));
            assert_eq!(answer.problem(403), "forbidden", "{method} {path} {secret:?}");
        }
    }
    assert!(world.wire.take_calls().is_empty(), "nothing is read or written");
    assert_eq!(world.last_line()["code"], "forbidden", "and it is told in the log");
}

#[tokio::test]
async fn who_comes_by_the_front_is_served_and_webhooks_are() {
    let world = World::new().await.with_front(&[SECRET]);
    let by_front = ("x-front-secret", SECRET);
    world.raw("GET", "/api/cities", &[by_front], "").await.expect(200);
    let token = format!("Bearer {}", world.token("ann"));
    let hold = json!({"showId": "show-1", "seatIds": ["A1"], "holdToken": "t1"}).to_string();
    let headers = [by_front, ("authorization", token.as_str())];
    world.raw("POST", "/api/reservations/hold", &headers, &hold).await.expect(201);
    let unsigned = world.webhook("sandbox", &[by_front], "{}").await;
    assert_eq!(unsigned.problem(400), "invalid_signature", "the webhook was looked at");
}

/// Goal: who knows no secret gets in by no trick with several. Method: lines as they come by wire, the
/// right one among them, which API Gateway joins.
#[tokio::test]
async fn who_says_several_secrets_is_turned_away() {
    let world = World::new().await.with_front(&[SECRET]);
    let find = |id: &str| local::functions::by_id(id, &world.app);
    let routes = world.template().routes();
    let router = gateway::router(&routes, find, None, &world.clock()).unwrap();
    let cities = format!("{}/api/cities", listen(router).await);
    let wrong: [&[&str]; 4] =
        [&[NEXT_SECRET, SECRET], &[SECRET, NEXT_SECRET], &[SECRET, SECRET], &["", SECRET]];
    for lines in wrong {
        let request = plain_http().get(&cities);
        let request =
            lines.iter().fold(request, |request, line| request.header("x-front-secret", *line));
        assert_eq!(request.send().await.unwrap().status(), 403, "{lines:?}");
    }
    let request = plain_http().get(&cities).header("x-front-secret", SECRET);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// Goal: a secret can be changed while people buy.
#[tokio::test]
async fn while_one_secret_takes_the_others_place_both_count() {
    let world = World::new().await.with_front(&[NEXT_SECRET, SECRET]);
    for secret in [SECRET, NEXT_SECRET] {
        ask(&world, "192.0.2.1", &[("x-front-secret", secret)]).await.expect(200);
    }
    let both = format!("{NEXT_SECRET},{SECRET}");
    let answer = ask(&world, "192.0.2.1", &[("x-front-secret", &both)]).await;
    assert_eq!(answer.problem(403), "forbidden", "the two are not one secret");
}

#[tokio::test]
async fn by_the_front_the_viewers_address_is_counted_and_not_the_fronts() {
    let world = World::new().await.with_front(&[SECRET]);
    let (front, other) = ("198.51.100.1", "198.51.100.2");
    assert_eq!(reads(&ask_front(&world, front, "192.0.2.1").await), 1);
    assert_eq!(reads(&ask_front(&world, front, "192.0.2.2").await), 1, "another customer");
    assert_eq!(reads(&ask_front(&world, other, "192.0.2.1").await), 2, "elsewhere at the front");
    assert_eq!(reads(&ask_front(&world, front, "2001:db8::1").await), 1);
    assert_eq!(reads(&ask_front(&world, front, "2001:db8::2").await), 2, "the same subscriber");
    assert_eq!(reads(&ask_front(&world, front, "2001:db8:0:1::1").await), 1);
    assert_eq!(reads(&ask_front(&world, front, "::ffff:192.0.2.2").await), 2, "the same again");
}

#[tokio::test]
async fn what_is_no_address_leaves_the_one_that_asked_us() {
    let world = World::new().await.with_front(&[SECRET]);
    let front = "198.51.100.1";
    let nonsense = ["", "unknown", "192.0.2.1, 192.0.2.2", "192.0.2.1:443", "[2001:db8::1]"];
    let mut before = 0;
    for viewer in nonsense {
        before += 1;
        assert_eq!(reads(&ask_front(&world, front, viewer).await), before, "{viewer:?}");
    }
    let answer = ask(&world, front, &[("x-front-secret", SECRET)]).await;
    assert_eq!(reads(&answer), before + 1, "none at all");
}

#[tokio::test]
async fn without_a_front_its_headers_mean_nothing() {
    let world = World::new().await;
    for number in 1..=3_u32 {
        let viewer = format!("192.0.2.{number}");
        let headers = [("x-front-secret", "anything"), ("x-viewer-address", viewer.as_str())];
        assert_eq!(reads(&ask(&world, "198.51.100.1", &headers).await), number, "{viewer}");
    }
    assert_eq!(reads(&ask_front(&world, "198.51.100.2", "192.0.2.9").await), 1);
}
