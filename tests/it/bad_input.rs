//! What strangers send: each gets the right problem, and nothing is written.

use serde_json::{Value, json};

use crate::world::World;

async fn post(world: &World, path: &str, body: &str) -> crate::world::Answer {
    let token = format!("Bearer {}", world.token("ann"));
    world.raw("POST", path, &[("authorization", &token)], body).await
}

fn nothing_is_written(world: &World) {
    for table in [&world.tables.seats, &world.tables.reservations, &world.tables.payments] {
        assert_eq!(world.items(table), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_was_expected_is_told_where() {
    let world = World::new().await;
    let hold = "/api/reservations/hold";
    let cases = [
        ("", "EOF"),
        ("{", "EOF"),
        ("null", "null"),
        ("[]", "is a list"),
        (r#"{"showId":"show-1","seatIds":["A1"]}"#, "holdToken"),
        (r#"{"showId":"show-1","seatIds":["A1"],"holdToken":"t","x":1}"#, "unknown field `x`"),
        (r#"{"showId":"show-1","seatIds":["A1"],"holdToken":"t","holdToken":"u"}"#, "duplicate"),
        (r#"{"showId":1,"seatIds":["A1"],"holdToken":"t"}"#, "integer"),
        (r#"{"showId":"show-1","seatIds":"A1","holdToken":"t"}"#, "sequence"),
        (r#"{"showId":"show-1","seatIds":[1],"holdToken":"t"}"#, "integer"),
        (r#"{"showId":"show-1","seatIds":[],"holdToken":"t"}"#, "seatIds"),
        (r#"{"showId":"show-1","seatIds":["A#1"],"holdToken":"t"}"#, "an id has only"),
        (r#"{"showId":"show-1","seatIds":["A1"],"holdToken":""}"#, "an id has 1 to"),
        (r#"{"showId":"show-1","seatIds":["A1"],"holdToken":"a b"}"#, "an id has only"),
        (r#"{"showId":"show-1","seatIds":["A1"],"holdToken":"t"} x"#, "trailing"),
    ];
    for (body, word) in cases {
        let answer = post(&world, hold, body).await.expect(400);
        assert_eq!(answer["code"], "invalid_request", "{body}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains(word), "{body}: {detail}");
    }
    for (path, body) in [
        ("/api/reservations/confirm", r#"{"holdToken":"t"}"#),
        ("/api/reservations/confirm", r#"{"holdToken":"t","paymentReference":""}"#),
        ("/api/reservations/confirm", r#"{"holdToken":"t","paymentReference":"p","amount":1}"#),
        ("/api/reservations/cancel", r#"{}"#),
        ("/api/reservations/cancel", r#"{"reservationId":["r"]}"#),
    ] {
        assert_eq!(post(&world, path, body).await.problem(400), "invalid_request", "{body}");
    }
    nothing_is_written(&world);
}

#[tokio::test]
async fn a_body_of_a_megabyte_is_too_large() {
    let world = World::new().await;
    for path in ["hold", "confirm", "cancel"] {
        let path = format!("/api/reservations/{path}");
        let answer = post(&world, &path, &"x".repeat(1_000_000)).await;
        assert_eq!(answer.problem(413), "payload_too_large");
    }
    let largest = format!("{}{}", " ".repeat(64 * 1024 - 2), "{}");
    assert_eq!(
        post(&world, "/api/reservations/hold", &largest).await.problem(400),
        "invalid_request"
    );
    let larger = format!(" {largest}");
    assert_eq!(
        post(&world, "/api/reservations/hold", &larger).await.problem(413),
        "payload_too_large"
    );
    nothing_is_written(&world);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_json() {
    let world = World::new().await;
    let token = format!("Bearer {}", world.token("ann"));
    let (route, mut event) =
        world.event("POST", "/api/reservations/hold", &[("authorization", &token)], "");
    event["body"] = json!("/////w==");
    event["isBase64Encoded"] = json!(true);
    assert_eq!(world.invoke(&route, event).await.problem(400), "invalid_request");
}

#[tokio::test]
async fn a_bad_cursor_or_limit_is_told() {
    let world = World::new().await;
    let lists = [
        "/api/cities?",
        "/api/movies?city=delhi&",
        "/api/shows?city=delhi&date=2026-11-23&",
        "/api/reservations?",
    ];
    // Not base64; not JSON; JSON of another list; a place with a broken id.
    let broken = [
        "cursor=%21%21",
        "cursor=eA",
        "cursor=eyJ4IjoxfQ",
        "cursor=WyJhI2IiXQ",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "limit=1e1",
    ];
    for list in lists {
        for query in broken {
            let path = format!("{list}{query}");
            let answer = world.call("ann", "GET", &path, Value::Null).await;
            assert_eq!(answer.problem(400), "invalid_request", "{path}");
        }
        for query in ["limit=1", "limit=100", "limit=&cursor="] {
            world.call("ann", "GET", &format!("{list}{query}"), Value::Null).await.expect(200);
        }
    }
}

/// Goal: no text in a place for ids does more than name nothing. Method: what breaks keys,
/// expressions and paths elsewhere.
#[tokio::test]
async fn injected_text_is_only_text() {
    let world = World::new().await;
    for text in
        ["' OR '1'='1", "show-1#MAIN", "attribute_not_exists(pk)", "../admin", "\u{0}", "नमस्ते"]
    {
        let body = json!({"showId": text, "seatIds": ["A1"], "holdToken": "t"}).to_string();
        let answer = post(&world, "/api/reservations/hold", &body).await;
        assert_eq!(answer.problem(400), "invalid_request", "{text:?}");
        let body = json!({"reservationId": text}).to_string();
        let answer = post(&world, "/api/reservations/cancel", &body).await;
        assert_eq!(answer.problem(400), "invalid_request", "{text:?}");
    }
    nothing_is_written(&world);
}
