//! Which seats may be chosen by hand: single seats left behind, and seats kept for those who need
//! them.

use chrono::TimeDelta;
use domain::show::{OrphanRule, Show};
use serde_json::{Value, json};

use crate::cinema::movie;
use crate::world::{Answer, HOLD_SECS, World};

fn run(first: u16, last: u16, seat_type: &str) -> Value {
    json!({"first": first, "last": last, "seatType": seat_type})
}

/// Puts a show in a room of its own on sale: rows A and AA of nine seats, the last two of A for a
/// companion and for a wheelchair, and row B of four, of which the middle two are PREMIUM.
pub(crate) async fn open(world: &World, change: impl FnOnce(&mut Show)) {
    let mut companion = run(8, 8, "REGULAR");
    companion["feature"] = json!("COMPANION");
    let mut wheelchair = run(9, 9, "REGULAR");
    wheelchair["feature"] = json!("ACCESSIBLE");
    let rows = json!([
        {"row": "A", "runs": [run(1, 7, "REGULAR"), companion, wheelchair]},
        {"row": "AA", "runs": [run(1, 9, "REGULAR")]},
        {"row": "B", "runs": [run(1, 1, "REGULAR"), run(2, 3, "PREMIUM"), run(4, 4, "REGULAR")]},
    ]);
    let room = json!({
        "auditoriumId": "studio",
        "name": "Studio",
        "theatreId": "regal",
        "layout": {"sections": [{"section": "MAIN", "rows": rows}]},
    });
    world.admin("POST", "/api/admin/auditoriums", room).await.expect(201);
    put(world, change).await;
    world.wire.take_calls();
}

async fn put(world: &World, change: impl FnOnce(&mut Show)) {
    let film = movie("inception", "Inception");
    let place = |show: &mut Show| {
        show.id = "studio-show".parse().unwrap();
        show.auditorium.id = "studio".parse().unwrap();
        show.seat_count = 22;
        change(show);
    };
    world.put_show(&film, place).await;
}

async fn hold(world: &World, user: &str, seats: &[&str], token: &str) -> Answer {
    world.hold_of(user, "studio-show", seats, token).await
}

async fn hold_accessible(world: &World, user: &str, seats: &[&str], token: &str) -> Answer {
    let body = json!({
        "showId": "studio-show", "seatIds": seats, "holdToken": token, "accessible": true,
    });
    world.call(user, "POST", "/api/reservations/hold", body).await
}

/// How many seats each query found since the calls were last taken, the least first.
fn queries(world: &World) -> Vec<u64> {
    let calls = world.wire.take_calls().into_iter().filter(|call| call.operation == "Query");
    let mut found: Vec<u64> = calls.map(|call| call.answer["Count"].as_u64().unwrap()).collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn without_a_rule_any_choice_is_held_and_nothing_is_asked() {
    let world = World::new().await;
    open(&world, |_| {}).await;
    let held = hold(&world, "ann", &["AA2", "AA3"], "t1").await.expect(201);
    assert_eq!(held.get("warnings"), None);
    assert!(queries(&world).is_empty());
}

#[tokio::test]
async fn a_show_that_warns_holds_and_names_the_seats_that_are_left_alone() {
    let world = World::new().await;
    open(&world, |show| show.orphan_rule = OrphanRule::Warn).await;
    let fine = hold(&world, "ann", &["AA5", "AA6"], "t1").await.expect(201);
    assert_eq!(fine.get("warnings"), None);
    let held = hold(&world, "bob", &["AA2", "A2", "A6"], "t2").await.expect(201);
    let warnings = json!([{"code": "orphan_seats", "seatIds": ["A1", "A7", "AA1"]}]);
    assert_eq!(held["warnings"], warnings, "A8 is kept, and nobody's neighbour");
    let again = hold(&world, "bob", &["AA2", "A2", "A6"], "t2").await.expect(201);
    assert_eq!(again, held, "a repeated hold answers as the first did");
}

#[tokio::test]
async fn a_show_that_enforces_the_rule_refuses_and_holds_nothing() {
    let world = World::new().await;
    open(&world, |show| show.orphan_rule = OrphanRule::Enforce).await;
    let refused = hold(&world, "ann", &["AA2", "AA3"], "t1").await.expect(422);
    assert_eq!((&refused["code"], &refused["orphans"]), (&json!("orphan_seats"), &json!(["AA1"])));
    assert_eq!(world.items(&world.tables.seats), Vec::<Value>::new());
    let held = hold(&world, "ann", &["AA1", "AA2"], "t1").await.expect(201);
    assert_eq!(held.get("warnings"), None);
}

#[tokio::test]
async fn a_single_seat_that_so_many_cannot_avoid_is_nobodys_fault() {
    let world = World::new().await;
    open(&world, |show| show.orphan_rule = OrphanRule::Enforce).await;
    hold(&world, "ann", &["AA4", "AA5", "AA6", "AA7", "AA8", "AA9"], "t1").await.expect(201);
    hold(&world, "bob", &["AA1", "AA3"], "t1").await.expect(201);
    hold(&world, "cat", &["AA2"], "t1").await.expect(201);
}

#[tokio::test]
async fn a_repeated_hold_is_not_judged_by_a_rule_that_came_later() {
    let world = World::new().await;
    open(&world, |_| {}).await;
    let held = hold(&world, "ann", &["AA2", "AA3"], "t1").await.expect(201);
    let chair = hold_accessible(&world, "ann", &["A9"], "t2").await.expect(201);
    put(&world, |show| show.orphan_rule = OrphanRule::Enforce).await;
    let cold = world.cold();
    assert_eq!(hold(&cold, "ann", &["AA2", "AA3"], "t1").await.expect(201), held);
    assert_eq!(hold(&cold, "ann", &["A9"], "t2").await.expect(201), chair);
    let other = hold(&cold, "bob", &["AA6", "AA8"], "t1").await;
    assert_eq!(other.problem(422), "orphan_seats");
}

#[tokio::test]
async fn a_taken_seat_is_told_before_the_rule_speaks() {
    let world = World::new().await;
    open(&world, |show| show.orphan_rule = OrphanRule::Enforce).await;
    hold(&world, "ann", &["AA1", "AA2"], "t1").await.expect(201);
    let refused = hold(&world, "bob", &["AA2", "AA4"], "t1").await.expect(409);
    assert_eq!(refused["code"], "seats_unavailable");
    assert_eq!(refused["conflicts"][0]["seatId"], "AA2");
}

#[tokio::test]
async fn a_hold_that_is_over_counts_as_free_before_anybody_deletes_it() {
    let world = World::new().await;
    open(&world, |show| show.orphan_rule = OrphanRule::Enforce).await;
    hold(&world, "ann", &["AA1", "AA2"], "t1").await.expect(201);
    let beside = hold(&world, "bob", &["AA4", "AA5"], "t1").await;
    assert_eq!(beside.problem(422), "orphan_seats");
    world.advance(TimeDelta::seconds(HOLD_SECS));
    hold(&world, "bob", &["AA4", "AA5"], "t1").await.expect(201);
}

#[tokio::test]
async fn a_booking_and_a_seat_of_the_house_leave_a_neighbour_alone_as_a_hold_does() {
    for status in ["BLOCKED", "BOOKED"] {
        let world = World::new().await;
        open(&world, |show| show.orphan_rule = OrphanRule::Enforce).await;
        let mut claim = json!({"pk": {"S": "SHOW#studio-show#MAIN"}, "sk": {"S": "SEAT#AA2"}});
        claim["seat_status"] = json!({"S": status});
        claim["reservation_id"] = json!({"S": "theirs"});
        world.db.put(&world.tables.seats, &claim);
        let beside = hold(&world, "bob", &["AA4", "AA5"], "t1").await;
        assert_eq!(beside.problem(422), "orphan_seats", "{claim}");
    }
}

/// Goal: the rule asks for no more than it needs. Method: count what its queries find, where row `A`
/// is the beginning of row `AA`.
#[tokio::test]
async fn the_rule_costs_one_query_for_each_row_of_the_choice() {
    let world = World::new().await;
    open(&world, |show| show.orphan_rule = OrphanRule::Warn).await;
    hold(&world, "ann", &["A1", "A2"], "t1").await.expect(201);
    hold(&world, "ann", &["AA1", "AA2", "AA3"], "t2").await.expect(201);
    queries(&world);
    hold(&world, "bob", &["A3", "A4"], "t1").await.expect(201);
    assert_eq!(queries(&world), [2]);
    hold(&world, "bob", &["A5", "AA4", "AA5"], "t2").await.expect(201);
    assert_eq!(queries(&world), [3, 4]);
}

#[tokio::test]
async fn accessible_seats_are_kept_for_those_who_need_them() {
    let world = World::new().await;
    open(&world, |_| {}).await;
    let refused = hold(&world, "ann", &["A7", "A8", "A9"], "t1").await.expect(422);
    assert_eq!(refused["code"], "accessible_seats");
    assert_eq!(refused["seatIds"], json!(["A8", "A9"]));
    let alone = hold_accessible(&world, "ann", &["A8"], "t1").await;
    assert_eq!(alone.problem(422), "accessible_seats", "who comes along comes with somebody");
    assert_eq!(world.items(&world.tables.seats), Vec::<Value>::new());
    hold_accessible(&world, "ann", &["A8", "A9"], "t1").await.expect(201);
}

#[tokio::test]
async fn the_house_releases_accessible_seats_to_anybody() {
    let world = World::new().await;
    open(&world, |show| show.accessible_released = true).await;
    hold(&world, "ann", &["A7", "A8", "A9"], "t1").await.expect(201);
}

#[tokio::test]
async fn the_seat_map_tells_whom_a_seat_is_for() {
    let world = World::new().await;
    open(&world, |_| {}).await;
    let map = world.get("/api/shows/studio-show/seats").await.expect(200);
    let features: Vec<(&Value, Option<&Value>)> = map["items"].as_array().unwrap()[6..9]
        .iter()
        .map(|seat| (&seat["seatId"], seat.get("feature")))
        .collect();
    let expected = [
        (&json!("A7"), None),
        (&json!("A8"), Some(&json!("COMPANION"))),
        (&json!("A9"), Some(&json!("ACCESSIBLE"))),
    ];
    assert_eq!(features, expected);
}

/// Goal: who needs a wheelchair's place is not kept from it by a rule about others. Method: the only
/// such place leaves a single seat alone, whoever takes it.
#[tokio::test]
async fn a_wheelchairs_place_can_be_had_whatever_it_leaves_alone() {
    let world = World::new().await;
    let mut place = run(2, 2, "REGULAR");
    place["feature"] = json!("ACCESSIBLE");
    let row = json!({"row": "A", "runs": [run(1, 1, "REGULAR"), place, run(3, 9, "REGULAR")]});
    let room = json!({
        "auditoriumId": "nook",
        "name": "Nook",
        "theatreId": "regal",
        "layout": {"sections": [{"section": "MAIN", "rows": [row]}]},
    });
    world.admin("POST", "/api/admin/auditoriums", room).await.expect(201);
    put(&world, |show| {
        show.auditorium.id = "nook".parse().unwrap();
        show.orphan_rule = OrphanRule::Enforce;
    })
    .await;
    let best = "/api/shows/studio-show/seats/best?count=1&accessible=true";
    assert_eq!(world.get(best).await.expect(200)["items"][0]["seatId"], "A2");
    let held = hold_accessible(&world, "ann", &["A2"], "t1").await.expect(201);
    assert_eq!(held["warnings"][0]["seatIds"], json!(["A1"]), "she may know");
}
