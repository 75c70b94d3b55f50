//! The desk from outside: over real HTTP, as a client of the deployed API would use it, or somebody
//! with a browser.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use domain::time::HoldTerms;
use edge::{Function, Role};
use lambda_http::LambdaEvent;
use local::gateway;
use local::mailbox::Mailbox;
use local::pages::Pages;
use local::runtime::Failure;
use local::sandbox::plain_http;
use local::server::{Options, PaymentOptions, SANDBOX, Server};
use local::template::Template;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::cinema::movie;
use crate::world::World;

fn options() -> Options {
    Options {
        port: 0,
        jwt_secret: "a secret for an hour at the desk".to_owned(),
        jwks: None,
        limits: None,
        hold_terms: HoldTerms::of_secs(300),
        dynamodb_url: None,
        data: None,
        demo: true,
        ttl: true,
        streams: false,
        log: false,
        binaries: None,
        payments: PaymentOptions {
            provider: SANDBOX.parse().unwrap(),
            base_url: None,
            key: String::new(),
            webhook_secrets: vec![(SANDBOX.parse().unwrap(), "whsec_c2VjcmV0".to_owned())],
        },
    }
}

pub(crate) async fn serve(change: impl FnOnce(&mut Options)) -> Server {
    let mut options = options();
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
    let long = format!("{}/api/shows?city={}", server.url, "%C3%A9".repeat(2_000));
    let long = plain_http().get(long).send().await.unwrap();
    assert_eq!(long.status(), StatusCode::URI_TOO_LONG);
    let no_text = hold(vec![0xff, 0xfe]).await.unwrap();
    assert_eq!(no_text.json::<Value>().await.unwrap()["code"], "invalid_request");
    server.stop().await;
}

/// Goal: a client is told what API Gateway would tell it where Lambda has no answer of the function's.
/// Method: functions that fail in each way.
#[tokio::test]
async fn the_gateway_says_what_became_of_a_call_that_failed() {
    let routes = Template::read().unwrap().routes();
    let told = async |failure: Failure| {
        let function: Function = Arc::new(move |_event: LambdaEvent<Value>| {
            let failure = failure.clone();
            Box::pin(async move { Err::<Value, edge::Error>(failure.into()) })
        });
        let find = |_: &str| Some(Arc::clone(&function));
        let router = gateway::router(&routes, find, None, &edge::system_clock()).unwrap();
        let url = format!("{}/api/cities", listen(router).await);
        let answer = plain_http().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["message"].clone())
    };
    let throttled = told(Failure::throttled()).await;
    assert_eq!(throttled, (503, json!("Service Unavailable")));
    let too_large = told(Failure::event_too_large()).await;
    assert_eq!(too_large, (413, json!("Request Entity Too Large")));
    for error_type in ["Sandbox.Timedout", "Runtime.ExitError", "its own"] {
        let failure = Failure { error_type: error_type.to_owned(), message: String::new() };
        assert_eq!(told(failure).await, (500, json!("Internal Server Error")), "{error_type}");
    }
}

/// Goal: whoever forgot to build hears of it at the start, and how to mend it.
#[tokio::test]
async fn a_desk_of_processes_needs_all_their_binaries() {
    let mut options = options();
    options.binaries = Some(vec![PathBuf::from("no-folder-of-ours")]);
    let error = Server::start(&options, edge::system_clock()).await.err().unwrap().to_string();
    for part in ["no-folder-of-ours", "cargo build --workspace --bins", "cargo lambda build"] {
        assert!(error.contains(part), "{error}");
    }
}

/// Goal: who finds the port on which a desk of processes has the payment provider's keys gets nothing there
/// without the key of its functions. Method: functions that write down what they are told and end, and
/// requests as theirs would be, and as others'.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_services_of_a_desk_are_for_its_own_functions() {
    let folder = std::env::temp_dir().join(format!("marquee-told-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("told");
    std::fs::write(&program, "#!/bin/sh\nenv > environment\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let template = Template::read().unwrap();
    for function in template.functions() {
        symlink(&program, folder.join(template.binary(&function).unwrap())).unwrap();
    }
    let server = serve(|options| {
        options.demo = false;
        options.binaries = Some(vec![folder.clone()]);
    })
    .await;
    assert_eq!(get(&server, "/api/cities").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    let told = std::fs::read_to_string(folder.join("environment")).unwrap();
    let told: BTreeMap<&str, &str> = told.lines().filter_map(|line| line.split_once('=')).collect();

    let ask = async |target: Option<&str>, key: Option<&str>| {
        let mut request = plain_http().post(told["AWS_ENDPOINT_URL_SECRETS_MANAGER"]);
        for (name, value) in [("x-amz-target", target), ("x-amz-security-token", key)] {
            request = value.into_iter().fold(request, |request, value| request.header(name, value));
        }
        let request = request.body(json!({"SecretId": "marquee/desk"}).to_string());
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let keys = Some("secretsmanager.GetSecretValue");
    let (status, secret) = ask(keys, Some(told["AWS_SESSION_TOKEN"])).await;
    assert_eq!(status, StatusCode::OK, "{secret}");
    assert!(secret["SecretString"].as_str().unwrap().contains("whsec_c2VjcmV0"), "{secret}");
    for target in [keys, Some("AmazonSQS.ReceiveMessage"), Some("AWSEvents.PutEvents"), None] {
        for key in [None, Some(""), Some("local")] {
            let (status, refusal) = ask(target, key).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{target:?}, {key:?}");
            assert_eq!(refusal["__type"], "UnrecognizedClientException");
        }
    }
    server.stop().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Goal: nobody needs to wait five minutes to see a schedule at work.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_schedule_can_be_asked_for() {
    let server = serve(|options| options.demo = false).await;
    let ask = async |function: &str| {
        let request = plain_http().post(format!("{}/local/schedules/{function}", server.url));
        request.send().await.unwrap().status()
    };
    assert_eq!(ask("ReconcilePayments").await, StatusCode::NO_CONTENT);
    assert_eq!(ask("HoldSeats").await, StatusCode::NOT_FOUND, "the clock does not call it");
    server.stop().await;
}

/// The pages over what went out of a world: where they are.
async fn serve_pages(world: &World) -> String {
    let (mailbox, bus) = (world.mailbox.clone(), world.bus.clone());
    let queues = world.queues.clone();
    let pages = Pages { mailbox, bus, queues, schedules: BTreeMap::new() };
    listen(pages.router()).await
}

/// Where a router is served.
pub(crate) async fn listen(router: Router) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, service).await });
    url
}

/// What a browser gets.
async fn browse(url: &str, path: &str) -> Response {
    let request = plain_http().get(format!("{url}{path}")).header("accept", "text/html,*/*");
    request.send().await.unwrap()
}

#[track_caller]
fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

/// Goal: a letter is seen as its customer sees it, and can do nothing. Method: a title that would
/// be HTML, and what a browser is told of each page.
#[tokio::test]
async fn a_letter_is_shown_and_can_do_nothing() {
    let world = World::new().await;
    let title = r#"<b>"Tom & Jerry"</b>"#;
    world.put_show(&movie("tom", title), |_| {}).await;
    world.book("ann", &["A1"], "t1").await;
    world.publish().await;
    world.mail().await;
    let url = serve_pages(&world).await;

    let index = browse(&url, "/local/mailbox").await.text().await.unwrap();
    let subject = r#"Your ticket: &lt;b&gt;"Tom &amp; Jerry"&lt;/b&gt;"#;
    let line = format!("<a href=\"/local/mailbox/letter-1\">{subject}</a>");
    assert!(index.contains(&line), "{index}");
    let list = plain_http().get(format!("{url}/local/mailbox")).send().await.unwrap();
    let list: Value = list.json().await.unwrap();
    assert_eq!(list[0]["subject"], format!("Your ticket: {title}"));
    assert_eq!(list[0]["url"], "/local/mailbox/letter-1");

    let letter = browse(&url, "/local/mailbox/letter-1").await;
    assert_eq!(header(&letter, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&letter, "x-content-type-options"), "nosniff");
    let policy = header(&letter, "content-security-policy");
    for part in ["default-src 'none';", "img-src 'self';", "frame-ancestors 'none';", " sandbox"] {
        assert!(policy.contains(part), "{policy}");
    }
    let html = letter.text().await.unwrap();
    assert!(html.contains("src=\"/local/mailbox/letter-1/ticket.png\""), "{html}");
    assert!(!html.contains("cid:") && !html.contains("<b>"), "{html}");

    let sent = world.mailbox.letters().remove(0).attachments;
    let dispositions: Vec<&str> = sent.iter().map(|file| file.disposition.as_str()).collect();
    assert_eq!(dispositions, ["INLINE", "ATTACHMENT"]);
    for (number, file) in sent.iter().enumerate() {
        let path = format!("/local/mailbox/letter-1/{}", file.file_name);
        assert_eq!(list[0]["attachments"][number]["url"], path);
        let answer = browse(&url, &path).await;
        assert_eq!(header(&answer, "content-type"), file.content_type);
        assert_eq!(header(&answer, "content-disposition"), file.disposition.to_lowercase());
        assert_eq!(header(&answer, "content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(answer.bytes().await.unwrap(), file.content);
    }
    for path in ["letter-2", "letter-2/ticket.png", "letter-1/ticket.pdf"] {
        let answer = browse(&url, &format!("/local/mailbox/{path}")).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn what_went_out_and_what_waits_can_be_seen() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.publish().await;
    world.enqueue("no JSON").await;
    let url = serve_pages(&world).await;
    let get = async |path: &str| browse(&url, path).await.json::<Value>().await.unwrap();
    assert_eq!(get("/local/events").await, json!(world.bus.entries()));
    let queues = get("/local/queues").await;
    for (name, depth) in [("Emails", 1), ("EventDeliveries", 0), ("PaymentEvents", 1)] {
        let queue = json!({"name": name, "depth": depth});
        assert!(queues.as_array().unwrap().contains(&queue), "{queues:#}");
    }
    let waits = world.queues.bodies("Emails").remove(0);
    let waits: Value = serde_json::from_str(&waits).unwrap();
    assert_eq!(get("/local/queues/Emails").await, json!([waits]));
    assert_eq!(get("/local/queues/PaymentEvents").await, json!(["no JSON"]));
    let unknown = browse(&url, "/local/queues/Letters").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

/// Goal: a web page from elsewhere reads no letters, by whatever name it reaches this machine (DNS
/// rebinding). Method: hosts that browsers would send; the API, where tokens guard, takes all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_desks_own_pages_are_for_this_machine_only() {
    let server = serve(|options| options.demo = false).await;
    let status = async |path: &str, host: &str| {
        let request = plain_http().get(format!("{}{path}", server.url)).header("host", host);
        request.send().await.unwrap().status()
    };
    for host in ["localhost", "localhost:80", "127.0.0.1:3000", "[::1]", "[::1]:3000"] {
        assert_eq!(status("/local/mailbox", host).await, StatusCode::OK, "{host}");
    }
    for host in ["example.com", "localhost.example.com:3000", "127.0.0.1.example.com", "10.0.0.1"] {
        for path in ["mailbox", "mailbox/letter-1", "events", "queues", "queues/Emails"] {
            let path = format!("/local/{path}");
            let status = status(&path, host).await;
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{host} {path}");
        }
        assert_eq!(status("/api/cities", host).await, StatusCode::OK, "{host}");
    }
    server.stop().await;
}

/// Goal: what a desk's mailbox takes, SES takes. Method: both sides of each limit.
#[test]
fn the_mailbox_takes_no_more_than_ses_does() {
    let mailbox = Mailbox::new(edge::system_clock());
    let send = |to: &str, more: Value| {
        let mut file = json!({"RawContent": "eA==", "FileName": "x", "ContentType": "text/plain"});
        file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = json!({"Data": "x"});
        let body = json!({"Text": text, "Html": text});
        let simple = json!({"Subject": text, "Body": body, "Attachments": [file]});
        let email = json!({
            "FromEmailAddress": "marquee@example.com",
            "Destination": {"ToAddresses": [to]},
            "Content": {"Simple": simple},
        });
        let mut request = HttpRequest::new(SdkBody::from(email.to_string()));
        request.set_method("POST").unwrap();
        request.set_uri("/v2/email/outbound-emails").unwrap();
        mailbox.answer(&request).status().as_u16()
    };
    assert_eq!(send("ann@example.com", json!({})), 200);
    for to in ["ann", "ann@localhost", "a.nn@localhost", "änn@example.com"] {
        assert_eq!(send(to, json!({})), 400, "{to}");
    }
    let of = |name: &str, chars| json!({(name): "é".repeat(chars)});
    let encoded = |by: &str| json!({"RawContent": "w6k=", "ContentTransferEncoding": by});
    for (more, status) in [
        (of("FileName", 0), 400),
        (of("FileName", 255), 200),
        (of("FileName", 256), 400),
        (of("ContentId", 0), 400),
        (of("ContentId", 78), 200),
        (of("ContentId", 79), 400),
        (json!({"RawContent": "w6k="}), 400),
        (json!({"RawContent": "?"}), 400),
        (encoded("BASE64"), 200),
        (encoded("QUOTED_PRINTABLE"), 400),
        (encoded("SEVEN_BIT"), 400),
        (json!({"ContentTransferEncoding": "SEVEN_BIT"}), 200),
        (json!({"ContentTransferEncoding": "GZIP"}), 400),
        (json!({"ContentDisposition": "INLINE"}), 200),
        (json!({"ContentDisposition": "HIDDEN"}), 400),
    ] {
        assert_eq!(send("ann@example.com", more.clone()), status, "{more}");
    }
    let letters = mailbox.letters();
    assert_eq!(letters.first().unwrap().attachments[0].disposition, "ATTACHMENT");
    assert_eq!(letters.last().unwrap().attachments[0].disposition, "INLINE");
}
