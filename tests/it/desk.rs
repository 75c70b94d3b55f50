//! The desk from outside: over real HTTP, as a client of the deployed API would use it.

use std::sync::Arc;

use domain::time::HoldTerms;
use edge::Role;
use local::sandbox::plain_http;
use local::server::{Options, PaymentOptions, SANDBOX, Server};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

async fn serve(change: impl FnOnce(&mut Options)) -> Server {
    let mut options = Options {
        port: 0,
        jwt_secret: "a secret for an hour at the desk".to_owned(),
        hold_terms: HoldTerms::of_secs(300),
        dynamodb_url: None,
        data: None,
        demo: true,
        ttl: true,
        streams: false,
        log: false,
        payments: PaymentOptions {
            provider: SANDBOX.parse().unwrap(),
            base_url: None,
            key: String::new(),
            webhook_secrets: vec![(SANDBOX.parse().unwrap(), "whsec_c2VjcmV0".to_owned())],
        },
    };
    change(&mut options);
    Server::start(&options, edge::system_clock()).await.unwrap()
}

async fn get(server: &Server, path: &str) -> (StatusCode, Value) {
    let answer = plain_http().get(format!("{}{path}", server.url)).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// A show of tomorrow or later in a city, so that it has not begun.
async fn upcoming(server: &Server, city: &str) -> Value {
    let tomorrow = edge::system_clock()() + chrono::TimeDelta::days(2);
    let path = format!("/api/shows?city={city}&date={}", tomorrow.date_naive());
    let (status, found) = get(server, &path).await;
    assert_eq!(status, StatusCode::OK);
    found["items"][0].clone()
}

/// Sends holds together, each as a user of its own.
async fn race(server: &Server, show: &Value, wanted: Vec<Vec<String>>) -> Vec<(StatusCode, Value)> {
    let start = Arc::new(Barrier::new(wanted.len()));
    let client = plain_http();
    let mut buyers = JoinSet::new();
    for (buyer, seats) in wanted.into_iter().enumerate() {
        let body = json!({"showId": show["showId"], "seatIds": seats, "holdToken": "t"});
        let request = client
            .post(format!("{}/api/reservations/hold", server.url))
            .bearer_auth(server.token(&format!("buyer-{buyer}"), Role::User))
            .json(&body);
        let start = Arc::clone(&start);
        buyers.spawn(async move {
            start.wait().await;
            let answer = request.send().await.unwrap();
            (answer.status(), answer.json().await.unwrap())
        });
    }
    buyers.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_clients_race_for_one_seat_over_http() {
    let server = serve(|_| {}).await;
    let show = upcoming(&server, "Delhi").await;
    let answers = race(&server, &show, vec![vec!["C3".to_owned()]; 100]).await;
    let won = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
    let lost = answers.iter().filter(|(status, answer)| {
        *status == StatusCode::CONFLICT
            && answer["code"] == "seats_unavailable"
            && answer["detail"] == edge::SEAT_TAKEN_DETAIL
    });
    assert_eq!((won, lost.count()), (1, 99));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_hundred_buyers_with_seats_of_their_own_all_get_them() {
    let server = serve(|_| {}).await;
    let show = upcoming(&server, "Hyderabad").await;
    let seats = (0..300).map(|buyer| {
        let row = char::from(b'A' + u8::try_from(buyer % 20).unwrap());
        vec![format!("F1-{row}{}", buyer / 20 + 1)]
    });
    let answers = race(&server, &show, seats.collect()).await;
    assert_eq!(answers.len(), 300);
    for (status, answer) in answers {
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stranger_books_from_what_the_desk_says_of_itself() {
    let server = serve(|_| {}).await;
    let ready = server.ready();
    let client = plain_http();
    let post = async |path: &str, body: Value| {
        let url = format!("{}{path}", ready["url"].as_str().unwrap());
        let token = ready["userToken"].as_str().unwrap();
        let answer = client.post(url).bearer_auth(token).json(&body).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let show = upcoming(&server, "Delhi").await;
    let hold = json!({"showId": show["showId"], "seatIds": ["A1", "A2"], "holdToken": "uuid-1234"});
    let (status, held) = post("/api/reservations/hold", hold).await;
    assert_eq!(status, StatusCode::CREATED, "{held}");
    let order = json!({
        "reservationId": held["reservationId"],
        "amount": held["amount"]["amount"], "currency": held["amount"]["currency"],
        "outcome": "succeed",
    });
    let (status, paid) = post("/sandbox/payments", order).await;
    assert_eq!(status, StatusCode::CREATED, "{paid}");
    let confirm = json!({"holdToken": "uuid-1234", "paymentReference": paid["paymentReference"]});
    let (status, booked) = post("/api/reservations/confirm", confirm).await;
    assert_eq!((status, &booked["status"]), (StatusCode::OK, &json!("CONFIRMED")));
    let cancel = json!({"reservationId": booked["reservationId"]});
    let (status, cancelled) = post("/api/reservations/cancel", cancel).await;
    assert_eq!((status, &cancelled["status"]), (StatusCode::OK, &json!("CANCELLED")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_kept_in_a_folder_is_there_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("marquee-{}", std::process::id()));
    let keep = |options: &mut Options| options.data = Some(folder.clone());
    let server = serve(keep).await;
    let show = upcoming(&server, "Delhi").await;
    let held = race(&server, &show, vec![vec!["A1".to_owned()]]).await;
    assert_eq!(held[0].0, StatusCode::CREATED);
    server.stop().await;

    let server = serve(keep).await;
    let path = format!("/api/shows/{}/seats", show["showId"].as_str().unwrap());
    let (_, map) = get(&server, &path).await;
    assert_eq!(map["items"][0]["status"], "HELD");
    server.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Goal: `--dynamodb URL` needs nothing of the embedded engine but its protocol. Method: one desk
/// uses the tables of another over HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_desk_works_on_a_dynamodb_elsewhere() {
    let other = serve(|options| options.demo = false).await;
    let server = serve(|options| options.dynamodb_url = Some(other.dynamodb_url.clone())).await;
    let show = upcoming(&server, "Delhi").await;
    let held = race(&server, &show, vec![vec!["A1".to_owned()]; 2]).await;
    let mut statuses: Vec<u16> = held.iter().map(|(status, _)| status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let path = format!("/api/shows/{}/seats", show["showId"].as_str().unwrap());
    assert_eq!(get(&other, &path).await.1["items"][0]["status"], "HELD", "the other sees it");
    server.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_gateway_says_what_api_gateway_says() {
    let server = serve(|options| options.demo = false).await;
    for (method, path) in [("GET", "/nowhere"), ("DELETE", "/api/cities"), ("GET", "/api/shows/")] {
        let method = method.parse().unwrap();
        let request = plain_http().request(method, format!("{}{path}", server.url));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"message": "Not Found"}));
    }
    let token = server.token("ann", Role::User);
    let hold = |body: Vec<u8>| {
        let url = format!("{}/api/reservations/hold", server.url);
        plain_http().post(url).bearer_auth(&token).body(body).send()
    };
    let large = hold(vec![b' '; 1_000_000]).await.unwrap();
    assert_eq!(large.json::<Value>().await.unwrap()["code"], "payload_too_large");
    let huge = hold(vec![b' '; 10 * 1024 * 1024 + 1]).await.unwrap();
    assert_eq!(huge.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let no_text = hold(vec![0xff, 0xfe]).await.unwrap();
    assert_eq!(no_text.json::<Value>().await.unwrap()["code"], "invalid_request");
    server.stop().await;
}
