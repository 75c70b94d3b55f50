//! Random histories: whatever users do, the books balance after every step.
//!
//! Method: three users hold, pay, confirm and cancel four seats in random order while the clock
//! moves, TTL sweeps now and then, answers are lost and transactions conflict. After each step the
//! invariants of the design are read off the tables alone. A failing seed is printed, and
//! `MARQUEE_SEED` gives it back.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use fastrand::Rng;
use serde_json::Value;

use crate::wire::Fault;
use crate::world::World;

const HISTORIES: u64 = 24;
const STEPS: usize = 60;
const USERS: [&str; 3] = ["ann", "bob", "cat"];
const SEATS: [&str; 4] = ["A1", "A2", "A3", "C1"];

/// What the world outside knows of a hold.
struct Hold {
    user: &'static str,
    token: String,
    answer: Value,
    /// References of its payments, and whether the money was captured.
    payments: Vec<(String, bool)>,
}

/// How often something happened, so that a history in which nothing happens is found out.
#[derive(Debug, Default)]
struct Tally(HashMap<String, u32>);

impl Tally {
    fn count(&mut self, what: &str, status: u16) {
        *self.0.entry(format!("{what} {status}")).or_default() += 1;
    }
}

#[tokio::test]
async fn the_books_balance_after_every_step_of_any_history() {
    let given = std::env::var("MARQUEE_SEED").ok().map(|seed| seed.parse().unwrap());
    let first = given.unwrap_or_else(|| fastrand::u64(..));
    let mut tally = Tally::default();
    for seed in (0..HISTORIES).map(|number| first.wrapping_add(number)) {
        println!("MARQUEE_SEED={seed}");
        history(seed, &mut tally).await;
    }
    println!("{:#?}", tally.0);
    for happened in [
        "hold 201",
        "hold 409",
        "confirm 200",
        "confirm 202",
        "confirm 402",
        "confirm 409",
        "confirm 422",
        "cancel 200",
        "cancel 409",
    ] {
        assert!(given.is_some() || tally.0.contains_key(happened), "never: {happened}");
    }
}

async fn history(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::with_seed(seed);
    let world = World::new().await;
    let mut holds: Vec<Hold> = Vec::new();
    let mut asked: HashSet<String> = HashSet::new();
    for step in 0..STEPS {
        if rng.u8(..8) == 0 {
            let fault = [Fault::LoseAnswer, Fault::TransactionConflict][rng.usize(..2)];
            world.wire.inject("TransactWriteItems", fault, 1);
        }
        match rng.u8(..10) {
            0..=3 => hold(&world, &mut rng, step, &mut holds, tally).await,
            4 => pay(&world, &mut rng, &mut holds).await,
            5..=6 => confirm(&world, &mut rng, &holds, &mut asked, tally).await,
            7 => cancel(&world, &mut rng, &holds, tally).await,
            8 => world.advance(TimeDelta::milliseconds(rng.i64(0..200_000))),
            _ => drop(world.db.sweep_ttl().unwrap()),
        }
        check(&world, &holds, &asked, &format!("seed {seed}, step {step}"));
    }
}

async fn hold(world: &World, rng: &mut Rng, step: usize, holds: &mut Vec<Hold>, tally: &mut Tally) {
    let user = USERS[rng.usize(..USERS.len())];
    let mut seats = SEATS.to_vec();
    rng.shuffle(&mut seats);
    seats.truncate(rng.usize(1..=SEATS.len()));
    let token = format!("t{step}");
    let answer = world.hold(user, &seats, &token).await;
    tally.count("hold", answer.status);
    if answer.status == 201 {
        let again = world.hold(user, &seats, &token).await;
        assert_eq!(again.expect(201), answer.body, "a repetition answers as the first did");
        holds.push(Hold { user, token, answer: answer.body, payments: Vec::new() });
    }
}

async fn pay(world: &World, rng: &mut Rng, holds: &mut [Hold]) {
    let Some(hold) = rng.choice(holds) else { return };
    let outcome = ["succeed", "succeed", "fail", "stay_pending"][rng.usize(..4)];
    let amount = &hold.answer["amount"];
    let wrong = Value::from(1);
    let minor = if rng.u8(..6) == 0 { &wrong } else { &amount["amount"] };
    let payment = world.pay_amount(&hold.answer, minor, &amount["currency"], outcome).await;
    hold.payments.push((payment, outcome == "succeed"));
}

async fn confirm(
    world: &World,
    rng: &mut Rng,
    holds: &[Hold],
    asked: &mut HashSet<String>,
    tally: &mut Tally,
) {
    let Some(hold) = rng.choice(holds) else { return };
    let payers = if rng.u8(..8) == 0 { holds } else { std::slice::from_ref(hold) };
    let Some(payer) = rng.choice(payers) else { return };
    let Some((payment, captured)) = rng.choice(&payer.payments) else { return };
    let answer = world.confirm(hold.user, &hold.token, payment).await;
    tally.count("confirm", answer.status);
    let is_its_own = payer.answer["reservationId"] == hold.answer["reservationId"];
    if *captured && is_its_own && answer.status < 500 {
        asked.insert(payment.clone());
    }
}

async fn cancel(world: &World, rng: &mut Rng, holds: &[Hold], tally: &mut Tally) {
    let Some(hold) = rng.choice(holds) else { return };
    let answer = world.cancel(hold.user, hold.answer["reservationId"].as_str().unwrap()).await;
    tally.count("cancel", answer.status);
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["S"].as_str().unwrap_or_default()
}

/// The names of a reservation's seats.
fn seats_of(reservation: &Value) -> HashSet<&str> {
    let groups = reservation["seats"]["L"].as_array().unwrap().iter();
    let ids = groups.flat_map(|group| group["M"]["seat_ids"]["L"].as_array().unwrap());
    ids.map(|id| id["S"].as_str().unwrap()).collect()
}

/// The invariants of the design, from the tables alone; and that captured money which was asked
/// about is accounted for.
fn check(world: &World, holds: &[Hold], asked: &HashSet<String>, when: &str) {
    let reservations = world.items(&world.tables.reservations);
    let seats = world.items(&world.tables.seats);
    let payments = world.items(&world.tables.payments);
    let now = world.now().timestamp();
    let end = |item: &Value| item["expires_at"]["N"].as_str().unwrap().parse::<i64>().unwrap();
    let claims: HashMap<&str, &Value> = seats
        .iter()
        .filter(|seat| text(seat, "seat_status") != "HELD" || end(seat) > now)
        .map(|seat| (text(seat, "sk").trim_start_matches("SEAT#"), seat))
        .collect();

    let mut claimed = 0;
    for reservation in &reservations {
        let id = text(reservation, "pk").trim_start_matches("RESERVATION#");
        let live = match text(reservation, "reservation_status") {
            "CONFIRMED" => Some("BOOKED"),
            "PENDING" if end(reservation) > now => Some("HELD"),
            _ => None,
        };
        let Some(expected) = live else { continue };
        for seat in seats_of(reservation) {
            let claim =
                claims.get(seat).unwrap_or_else(|| panic!("{when}: {seat} of {id} is free"));
            assert_eq!(text(claim, "reservation_id"), id, "{when}: {seat} is another's");
            assert_eq!(text(claim, "seat_status"), expected, "{when}: {seat} of {id}");
            let same_end = expected == "BOOKED" || end(claim) == end(reservation);
            assert!(same_end, "{when}: {seat} ends at another second than {id}");
            claimed += 1;
        }
    }
    assert_eq!(claims.len(), claimed, "{when}: a claim that no reservation lists: {claims:?}");

    let minor = |item: &Value| item["amount_minor"]["N"].as_str().unwrap().parse::<u64>().unwrap();
    let confirmed: Vec<&Value> = reservations
        .iter()
        .filter(|reservation| text(reservation, "reservation_status") == "CONFIRMED")
        .collect();
    let success: Vec<&Value> =
        payments.iter().filter(|payment| text(payment, "payment_status") == "SUCCESS").collect();
    assert_eq!(success.len(), confirmed.len(), "{when}: a booking is one payment");
    let sum = |items: &[&Value]| items.iter().map(|item| minor(item)).sum::<u64>();
    assert_eq!(sum(&success), sum(&confirmed), "{when}: the money of bookings");
    let known: HashMap<&str, &str> = payments
        .iter()
        .map(|payment| {
            let reference = text(payment, "pk").trim_start_matches("PAYMENT#sandbox#");
            (reference, text(payment, "payment_status"))
        })
        .collect();
    for (payment, captured) in holds.iter().flat_map(|hold| &hold.payments) {
        let status = known.get(payment.as_str()).copied();
        let accounted = matches!(status, Some("SUCCESS" | "REFUND_DUE"));
        assert_eq!(accounted, *captured && asked.contains(payment), "{when}: {payment} {status:?}");
    }
}
