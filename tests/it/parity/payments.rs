//! The same for payments.

use chrono::TimeDelta;
use domain::limits::PAYMENT_GIVEN_UP_AFTER_SECS;
use domain::money::Money;
use domain::payment::Command::{self, Capture, Fail, OweBack, Park, Refund};
use domain::payment::Status::{self, Failed, Parked, Pending, RefundDue, Refunded, Success};
use domain::payment::{Outcome, Progress, RefundReason, Report};
use domain::reservation::{self, Reservation};
use domain::settlement::{Case, Origin};
use domain::time::HoldTerms;
use serde_json::json;
use store::{CancelError, Fault, Settled};

use super::{INSTANTS, at, given, item_of, ours, reservation, settle, shown};
use crate::world::World;

const ALL: [Status; 6] = [Pending, Failed, Parked, Success, RefundDue, Refunded];

/// What the table has of p1.
fn stored(world: &World) -> Status {
    serde_json::from_value(json!(world.payments()[0].0)).unwrap()
}

/// Settles what the provider says of p1 when a customer brings it.
async fn settle_by(world: &World, reservation: Reservation, outcome: Outcome) -> Settled {
    let (provider, reference) = ("sandbox".parse().unwrap(), "p1".parse().unwrap());
    let report = Report { provider, reference, outcome };
    let case = Case {
        report: &report,
        show_cancelled: false,
        origin: Origin::Customer,
        terms: HoldTerms::of_secs(300),
        now: at(INSTANTS[0]),
    };
    world.store.settle(reservation, &case).await.unwrap()
}

/// What each use case asks of a payment, in the domain's words, and how it is told here.
async fn use_payment(world: &World, command: Command) {
    let pending = reservation(reservation::Status::Pending);
    let (now, by) = (at(INSTANTS[0]), Origin::Provider);
    let (provider, reference) = ("sandbox".parse().unwrap(), "p1".parse().unwrap());
    match command {
        Capture => {
            settle(world, pending, Progress::Captured, by, now).await;
        }
        Fail => {
            settle(world, pending, Progress::Failed, by, now).await;
        }
        OweBack => {
            // Of a reservation that was cancelled; a booked payment goes with its booking.
            let cancelled = reservation(reservation::Status::Cancelled);
            settle(world, cancelled, Progress::Captured, by, now).await;
        }
        Park => {
            world.store.park(&provider, &reference, None, pending.amount, now).await.unwrap();
        }
        Refund => {
            // Corrupt for money that never came.
            let _says_so = world.store.refunded(&provider, &reference, now).await;
        }
    }
}

/// Goal: the conditions on payments allow what the domain allows, for every status and command.
/// Method: put a payment of each status, run the use case, and see what it is then.
#[tokio::test]
async fn payments() {
    for status in ALL {
        for command in [Capture, Fail, Park, OweBack, Refund] {
            let world = World::new().await;
            let mut of = reservation(match (status, command) {
                (Success, _) => reservation::Status::Confirmed,
                (_, OweBack) => reservation::Status::Cancelled,
                (_, Capture | Fail | Park | Refund) => reservation::Status::Pending,
            });
            of.payment = (status == Success).then(|| shown(status));
            given(&world, &of).await;
            world.put_payment("p1", status, ours().as_str());
            use_payment(&world, command).await;
            let says = match (status, command) {
                // A booking's payment is owed back by its cancellation, and not by a report.
                (Success, OweBack) => None,
                // What went back by itself is owed back first.
                (Success, Refund) => Success.apply(OweBack).and_then(|owed| owed.apply(Refund)),
                (status, command) => status.apply(command),
            };
            assert_eq!(stored(&world), says.unwrap_or(status), "{status:?} {command:?}");
        }
    }
}

/// Goal: money is parked whether it says what it is for or not, and never if anything was decided of it.
#[tokio::test]
async fn parked_money() {
    let (provider, reference) = ("sandbox".parse().unwrap(), "p1".parse().unwrap());
    let money = reservation(reservation::Status::Pending).amount;
    for claimed in [None, Some(ours())] {
        for status in [None].into_iter().chain(ALL.map(Some)) {
            let world = World::new().await;
            if let Some(status) = status {
                world.put_payment("p1", status, "theirs");
            }
            let now = at(INSTANTS[0]);
            let park = world.store.park(&provider, &reference, claimed.as_ref(), money, now);
            let is_news = park.await.unwrap();
            let says = status.map_or(Some(Parked), |status| status.apply(Park));
            assert_eq!(is_news, says.is_some(), "{status:?} for {claimed:?}");
            assert_eq!(Some(stored(&world)), says.or(status), "{status:?} for {claimed:?}");
        }
    }
}

/// Goal: the end of a booking owes back the payment that booked it, and nothing else. Method: the payment
/// that the booking shows is in each status, and ours or another reservation's.
#[tokio::test]
async fn money_of_a_booking() {
    for status in ALL {
        for of in [ours().as_str(), "theirs"] {
            let world = World::new().await;
            let mut booked = reservation(reservation::Status::Confirmed);
            booked.payment = Some(shown(Success));
            given(&world, &booked).await;
            world.put_payment("p1", status, of);
            let (reason, now) = (RefundReason::BookingCancelled, at(INSTANTS[0]));
            let cancelled = world.store.cancel(booked.clone(), reason, now).await;
            let what = format!("{status:?} of {of}: {cancelled:?}");
            let after = world.store.reservation(&ours()).await.unwrap().unwrap();
            if status == Success && of == ours().as_str() {
                assert!(cancelled.unwrap().refund, "{what}");
                assert_eq!(stored(&world), RefundDue, "{what}");
            } else {
                assert!(matches!(cancelled, Err(CancelError::Fault(Fault::Corrupt(_)))), "{what}");
                assert_eq!((stored(&world), after), (status, booked), "{what}");
            }
        }
    }
}

/// Goal: a payment that turns out to be none of this reservation's fails if it was noted for it, and is
/// left alone else.
#[tokio::test]
async fn what_was_noted_and_is_not_for_this() {
    for status in ALL {
        for of in [ours().as_str(), "theirs"] {
            let world = World::new().await;
            let pending = reservation(reservation::Status::Pending);
            given(&world, &pending).await;
            world.put_payment("p1", status, of);
            let settled = settle_by(&world, pending, Outcome::Unknown).await;
            assert_eq!(settled, Settled::Mismatch);
            let is_noted = status == Pending && of == ours().as_str();
            let expected = if is_noted { Failed } else { status };
            assert_eq!(stored(&world), expected, "{status:?} of {of}");
        }
    }
}

/// Goal: a payment of the wrong amount that is on its way is kept in sight, and what is known of it is not
/// unsaid.
#[tokio::test]
async fn watched_money() {
    for status in [None].into_iter().chain(ALL.map(Some)) {
        let world = World::new().await;
        let pending = reservation(reservation::Status::Pending);
        given(&world, &pending).await;
        if let Some(status) = status {
            world.put_payment("p1", status, ours().as_str());
        }
        let outcome = Outcome::Known {
            reservation_id: Some(ours()),
            money: Money::new(499, pending.amount.currency()).unwrap(),
            progress: Progress::Processing,
        };
        let settled = settle_by(&world, pending, outcome).await;
        let reason = RefundReason::WrongAmount;
        assert_eq!(settled, Settled::NotBooked { reason, refund: false }, "{status:?}");
        assert_eq!(stored(&world), status.unwrap_or(Pending), "{status:?}");
    }
}

/// Goal: money that was awaited before is awaited again. Method: of two payments that are on their way,
/// the first is confirmed again after the second was.
#[tokio::test]
async fn awaited_again() {
    let world = World::new().await;
    let mut waits = Reservation { extended: true, ..reservation(reservation::Status::Pending) };
    waits.payment = Some(shown(Pending));
    waits.payment.as_mut().unwrap().reference = "p2".parse().unwrap();
    given(&world, &waits).await;
    world.put_payment("p1", Pending, ours().as_str());
    let (money, by) = (Progress::Processing, Origin::Customer);
    let settled = settle(&world, waits, money, by, at(INSTANTS[0])).await;
    let Settled::Processing(waits) = settled else { panic!("{settled:?}") };
    assert_eq!(waits.payment, Some(shown(Pending)));
    assert_eq!(world.store.reservation(&ours()).await.unwrap(), Some(waits));
}

/// Goal: what a refund writes is not written over another payment that the reservation shows by then.
/// Method: between the look at both and the write, another payment takes the place, of another name or by
/// another provider.
#[tokio::test]
async fn a_refund_of_what_is_not_shown_any_more() {
    let (provider, reference) = ("sandbox".parse().unwrap(), "p1".parse().unwrap());
    let mut before = reservation(reservation::Status::Failed);
    before.payment = Some(shown(RefundDue));
    for (by, of) in [("sandbox", "p2"), ("stripe", "p1")] {
        let world = World::new().await;
        given(&world, &before).await;
        world.put_payment("p1", RefundDue, ours().as_str());
        let mut then = before.clone();
        then.payment = Some(shown(Pending));
        let other = then.payment.as_mut().unwrap();
        (other.provider, other.reference) = (by.parse().unwrap(), of.parse().unwrap());
        let (db, table, item) =
            (world.db.clone(), world.tables.reservations.clone(), item_of(&then));
        world.wire.before_call(2, move || db.put(&table, &item));
        let now = at(INSTANTS[0]);
        assert!(world.store.refunded(&provider, &reference, now).await.unwrap(), "{by} {of}");
        assert_eq!(stored(&world), Refunded, "{by} {of}");
        assert_eq!(world.store.reservation(&ours()).await.unwrap(), Some(then), "{by} {of}");
    }
}

/// Goal: a refund is news once. Method: somebody else was told of it between the look and the write.
#[tokio::test]
async fn a_refund_that_was_noted_meanwhile() {
    let world = World::new().await;
    world.put_payment("p1", Refunded, "theirs");
    let then = world.items(&world.tables.payments).remove(0);
    world.put_payment("p1", RefundDue, "theirs");
    let (db, table, written) = (world.db.clone(), world.tables.payments.clone(), then.clone());
    world.wire.before_call(2, move || db.put(&table, &written));
    let (provider, reference) = ("sandbox".parse().unwrap(), "p1".parse().unwrap());
    let now = world.now() + TimeDelta::seconds(1);
    assert!(!world.store.refunded(&provider, &reference, now).await.unwrap());
    assert_eq!(world.items(&world.tables.payments), [then]);
}

/// Goal: who looked at a payment puts it off, or ends the looking, only if nothing became of it since and
/// its time had come. Method: every status, and every side of that time.
#[tokio::test]
async fn looked_at() {
    let world = World::new().await;
    world.put_payment("p1", Pending, ours().as_str());
    let (provider, reference) = ("sandbox".parse().unwrap(), "p1".parse().unwrap());
    let seen = world.store.payment(&provider, &reference).await.unwrap().unwrap();
    let item = world.items(&world.tables.payments).remove(0);
    let soon = world.now() + TimeDelta::minutes(10);
    let given_up = world.now() + TimeDelta::seconds(PAYMENT_GIVEN_UP_AFTER_SECS);
    for now in [soon, given_up] {
        assert_eq!(seen.check_again_at(true, now).is_none(), now == given_up);
        for status in ALL {
            for millis in [-1, 0, 1] {
                let mut before = item.clone();
                before["payment_status"] = json!({"S": status});
                let check_at = now + TimeDelta::milliseconds(millis);
                before["check_at"] = json!({"S": domain::time::text(check_at)});
                before["check_shard"] = json!({"S": "PENDING#0"});
                world.db.put(&world.tables.payments, &before);
                world.store.check_later(&seen, true, now).await.unwrap();
                let after = world.items(&world.tables.payments).remove(0);
                let is_its_turn = status == Pending && check_at <= now;
                assert_eq!(after != before, is_its_turn, "{status:?} at {now}, by {millis}");
            }
        }
    }
}
