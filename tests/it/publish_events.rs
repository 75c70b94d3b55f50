//! Events out: what others are told, and that each of them is told all of it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use chrono::TimeDelta;
use domain::event::{Delivery, Type};
use domain::id::EventId;
use domain::subscription::{Status, Subscription};
use jsonschema::Validator;
use local::bus::{self, Bus};
use serde_json::{Value, json};

use crate::world::{HOLD_SECS, World};

/// `events.schema.json`.
fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let text = include_str!("../../events.schema.json");
    SCHEMA.get_or_init(|| serde_json::from_str(text).expect("it is JSON"))
}

/// Has a schema refuse members that it does not know.
fn close(schema: &mut Value) {
    if schema["type"] == "object" {
        schema["additionalProperties"] = json!(false);
    }
    if let Some(members) = schema.as_object_mut() {
        members.values_mut().for_each(close);
    } else if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(close);
    }
}

/// What is wrong with an event by `events.schema.json`. Others have it open, since members may be
/// added; here they must stand there, too.
fn mistakes(event: &Value) -> Vec<String> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        let mut schema = schema().clone();
        close(&mut schema);
        jsonschema::options().should_validate_formats(true).build(&schema).expect("it is a schema")
    });
    let errors = validator.iter_errors(event);
    errors.map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// Panics if it is no event by `events.schema.json`, or has members that do not stand there.
#[track_caller]
pub(crate) fn check(event: &Value) {
    let mistakes = mistakes(event);
    assert!(mistakes.is_empty(), "{mistakes:#?}\n{event:#}");
}

/// All that is on the bus, oldest first, each checked.
pub(crate) fn on_bus(world: &World) -> Vec<Value> {
    let detail = |mut entry: Value| {
        let event = entry["detail"].take();
        check(&event);
        assert_eq!((&entry["source"], &entry["detail-type"]), (&json!("marquee"), &event["type"]));
        event
    };
    world.bus.entries().into_iter().map(detail).collect()
}

/// Publishes what happened, and returns all that is on the bus.
async fn told(world: &World) -> Vec<Value> {
    world.publish().await;
    on_bus(world)
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn of_type(events: &[Value], kind: Type) -> &Value {
    events.iter().find(|event| event["type"] == kind.as_str()).expect("it was told")
}

fn ids(events: &[Value]) -> BTreeSet<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

/// What was recorded, as it is stored.
fn recorded(world: &World) -> Vec<Value> {
    let is_event = |item: &Value| item["pk"]["S"].as_str().unwrap().starts_with("EVENT#");
    world.items(&world.tables.events).into_iter().filter(is_event).collect()
}

fn id(reservation: &Value) -> &str {
    reservation["reservationId"].as_str().unwrap()
}

/// Puts a reservation in the table that is none.
fn put_nonsense(world: &World) {
    let item = json!({
        "pk": {"S": "RESERVATION#nonsense"},
        "reservation_status": {"S": "PENDING"},
    });
    world.db.put(&world.tables.reservations, &item);
}

#[test]
fn the_schema_has_every_type_and_its_examples_are_right() {
    let branches = schema()["oneOf"].as_array().unwrap();
    let kinds: Vec<&str> = branches
        .iter()
        .map(|branch| branch["properties"]["type"]["const"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, Type::ALL.map(Type::as_str));
    for branch in branches {
        let examples = branch["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{}", branch["title"]);
        examples.iter().for_each(check);
    }
}

/// Goal: whoever checks events by the schema takes those of tomorrow, too. Method: members more,
/// wherever there are some; our own check sees each of them.
#[test]
fn the_schema_is_open_to_others() {
    for branch in schema()["oneOf"].as_array().unwrap() {
        for place in ["", "/data", "/data/amount", "/data/seats/0", "/data/seats/0/price"] {
            let mut event = branch["examples"][0].clone();
            let Some(object) = event.pointer_mut(place) else { continue };
            object["more"] = json!(1);
            assert!(jsonschema::is_valid(schema(), &event), "{place} of {}", branch["title"]);
            assert!(!mistakes(&event).is_empty(), "{place} of {}", branch["title"]);
        }
    }
}

/// Goal: a reservation is told as its customer saw it at that time. Method: a whole life, and the
/// answers along its way.
#[tokio::test]
async fn a_booking_that_is_cancelled_is_told_from_hold_to_refund() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "the-key-to-it").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.advance(TimeDelta::seconds(5));
    let booked = world.confirm("ann", "the-key-to-it", &payment).await.expect(200);
    world.advance(TimeDelta::seconds(5));
    let cancelled = world.cancel("ann", id(&held)).await.expect(200);
    let of_reservation = told(&world).await;
    world.advance(TimeDelta::seconds(5));
    world.refund().await;
    let all = told(&world).await;

    let expected = ["reservation.held", "reservation.confirmed", "reservation.cancelled"];
    assert_eq!(types(&of_reservation), expected);
    let times = ["createdAt", "confirmedAt", "cancelledAt"];
    for ((event, shown), time) in of_reservation.iter().zip([held, booked, cancelled]).zip(times) {
        assert_eq!(event["occurredAt"], event["data"][time]);
        assert_eq!(event["data"]["userId"], "ann");
        for name in ["reservationId", "showId", "seats", "amount", "status", "payment", time] {
            assert_eq!(event["data"][name], shown[name], "{name} of {}", event["type"]);
        }
    }
    assert_eq!(types(&all[3..]), ["payment.refunded"]);
    assert_eq!(all[3]["occurredAt"], domain::time::text(world.now()));
    assert_eq!(
        all[3]["data"],
        json!({
            "provider": "sandbox",
            "paymentReference": payment,
            "reservationId": of_reservation[0]["data"]["reservationId"],
            "amount": of_reservation[0]["data"]["amount"],
            "status": "REFUNDED",
            "reason": "BOOKING_CANCELLED",
        })
    );
}

#[tokio::test]
async fn a_hold_that_lapses_is_told_once_however_many_its_seats() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2", "A3"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS + 90));
    assert_eq!(world.db.sweep_ttl(), 3);
    world.release().await;
    let events = told(&world).await;
    assert_eq!(world.last_line()["events_published"], 1);
    assert_eq!(types(&events), ["reservation.held", "reservation.expired"]);
    assert_eq!(events[1]["occurredAt"], events[1]["data"]["holdExpiresAt"], "and not when swept");
}

#[tokio::test]
async fn a_payment_that_comes_too_late_is_told_with_what_becomes_of_it() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.confirm("ann", "t1", &payment).await.expect(409);
    world.refund().await;
    let events = told(&world).await;
    assert_eq!(events.len(), 3);
    assert_eq!(of_type(&events, Type::ReservationFailed)["data"]["status"], "FAILED");
    assert_eq!(of_type(&events, Type::PaymentRefunded)["data"]["reason"], "HOLD_EXPIRED");
}

/// A hold that is extended and shows a payment is still the same hold.
#[tokio::test]
async fn what_changes_no_status_is_not_told() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
    let events = told(&world).await;
    assert_eq!(types(&events), ["reservation.held"]);
    assert_eq!(events[0]["data"]["holdExpiresAt"], held["holdExpiresAt"], "as it was then");
}

/// Goal: nobody else can act for a customer or write to them. Method: look at every text that
/// leaves for others, and at what the log keeps.
#[tokio::test]
async fn no_hold_token_and_no_address_is_told() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "the-key-to-it").await;
    world.cancel("ann", id(&booked)).await.expect(200);
    world.refund().await;
    let events = told(&world).await;
    assert_eq!(events.len(), 4);
    let known = json!(world.items(&world.tables.reservations)).to_string();
    assert!(known.contains("the-key-to-it") && known.contains("ann@example.com"), "{known}");
    for text in events.iter().chain(&recorded(&world)).map(Value::to_string) {
        for secret in ["the-key-to-it", "holdToken", "hold_token", "email", "@"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// Goal: a stream tells twice, and nobody sees two events. Method: cold functions whose place in the
/// streams was lost read all of it again, later.
#[tokio::test]
async fn what_the_stream_tells_twice_has_one_id_and_one_recording() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    world.cancel("ann", id(&booked)).await.expect(200);
    world.refund().await;
    let first = told(&world).await;
    let kept = recorded(&world);
    assert_eq!((first.len(), ids(&first).len(), kept.len()), (4, 4, 4));

    world.advance(TimeDelta::hours(23));
    let again = world.with_provider_at(&world.provider_url);
    again.publish().await;
    let all = on_bus(&world);
    assert_eq!(all.len(), 8);
    assert!(all.iter().all(|event| first.contains(event)), "byte for byte what was told");
    assert_eq!(recorded(&world), kept);
}

/// A subscription that cannot be read is no reason to tell nobody.
#[tokio::test]
async fn a_broken_subscription_keeps_nobody_else_from_being_told() {
    let world = World::new().await;
    let key = json!({"pk": {"S": "SUBSCRIPTIONS"}, "sk": {"S": "SUBSCRIPTION#broken"}});
    world.db.put(&world.tables.events, &key);
    let other = json!({"url": "https://example.com/"});
    world.admin("POST", "/api/admin/subscriptions", other).await.expect(201);
    world.hold("ann", &["A1"], "t1").await.expect(201);
    assert_eq!(types(&told(&world).await), ["reservation.held"]);
    assert_eq!(world.queues.depth("EventDeliveries"), 1);
    assert_eq!(world.queues.depth("RecordsFailed"), 0);
}

/// Goal: what is told again is what was told, also by a function that would put it in other words.
#[tokio::test]
async fn what_was_recorded_is_what_is_told() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let id = EventId::of(Type::ReservationHeld, held["reservationId"].as_str().unwrap());
    let body = r#"{"as":"it was told by the version before"}"#;
    let now = world.now();
    world.store.record_event(&id, Type::ReservationHeld, body, now).await.unwrap();
    world.publish().await;
    let told: Vec<Value> =
        world.bus.entries().iter().map(|entry| entry["detail"].clone()).collect();
    assert_eq!(told, [serde_json::from_str::<Value>(body).unwrap()]);
}

/// Goal: nothing is lost between the recording and the bus. Method: the bus fails once, or refuses
/// the event in an answer that tells of no error, or its answer is lost; the stream comes again.
#[tokio::test]
async fn what_the_bus_does_not_take_is_told_later() {
    type Mishap = fn(&Bus);
    let refuse: Mishap = |bus| bus.refuse_entries(1);
    let mishaps: [(Mishap, usize); 3] =
        [(|bus| bus.fail(1), 0), (refuse, 0), (|bus| bus.lose_answers(1), 1)];
    for (mishap, told_before) in mishaps {
        let world = World::new().await;
        world.hold("ann", &["A1"], "t1").await.expect(201);
        mishap(&world.bus);
        assert_eq!(told(&world).await.len(), told_before);
        assert_eq!(world.last_line()["code"], "try_again");
        let kept = recorded(&world);
        assert_eq!(kept.len(), 1, "the recording comes first");

        world.advance(TimeDelta::seconds(30));
        let events = told(&world).await;
        assert_eq!(types(&events), vec!["reservation.held"; told_before + 1]);
        let id = &kept[0]["pk"]["S"].as_str().unwrap()["EVENT#".len()..];
        assert_eq!(ids(&events), BTreeSet::from([id]));
        assert_eq!(recorded(&world), kept, "as it was first recorded");
        assert_eq!(world.queues.depth("RecordsFailed"), 0);
    }
}

/// Goal: what a desk's bus takes, EventBridge takes. Method: both sides of each limit.
#[test]
fn the_bus_takes_no_more_than_event_bridge_does() {
    let bus = Bus::new(edge::system_clock());
    let put = |entries: &[Value]| {
        let body = SdkBody::from(json!({"Entries": entries}).to_string());
        let mut request = HttpRequest::new(body);
        request.headers_mut().insert("x-amz-target", "AWSEvents.PutEvents");
        let answer = bus.answer(&request);
        let body: Value = serde_json::from_slice(answer.body().bytes().unwrap()).unwrap();
        (answer.status().as_u16(), body["Entries"][0]["ErrorCode"].clone())
    };
    let of = |detail_type: &str, bytes: usize| {
        let rest = "x".repeat(bytes - r#"marquee{"x":""}"#.len() - detail_type.len());
        json!({
            "EventBusName": bus::NAME,
            "Source": "marquee",
            "DetailType": detail_type,
            "Detail": json!({"x": rest}).to_string(),
        })
    };
    let (most, taken) = (256 * 1024, (200, Value::Null));
    assert_eq!(put(&[of("a", most)]), taken);
    assert_eq!(put(&[of("a", most + 1)]), (400, Value::Null));
    assert_eq!(put(&[of("a", most - 100), of("b", 100)]), taken);
    assert_eq!(put(&[of("a", most - 100), of("b", 101)]), (400, Value::Null));
    assert_eq!(put(&[of(&"é".repeat(128), 1_000)]), taken);
    assert_eq!(put(&[of(&"é".repeat(129), 1_000)]), (200, json!("InvalidArgument")));
    assert_eq!(bus.entries().len(), 4);
}

/// Goal: whoever was told of nothing is told when the stream comes again. Method: the queue is away.
#[tokio::test]
async fn a_queue_that_is_away_gets_its_message_later() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    let settings = local::template::Template::read().unwrap().queues().unwrap();
    let (_, emails) = settings.into_iter().find(|(name, _)| name == "Emails").unwrap();
    world.queues.remove("Emails");
    assert_eq!(ids(&told(&world).await).len(), 1, "the letter comes before the bus");
    assert_eq!(world.last_line()["code"], "try_again");
    world.queues.create("Emails", emails);
    let events = told(&world).await;
    assert_eq!(ids(&events).len(), 2, "told again is not told anew");
    let confirmed = of_type(&events, Type::ReservationConfirmed);
    assert_eq!(letters(&world), [confirmed["id"].as_str().unwrap()]);
}

/// Goal: a record that can never be told does not hold up the others. Method: nonsense between two
/// holds; the stream tries as often as the template lets it.
#[tokio::test]
async fn nonsense_moves_on_and_is_kept_for_somebody_to_look_at() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    put_nonsense(&world);
    world.hold("bob", &["B1"], "t1").await.expect(201);
    for _ in 0..30 {
        world.publish().await;
    }
    assert_eq!(world.queues.depth("RecordsFailed"), 1);
    world.hold("cat", &["C1"], "t1").await.expect(201);
    let events = told(&world).await;
    let users: BTreeSet<_> =
        events.iter().map(|event| event["data"]["userId"].as_str().unwrap()).collect();
    assert_eq!(users, BTreeSet::from(["ann", "bob", "cat"]));
    assert_eq!((ids(&events).len(), recorded(&world).len()), (3, 3));
    assert_eq!(world.queues.depth("RecordsFailed"), 1, "and nothing else is there");
}

/// The events that letters are waiting for.
fn letters(world: &World) -> Vec<String> {
    let event = |body: String| {
        let letter: domain::event::Letter = serde_json::from_str(&body).unwrap();
        letter.event_id.as_str().to_owned()
    };
    world.queues.bodies("Emails").into_iter().map(event).collect()
}

#[tokio::test]
async fn a_customer_is_written_about_a_booking_its_end_and_their_money() {
    let world = World::new().await;
    let held = world.hold("bob", &["B1"], "t1").await.expect(201);
    world.cancel("bob", id(&held)).await.expect(200);
    world.hold("cat", &["C1"], "t1").await.expect(201);
    assert_eq!(told(&world).await.len(), 3);
    assert_eq!(letters(&world), [""; 0], "a hold that comes and goes is seen on the screen");

    let booked = world.book("ann", &["A1"], "t1").await;
    world.cancel("ann", id(&booked)).await.expect(200);
    world.refund().await;
    let events = told(&world).await;
    let about = events[3..].iter().filter(|event| event["type"] != "reservation.held");
    let about: Vec<&str> = about.map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!((letters(&world).len(), about.len()), (3, 3));
    assert_eq!(letters(&world), about);
}

/// Subscribes somebody to some types, or to all if there are none.
async fn subscribe(world: &World, id: &str, types: &[Type], status: Status) {
    let subscription = Subscription {
        id: id.parse().unwrap(),
        url: "https://example.com/hook".to_owned(),
        event_types: types.iter().copied().collect(),
        status,
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
        previous_secret: None,
        previous_until: None,
        created_at: world.now(),
        failing_since: None,
        disabled_at: None,
    };
    world.store.put_subscription(&subscription).await.unwrap();
}

/// Who is to be told of what.
fn deliveries(world: &World) -> Vec<(String, String)> {
    let delivery = |body: String| {
        let delivery: Delivery = serde_json::from_str(&body).unwrap();
        assert_eq!((delivery.attempt, delivery.not_before), (0, delivery.first_at));
        (delivery.subscription_id.to_string(), delivery.event_id.to_string())
    };
    world.queues.bodies("EventDeliveries").into_iter().map(delivery).collect()
}

#[tokio::test]
async fn a_subscriber_is_sent_what_it_asked_for_and_nothing_else() {
    let world = World::new().await;
    subscribe(&world, "all", &[], Status::Active).await;
    subscribe(&world, "booked", &[Type::ReservationConfirmed], Status::Active).await;
    subscribe(&world, "off", &[], Status::Disabled).await;
    subscribe(&world, "refunds", &[Type::PaymentRefunded], Status::Active).await;
    world.book("ann", &["A1"], "t1").await;
    let events = told(&world).await;
    let id_of = |kind| of_type(&events, kind)["id"].as_str().unwrap();
    let held = id_of(Type::ReservationHeld);
    let confirmed = id_of(Type::ReservationConfirmed);
    let expected = [("all", held), ("all", confirmed), ("booked", confirmed)];
    let expected = expected.map(|(who, what)| (who.to_owned(), what.to_owned()));
    assert_eq!(deliveries(&world), expected);
}

/// Goal: subscriptions are not read for every event. Method: what passes the wire.
#[tokio::test]
async fn an_event_costs_one_write_and_now_and_then_a_query() {
    let world = World::new().await;
    world.book("ann", &["A1"], "t1").await;
    world.wire.take_calls();
    world.publish().await;
    let calls = world.wire.take_calls();
    let operations: Vec<&str> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, ["TransactWriteItems", "Query", "TransactWriteItems"]);
}
