//! The table and the domain agree, for every seat, every command and every side of every instant.
//!
//! Method: put the item of each seat into the table, run the use case that carries the command
//! out, and compare what it says with what [`Seat::apply`] says. Only this catches `<=` that
//! became `<`: a race never meets the instant.

use chrono::TimeDelta;
use domain::allowance::{Allowance, HeldSeats, Policy, PolicyName, Wait};
use domain::id::{HoldToken, ReservationId, UserId};
use domain::money::Money;
use domain::payment::{self, Outcome, Progress, RefundReason, Report};
use domain::reservation::Command::Expire;
use domain::reservation::Refusal::StillHeld;
use domain::reservation::{PaymentSummary, PricedSeat, Reservation, Status};
use domain::seat::{Command, Refusal, Seat};
use domain::settlement::{Case, Origin};
use domain::time::{HoldTerms, Timestamp};
use serde_json::{Value, json};
use store::{Expiry, HoldError, HoldLimit, HouseSeatsError, Settled, TakeError};

use crate::world::World;

mod payments;
mod stale;

/// When the seat's hold ends.
const END: i64 = 2_000_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(second, 0).unwrap()
}

fn user() -> UserId {
    "ann".to_owned().try_into().unwrap()
}

fn token() -> HoldToken {
    "t1".parse().unwrap()
}

fn ours() -> ReservationId {
    ReservationId::of(&user(), &token())
}

/// Every kind of seat, with its item.
fn seats() -> Vec<(Seat, Option<Value>)> {
    let theirs: ReservationId = "theirs".parse().unwrap();
    let key = json!({"pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A1"}});
    let item = |status: &str, more: Value| {
        let mut item = key.clone();
        item["seat_status"] = json!({"S": status});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(item)
    };
    let held = |by: &ReservationId| {
        item("HELD", json!({"reservation_id": {"S": by}, "expires_at": {"N": END.to_string()}}))
    };
    let booked = |by: &ReservationId| item("BOOKED", json!({"reservation_id": {"S": by}}));
    vec![
        (Seat::Available, None),
        (Seat::Held { reservation: ours(), expires_at: at(END) }, held(&ours())),
        (Seat::Held { reservation: theirs.clone(), expires_at: at(END) }, held(&theirs)),
        (Seat::Booked { reservation: ours() }, booked(&ours())),
        (Seat::Booked { reservation: theirs.clone() }, booked(&theirs)),
        (Seat::Blocked, item("BLOCKED", json!({}))),
    ]
}

async fn world_with(item: Option<&Value>) -> World {
    let world = World::new().await;
    if let Some(item) = item {
        put(&world, &world.tables.seats, item);
    }
    world
}

fn put(world: &World, table: &str, item: &Value) {
    world.db.put(table, item);
}

/// A reservation of A1 in a state, live far beyond every instant that is tried.
fn reservation(status: Status) -> Reservation {
    let price = Money::new(500, "INR".parse().unwrap()).unwrap();
    Reservation {
        id: ours(),
        user_id: user(),
        hold_token: token(),
        show_id: "show-1".parse().unwrap(),
        show_starts_at: at(END + 10_000),
        seats: vec![PricedSeat {
            seat_id: "A1".parse().unwrap(),
            section_id: "MAIN".parse().unwrap(),
            seat_type: "REGULAR".parse().unwrap(),
            price,
        }],
        amount: price,
        status,
        expires_at: at(END + 100),
        extended: false,
        created_at: at(END - 300),
        confirmed_at: None,
        cancelled_at: None,
        payment: None,
        email: None,
        entry: None,
    }
}

/// The payment that a reservation shows in this status.
fn shown(status: payment::Status) -> PaymentSummary {
    let (provider, reference) = ("sandbox".parse().unwrap(), "p1".parse().unwrap());
    PaymentSummary { provider, reference, status }
}

/// The item of a reservation.
fn item_of(reservation: &Reservation) -> Value {
    let mut item = json!({
        "pk": {"S": format!("RESERVATION#{}", reservation.id)},
        "user_id": {"S": "ann"}, "hold_token": {"S": "t1"}, "show_id": {"S": "show-1"},
        "show_starts_at": {"S": domain::time::text(reservation.show_starts_at)},
        "seats": {"L": [{"M": {
            "section_id": {"S": "MAIN"}, "seat_type": {"S": "REGULAR"},
            "price_minor": {"N": "500"}, "seat_ids": {"L": [{"S": "A1"}]},
        }}]},
        "currency": {"S": "INR"}, "amount_minor": {"N": "500"},
        "reservation_status": {"S": status_text(reservation.status)},
        "expires_at": {"N": reservation.expires_at.timestamp().to_string()},
        "hold_extended": {"BOOL": reservation.extended},
        "created_at": {"S": domain::time::text(reservation.created_at)},
    });
    if let Some(payment) = &reservation.payment {
        item["payment_provider"] = json!({"S": payment.provider});
        item["payment_reference"] = json!({"S": payment.reference});
        item["payment_status"] = json!({"S": payment.status});
    }
    if let Some(entry) = &reservation.entry {
        item["entered_at"] = json!({"S": domain::time::text(entry.at)});
        item["entered_gate"] = json!({"S": entry.gate});
        item["entered_scan_id"] = json!({"S": entry.scan_id});
        item["entered_by"] = json!({"S": entry.by});
    }
    item
}

/// Writes a reservation and, if it shows one, its payment.
async fn given(world: &World, reservation: &Reservation) {
    if let Some(payment) = &reservation.payment {
        put(
            world,
            &world.tables.payments,
            &json!({
                "pk": {"S": format!("PAYMENT#{}#{}", payment.provider, payment.reference)},
                "reservation_id": {"S": reservation.id}, "payment_status": {"S": payment.status},
                "amount_minor": {"N": "500"}, "currency": {"S": "INR"},
                "created_at": {"S": domain::time::text(reservation.created_at)},
            }),
        );
    }
    put(world, &world.tables.reservations, &item_of(reservation));
    let stored = world.store.reservation(&reservation.id).await.unwrap().unwrap();
    assert_eq!(stored, *reservation, "the item says what the test means");
}

fn status_text(status: Status) -> String {
    json!(status).as_str().unwrap().to_owned()
}

/// The seat that the table has now.
fn stored(world: &World) -> Seat {
    let items = world.items(&world.tables.seats);
    let Some(item) = items.iter().find(|item| item["sk"]["S"] == "SEAT#A1") else {
        return Seat::Available;
    };
    let reservation = || item["reservation_id"]["S"].as_str().unwrap().parse().unwrap();
    match item["seat_status"]["S"].as_str().unwrap() {
        "HELD" => {
            let end = item["expires_at"]["N"].as_str().unwrap().parse().unwrap();
            Seat::Held { reservation: reservation(), expires_at: at(end) }
        }
        "BOOKED" => Seat::Booked { reservation: reservation() },
        "BLOCKED" => Seat::Blocked,
        other => panic!("a seat is {other}"),
    }
}

/// Compares what the table did with what the domain says, to the answer and to the item.
fn agree(
    world: &World,
    seat: &Seat,
    command: &Command,
    now: Timestamp,
    table_says: Result<(), Option<Refusal>>,
) {
    let domain_says = seat.apply(command, now);
    let what = format!("{seat:?} {command:?} at {now}");
    match (&table_says, &domain_says) {
        (Ok(()), Ok(after)) => assert_eq!(stored(world), *after, "{what}"),
        (Err(reason), Err(refusal)) => {
            assert!(reason.is_none_or(|reason| reason == *refusal), "{what}: {table_says:?}");
            assert_eq!(stored(world), *seat, "{what}: refused, so unchanged");
        }
        _ => panic!("{what}: the table says {table_says:?}, the domain {domain_says:?}"),
    }
}

const INSTANTS: [i64; 3] = [END - 1, END, END + 1];

/// Room for everything that is tried here.
fn limit() -> HoldLimit {
    HoldLimit { policy: policy(60, 60), cap: 10, known: None }
}

fn policy(burst: u32, per_secs: u32) -> Policy {
    Policy::new(PolicyName::Hold, burst, per_secs).unwrap()
}

/// Goal: an item counts in the table exactly as long as in the domain, and what is taken of it is what
/// the domain takes. Method: allowances that are clear at one instant, for their bucket or for a hold,
/// on both sides of it to the millisecond, with and without memory of them.
#[tokio::test]
async fn what_a_user_has_left() {
    let policies = [policy(1, 10), policy(2, 10)];
    let held = HeldSeats::of(&reservation(Status::Pending));
    let held = HeldSeats { ends_by: at(END), ..held };
    let used = Allowance::full_again_at(END * 1_000);
    let early = at(END - 60);
    let holds = Allowance::default().hold(&held, 10, policies[0], early).unwrap();
    for before in [used, holds] {
        assert_eq!(before.clear_at(), at(END));
        for (policy, millis) in policies.into_iter().flat_map(|of| [-1, 0, 1].map(|by| (of, by))) {
            let now = at(END) + TimeDelta::milliseconds(millis);
            for known in [None, Some(before.clone())] {
                let world = World::new().await;
                let item = json!({
                    "pk": {"S": "LIMIT#hold#ann"},
                    "allowance": {"S": before.to_string()},
                    "clear_at": {"N": before.clear_at().timestamp_millis().to_string()},
                    "kept_until": {"N": (END + 60).to_string()},
                });
                put(&world, &world.tables.limits, &item);
                let is_known = known.is_some();
                let table_says = match world.store.take(policy, &user(), known, now).await {
                    Ok(left) => Ok(left),
                    Err(TakeError::RateLimited { retry_after, .. }) => Err(Wait { retry_after }),
                    Err(TakeError::Fault(fault)) => panic!("{before} at {now}: {fault}"),
                };
                let what = format!("{before} {policy:?} at {now}, known: {is_known}");
                assert_eq!(table_says, before.take(policy, now), "{what}");
                let stored = &world.items(&world.tables.limits)[0];
                let after = table_says.as_ref().unwrap_or(&before).to_string();
                assert_eq!(stored["allowance"]["S"], after, "{what}");
                let calls = match (&table_says, is_known || before.is_fresh(now)) {
                    (Ok(_), true) | (Err(_), false) => 1,
                    (Ok(_), false) => 2,
                    (Err(_), true) => 0,
                };
                assert_eq!(world.wire.take_calls().len(), calls, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn hold() {
    for (seat, item) in seats() {
        for now in INSTANTS.map(at) {
            let world = world_with(item.as_ref()).await;
            let wanted = reservation(Status::Pending);
            let expires_at = wanted.expires_at;
            let command = Command::Hold { reservation: ours(), expires_at };
            let says = match world.store.hold(&wanted, &limit(), now).await {
                Ok(_) => Ok(()),
                Err(HoldError::Taken(taken)) => Err(Some(taken[0].1)),
                Err(error) => panic!("{seat:?} at {now}: {error}"),
            };
            agree(&world, &seat, &command, now, says);
        }
    }
}

fn report(progress: Progress) -> Report {
    Report {
        provider: "sandbox".parse().unwrap(),
        reference: "p1".parse().unwrap(),
        outcome: Outcome::Known {
            reservation_id: Some(ours()),
            money: reservation(Status::Pending).amount,
            progress,
        },
    }
}

async fn settle(
    world: &World,
    reservation: Reservation,
    progress: Progress,
    origin: Origin,
    now: Timestamp,
) -> Settled {
    let case = Case {
        report: &report(progress),
        show_cancelled: false,
        origin,
        terms: HoldTerms::of_secs(300),
        now,
    };
    world.store.settle(reservation, &case).await.unwrap()
}

#[tokio::test]
async fn settlement() {
    for (seat, item) in seats() {
        for now in INSTANTS.map(at) {
            let world = world_with(item.as_ref()).await;
            let reservation = reservation(Status::Pending);
            given(&world, &reservation).await;
            let (money, by) = (Progress::Captured, Origin::Provider);
            let settled = settle(&world, reservation, money, by, now).await;
            let says = if matches!(settled, Settled::Booked { .. }) { Ok(()) } else { Err(None) };
            agree(&world, &seat, &Command::Settle { reservation: ours() }, now, says);
        }
    }
}

#[tokio::test]
async fn extension() {
    for (seat, item) in seats() {
        for now in INSTANTS.map(at) {
            let world = world_with(item.as_ref()).await;
            let reservation = reservation(Status::Pending);
            given(&world, &reservation).await;
            let expires_at = reservation.created_at + TimeDelta::seconds(900);
            let command = Command::Extend { reservation: ours(), expires_at };
            let (money, by) = (Progress::Processing, Origin::Customer);
            let settled = settle(&world, reservation, money, by, now).await;
            let says = if matches!(settled, Settled::Processing(_)) { Ok(()) } else { Err(None) };
            agree(&world, &seat, &command, now, says);
        }
    }
}

/// The use case leaves a seat alone that is not its own, and says nothing of it; so what is
/// compared is the item.
#[tokio::test]
async fn release_and_cancellation() {
    for (seat, item) in seats() {
        for now in INSTANTS.map(at) {
            for (status, command) in [
                (Status::Pending, Command::Release { reservation: ours() }),
                (Status::Confirmed, Command::Cancel { reservation: ours() }),
            ] {
                let world = world_with(item.as_ref()).await;
                let mut reservation = reservation(status);
                reservation.payment =
                    (status == Status::Confirmed).then(|| shown(payment::Status::Success));
                given(&world, &reservation).await;
                let cancelled = world
                    .store
                    .cancel(reservation, RefundReason::BookingCancelled, now)
                    .await
                    .unwrap();
                assert_eq!(cancelled.reservation.status, Status::Cancelled);
                let expected = seat.apply(&command, now).unwrap_or_else(|_| seat.clone());
                assert_eq!(stored(&world), expected, "{seat:?} {command:?} at {now}");
            }
        }
    }
}

#[tokio::test]
async fn block_and_unblock() {
    let places = [("MAIN".parse().unwrap(), "A1".parse().unwrap())];
    for (seat, item) in seats() {
        for now in INSTANTS.map(at) {
            for command in [Command::Block, Command::Unblock] {
                let world = world_with(item.as_ref()).await;
                let show = world.store.show(&"show-1".parse().unwrap()).await.unwrap().unwrap();
                let (block, unblock) = match command {
                    Command::Block => (&places[..], &places[..0]),
                    _ => (&places[..0], &places[..]),
                };
                let done = world.store.change_house_seats(&show, block, unblock, now).await;
                let says = match done {
                    Ok(()) => Ok(()),
                    Err(HouseSeatsError::Claimed(claims)) => Err(Some(claims[0].refusal)),
                    Err(error) => panic!("{seat:?} at {now}: {error}"),
                };
                agree(&world, &seat, &command, now, says);
            }
        }
    }
}

/// Goal: the end of a hold is written exactly where the domain has one, as what the domain makes of it.
#[tokio::test]
async fn expiry() {
    use payment::Status::{Failed, Parked, Pending, RefundDue, Refunded, Success};
    let payments = [Pending, Failed, Parked, Success, RefundDue, Refunded].map(shown).map(Some);
    for payment in [None].into_iter().chain(payments) {
        for status in
            [Status::Pending, Status::Confirmed, Status::Cancelled, Status::Expired, Status::Failed]
        {
            for after_end in [-1, 0, 1] {
                let world = World::new().await;
                let before = Reservation { payment: payment.clone(), ..reservation(status) };
                given(&world, &before).await;
                let now = before.expires_at + TimeDelta::seconds(after_end);
                let expected = match status.apply(Expire, before.is_live_at(now)) {
                    Ok(_) => Expiry::Ended(before.end()),
                    Err(StillHeld) => Expiry::StillHeld,
                    Err(_) => Expiry::Past,
                };
                let what = format!("{before:?} at {now}");
                let found = world.store.expire(&before.id, now).await.unwrap();
                assert_eq!(found, expected, "{what}");
                let after = world.store.reservation(&before.id).await.unwrap().unwrap();
                let ended = Reservation { status: before.end(), ..before.clone() };
                let is_ended = matches!(expected, Expiry::Ended(_));
                assert_eq!(after, if is_ended { ended } else { before }, "{what}");
            }
        }
    }
}

/// Goal: the end of a hold whose payment failed is written upon what it is then, and not upon what was read.
/// Method: just before it is written as FAILED somebody else has changed it.
#[tokio::test]
async fn expiry_of_what_changed_meanwhile() {
    use payment::Status::{Failed, Pending, RefundDue};
    let of = |status, payment| {
        let payment = Some(shown(payment));
        Reservation { payment, ..reservation(status) }
    };
    let before = of(Status::Pending, Failed);
    let expires_at = before.expires_at + TimeDelta::seconds(600);
    for (then, expected) in [
        (of(Status::Cancelled, RefundDue), Some(Expiry::Past)),
        (Reservation { expires_at, extended: true, ..before.clone() }, Some(Expiry::StillHeld)),
        // Another payment is awaited, and the record comes again.
        (of(Status::Pending, Pending), None),
    ] {
        let world = World::new().await;
        given(&world, &before).await;
        let (db, table, item) =
            (world.db.clone(), world.tables.reservations.clone(), item_of(&then));
        world.wire.before_call(1, move || db.put(&table, &item));
        let found = world.store.expire(&before.id, before.expires_at).await;
        match (&found, expected) {
            (Ok(found), Some(expected)) => assert_eq!(*found, expected, "{then:?}"),
            (Err(store::Fault::Contended), None) => {}
            other => panic!("{then:?}: {other:?}"),
        }
        let after = world.store.reservation(&before.id).await.unwrap().unwrap();
        assert_eq!(after, then, "nobody writes over it");
    }
}
