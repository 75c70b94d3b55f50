//! What clients are answered at once could have been answered to them one after the other.
//!
//! Method: three or four clients ask the real handlers for a few seats at the same time: they hold,
//! confirm, cancel and look, with tokens and payments that some of them share; the queue tells of
//! payments in between. What each was asked and answered, and what was over before what began, goes to
//! the linearizability checker of `stateright`. It looks for an order that keeps to that, and in which
//! [`show::Show`], a show that serves one request at a time, answers every one of them the same.
//!
//! The clock stands still within a history. In some, holds have ended before it begins, so that
//! takeovers meet late money. In one history of three answers get lost, or transactions meet others: who
//! is not answered, or told to try again, may have been served or not, and goes on as somebody new. In
//! the others nobody is put off.
//!
//! Time is paused, so nothing may wait for a socket: the runtime would see nothing to do, and move the
//! clock on as far as the function's timeout. The provider is in the same process.
//!
//! A failing seed is printed, and `MARQUEE_SEED` plays the same history.

mod show;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use domain::id::{HoldToken, ReservationId, UserId};
use domain::money::Money;
use domain::payment::{self, Event, Progress, Report};
use domain::reservation::Status;
use fastrand::Rng;
use serde_json::{Value, json};
use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester, SequentialSpec as _};
use tokio::task::JoinSet;

use self::show::{Outcome, Reply, Request, SEATS, Show, problem};
use crate::cinema::REGULAR;
use crate::engine::only_embedded;
use crate::wire::Fault;
use crate::world::{Answer, HOLD_SECS, World};

const HISTORIES: u64 = 200;
const HISTORIES_MAX: u64 = 600;

/// One more than the highest choice of seats, with a bit for each.
const ALL_SEATS: usize = 1 << SEATS;

/// It has seats enough for fresh ones in each history.
const SHOW: &str = "arena-show";

type Tester = LinearizabilityTester<usize, Show>;

/// What a history is about.
struct Scene {
    seats: [String; SEATS],
    reservations: Vec<Wanted>,
    orders: Vec<Order>,
}

struct Wanted {
    user: String,
    token: String,
    id: String,
    seats: Vec<usize>,
    /// Whether it was held, and its hold ended, before the history.
    is_over: bool,
}

struct Order {
    of: usize,
    outcome: Outcome,
    reference: String,
}

/// A history, as it is made.
struct Record {
    tester: Tester,
    /// How many clients there are; one that was not answered goes on as another.
    clients: usize,
    /// In the order in which they were asked.
    told: Vec<(Request, Option<Reply>)>,
}

impl Record {
    fn new(show: Show) -> Self {
        Self { tester: Tester::new(show), clients: 0, told: Vec::new() }
    }

    fn newcomer(&mut self) -> usize {
        self.clients += 1;
        self.clients
    }

    /// Somebody asks. Says where that is written down.
    fn ask(&mut self, client: usize, request: &Request) -> usize {
        self.tester.on_invoke(client, request.clone()).unwrap();
        self.told.push((request.clone(), None));
        self.told.len() - 1
    }

    /// Somebody is answered, or not. Says as whom they go on.
    fn hear(&mut self, client: usize, at: usize, reply: Option<Reply>) -> usize {
        self.told[at].1.clone_from(&reply);
        match reply {
            Some(reply) => {
                self.tester.on_return(client, reply).unwrap();
                client
            }
            None => self.newcomer(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_history_of_clients_at_once_has_an_order() {
    let given = std::env::var("MARQUEE_SEED").ok().map(|seed| seed.parse().unwrap());
    let first = given.unwrap_or_else(|| fastrand::u64(..));
    let world = World::new().await;
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    let mut histories = 0;
    // Rare things take more histories now and then; what never happens at all is found out.
    while histories < HISTORIES || (histories < HISTORIES_MAX && never(&tally).is_some()) {
        let seed = first.wrapping_add(histories);
        println!("MARQUEE_SEED={seed}");
        for what in history(&world, histories, seed).await {
            *tally.entry(what).or_default() += 1;
        }
        if given.is_some() {
            return;
        }
        histories += 1;
    }
    println!("{tally:#?}");
    assert_eq!(never(&tally), None, "it never happened");
}

/// Something that should happen, and did not.
fn never(tally: &BTreeMap<String, u32>) -> Option<&'static str> {
    let all = [
        "201 PENDING",
        "201 CONFIRMED",
        "200 CONFIRMED",
        "202 PENDING",
        "seats_unavailable",
        "402 payment_failed",
        "404 not_found",
        "409 hold_expired",
        "409 already_confirmed",
        "409 already_cancelled",
        "422 hold_token_reused",
        "cancelled",
        "heard",
        "not answered",
        "a seat was taken over",
        "late money booked",
        "not in the order of asking",
    ];
    all.into_iter().find(|what| !tally.contains_key(*what))
}

/// Plays a history, and says what happened in it.
async fn history(world: &World, number: u64, seed: u64) -> Vec<String> {
    // Functions remember nothing of the histories before.
    let world = Arc::new(world.with_provider_within());
    let mut rng = Rng::with_seed(seed);
    // What the wire and the pauses draw from.
    fastrand::seed(seed);
    let (scene, show) = set(&world, &mut rng, number).await;
    let clients: Vec<Vec<Request>> =
        (0..rng.usize(3..=4)).map(|_| requests(&scene, &mut rng)).collect();
    let is_faulty = rng.u8(..3) == 0;
    if is_faulty {
        let (fault, times) = [
            (Fault::LoseAnswer, 1),
            (Fault::LoseAnswer, 3),
            (Fault::TransactionConflict, 1),
            (Fault::TransactionConflict, 6),
        ][rng.usize(..4)];
        world.wire.inject("TransactWriteItems", fault, times);
    }
    let (scene, record) = (Arc::new(scene), Arc::new(Mutex::new(Record::new(show.clone()))));
    let mut running = JoinSet::new();
    for requests in clients {
        let (world, scene, record) = (Arc::clone(&world), Arc::clone(&scene), Arc::clone(&record));
        running.spawn(async move {
            let mut client = record.lock().unwrap().newcomer();
            for request in requests {
                for _ in 0..fastrand::u8(..4) {
                    tokio::task::yield_now().await;
                }
                let at = record.lock().unwrap().ask(client, &request);
                let reply = ask(&world, &scene, &request).await;
                client = record.lock().unwrap().hear(client, at, reply);
            }
        });
    }
    running.join_all().await;
    world.wire.clear();
    world.wire.take_calls();
    world.take_deliveries();
    let record = record.lock().unwrap();
    // On a server transactions meet by themselves.
    let may_put_off = is_faulty || !only_embedded("whether nobody is put off without a fault");
    judge(&scene, &show, &record, (seed, may_put_off))
}

/// Panics unless there is an order, and unless everybody was answered who was not put off by a fault. Says
/// what happened.
fn judge(
    scene: &Scene,
    show: &Show,
    record: &Record,
    (seed, may_put_off): (u64, bool),
) -> Vec<String> {
    let told = &record.told;
    let is_answered = told.iter().all(|(_, reply)| reply.is_some());
    assert!(
        may_put_off || is_answered,
        "seed {seed}: nothing is in the way, and somebody is put off: {told:#?}"
    );
    assert!(record.tester.is_consistent(), "seed {seed}: no order explains {told:#?}\n{show:#?}");
    let mut happened: Vec<String> = told.iter().flat_map(|told| names(scene, told)).collect();
    let mut one_by_one = show.clone();
    let is_in_order = told.iter().all(|(request, reply)| {
        let expected = one_by_one.invoke(request);
        reply.as_ref().is_none_or(|reply| *reply == expected)
    });
    if !is_in_order {
        happened.push("not in the order of asking".to_owned());
    }
    happened
}

/// What a reply is called in the tally.
fn names(scene: &Scene, (request, reply): &(Request, Option<Reply>)) -> Vec<String> {
    let name = match reply {
        None => "not answered".to_owned(),
        Some(Reply::Reservation { http, status, .. }) => {
            format!("{http} {}", format!("{status:?}").to_uppercase())
        }
        Some(Reply::Cancelled) => "cancelled".to_owned(),
        Some(Reply::Taken(_)) => "seats_unavailable".to_owned(),
        Some(Reply::Problem(http, code)) => format!("{http} {code}"),
        Some(Reply::Heard) => "heard".to_owned(),
    };
    let mut names = vec![name];
    let Some(Reply::Reservation { http, status, .. }) = reply else { return names };
    let of = match request {
        Request::Hold { reservation, .. }
        | Request::Cancel { reservation }
        | Request::Look { reservation } => *reservation,
        Request::Confirm { payment } | Request::Hear { payment } => scene.orders[*payment].of,
    };
    let wanted = &scene.reservations[of];
    if wanted.is_over && *status == Status::Confirmed {
        names.push("late money booked".to_owned());
    }
    let lapsed = scene.reservations.iter().filter(|of| of.is_over);
    let mut lapsed = lapsed.flat_map(|of| &of.seats);
    if *http == 201 && !wanted.is_over && lapsed.any(|seat| wanted.seats.contains(seat)) {
        names.push("a seat was taken over".to_owned());
    }
    names
}

/// Fresh seats, users and payments, some holds that have ended, and some that have not.
async fn set(world: &World, rng: &mut Rng, number: u64) -> (Scene, Show) {
    // Rows A to T of 100 seats in each of three sections.
    let (row, first) = (number / 33, number % 33 * 3 + 1);
    let section = ["NORTH", "SOUTH", "EAST"][usize::try_from(row / 20).unwrap()];
    let row = char::from(b'A' + u8::try_from(row % 20).unwrap());
    let seats = [0, 1, 2].map(|seat| format!("{section}-{row}{}", first + seat));
    let reservations: Vec<Wanted> = (0..rng.usize(3..=4))
        .map(|token| {
            let user = format!("{}-{number}", ["ann", "bob", "cat"][rng.usize(..3)]);
            let token = format!("t{token}");
            let of = UserId::try_from(user.clone()).unwrap();
            let id = ReservationId::of(&of, &token.parse::<HoldToken>().unwrap());
            let which = rng.usize(1..ALL_SEATS);
            let seats = (0..SEATS).filter(|seat| (which >> seat) & 1 == 1).collect();
            Wanted { user, token, id: id.as_str().to_owned(), seats, is_over: false }
        })
        .collect();
    let mut orders = Vec::new();
    for (of, wanted) in reservations.iter().enumerate() {
        for _ in 0..rng.usize(1..=2) {
            let (outcome, name) = match rng.u8(..8) {
                0 => (Outcome::Fails, "fail"),
                1 => (Outcome::StaysPending, "stay_pending"),
                _most => (Outcome::Succeeds, "succeed"),
            };
            let order = json!({
                "reservationId": wanted.id,
                "amount": amount(wanted),
                "currency": "INR",
                "outcome": name,
            });
            orders.push(Order { of, outcome, reference: world.order(&order).await });
        }
    }
    let outcomes: Vec<_> = orders.iter().map(|order| (order.of, order.outcome)).collect();
    let mut show = Show::new(reservations.len(), &outcomes);
    let mut scene = Scene { seats, reservations, orders };
    if rng.bool() {
        for reservation in 0..rng.usize(1..=2) {
            let held = hold_before(world, &scene, &mut show, reservation).await;
            scene.reservations[reservation].is_over = held;
        }
        world.advance(TimeDelta::seconds(HOLD_SECS));
        show.end_holds();
    }
    if rng.bool() {
        let reservation = scene.reservations.len() - 1;
        hold_before(world, &scene, &mut show, reservation).await;
    }
    (scene, show)
}

fn amount(wanted: &Wanted) -> u64 {
    REGULAR * u64::try_from(wanted.seats.len()).unwrap()
}

/// Holds what a reservation wants while nobody else is there. Says whether it was free.
async fn hold_before(world: &World, scene: &Scene, show: &mut Show, reservation: usize) -> bool {
    let seats = scene.reservations[reservation].seats.clone();
    let request = Request::Hold { reservation, seats };
    let reply = ask(world, scene, &request).await;
    assert_eq!(reply, Some(show.invoke(&request)), "{request:?}");
    matches!(reply, Some(Reply::Reservation { .. }))
}

/// What one client will ask for.
fn requests(scene: &Scene, rng: &mut Rng) -> Vec<Request> {
    (0..rng.usize(2..=4)).map(|_| request(scene, rng)).collect()
}

fn request(scene: &Scene, rng: &mut Rng) -> Request {
    let reservation = rng.usize(..scene.reservations.len());
    let of_it: Vec<usize> =
        (0..scene.orders.len()).filter(|of| scene.orders[*of].of == reservation).collect();
    let payment = of_it[rng.usize(..of_it.len())];
    match rng.u8(..16) {
        0..=4 => {
            let mut seats = scene.reservations[reservation].seats.clone();
            if rng.u8(..8) == 0 {
                // As many others, so that what is paid is right for these too.
                seats = seats.iter().map(|seat| (seat + 1) % SEATS).collect();
                seats.sort_unstable();
            }
            Request::Hold { reservation, seats }
        }
        5..=9 => Request::Confirm { payment },
        10..=11 => Request::Cancel { reservation },
        12..=13 if scene.orders[payment].outcome == Outcome::Succeeds => Request::Hear { payment },
        _look => Request::Look { reservation },
    }
}

/// Asks the real handlers. Nothing, if there was no answer, or none but to try again.
async fn ask(world: &World, scene: &Scene, request: &Request) -> Option<Reply> {
    let answer = match request {
        Request::Hold { reservation, seats } => {
            let Wanted { user, token, .. } = &scene.reservations[*reservation];
            let seats: Vec<&str> = seats.iter().map(|seat| scene.seats[*seat].as_str()).collect();
            world.hold_of(user, SHOW, &seats, token).await
        }
        Request::Confirm { payment } => {
            let Order { of, reference, .. } = &scene.orders[*payment];
            let Wanted { user, token, .. } = &scene.reservations[*of];
            world.confirm(user, token, reference).await
        }
        Request::Cancel { reservation } => {
            let Wanted { user, id, .. } = &scene.reservations[*reservation];
            world.cancel(user, id).await
        }
        Request::Look { reservation } => {
            let Wanted { user, id, .. } = &scene.reservations[*reservation];
            world.call(user, "GET", &format!("/api/reservations/{id}"), Value::Null).await
        }
        Request::Hear { payment } => {
            let body = captured(scene, &scene.orders[*payment]);
            let record = json!({"messageId": "m", "body": body});
            let failed = world.tell_of("ProcessPaymentEvents", &[record]).await;
            return (failed == 0).then_some(Reply::Heard);
        }
    };
    let is_cancel = matches!(request, Request::Cancel { .. });
    (![429, 503].contains(&answer.status)).then(|| reply(scene, is_cancel, answer))
}

/// What the queue says of a payment whose money came.
fn captured(scene: &Scene, order: &Order) -> String {
    let wanted = &scene.reservations[order.of];
    let outcome = payment::Outcome::Known {
        reservation_id: Some(wanted.id.parse().unwrap()),
        money: Money::new(amount(wanted), "INR".parse().unwrap()).unwrap(),
        progress: Progress::Captured,
    };
    let (provider, reference) = ("sandbox".parse().unwrap(), order.reference.parse().unwrap());
    serde_json::to_string(&Event::Payment(Report { provider, reference, outcome })).unwrap()
}

/// An answer, in the words of the show.
fn reply(scene: &Scene, is_cancel: bool, answer: Answer) -> Reply {
    let Answer { status: http, body, .. } = answer;
    let code = body["code"].as_str();
    match (http, code) {
        (200..=202, None) => {
            let status: Status = serde_json::from_value(body["status"].clone()).unwrap();
            if is_cancel && status == Status::Cancelled {
                return Reply::Cancelled;
            }
            let shown = body["payment"].as_object().map(|shown| {
                let is = |order: &Order| shown["reference"] == order.reference.as_str();
                let number = scene.orders.iter().position(is).unwrap();
                (number, serde_json::from_value(shown["status"].clone()).unwrap())
            });
            Reply::Reservation { http, status, shown }
        }
        (409, Some("seats_unavailable")) => {
            let refused = body["conflicts"].as_array().unwrap().iter().map(|conflict| {
                let is = |name: &String| conflict["seatId"] == name.as_str();
                let seat = scene.seats.iter().position(is).unwrap();
                (seat, conflict["status"] == "BOOKED")
            });
            let mut refused: Vec<(usize, bool)> = refused.collect();
            refused.sort_unstable();
            Reply::Taken(refused)
        }
        (http, code) => problem(http, code.unwrap_or_default()),
    }
}

fn hold(reservation: usize, seats: &[usize]) -> Request {
    Request::Hold { reservation, seats: seats.to_vec() }
}

fn pending(http: u16) -> Reply {
    Reply::Reservation { http, status: Status::Pending, shown: None }
}

#[test]
fn two_winners_of_one_seat_have_no_order() {
    let mut tester = Tester::new(Show::new(2, &[]));
    tester.on_invoke(1, hold(0, &[0, 1])).unwrap();
    tester.on_invoke(2, hold(1, &[1, 2])).unwrap();
    tester.on_return(1, pending(201)).unwrap();
    let mut twice = tester.clone();
    twice.on_return(2, pending(201)).unwrap();
    assert!(!twice.is_consistent());
    tester.on_return(2, Reply::Taken(vec![(1, false)])).unwrap();
    assert!(tester.is_consistent());
}

#[test]
fn a_loser_without_a_winner_has_no_order() {
    let lost = Reply::Taken(vec![(0, false)]);
    let mut tester = Tester::new(Show::new(2, &[]));
    tester.on_invret(1, hold(0, &[0]), lost.clone()).unwrap();
    // Who wins only began when the loser was told.
    tester.on_invret(2, hold(1, &[0]), pending(201)).unwrap();
    assert!(!tester.is_consistent());

    // One that is not answered may have won.
    let mut tester = Tester::new(Show::new(2, &[]));
    tester.on_invoke(2, hold(1, &[0])).unwrap();
    tester.on_invret(1, hold(0, &[0]), lost).unwrap();
    assert!(tester.is_consistent());
}

#[test]
fn what_was_answered_is_not_forgotten() {
    let booked = |http| Reply::Reservation {
        http,
        status: Status::Confirmed,
        shown: Some((0, payment::Status::Success)),
    };
    let mut tester = Tester::new(Show::new(1, &[(0, Outcome::Succeeds)]));
    tester.on_invret(1, hold(0, &[0]), pending(201)).unwrap();
    tester.on_invret(1, Request::Confirm { payment: 0 }, booked(200)).unwrap();
    let look = Request::Look { reservation: 0 };
    let mut stale = tester.clone();
    stale.on_invret(2, look.clone(), pending(200)).unwrap();
    assert!(!stale.is_consistent(), "it was confirmed before anybody looked");
    tester.on_invret(2, look, booked(200)).unwrap();
    assert!(tester.is_consistent());
}
