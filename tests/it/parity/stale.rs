//! The same for decisions upon a reservation that was read before somebody else changed it.
//!
//! Method: the table has one reservation, and the use case is given another one, as it was before.

use chrono::TimeDelta;
use domain::payment::{Progress, RefundReason, Status as Of};
use domain::reservation::{CancelRefusal, Reservation, Status};
use domain::settlement::Origin;
use domain::ticket::Entry;
use domain::time::Timestamp;
use serde_json::json;
use store::{CancelError, Cancelled, Fault, Settled};

use super::{END, at, given, ours, put, reservation, settle, shown, user};
use crate::world::World;

/// A world with this reservation, and with the hold of its seat.
async fn world_with(reservation: &Reservation) -> World {
    let world = World::new().await;
    given(&world, reservation).await;
    let seat = json!({
        "pk": {"S": "SHOW#show-1#MAIN"}, "sk": {"S": "SEAT#A1"}, "seat_status": {"S": "HELD"},
        "reservation_id": {"S": ours()},
        "expires_at": {"N": reservation.expires_at.timestamp().to_string()},
    });
    put(&world, &world.tables.seats, &seat);
    world
}

async fn stored(world: &World) -> Reservation {
    world.store.reservation(&ours()).await.unwrap().unwrap()
}

/// The hold of a reservation, as it is once it waits for money until then.
fn extended(before: &Reservation, expires_at: Timestamp) -> Reservation {
    let payment = Some(shown(Of::Pending));
    Reservation { expires_at, extended: true, payment, ..before.clone() }
}

/// Goal: money is judged by the end that the hold has. Method: it was extended after it was read, and its
/// first end is over.
#[tokio::test]
async fn money_for_what_was_extended() {
    let before = Reservation { payment: Some(shown(Of::Pending)), ..reservation(Status::Pending) };
    let now = before.expires_at + TimeDelta::seconds(1);
    let then = extended(&before, now + TimeDelta::seconds(1));
    for by in [Origin::Provider, Origin::Customer] {
        let world = world_with(&then).await;
        let settled = settle(&world, before.clone(), Progress::Captured, by, now).await;
        assert!(matches!(settled, Settled::Booked { late: false, .. }), "{by:?}: {settled:?}");
    }
    let world = world_with(&then).await;
    let settled = settle(&world, before, Progress::Failed, Origin::Customer, now).await;
    assert_eq!(settled, Settled::Declined, "and it may be tried again");
}

/// Goal: money that comes second ends no booking. Method: the hold was over when it was read, and a payment
/// that came late has booked its seat since.
#[tokio::test]
async fn money_for_what_was_booked() {
    let before = reservation(Status::Pending);
    let mut by = shown(Of::Success);
    by.reference = "p2".parse().unwrap();
    let then = Reservation { payment: Some(by), ..reservation(Status::Confirmed) };
    let world = world_with(&then).await;
    let now = before.expires_at;
    let settled = settle(&world, before, Progress::Captured, Origin::Customer, now).await;
    let reason = RefundReason::SecondPayment;
    assert_eq!(settled, Settled::NotBooked { reason, refund: true });
    assert_eq!(stored(&world).await, then);
}

/// Goal: a hold is extended once. Method: it was, by a function that extends for longer.
#[tokio::test]
async fn extension_of_what_was_extended() {
    let before = reservation(Status::Pending);
    let then = extended(&before, at(END + 10_000));
    let world = world_with(&then).await;
    let (money, by) = (Progress::Processing, Origin::Customer);
    let settled = settle(&world, before, money, by, at(END)).await;
    assert_eq!(settled, Settled::Processing(then.clone()));
    assert_eq!(stored(&world).await, then);
}

/// Goal: a hold that was given up shows no payment that it did not wait for.
#[tokio::test]
async fn failure_for_what_was_cancelled() {
    let before = reservation(Status::Pending);
    let then = reservation(Status::Cancelled);
    let world = world_with(&then).await;
    let settled = settle(&world, before, Progress::Failed, Origin::Provider, at(END)).await;
    let reason = RefundReason::PaidAfterCancel;
    assert_eq!(settled, Settled::NotBooked { reason, refund: false });
    assert_eq!(stored(&world).await, then);
}

/// A hold; a booking; and one that somebody went in with, whose money went back all the same.
fn cancellable() -> [(Reservation, RefundReason); 3] {
    let hold = reservation(Status::Pending);
    let payment = Some(shown(Of::Success));
    let booking = Reservation { payment, ..reservation(Status::Confirmed) };
    let entry = Some(Entry {
        at: at(END - 100),
        gate: "1".to_owned().try_into().unwrap(),
        scan_id: "scan-1".parse().unwrap(),
        by: user(),
    });
    let entered = Reservation { entry, ..booking.clone() };
    [
        (hold, RefundReason::BookingCancelled),
        (booking, RefundReason::BookingCancelled),
        (entered, RefundReason::ReturnedByProvider),
    ]
}

/// Goal: who cancels is told what was cancelled. Method: it has another end than was read.
#[tokio::test]
async fn cancellation_of_what_was_extended() {
    for (before, reason) in cancellable() {
        let then = Reservation { expires_at: at(END + 10_000), ..before.clone() };
        let world = world_with(&then).await;
        let cancelled = world.store.cancel(before, reason, at(END)).await.unwrap();
        assert_eq!(cancelled.reservation.status, Status::Cancelled);
        assert_eq!(cancelled.reservation, stored(&world).await);
    }
}

/// Goal: what is cancelled does not end again, whatever its payment says.
#[tokio::test]
async fn cancellation_of_what_was_cancelled() {
    for (before, reason) in cancellable() {
        let then = Reservation { status: Status::Cancelled, ..before.clone() };
        let world = world_with(&then).await;
        let cancelled = world.store.cancel(before, reason, at(END)).await.unwrap();
        assert_eq!(cancelled, Cancelled { reservation: then.clone(), refund: false });
        assert_eq!(stored(&world).await, then);
    }
}

/// Goal: nobody takes back what somebody went in with. Method: they did after it was read.
#[tokio::test]
async fn cancellation_of_what_was_entered() {
    let [(hold, reason), (booking, _), (entered, _)] = cancellable();
    for before in [hold, booking] {
        let then = Reservation { entry: entered.entry.clone(), ..before.clone() };
        let world = world_with(&then).await;
        let refused = world.store.cancel(before, reason, at(END)).await;
        let is_refused = matches!(refused, Err(CancelError::Refused(CancelRefusal::Entered)));
        assert!(is_refused, "{refused:?}");
        assert_eq!(stored(&world).await, then);
    }
}

/// Goal: what is free again is not what somebody paid for. Method: the seats of a reservation that was over
/// are freed after money that came late has booked them; and of one that is over and has a seat booked.
#[tokio::test]
async fn freeing_of_what_was_booked() {
    let before = reservation(Status::Failed);
    let payment = Some(shown(Of::Success));
    let booked = Reservation { payment, ..reservation(Status::Confirmed) };
    for then in [booked, before.clone()] {
        let world = world_with(&then).await;
        let mut seat = world.items(&world.tables.seats).remove(0);
        seat.as_object_mut().unwrap().remove("expires_at");
        seat["seat_status"] = json!({"S": "BOOKED"});
        put(&world, &world.tables.seats, &seat);
        let freed = world.store.free(&before).await;
        if then == before {
            assert!(matches!(freed, Err(Fault::Corrupt(_))), "no book is like this: {freed:?}");
        } else {
            assert!(matches!(freed, Err(Fault::Contended)), "{freed:?}");
        }
        assert_eq!(world.items(&world.tables.seats), [seat]);
    }
}
