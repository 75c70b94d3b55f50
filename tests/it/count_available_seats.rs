//! How much of a show is left: what the stream of seats makes of it for whoever searches.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::create_show::draft;
use crate::update_blocked_seats::one_within_the_other;
use crate::wire::Fault;
use crate::world::{Answer, HOLD_SECS, World};

const FUNCTION: &str = "CountAvailableSeats";

/// What a search tells of a show, by functions that remember nothing.
async fn availability(world: &World, show: &str, date: &str) -> Value {
    let path = format!("/api/shows?city=delhi&date={date}");
    let found = world.cold().get(&path).await.expect(200);
    let mut shows = found["items"].as_array().unwrap().iter();
    let show = shows.find(|item| item["showId"] == show).expect("the show is listed");
    show["availability"].clone()
}

/// How many seats of show-1 a search tells to be left.
async fn left(world: &World) -> u64 {
    availability(world, "show-1", "2026-11-23").await["available"].as_u64().unwrap()
}

fn operations(world: &World) -> Vec<String> {
    world.wire.take_calls().into_iter().map(|call| call.operation).collect()
}

/// The count of a section as it is stored.
fn stored(world: &World, section: &str) -> Option<Value> {
    let items = world.items(&world.tables.catalog);
    items.into_iter().find(|item| item["sk"]["S"] == format!("AVAILABILITY#{section}"))
}

fn put(world: &World, table: &str, item: &Value) {
    world.db.put(table, item);
}

async fn block(world: &World, seats: &[&str]) {
    let path = "/api/admin/shows/show-1/blocked-seats";
    world.admin("PUT", path, json!({"seatIds": seats})).await.expect(200);
}

#[tokio::test]
async fn what_is_left_follows_holds_bookings_cancellations_and_house_seats() {
    let world = World::new().await;
    assert_eq!(
        availability(&world, "show-1", "2026-11-23").await,
        json!({"status": "AVAILABLE", "available": 36, "total": 36}),
        "nobody was there yet"
    );
    world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.count().await;
    assert_eq!(left(&world).await, 34);
    let booked = world.book("bob", &["B1", "B2", "B3"], "t2").await;
    world.count().await;
    assert_eq!(left(&world).await, 31);
    world.cancel("bob", booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.count().await;
    assert_eq!(left(&world).await, 34);
    block(&world, &["C1"]).await;
    world.count().await;
    assert_eq!(left(&world).await, 33);
    block(&world, &[]).await;
    world.count().await;
    assert_eq!(left(&world).await, 34);
}

/// Goal: a seat is told to be free when its hold is over, though nobody swept it and nobody counted again,
/// and other holds go on. Method: two holds that end at different seconds, looked at around both.
#[tokio::test]
async fn a_hold_that_lapsed_is_left_again_without_any_sweep_or_count() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(100));
    world.hold("bob", &["A3"], "t2").await.expect(201);
    world.count().await;
    let second = TimeDelta::seconds(1);
    world.advance(TimeDelta::seconds(HOLD_SECS - 100) - second);
    assert_eq!(left(&world).await, 33);
    world.advance(second);
    assert_eq!(left(&world).await, 35, "ann's is over, bob's goes on");
    world.advance(TimeDelta::seconds(100) - second);
    assert_eq!(left(&world).await, 35);
    world.advance(second);
    assert_eq!(left(&world).await, 36);
}

#[tokio::test]
async fn a_hold_that_was_extended_counts_to_its_new_end() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    world.count().await;
    let slow = world.pay(&held, "stay_pending").await;
    world.confirm("ann", "t1", &slow).await.expect(202);
    world.count().await;
    world.advance(TimeDelta::seconds(HOLD_SECS));
    assert_eq!(left(&world).await, 35);
    world.advance(TimeDelta::seconds(2 * HOLD_SECS));
    assert_eq!(left(&world).await, 36);
}

#[tokio::test]
async fn a_show_fills_fast_and_is_sold_out_and_comes_back() {
    let world = World::new().await;
    let rows = ['A', 'B', 'C'];
    let seats = rows.iter().flat_map(|row| (1..=12).map(move |number| format!("{row}{number}")));
    let seats: Vec<String> = seats.collect();
    let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
    for (blocked, status) in
        [(25, "AVAILABLE"), (26, "FILLING_FAST"), (36, "SOLD_OUT"), (35, "FILLING_FAST")]
    {
        block(&world, &seats[..blocked]).await;
        world.count().await;
        let told = availability(&world, "show-1", "2026-11-23").await;
        assert_eq!(told, json!({"status": status, "available": 36 - blocked, "total": 36}));
    }
}

#[tokio::test]
async fn only_a_show_that_sells_tells_what_is_left() {
    let world = World::new().await;
    for (show, date) in
        [("announced", "2026-11-24"), ("cancelled", "2026-11-24"), ("begun", "2026-11-22")]
    {
        assert_eq!(availability(&world, show, date).await, Value::Null, "{show}");
    }
}

/// Goal: a purchase does not pay for what searches tell. Method: the calls of a warm hold.
#[tokio::test]
async fn a_hold_makes_no_call_for_it() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.wire.take_calls();
    world.hold("ann", &["A2"], "t2").await.expect(201);
    assert_eq!(operations(&world), ["TransactWriteItems"]);
}

#[tokio::test]
async fn a_batch_counts_each_of_its_sections_once() {
    let world = World::new().await;
    let seats = ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10"];
    world.hold("ann", &seats, "t1").await.expect(201);
    let records = world.take_records(FUNCTION).await;
    assert_eq!(records.len(), 10);
    world.wire.take_calls();
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    let section = ["GetItem", "Query", "TransactWriteItems", "GetItem"];
    assert_eq!(operations(&world), section, "the last of the show, if it is where it was");
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    assert_eq!(operations(&world), ["GetItem", "Query"], "it is known");

    let seats = ["SOUTH-B7", "SOUTH-B8", "EAST-A1"];
    world.hold_of("ann", "arena-show", &seats, "t2").await.expect(201);
    let records = world.take_records(FUNCTION).await;
    world.wire.take_calls();
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    assert_eq!(operations(&world), [section, section].concat());
    assert_eq!(stored(&world, "NORTH"), None, "nobody was there");
    let told = availability(&world, "arena-show", "2026-11-24").await;
    assert_eq!(told, json!({"status": "AVAILABLE", "available": 5_997, "total": 6_000}));
}

/// Goal: how the records come makes no difference. Method: those of a little history, told late, in several
/// ways, each in a world of its own.
#[tokio::test]
async fn late_twice_backwards_and_one_by_one_end_the_same() {
    for way in ["as they came", "backwards", "one by one", "twice", "by three", "the first alone"] {
        let world = World::new().await;
        world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
        let booked = world.book("bob", &["B1", "B2"], "t2").await;
        world.book("cid", &["C1"], "t3").await;
        world.cancel("bob", booked["reservationId"].as_str().unwrap()).await.expect(200);
        world.advance(TimeDelta::seconds(HOLD_SECS));
        world.hold("dee", &["A2", "A3"], "t4").await.expect(201);
        let mut records = world.take_records(FUNCTION).await;
        let size = match way {
            "one by one" => 1,
            "by three" => 3,
            _whole => records.len(),
        };
        match way {
            "backwards" => records.reverse(),
            "twice" => records.extend_from_within(..),
            "the first alone" => records.truncate(1),
            _as_they_are => {}
        }
        for batch in records.chunks(size) {
            assert_eq!(world.cold().tell_of(FUNCTION, batch).await, 0, "{way}");
        }
        assert_eq!(left(&world).await, 33, "{way}: C1, A2 and A3");
        assert_eq!(world.queues.depth("RecordsFailed"), 0, "{way}");
    }
}

/// Goal: old news does not undo new news. Method: the record of a hold, told again when the seat is booked.
#[tokio::test]
async fn a_late_record_finds_how_things_are_now() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let late = world.take_records(FUNCTION).await;
    world.advance(TimeDelta::seconds(HOLD_SECS));
    world.book("bob", &["A1", "A2"], "t2").await;
    world.count().await;
    let before = stored(&world, "MAIN");
    assert_eq!(world.tell_of(FUNCTION, &late).await, 0);
    assert_eq!((left(&world).await, stored(&world, "MAIN")), (34, before));
}

/// Goal: an older count never lies over a newer one. Method: just before it is written, somebody else blocks
/// a seat and counts.
#[tokio::test]
async fn a_count_that_somebody_else_made_meanwhile_is_made_again() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.count().await;
    world.hold("bob", &["A2"], "t2").await.expect(201);
    let records = world.take_records(FUNCTION).await;
    let claim = json!({
        "pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A3"}, "seat_status": {"S": "BLOCKED"},
    });
    let mut theirs = stored(&world, "MAIN").unwrap();
    assert_eq!(theirs["counted_times"]["N"], "1");
    theirs["counted_times"] = json!({"N": "2"});
    let (db, tables) = (world.db.clone(), world.tables.clone());
    world.wire.take_calls();
    world.wire.before_call(2, move || {
        db.put(&tables.seats, &claim);
        db.put(&tables.catalog, &theirs);
    });
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    let count = ["GetItem", "Query", "TransactWriteItems"];
    assert_eq!(operations(&world), [&count[..], &count, &["GetItem"]].concat());
    assert_eq!(left(&world).await, 33);
    assert_eq!(stored(&world, "MAIN").unwrap()["counted_times"]["N"], "3");
}

/// The same for the first count of a section: before it is looked for, its claims are read, or it is written.
#[tokio::test]
async fn a_first_count_that_somebody_else_made_meanwhile_is_made_again() {
    for calls in 0..3 {
        let world = World::new().await;
        world.hold("ann", &["A1"], "t1").await.expect(201);
        world.count().await;
        let theirs = stored(&world, "MAIN").unwrap();
        let key = json!({"pk": theirs["pk"], "sk": theirs["sk"]});
        world.db.delete(&world.tables.catalog, &key);
        world.hold("bob", &["A2"], "t2").await.expect(201);
        let records = world.take_records(FUNCTION).await;
        let (db, catalog) = (world.db.clone(), world.tables.catalog.clone());
        world.wire.before_call(calls, move || db.put(&catalog, &theirs));
        assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
        assert_eq!(left(&world).await, 34, "before call {calls}");
        let count = stored(&world, "MAIN").unwrap();
        assert_eq!(count["counted_times"]["N"], "2", "before call {calls}");
    }
}

/// Goal: many at once come to the truth. Method: while seats go and come back one by one, eight cold
/// functions are told of each of them. Who is told that others were faster is told again, as by the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_counts_at_once_end_with_the_truth() {
    let world = World::new().await;
    let mut told = tokio::task::JoinSet::new();
    for number in 1..=12 {
        let (seat, token) = (format!("B{number}"), format!("t{number}"));
        let held = world.hold("ann", &[seat.as_str()], &token).await.expect(201);
        if number % 2 == 0 {
            world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
        }
        let records = world.take_records(FUNCTION).await;
        for _ in 0..8 {
            let (cold, records) = (world.cold(), records.clone());
            told.spawn(async move { (cold.tell_of(FUNCTION, &records).await, records) });
        }
    }
    for (failures, records) in told.join_all().await {
        if failures > 0 {
            assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
        }
    }
    assert_eq!(left(&world).await, 30);
}

/// A world with a show on the 25th that is not sold yet, of which the house keeps two seats.
async fn world_with_house_seats() -> World {
    let world = World::with_films().await;
    let announced = draft("new", |draft| draft["status"] = json!("SCHEDULED"));
    world.create(announced).await.expect(201);
    world.take_records(FUNCTION).await;
    let path = "/api/admin/shows/new/blocked-seats";
    world.admin("PUT", path, json!({"seatIds": ["A1", "A2"]})).await.expect(200);
    world
}

/// Moves that show to the next day.
async fn postpone(world: &World) -> Answer {
    let mut plan = draft("new", |draft| draft["startsAt"] = json!("2026-11-26T19:00"));
    for name in ["showId", "prices"] {
        plan.as_object_mut().unwrap().remove(name);
    }
    world.admin_at("*", "PUT", "/api/admin/shows/new", plan).await
}

/// The day and the claims of a count that is listed.
fn listed(world: &World) -> (String, String) {
    let count = stored(world, "MAIN").expect("it was counted");
    let text = |name: &str, kind: &str| count[name][kind].as_str().unwrap().to_owned();
    (text("city_date", "S"), text("taken_seats", "N"))
}

/// Goal: nothing is counted for a day that a show has left. Method: a warm function remembers it there.
#[tokio::test]
async fn a_function_that_remembers_the_old_day_counts_for_the_new_one() {
    let world = world_with_house_seats().await;
    world.get("/api/shows/new").await.expect(200);
    postpone(&world.cold()).await.expect(200);
    world.count().await;
    assert_eq!(listed(&world), ("delhi#2026-11-26".to_owned(), "2".to_owned()));
}

/// Goal: the same, in whatever order they meet. Method: at each call of the one who counts, somebody else
/// moves the show, and the other way round; before anything was counted, and after something was.
#[tokio::test]
async fn a_count_and_a_move_at_once_end_on_the_new_day() {
    for calls in 0..10 {
        for (counts_first, was_counted) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            let world = world_with_house_seats().await;
            let records = world.take_records(FUNCTION).await;
            if was_counted {
                assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
            }
            let cold = world.cold();
            let (counting, moving) = (world.tell_of(FUNCTION, &records), postpone(&cold));
            let (failures, moved) = if counts_first {
                one_within_the_other(&world, calls, counting, moving).await
            } else {
                let (moved, failures) = one_within_the_other(&world, calls, moving, counting).await;
                (failures, moved)
            };
            assert_eq!((failures, moved.status), (0, 200));
            let expected = ("delhi#2026-11-26".to_owned(), "2".to_owned());
            let case = format!("{calls} calls, {counts_first}, {was_counted}");
            assert_eq!(listed(&world), expected, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_and_a_table_that_is_away_do_no_harm() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let records = world.take_records(FUNCTION).await;
    for operation in ["GetItem", "Query", "TransactWriteItems"] {
        world.wire.inject(operation, Fault::Down, 3);
        assert_eq!(world.tell_of(FUNCTION, &records).await, 1, "{operation}");
        assert_eq!((world.wire.faults_left(), stored(&world, "MAIN")), (0, None), "{operation}");
    }
    world.wire.inject("TransactWriteItems", Fault::LoseAnswer, 3);
    assert_eq!(world.tell_of(FUNCTION, &records).await, 1);
    world.wire.take_calls();
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    assert_eq!(operations(&world), ["GetItem", "Query"], "it was written");
    assert_eq!(left(&world).await, 35);
}

/// Goal: what never makes sense holds up nobody, and is not lost. Method: a record of nothing and a claim of
/// no kind that we know, before one of another section.
#[tokio::test]
async fn a_senseless_record_goes_to_the_failure_queue_and_the_others_go_on() {
    let world = World::new().await;
    let nonsense = json!({"eventID": "e1", "eventName": "REMOVE", "dynamodb": {
        "SequenceNumber": "1", "Keys": {}, "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES",
        "OldImage": {"pk": {"S": "NONSENSE"}},
    }});
    let claim = json!({
        "pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A5"}, "seat_status": {"S": "LENT"},
    });
    put(&world, &world.tables.seats, &claim);
    world.hold_of("ann", "arena-show", &["EAST-A1"], "t1").await.expect(201);
    let mut records = vec![nonsense.clone()];
    records.extend(world.take_records(FUNCTION).await);
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    let failed = world.queues.bodies("RecordsFailed");
    assert_eq!(failed.len(), 2, "{failed:?}");
    let failed = failed.iter().map(|body| serde_json::from_str::<Value>(body).unwrap());
    let failed: Vec<Value> = failed.collect();
    assert!(failed.iter().all(|failed| failed["function"] == "count-available-seats"));
    assert!(failed.iter().any(|failed| failed["record"] == nonsense), "the record, whole");
    let causes: Vec<&str> = failed.iter().map(|failed| failed["cause"].as_str().unwrap()).collect();
    assert!(causes.iter().any(|cause| cause.contains("`seat_status` is")), "{causes:?}");
    let told = availability(&world, "arena-show", "2026-11-24").await;
    assert_eq!(told["available"], 5_999);
}

#[tokio::test]
async fn a_claim_whose_owner_is_missing_is_counted_all_the_same() {
    let world = World::new().await;
    let end = (world.now() + TimeDelta::seconds(HOLD_SECS)).timestamp().to_string();
    let claim = json!({
        "pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A5"},
        "seat_status": {"S": "HELD"}, "expires_at": {"N": end},
    });
    put(&world, &world.tables.seats, &claim);
    world.count().await;
    assert_eq!((left(&world).await, world.queues.depth("RecordsFailed")), (35, 0));
}

#[tokio::test]
async fn seats_of_a_show_that_is_gone_are_not_counted() {
    let world = World::new().await;
    let claim = json!({
        "pk": {"S": "SHOW#gone#MAIN"}, "sk": {"S": "SEAT#A5"}, "seat_status": {"S": "BLOCKED"},
    });
    put(&world, &world.tables.seats, &claim);
    let records = world.take_records(FUNCTION).await;
    assert_eq!(world.tell_of(FUNCTION, &records).await, 0);
    assert_eq!((stored(&world, "MAIN"), world.queues.depth("RecordsFailed")), (None, 0));
}
