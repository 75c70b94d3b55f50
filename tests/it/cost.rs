//! What use cases cost, read off the calls that pass and the capacity that the answers tell.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::engine::only_embedded;
use crate::wire::Call;
use crate::world::{HOLD_SECS, World};

fn operations(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| call.operation.as_str()).collect()
}

/// `calls` without the one beside them that counted how often their user came.
#[track_caller]
fn uncounted(calls: Vec<Call>) -> Vec<Call> {
    let (counted, others): (Vec<Call>, Vec<Call>) =
        calls.into_iter().partition(Call::counts_a_user);
    assert_eq!(counted.len(), 1, "one conditional write");
    assert_wrote(&counted[0], 2, "what the user has left");
    others
}

/// Write units of the tables themselves in an answer, without their indexes.
fn write_units(answer: &Value) -> f64 {
    let used = answer["ConsumedCapacity"].as_array().unwrap();
    used.iter().map(|table| table["Table"]["CapacityUnits"].as_f64().unwrap()).sum()
}

/// Checks how many write units a call took of the tables themselves, where the engine counts as AWS does.
#[track_caller]
fn assert_wrote(call: &Call, units: u32, what: &str) {
    if only_embedded("others count the units of a transaction in their own way") {
        assert_eq!(write_units(&call.answer), f64::from(units), "{what}");
    }
}

/// A refused transaction answers no capacity, and is charged as if it had been carried out (AWS,
/// "Capacity management for transactions"): two units per started KB of each step.
pub(crate) fn write_units_asked(request: &Value) -> f64 {
    let steps = request["TransactItems"].as_array().unwrap();
    let kilobytes = |step: &Value| step.to_string().len().div_ceil(1_024).max(1);
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let units = steps.iter().map(|step| 2 * kilobytes(&step["Put"]["Item"])).sum::<usize>() as f64;
    units
}

#[tokio::test]
async fn a_hold_costs_one_call_and_two_units_an_item_won_lost_or_repeated() {
    let world = World::new().await;
    world.get("/api/shows/show-1/seats").await.expect(200);
    for seats in 1..=10_u32 {
        let world = World::new().await;
        world.get("/api/shows/show-1/seats").await.expect(200);
        world.wire.take_calls();
        let names: Vec<String> = (1..=seats).map(|number| format!("A{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let units = 2 * (seats + 2);

        world.hold("ann", &names, "t1").await.expect(201);
        let won = world.wire.take_calls();
        assert_eq!(operations(&won), ["TransactWriteItems"], "{seats} seats, won");
        assert_wrote(&won[0], units, &format!("{seats} seats, won"));

        world.hold("bob", &names, "t1").await.expect(409);
        let lost = world.wire.take_calls();
        assert_eq!(operations(&lost), ["TransactWriteItems"], "{seats} seats, lost");
        assert_eq!(write_units_asked(&lost[0].request), f64::from(units), "{seats} seats, lost");

        world.hold("ann", &names, "t1").await.expect(201);
        let repeated = world.wire.take_calls();
        assert_eq!(operations(&repeated), ["TransactWriteItems"], "{seats} seats, repeated");
        assert_eq!(
            write_units_asked(&repeated[0].request),
            f64::from(units),
            "{seats} seats, repeated"
        );
    }
}

/// Goal: what a warm function remembers of a user saves the second call, and what it does not
/// remember costs no more than that.
#[tokio::test]
async fn the_second_hold_of_a_user_costs_one_call_where_the_first_one_is_remembered() {
    let world = World::new().await;
    let cold = world.cold();
    for world in [&world, &cold] {
        world.get("/api/shows/show-1/seats").await.expect(200);
    }
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.wire.take_calls();
    world.hold("ann", &["A2"], "t2").await.expect(201);
    assert_eq!(operations(&world.wire.take_calls()), ["TransactWriteItems"]);
    cold.hold("ann", &["A3"], "t3").await.expect(201);
    assert_eq!(operations(&world.wire.take_calls()), ["TransactWriteItems"; 2]);
    world.hold("ann", &["A4"], "t4").await.expect(201);
    assert_eq!(operations(&world.wire.take_calls()), ["TransactWriteItems"; 2], "it was old");
    world.hold("ann", &["A4"], "t4").await.expect(201);
    assert_eq!(operations(&world.wire.take_calls()), ["TransactWriteItems"], "a repetition");
}

/// Goal: to hold beyond the limits is cheap for us. Method: a user at the cap, and one who has nothing
/// left, ask again and again in a warm function.
#[tokio::test]
async fn a_refusal_for_the_limits_writes_nothing() {
    let world = World::new().await.with_limits("hold=2/60,held_seats=4");
    world.get("/api/shows/show-1/seats").await.expect(200);
    world.hold("ann", &["A1", "A2", "A3", "A4"], "t1").await.expect(201);
    world.wire.take_calls();
    world.hold("ann", &["A5"], "t2").await.expect(422);
    let what = "the hold that counts, and whether this is a repetition";
    assert_eq!(operations(&world.wire.take_calls()), ["GetItem"; 2], "{what}");
    world.hold_of("ann", "show-2", &["A1"], "t3").await.expect(201);
    world.wire.take_calls();
    world.hold("ann", &["A5"], "t4").await.expect(429);
    assert_eq!(operations(&world.wire.take_calls()), ["GetItem"], "whether it is a repetition");
}

/// Goal: a function that does not know what a user has left learns it once. Method: another function took
/// it; this one is asked three times, of which the last one is a repetition of what the other one did.
#[tokio::test]
async fn a_function_that_was_refused_does_not_ask_by_a_write_again() {
    for (limits, code, counted) in
        [("hold=1/60", "rate_limited", 0), ("held_seats=1", "too_many_seats", 1)]
    {
        let world = World::new().await.with_limits(limits);
        let held = world.hold("ann", &["A1"], "t1").await.expect(201);
        let cold = world.with_limits(limits);
        cold.get("/api/shows/show-1/seats").await.expect(200);
        world.wire.take_calls();

        assert_eq!(cold.hold("ann", &["A2"], "t2").await.body["code"], code);
        let learns = [&["TransactWriteItems"][..], &vec!["GetItem"; counted]].concat();
        assert_eq!(operations(&world.wire.take_calls()), learns, "{code}: the hold that counts");
        assert_eq!(cold.hold("ann", &["A3"], "t3").await.body["code"], code);
        let what = "the hold that counts, and whether this is a repetition";
        assert_eq!(operations(&world.wire.take_calls()), vec!["GetItem"; counted + 1], "{what}");
        assert_eq!(cold.hold("ann", &["A1"], "t1").await.expect(201), held);
        let repeated = if counted == 0 { "GetItem" } else { "TransactWriteItems" };
        assert_eq!(operations(&world.wire.take_calls()), [repeated], "{code}");
    }
}

#[tokio::test]
async fn a_count_that_was_refused_is_not_written_again() {
    let limits = "cancel=1/60";
    let world = World::new().await.with_limits(limits);
    let cold = world.with_limits(limits);
    world.cancel("ann", "nothing").await.expect(404);
    world.wire.take_calls();
    cold.cancel("ann", "nothing").await.expect(429);
    let calls = world.wire.take_calls();
    let mut learns = operations(&calls);
    learns.sort_unstable();
    assert_eq!(learns, ["GetItem", "TransactWriteItems"], "the reservation, and the count");
    cold.cancel("ann", "nothing").await.expect(429);
    assert_eq!(operations(&world.wire.take_calls()), ["GetItem"], "the reservation");
    world.advance(TimeDelta::seconds(60));
    cold.cancel("ann", "nothing").await.expect(404);
    assert_eq!(uncounted(world.wire.take_calls()).len(), 1);
}

#[tokio::test]
async fn a_hold_beyond_what_may_be_tried_costs_nothing() {
    let world = World::new().await.with_limits("hold=1/60");
    world.hold("bob", &["A1"], "t1").await.expect(201);
    world.wire.take_calls();
    for _ in 0..5 {
        world.hold("ann", &["A1"], "t1").await.expect(409);
        assert_eq!(operations(&world.wire.take_calls()), ["TransactWriteItems"]);
    }
    for (show, seat) in [("show-1", "A1"), ("show-2", "A1"), ("nothing", "A1")] {
        world.hold_of("ann", show, &[seat], "t1").await.expect(429);
        assert_eq!(operations(&world.wire.take_calls()), [""; 0], "{show}");
    }
}

#[tokio::test]
async fn a_cold_function_reads_the_show_and_its_layout_first() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    let calls = world.wire.take_calls();
    assert_eq!(operations(&calls), ["GetItem", "GetItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn a_confirmation_costs_two_reads_and_a_transaction_and_a_cancellation_one() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.wire.take_calls();
    world.confirm("ann", "t1", &payment).await.expect(200);
    let calls = uncounted(world.wire.take_calls());
    let what = "the reservation, and whether the show is still on";
    assert_eq!(operations(&calls), ["GetItem", "GetItem", "TransactWriteItems"], "{what}");
    assert_wrote(&calls[2], 2 * 4, "payment, reservation, two seats");

    world.confirm("ann", "t1", &payment).await.expect(200);
    let calls = uncounted(world.wire.take_calls());
    assert_eq!(operations(&calls), ["GetItem"], "a repetition only reads");

    world.cancel("ann", held["reservationId"].as_str().unwrap()).await.expect(200);
    let calls = uncounted(world.wire.take_calls());
    assert_eq!(operations(&calls), ["GetItem", "TransactWriteItems"]);
    assert_wrote(&calls[1], 2 * 4, "payment, reservation, two seats");
}

#[tokio::test]
async fn a_checkout_costs_a_read_and_a_transaction_and_repeated_a_read() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.wire.take_calls();
    world.checkout("ann", "t1").await.expect(200);
    let calls = uncounted(world.wire.take_calls());
    assert_eq!(operations(&calls), ["GetItem", "TransactWriteItems"]);
    assert_wrote(&calls[1], 2 * 4, "payment, reservation, two seats");
    world.checkout("ann", "t1").await.expect(200);
    assert_eq!(operations(&uncounted(world.wire.take_calls())), ["GetItem"]);
}

#[tokio::test]
async fn a_payment_event_costs_what_a_confirmation_costs() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.pay(&held, "succeed").await;
    let told = world.take_deliveries();
    let succeeded = told.last().unwrap();
    for expected in [&["GetItem", "GetItem", "TransactWriteItems"][..], &["GetItem"]] {
        world.tell(succeeded).await.expect(200);
        world.wire.take_calls();
        world.process().await;
        let calls = world.wire.take_calls();
        assert_eq!(operations(&calls), expected);
        if let Some(written) = calls.get(2) {
            assert_wrote(written, 2 * 4, "payment, reservation, two seats");
        }
    }
}

#[tokio::test]
async fn a_refund_costs_three_reads_and_a_transaction() {
    let world = World::new().await;
    let booked = world.book("ann", &["A1"], "t1").await;
    world.cancel("ann", booked["reservationId"].as_str().unwrap()).await.expect(200);
    world.wire.take_calls();
    world.refund().await;
    let calls = world.wire.take_calls();
    assert_eq!(operations(&calls), ["GetItem", "GetItem", "GetItem", "TransactWriteItems"]);
    assert_wrote(&calls[3], 2 * 2, "payment and reservation");
}

#[tokio::test]
async fn a_seat_map_costs_one_query_per_section_and_reads_only_what_is_taken() {
    let world = World::new().await;
    for show in ["show-1", "arena-show"] {
        world.get(&format!("/api/shows/{show}/seats")).await.expect(200);
    }
    world.wire.take_calls();
    for (path, sections) in [
        ("/api/shows/show-1/seats", 1),
        ("/api/shows/arena-show/seats", 3),
        ("/api/shows/arena-show/seats?section=EAST", 1),
    ] {
        world.get(path).await.expect(200);
        let calls = world.wire.take_calls();
        assert_eq!(operations(&calls), vec!["Query"; sections], "{path}");
        for call in calls {
            assert_eq!(call.answer["Count"], json!(0), "{path}: nothing is taken");
        }
    }
}

#[tokio::test]
async fn a_seat_map_reads_the_claims_that_count() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2"], "t1").await.expect(201);
    world.book("bob", &["B1"], "t1").await;
    world.wire.take_calls();
    world.get("/api/shows/show-1/seats").await.expect(200);
    let calls = world.wire.take_calls();
    assert_eq!((calls.len(), &calls[0].answer["Count"]), (1, &json!(3)));
}

#[tokio::test]
async fn a_hold_that_ends_costs_one_write_however_many_seats_it_has() {
    let world = World::new().await;
    world.hold("ann", &["A1", "A2", "A3", "A4"], "t1").await.expect(201);
    world.advance(TimeDelta::seconds(HOLD_SECS + 1));
    world.db.sweep_ttl();
    world.wire.take_calls();
    world.release().await;
    let calls = world.wire.take_calls();
    assert_eq!(operations(&calls), ["TransactWriteItems"]);
    assert_wrote(&calls[0], 2, "the reservation");
}

#[tokio::test]
async fn an_event_costs_one_write_and_who_is_told_is_remembered() {
    let world = World::new().await;
    world.hold("ann", &["A1"], "t1").await.expect(201);
    world.hold("bob", &["A2"], "t2").await.expect(201);
    world.wire.take_calls();
    world.publish().await;
    let calls = world.wire.take_calls();
    assert_eq!(operations(&calls), ["TransactWriteItems", "Query", "TransactWriteItems"]);
    assert_wrote(&calls[0], 2, "an event of one seat is less than a KB");
}

#[tokio::test]
async fn a_sweep_costs_a_read_and_a_transaction_for_each_reservation() {
    let world = World::new().await;
    world.book("ann", &["A1", "A2"], "t1").await;
    world.hold("bob", &["A3"], "t2").await.expect(201);
    let path = "/api/admin/shows/show-1/cancel";
    world.admin("POST", path, Value::Null).await.expect(202);
    world.wire.take_calls();
    world.sweep().await;
    let calls = world.wire.take_calls();
    let each = ["GetItem", "TransactWriteItems"];
    let all = [&["GetItem", "GetItem", "Query"][..], &each, &each].concat();
    assert_eq!(operations(&calls), all, "the order, the show, a page, and two reservations");
    let mut written: Vec<&Call> = vec![&calls[4], &calls[6]];
    written.sort_by_key(|call| call.request["TransactItems"].as_array().map(Vec::len));
    assert_wrote(written[0], 2 * 3, "reservation and count, with a seat");
    assert_wrote(written[1], 2 * 5, "and payment, with two");
}

/// Goal: the meter, and so the metrics, tell what the wire saw.
#[tokio::test]
async fn the_meter_counts_what_passes() {
    if !only_embedded("others count the units of a transaction in their own way") {
        return;
    }
    let world = World::new().await;
    let store = world.store.metered();
    let show = store.show(&"show-1".parse().unwrap()).await.unwrap().unwrap();
    let blocked = [("MAIN".parse().unwrap(), "A1".parse().unwrap())];
    store.change_house_seats(&show, &blocked, &[], world.now()).await.unwrap();
    let meter = store.meter();
    let units = (meter.round_trips(), meter.write_half_units());
    assert_eq!(units, (2, 8), "the seat, and that the show was changed");
    assert_eq!(meter.read_half_units(), 2, "one consistent read of up to 4 KB");
}
