//! `GET /api/admin/shows/{showId}/audit`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use chrono::TimeDelta;
use domain::limits::{PAYMENT_SHOW_SHARDS, SWEEP_SETTLES_AFTER_SECS};
use domain::time::text;
use serde_json::{Value, json};

use crate::cinema::{REGULAR, movie};
use crate::wire::Fault;
use crate::world::{HOLD_SECS, World};

const AUDIT: &str = "/api/admin/shows/show-1/audit";

async fn audit(world: &World) -> Value {
    world.admin("GET", AUDIT, Value::Null).await.expect(200)
}

#[track_caller]
fn assert_sound(audit: &Value) {
    assert_eq!((&audit["isSound"], &audit["findings"]), (&json!(true), &json!([])), "{audit:#}");
}

fn find(world: &World, table: &str, key: &str, text: &str) -> Value {
    let items = world.items(table);
    let found = items.into_iter().find(|item| item[key]["S"] == text);
    found.unwrap_or_else(|| panic!("no {text} in {table}"))
}

fn put(world: &World, table: &str, item: &Value) {
    world.db.put(table, item);
}

/// Changes what a claim on a seat of show-1 says.
fn change_seat(world: &World, seat: &str, change: impl FnOnce(&mut Value)) {
    let mut item = find(world, &world.tables.seats, "sk", &format!("SEAT#{seat}"));
    change(&mut item);
    put(world, &world.tables.seats, &item);
}

fn claim(world: &World, seat: &str, status: &str, by: &str) {
    let item = json!({
        "pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": format!("SEAT#{seat}")},
        "seat_status": {"S": status}, "reservation_id": {"S": by},
    });
    put(world, &world.tables.seats, &item);
}

/// A show with a booking of Ann's (A1, A2), a hold of Bob's (B1) and a booking that Cat gave up, whose
/// money went back.
struct Sold {
    world: World,
    ann: String,
    bob: String,
    cat: String,
    anns_payment: String,
    cats_payment: String,
}

impl Sold {
    async fn new() -> Self {
        let world = World::new().await;
        let id = |of: &Value| of["reservationId"].as_str().unwrap().to_owned();
        let payment = |of: &Value| of["payment"]["reference"].as_str().unwrap().to_owned();
        let ann = world.book("ann", &["A1", "A2"], "t1").await;
        let bob = world.hold("bob", &["B1"], "t2").await.expect(201);
        let cat = world.book("cat", &["C1"], "t3").await;
        world.cancel("cat", &id(&cat)).await.expect(200);
        world.rest().await;
        let (anns_payment, cats_payment) = (payment(&ann), payment(&cat));
        Self { ann: id(&ann), bob: id(&bob), cat: id(&cat), anns_payment, cats_payment, world }
    }

    fn seat(&self, seat: &str, name: &str, value: Value) {
        change_seat(&self.world, seat, |item| item[name] = value);
    }

    fn reservation(&self, id: &str, name: &str, value: Value) {
        let table = &self.world.tables.reservations;
        let mut item = find(&self.world, table, "pk", &format!("RESERVATION#{id}"));
        item[name] = value;
        put(&self.world, table, &item);
    }

    fn payment(&self, reference: &str, name: &str, value: Value) {
        let table = &self.world.tables.payments;
        let mut item = find(&self.world, table, "pk", &format!("PAYMENT#sandbox#{reference}"));
        item[name] = value;
        put(&self.world, table, &item);
    }
}

fn text_of(text: &str) -> Value {
    json!({"S": text})
}

#[tokio::test]
async fn a_show_is_sound_whatever_was_done_to_it() {
    let Sold { world, .. } = Sold::new().await;
    let told = audit(&world).await;
    assert_sound(&told);
    assert_eq!(
        (&told["showId"], &told["auditedAt"]),
        (&json!("show-1"), &json!(text(world.now())))
    );
    let checked = json!({"seats": 3, "reservations": 3, "payments": 2});
    assert_eq!(told["checked"], checked, "Bob has paid nothing");

    // A second payment, a wrong one, one that is declined, and one that takes its time.
    let slow = world.hold("dan", &["A5"], "t5").await.expect(201);
    world.checkout("dan", "t5").await.expect(200);
    assert_sound(&audit(&world).await);
    let booked = world.book("eve", &["A6"], "t6").await;
    world.pay(&booked, "succeed").await;
    world.pay_amount(&slow, &json!(1), &json!("INR"), "succeed").await;
    world.pay_amount(&slow, &json!(45_000), &json!("USD"), "succeed").await;
    for delivery in world.take_deliveries() {
        world.tell(&delivery).await.expect(200);
    }
    world.process().await;
    assert_sound(&audit(&world).await);
    world.rest().await;
    assert_sound(&audit(&world).await);

    // Holds that are over, one of them with a seat that somebody else took; late payments for both.
    let late = world.hold("fay", &["A7", "A8"], "t7").await.expect(201);
    let in_time = world.hold("gil", &["A9"], "t8").await.expect(201);
    world.advance(TimeDelta::seconds(3 * HOLD_SECS));
    assert_sound(&audit(&world).await);
    world.hold("hal", &["A8"], "t9").await.expect(201);
    world.pay(&late, "succeed").await;
    world.pay(&in_time, "succeed").await;
    world.rest().await;
    assert_sound(&audit(&world).await);
    let other = world.admin("GET", "/api/admin/shows/show-2/audit", Value::Null).await.expect(200);
    assert_sound(&other);
    assert_eq!(other["checked"], json!({"seats": 0, "reservations": 0, "payments": 0}));
}

/// Goal: each invariant is really looked at. Method: what breaks it is put into the tables.
#[tokio::test]
async fn each_damage_is_found_under_its_name() {
    type Damage = fn(&Sold);
    const BOOKED: &str = "BOOKED_SEATS_ARE_CONFIRMED";
    const CONFIRMED: &str = "CONFIRMED_SEATS_ARE_BOOKED";
    const HELD: &str = "HELD_SEATS_ARE_PENDING";
    const PAID: &str = "BOOKINGS_ARE_PAID_ONCE";
    const ENDED: &str = "PAID_RESERVATIONS_ARE_CONFIRMED";
    const MONEY: &str = "MONEY_IS_ACCOUNTED_FOR";
    const GONE: &str = "PAYMENTS_HAVE_RESERVATIONS";
    let cases: [(Damage, &[&str]); 14] = [
        (|of| claim(&of.world, "Z9", "BLOCKED", "nobody"), &["SEATS_ARE_IN_THE_LAYOUT"]),
        (|of| claim(&of.world, "A9", "BOOKED", "nobody"), &[BOOKED]),
        (|of| claim(&of.world, "A9", "BOOKED", &of.ann), &[BOOKED]),
        (|of| claim(&of.world, "C1", "BOOKED", &of.cat), &[BOOKED]),
        (|of| claim(&of.world, "A1", "BOOKED", &of.bob), &[BOOKED, CONFIRMED]),
        (|of| claim(&of.world, "A2", "BLOCKED", "nobody"), &[CONFIRMED]),
        (|of| of.seat("B1", "expires_at", json!({"N": "4000000000"})), &[HELD]),
        (|of| of.reservation(&of.bob, "reservation_status", text_of("CANCELLED")), &[HELD]),
        (|of| of.payment(&of.anns_payment, "payment_status", text_of("FAILED")), &[PAID, MONEY]),
        (|of| of.payment(&of.anns_payment, "amount_minor", json!({"N": "1"})), &[PAID, MONEY]),
        (|of| of.payment(&of.anns_payment, "pk", text_of("PAYMENT#sandbox#p9")), &[PAID, MONEY]),
        (|of| of.payment(&of.cats_payment, "payment_status", text_of("SUCCESS")), &[ENDED, MONEY]),
        (
            |of| of.payment(&of.anns_payment, "reservation_id", text_of("nobody")),
            &[PAID, MONEY, GONE],
        ),
        (
            |of| of.reservation(&of.ann, "amount_minor", text_of("much")),
            &["ITEMS_ARE_READABLE", BOOKED, GONE],
        ),
    ];
    for (number, (damage, expected)) in cases.into_iter().enumerate() {
        let sold = Sold::new().await;
        damage(&sold);
        let told = audit(&sold.world).await;
        let findings = told["findings"].as_array().unwrap();
        let found: BTreeSet<&str> =
            findings.iter().map(|finding| finding["invariant"].as_str().unwrap()).collect();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        assert_eq!(found, expected, "case {number}: {told:#}");
        assert_eq!(told["isSound"], false, "case {number}");
    }
}

#[tokio::test]
async fn a_finding_says_of_what_it_is_and_what_is_wrong() {
    let sold = Sold::new().await;
    claim(&sold.world, "A9", "BOOKED", &sold.cat);
    let told = audit(&sold.world).await;
    let detail = format!("its claim is of {}, which does not list it", sold.cat);
    let finding = json!({
        "invariant": "BOOKED_SEATS_ARE_CONFIRMED", "subject": "A9", "detail": detail,
    });
    assert_eq!(told["findings"], json!([finding]));
}

/// Goal: what is only on its way is no damage. Method: a seat that seems broken in the first reading is
/// put right when the second one begins.
#[tokio::test]
async fn what_is_gone_when_it_looks_again_is_not_told() {
    let Sold { world, .. } = Sold::new().await;
    audit(&world).await;
    world.wire.take_calls();
    assert_sound(&audit(&world).await);
    let once = world.wire.take_calls().len();

    let right = find(&world, &world.tables.seats, "sk", "SEAT#B1");
    change_seat(&world, "B1", |seat| seat["expires_at"] = json!({"N": "4000000000"}));
    let (db, table) = (world.db.clone(), world.tables.seats.clone());
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    world.wire.at_each_call(move || {
        if count.fetch_add(1, SeqCst) == once {
            db.put(&table, &right);
        }
    });
    assert_sound(&audit(&world).await);
    assert_eq!(calls.load(SeqCst), 2 * once, "it looked twice");
}

/// Goal: nothing is found at any moment of a cancellation. Method: somebody pays before the sweep comes
/// to them, so their reservation fails while its seat is held; then step by step to the end.
#[tokio::test]
async fn nothing_is_found_in_a_show_that_is_cancelled_midway() {
    let world = World::new().await.with_holds_of(24 * 60 * 60);
    world.book("ann", &["A1", "A2"], "t1").await;
    let paying = world.hold("bob", &["B1"], "t2").await.expect(201);
    world.hold("cat", &["C1"], "t3").await.expect(201);
    let payment = world.pay(&paying, "succeed").await;
    let path = "/api/admin/shows/show-1/cancel";
    world.admin("POST", path, Value::Null).await.expect(202);
    assert_sound(&audit(&world).await);
    assert_eq!(world.confirm("bob", "t2", &payment).await.problem(409), "show_cancelled");
    assert_sound(&audit(&world).await);
    for calls in [3, 4, 5, 6, 7] {
        world.wire.kill_after(calls, world.sweep()).await;
        let told = audit(&world.cold()).await;
        assert_sound(&told);
        world.advance(TimeDelta::seconds(400));
    }
    for _ in 0..3 {
        world.sweep().await;
        assert_sound(&audit(&world).await);
        world.rest().await;
        assert_sound(&audit(&world).await);
        world.advance(TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS));
    }
    let told = audit(&world).await;
    assert_eq!(told["checked"], json!({"seats": 0, "reservations": 2, "payments": 2}));
}

/// A show of several sections, and a payment that was made before payments were listed by show.
#[tokio::test]
async fn a_payment_that_is_not_listed_is_found_by_the_booking_that_shows_it() {
    let world = World::new().await;
    let held = world.hold_of("ann", "arena-show", &["SOUTH-B7"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    world.confirm("ann", "t1", &payment).await.expect(200);
    let mut item = world.items(&world.tables.payments).remove(0);
    let shard = item.as_object_mut().unwrap().remove("show_shard").unwrap();
    assert!(shard["S"].as_str().unwrap().starts_with("arena-show#"), "{shard}");
    put(&world, &world.tables.payments, &item);
    let path = "/api/admin/shows/arena-show/audit";
    let told = world.admin("GET", path, Value::Null).await.expect(200);
    assert_sound(&told);
    assert_eq!(told["checked"], json!({"seats": 1, "reservations": 1, "payments": 1}));
}

/// Money that names a reservation which is made later is found with that one's show.
#[tokio::test]
async fn parked_money_that_is_matched_later_is_listed_with_its_show() {
    let world = World::new().await;
    let held = world.hold("ann", &["A1"], "t1").await.expect(201);
    let payment = world.pay(&held, "succeed").await;
    let reference = payment.parse().unwrap();
    let unknown = "nobody".parse().unwrap();
    let money = domain::money::Money::new(REGULAR, "INR".parse().unwrap()).unwrap();
    let sandbox = "sandbox".parse().unwrap();
    let now = world.now();
    assert!(world.store.park(&sandbox, &reference, Some(&unknown), money, now).await.unwrap());
    let parked = world.items(&world.tables.payments).remove(0);
    assert_eq!(parked["show_shard"], Value::Null, "{parked}");
    assert_eq!(audit(&world).await["checked"]["payments"], 0);
    world.rest().await;
    let told = audit(&world).await;
    assert_sound(&told);
    assert_eq!(told["checked"], json!({"seats": 1, "reservations": 1, "payments": 1}));
    assert_eq!(world.seat("A1").await, "BOOKED");
}

#[tokio::test]
async fn an_audit_costs_a_query_for_each_section_and_shard_and_two_batches() {
    let Sold { world, .. } = Sold::new().await;
    audit(&world).await;
    world.wire.take_calls();
    audit(&world).await;
    let calls = world.wire.take_calls();
    let of = |name: &str| calls.iter().filter(|call| call.operation == name).count();
    let queries = 1 + usize::from(PAYMENT_SHOW_SHARDS);
    assert_eq!((of("Query"), of("BatchGetItem"), calls.len()), (queries, 2, queries + 2));
}

#[tokio::test(start_paused = true)]
async fn with_the_tables_away_it_says_so_and_invents_nothing() {
    let Sold { world, .. } = Sold::new().await;
    audit(&world).await;
    for operation in ["Query", "BatchGetItem"] {
        world.wire.inject(operation, Fault::Down, 60);
        let answer = world.admin("GET", AUDIT, Value::Null).await;
        assert_eq!(answer.problem(503), "try_again", "{operation}");
        world.wire.clear();
    }
    assert_sound(&audit(&world).await);
}

#[tokio::test]
async fn a_show_whose_prices_changed_is_sound() {
    let Sold { world, .. } = Sold::new().await;
    let inception = movie("inception", "Inception");
    world
        .put_show(&inception, |show| {
            let dearer = [("REGULAR".parse().unwrap(), 99_000)];
            let list = domain::show::PriceList::new("INR".parse().unwrap(), dearer.into());
            show.prices = list.unwrap();
        })
        .await;
    assert_sound(&audit(&world.cold()).await);
}

#[tokio::test]
async fn only_admins_audit_and_only_what_there_is() {
    let world = World::new().await;
    assert_eq!(world.call("ann", "GET", AUDIT, Value::Null).await.problem(403), "forbidden");
    assert_eq!(world.raw("GET", AUDIT, &[], "").await.problem(401), "unauthenticated");
    let nowhere = "/api/admin/shows/nowhere/audit";
    assert_eq!(world.admin("GET", nowhere, Value::Null).await.problem(404), "not_found");
}
