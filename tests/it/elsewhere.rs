//! A DynamoDB elsewhere: a world on it is like any other, and its streams are read to their ends.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, mpsc};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use chrono::TimeDelta;
use dynoxide::Database;
use local::dynamodb;
use local::template::{Source, StreamSource};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{HOLD_SECS, World};

/// What Lambda's pollers say of TTL.
fn by_ttl() -> Value {
    json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"})
}

/// The embedded engine on a port of its own, for as long as the process lives.
fn served() -> String {
    let (told, url) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            told.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            dynoxide::server::serve_on(listener, Database::memory().unwrap()).await;
        });
    });
    url.recv().unwrap()
}

/// A hold that lapses beside one that stays, and what streams tell of it.
async fn seen(world: &World) -> Value {
    world.with_holds_of(3_600).hold("bob", &["B1"], "t1").await.expect(201);
    world.hold("ann", &["A1", "A2"], "t2").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS));
    let early = world.db.sweep_ttl();
    world.advance(TimeDelta::seconds(1));
    let swept = world.db.sweep_ttl();
    let records = world.cold().take_records("ReleaseExpiredHolds").await;
    let told = records.iter().map(|record| {
        json!({
            "event": record["eventName"],
            "by": record["userIdentity"],
            "keys": record["dynamodb"]["Keys"],
            "status": record["dynamodb"]["NewImage"]["seat_status"],
        })
    });
    let told: Value = told.collect();
    world.release().await;
    world.publish().await;
    let statuses = world.items(&world.tables.reservations);
    let mut statuses: Vec<_> =
        statuses.iter().map(|item| item["reservation_status"]["S"].to_string()).collect();
    statuses.sort();
    let events = world.items(&world.tables.events).len();
    let logged = world.lines().into_iter();
    let logged: Value =
        logged.map(|line| json!([line["function"], line["status"], line["round_trips"]])).collect();
    json!({
        "swept": [early, swept],
        "told": told,
        "statuses": statuses,
        "events": events,
        "logged": logged,
    })
}

/// Goal: a test cannot tell where its tables are. Method: the same history here and by HTTP, with the clock
/// paused, which must not run ahead while a server takes its time.
#[tokio::test(start_paused = true)]
async fn a_world_on_a_server_is_like_any_other() {
    let url = served();
    let (here, there) = (World::new().await, World::at(&url).await);
    let expected = seen(&here).await;
    assert_eq!(seen(&there).await, expected);
    let is_by_ttl = |record: &&Value| record["by"] == by_ttl();
    let told = expected["told"].as_array().unwrap();
    assert_eq!((&expected["swept"], told.iter().filter(is_by_ttl).count()), (&json!([0, 2]), 2));
    assert_eq!(expected["statuses"], json!(["\"EXPIRED\"", "\"PENDING\""]));
}

#[tokio::test]
async fn worlds_on_a_server_have_tables_of_their_own_and_leave_none() {
    let url = served();
    let server = dynamodb::Engine::at(&url);
    let tables = || {
        let answer = server.call_now("ListTables", &json!({})).unwrap();
        answer["TableNames"].as_array().unwrap().len()
    };
    let (one, other) = (World::at(&url).await, World::at(&url).await);
    assert_eq!(tables(), 12);
    one.hold("ann", &["A1"], "t1").await.expect(201);
    other.hold("bob", &["A1"], "t1").await.expect(201);
    drop(one);
    assert_eq!(tables(), 6);
    assert_eq!(other.seat("A1").await, "HELD");
    drop(other);
    assert_eq!(tables(), 0);
}

#[tokio::test]
async fn a_refusal_has_its_name_and_so_has_silence() {
    let server = dynamodb::Engine::at(&served());
    let request = json!({"TableName": "nowhere"});
    let refusal = server.call("DescribeTable", &request).await.unwrap_err();
    assert_eq!(refusal.code, "ResourceNotFoundException");
    let nobody = dynamodb::Engine::at("http://127.0.0.1:9");
    let refusal = nobody.call("DescribeTable", &request).await.unwrap_err();
    assert_eq!(refusal.code, "");
    assert!(refusal.to_string().starts_with("no answer: "), "{refusal}");
}

/// What a scripted server answers to an operation, or which error.
type Script = Arc<dyn Fn(&str, &Value) -> Result<Value, &'static str> + Send + Sync>;

async fn scripted(script: Script) -> dynamodb::Engine {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(move |headers: HeaderMap, body: String| {
        let target = headers["x-amz-target"].to_str().unwrap();
        let operation = target.strip_prefix("DynamoDBStreams_20120810.").unwrap();
        std::future::ready(match script(operation, &serde_json::from_str(&body).unwrap()) {
            Ok(answer) => (StatusCode::OK, answer.to_string()),
            Err(code) => {
                let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
                (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": "no"}).to_string())
            }
        })
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    dynamodb::Engine::at(&url)
}

/// The source of a function behind one stream, without its filters.
fn unfiltered(world: &World, function: &str) -> StreamSource {
    let sources = world.template().sources().unwrap();
    let source = sources.into_iter().find(|(of, _)| of == function).unwrap().1;
    let Source::Stream(source) = source else { panic!("it is behind a stream") };
    StreamSource { filters: Vec::new(), ..source }
}

fn record(number: u8) -> Value {
    json!({
        "eventName": "REMOVE",
        "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
        "dynamodb": {"SequenceNumber": number.to_string()},
    })
}

/// A stream of which one shard has ended, and two go on where it was. The second page of its description
/// has the first of them. One iterator is not used in time.
fn of_three_shards(operation: &str, request: &Value) -> Result<Value, &'static str> {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let page = |records: &[u8], next: Option<&str>| {
        let records: Vec<_> = records.iter().copied().map(record).collect();
        Ok(json!({"Records": records, "NextShardIterator": next}))
    };
    match (operation, text("ExclusiveStartShardId"), text("ShardIterator")) {
        ("ListStreams", ..) => Ok(json!({"Streams": [{"StreamArn": "the stream"}]})),
        ("DescribeStream", "", _) => Ok(json!({"StreamDescription": {
            "Shards": [{"ShardId": "one", "ParentShardId": "old"}],
            "LastEvaluatedShardId": "one",
        }})),
        ("DescribeStream", "one", _) => Ok(json!({"StreamDescription": {"Shards": [
            {"ShardId": "old", "ParentShardId": "forgotten"},
            {"ShardId": "two", "ParentShardId": "old"},
        ]}})),
        ("GetShardIterator", ..) => {
            let (shard, kind) = (text("ShardId"), text("ShardIteratorType"));
            let iterator = format!("{shard} {kind} {}", text("SequenceNumber"));
            Ok(json!({"ShardIterator": iterator.trim()}))
        }
        ("GetRecords", _, "old TRIM_HORIZON") => page(&[1, 2], Some("old again")),
        ("GetRecords", _, "old again") => page(&[3], None),
        ("GetRecords", _, "one TRIM_HORIZON") => page(&[4], Some("one too late")),
        ("GetRecords", _, "one too late") => Err("ExpiredIteratorException"),
        ("GetRecords", _, "one AFTER_SEQUENCE_NUMBER 4") => page(&[5], Some("quiet")),
        ("GetRecords", _, "two TRIM_HORIZON") => page(&[6], Some("quiet")),
        ("GetRecords", _, "quiet") => page(&[], Some("quiet")),
        other => panic!("nobody needs {other:?}"),
    }
}

#[tokio::test]
async fn a_stream_elsewhere_is_read_shard_by_shard_and_parents_first() {
    let world = World::new().await;
    let engine = scripted(Arc::new(of_three_shards)).await;
    let function = "ReleaseExpiredHolds";
    let source = unfiltered(&world, function);
    let mut pump = world.stream_pump(function, source, engine, "Seats").await;
    let records = pump.take().await.unwrap();
    let numbers = records.iter().map(|record| record["dynamodb"]["SequenceNumber"].clone());
    assert_eq!(numbers.collect::<Value>(), json!(["1", "2", "3", "4", "6", "5"]));
    for record in &records {
        assert_eq!(record["userIdentity"], by_ttl(), "in Lambda's spelling");
        assert_eq!(record["eventSourceARN"], "the stream");
    }
    assert_eq!(pump.take().await.unwrap(), Vec::<Value>::new(), "each once");
}

/// Goal: nothing is passed over when a server fails. Method: every call fails once, before it succeeds.
#[tokio::test]
async fn what_a_server_did_not_answer_is_asked_for_again() {
    let world = World::new().await;
    let failed = Mutex::new(Vec::new());
    let script = move |operation: &str, request: &Value| {
        let call = format!("{operation} {request}");
        let mut failed = failed.lock().unwrap();
        if failed.contains(&call) || operation == "ListStreams" {
            return of_three_shards(operation, request);
        }
        failed.push(call);
        Err("InternalServerError")
    };
    let function = "ReleaseExpiredHolds";
    let source = unfiltered(&world, function);
    let engine = scripted(Arc::new(script)).await;
    let mut pump = world.stream_pump(function, source, engine, "Seats").await;
    let mut failures = 0;
    let records = loop {
        match pump.take().await {
            Ok(records) => break records,
            Err(_) => failures += 1,
        }
        assert!(failures < 100, "it never ends");
    };
    let numbers = records.iter().map(|record| record["dynamodb"]["SequenceNumber"].clone());
    let mut numbers: Vec<Value> = numbers.collect();
    assert_eq!(numbers.len(), 6);
    numbers.sort_by_key(ToString::to_string);
    numbers.dedup();
    assert_eq!(numbers.len(), 6, "each once");
    assert!(failures > 6, "{failures}");
}
