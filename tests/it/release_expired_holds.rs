//! Holds that ended: what the stream of seats makes of their reservations.

use chrono::TimeDelta;
use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};

use crate::wire::Fault;
use crate::world::{HOLD_SECS, World};

const FUNCTION: &str = "ReleaseExpiredHolds";

/// The stored status of a user's only reservation under a token.
fn stored(world: &World, token: &str) -> String {
    let items = world.items(&world.tables.reservations);
    let item = items.iter().find(|item| item["hold_token"]["S"] == token).unwrap();
    item["reservation_status"]["S"].as_str().unwrap().to_owned()
}

/// A second longer than a hold: TTL deletes what is past its time, and not on it.
fn lapse(world: &World) {
    world.advance(TimeDelta::seconds(HOLD_SECS + 1));
}

/// How many transactions wrote something since the calls were last taken.
fn writes(world: &World) -> usize {
    let calls = world.wire.take_calls();
    let won = calls.iter().filter(|call| call.answer.get("CancellationReasons").is_none());
    won.filter(|call| call.operation == "TransactWriteItems").count()
}

#[tokio::test]
async fn a_hold_that_is_swept_is_written_down_once_however_many_seats_it_has() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2", "A3", "A4"], "t1").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    world.wire.take_calls();
    world.release().await;
    assert_eq!(stored(&world, "t1"), "EXPIRED");
    let calls = world.wire.take_calls();
    let transactions = calls.iter().filter(|call| call.operation == "TransactWriteItems");
    assert_eq!(transactions.count(), 1, "four seats, one write");
}

/// Goal: each seat in a batch of its own, to a function that remembers nothing: one write all the same.
#[tokio::test]
async fn split_batches_to_cold_functions_write_once() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2", "A3"], "t1").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    let records = world.take_records(FUNCTION).await;
    let removed = records.iter().filter(|record| record["eventName"] == "REMOVE");
    assert_eq!(removed.count(), 3);
    world.wire.take_calls();
    for record in &records {
        assert_eq!(world.cold().tell_of(FUNCTION, std::slice::from_ref(record)).await, 0);
    }
    assert_eq!(writes(&world), 1);
    assert_eq!(stored(&world, "t1"), "EXPIRED");
}

#[tokio::test]
async fn the_metric_counts_a_hold_once() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    let records = world.take_records(FUNCTION).await;
    let mut counted = 0;
    for record in records.iter().chain(&records) {
        world.tell_of(FUNCTION, std::slice::from_ref(record)).await;
        counted += world.last_line()["holds_expired"].as_u64().unwrap_or_default();
    }
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn after_a_payment_that_failed_it_ends_as_failed() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "fail").await;
    world.confirm("ann", "t1", &payment).await.expect(402);
    lapse(&world);
    let path = format!("/api/reservations/{}", held["reservationId"].as_str().unwrap());
    let before = world.call("ann", "GET", &path, Value::Null).await.expect(200);
    assert_eq!(before["status"], "FAILED", "as it will be");
    world.db.sweep_ttl();
    world.release().await;
    assert_eq!(stored(&world, "t1"), "FAILED");
    let after = world.call("ann", "GET", &path, Value::Null).await.expect(200);
    assert_eq!(after, before);
}

/// Goal: who comes next says that the old hold is over; nothing else has to.
#[tokio::test]
async fn a_takeover_ends_the_old_reservation_without_any_sweep() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    lapse(&world);
    world.hold("bob", &["A2", "A3"], "t2").await.expect(201);
    world.release().await;
    assert_eq!((stored(&world, "t1"), stored(&world, "t2")), ("EXPIRED".into(), "PENDING".into()));
}

/// The same user again, under another token.
#[tokio::test]
async fn a_hold_again_by_the_same_user_lives_and_the_old_one_ends() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    let late = world.take_records(FUNCTION).await;
    world.hold("ann", &["A1"], "t2").await.expect(201);
    world.tell_of(FUNCTION, &late).await;
    world.release().await;
    assert_eq!((stored(&world, "t1"), stored(&world, "t2")), ("EXPIRED".into(), "PENDING".into()));
    assert_eq!(world.seat("A1").await, "HELD");
    let payment = world.pay(&json_of_hold(&world, "t2"), "succeed").await;
    world.confirm("ann", "t2", &payment).await.expect(200);
    world.tell_of(FUNCTION, &late).await;
    assert_eq!(stored(&world, "t2"), "CONFIRMED");
}

fn json_of_hold(world: &World, token: &str) -> Value {
    let items = world.items(&world.tables.reservations);
    let item = items.iter().find(|item| item["hold_token"]["S"] == token).unwrap();
    let id = item["pk"]["S"].as_str().unwrap().trim_start_matches("RESERVATION#");
    let amount: u64 = item["amount_minor"]["N"].as_str().unwrap().parse().unwrap();
    json!({"reservationId": id, "amount": {"amount": amount, "currency": "INR"}})
}

/// A late payment of somebody else takes a seat whose hold lapsed, and books it.
#[tokio::test]
async fn a_late_booking_ends_whom_it_takes_a_seat_from() {
    let world = World::new().await;
    let first = world.hold("ann", &["A1"], "t1").await.expect(201);
    lapse(&world);
    world.hold("bob", &["A1"], "t2").await.expect(201);
    lapse(&world);
    world.pay(&first, "succeed").await;
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    world.process().await;
    world.release().await;
    assert_eq!(
        (stored(&world, "t1"), stored(&world, "t2")),
        ("CONFIRMED".into(), "EXPIRED".into())
    );
}

/// Goal: giving up by hand is no expiry: not its records, and not what becomes of the reservation.
#[tokio::test]
async fn a_release_by_hand_is_no_expiry() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
    lapse(&world);
    let records = world.take_records(FUNCTION).await;
    assert_eq!(records.len(), 1, "its seat was held, and is gone");
    world.wire.take_calls();
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    assert_eq!(world.wire.take_calls().len(), 0, "it is known from the record itself");
    assert_eq!(world.last_line().get("holds_expired"), None);
    assert_eq!(stored(&world, "t1"), "CANCELLED");
}

/// Goal: who deleted the item is looked at here, whatever the filter lets through. Method: the record of
/// a sweep, as if somebody else had deleted the item.
#[tokio::test]
async fn a_deletion_by_somebody_else_is_no_expiry() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    let mut records = world.take_records(FUNCTION).await;
    let swept = records[0].clone();
    for by in [
        Value::Null,
        json!({"type": "Service", "principalId": "backup.amazonaws.com"}),
        json!({"type": "User", "principalId": "dynamodb.amazonaws.com"}),
    ] {
        records[0]["userIdentity"] = by;
        world.tell_of(FUNCTION, &records).await;
        assert_eq!(stored(&world, "t1"), "PENDING");
    }
    world.tell_of(FUNCTION, &[swept]).await;
    assert_eq!(stored(&world, "t1"), "EXPIRED");
}

/// Bookings, extensions and payments in time pass the filter, and nothing comes of them.
#[tokio::test]
async fn what_goes_on_with_a_hold_is_not_its_end() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
    world.book("bob", &["B1"], "t2").await;
    lapse(&world);
    world.db.sweep_ttl();
    world.wire.take_calls();
    world.release().await;
    assert_eq!(world.wire.take_calls().len(), 0);
    assert_eq!(
        (stored(&world, "t1"), stored(&world, "t2")),
        ("PENDING".into(), "CONFIRMED".into())
    );
    world.advance(TimeDelta::seconds(2 * HOLD_SECS));
    world.db.sweep_ttl();
    world.release().await;
    assert_eq!(stored(&world, "t1"), "EXPIRED", "its payment is still in progress");
}

/// Goal: a hold that still counts is left alone, and not forgotten. Method: a record that knows nothing of
/// its extension, to a warm function that is called again when it has ended.
#[tokio::test]
async fn a_hold_that_was_extended_ends_later() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
    let mut records = world.take_records(FUNCTION).await;
    assert_eq!(records.len(), 1, "its extension");
    records[0]["dynamodb"]["NewImage"]["reservation_id"] = json!({"S": "theirs"});
    lapse(&world);
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    assert_eq!(world.queues.depth("RecordsFailed"), 0);
    assert_eq!(stored(&world, "t1"), "PENDING");
    world.advance(TimeDelta::seconds(2 * HOLD_SECS));
    world.db.sweep_ttl();
    world.release().await;
    assert_eq!(stored(&world, "t1"), "EXPIRED");
}

#[tokio::test]
async fn a_late_payment_still_books_what_has_expired() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    let records = world.take_records(FUNCTION).await;
    world.tell_of(FUNCTION, &records).await;
    world.pay(&held, "succeed").await;
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    world.process().await;
    assert_eq!(stored(&world, "t1"), "CONFIRMED");
    assert_eq!(world.cold().tell_of(FUNCTION, &records).await, 0);
    assert_eq!(stored(&world, "t1"), "CONFIRMED", "whatever is told again");
}

#[tokio::test(start_paused = true)]
async fn with_dynamodb_away_the_record_comes_again() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    world.wire.inject("TransactWriteItems", Fault::Down, 3);
    assert_eq!(world.read_once(FUNCTION).await, 0);
    assert_eq!(stored(&world, "t1"), "PENDING");
    world.release().await;
    assert_eq!(stored(&world, "t1"), "EXPIRED");
}

/// Goal: one record that can never be read holds up nobody, and is not lost. Method: a claim without an
/// owner, deleted, between two holds that lapse.
#[tokio::test]
async fn a_poison_record_goes_to_the_failure_queue_and_the_others_go_on() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let end = (world.now() + TimeDelta::seconds(HOLD_SECS)).timestamp().to_string();
    let poison = json!({
        "pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A5"},
        "seat_status": {"S": "HELD"}, "expires_at": {"N": end},
    });
    world.db.put(&world.tables.seats, &poison);
    world.hold("bob", &["B1"], "t2").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    world.release().await;
    assert_eq!((stored(&world, "t1"), stored(&world, "t2")), ("EXPIRED".into(), "EXPIRED".into()));
    let failed = world.queues.bodies("RecordsFailed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    let failed: Value = serde_json::from_str(&failed[0]).unwrap();
    assert_eq!(failed["function"], "release-expired-holds");
    assert_eq!(failed["record"]["dynamodb"]["OldImage"], poison, "the record, whole");
    let cause = failed["cause"].as_str().unwrap();
    assert!(cause.contains("`reservation_id` is missing"), "{cause}");
}

/// Goal: a record that makes no sense is not lost either while there is nowhere to put it.
#[tokio::test(start_paused = true)]
async fn a_poison_record_waits_for_the_failure_queue() {
    let world = World::new().await;
    let poison = json!({"eventID": "e1", "eventName": "REMOVE", "dynamodb": {
        "SequenceNumber": "1", "Keys": {}, "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES",
        "OldImage": {"pk": {"S": "NONSENSE"}},
    }});
    world.queues.remove("RecordsFailed");
    assert_eq!(world.tell_of(FUNCTION, &[poison]).await, 1);
}

/// Goal: what there is no time for comes again, and is not cut off in the middle. Method: two records, of
/// which the first takes the time that there is.
#[tokio::test]
async fn records_that_there_is_no_time_for_come_again() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.hold("bob", &["B1"], "t2").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    let records = world.take_records(FUNCTION).await;
    let mut context = Context::default();
    let left = TimeDelta::seconds(21);
    context.deadline = (world.now() + left).timestamp_millis().unsigned_abs();
    world.takes(2_000);
    let function = local::functions::by_id(FUNCTION, &world.app).unwrap();
    let answer = function(LambdaEvent::new(json!({"Records": records}), context)).await.unwrap();
    let second = &records[1]["dynamodb"]["SequenceNumber"];
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": second}]}));
    assert_eq!((stored(&world, "t1"), stored(&world, "t2")), ("EXPIRED".into(), "PENDING".into()));
}

/// Goal: while DynamoDB is away nothing is given up, however long that is. Method: more tries than any
/// limit on them.
#[tokio::test(start_paused = true)]
async fn nothing_is_given_up_while_something_is_away() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.hold("bob", &["B1"], "t2").await.expect(201);
    lapse(&world);
    world.db.sweep_ttl();
    for _ in 0..30 {
        world.wire.inject("TransactWriteItems", Fault::Down, 3);
        assert_eq!(world.read_once(FUNCTION).await, 0);
        world.wire.clear();
    }
    assert_eq!(world.queues.depth("RecordsFailed"), 0);
    for _ in 0..5 {
        world.release().await;
    }
    assert_eq!((stored(&world, "t1"), stored(&world, "t2")), ("EXPIRED".into(), "EXPIRED".into()));
}
