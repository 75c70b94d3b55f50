//! How one line of the books may change. What an item comes from and goes to is asked of the domain's
//! own state machines: some command must lead from the one to the other. What they say nothing of, which
//! attributes stay, stands here.
//!
//! Clocks differ, and a function may have looked at its own some time before its write is carried out.
//! So a hold counts for sure if it ends after the clock that is furthest ahead; and to whoever wrote, any
//! hold may have counted.

use chrono::TimeDelta;
use domain::cancellation::{self, Cancellation};
use domain::id::ReservationId;
use domain::money::Money;
use domain::payment::{self, Payment};
use domain::reservation::{self, Reservation};
use domain::seat::{self, Seat};
use domain::time::{HoldTerms, Timestamp};
use store::ListedPayment;

use super::{Broken, broken};

/// Functions end before they are as old as this: longer than any timeout of the template.
const FUNCTION_SECS_MAX: i64 = 300;

/// What functions take for the time when something is written.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    /// By the clock that is furthest behind.
    pub(super) earliest: Timestamp,
    /// By the one that is furthest ahead.
    pub(super) latest: Timestamp,
}

impl Clocks {
    /// Whether a function that is still at work can have seen this on its clock.
    fn can_show(&self, at: Timestamp) -> bool {
        self.earliest - TimeDelta::seconds(FUNCTION_SECS_MAX) <= at && at <= self.latest
    }
}

/// Whether a seat may become `new`, which was `old`.
pub(super) fn seat(
    name: &str,
    old: &Seat,
    new: &Seat,
    by_ttl: bool,
    clocks: Clocks,
) -> Result<(), Broken> {
    let latest = clocks.latest;
    let wrong = |rule| Err(broken(rule, format!("{name} was {old:?} and is {new:?} at {latest}")));
    if by_ttl {
        let is_over = matches!(old, Seat::Held { expires_at, .. } if *expires_at <= latest);
        return if is_over { Ok(()) } else { wrong("OnlyWhatIsOverIsSwept") };
    }
    let leads = |command: &seat::Command| {
        [Timestamp::MIN_UTC, latest].iter().any(|now| old.apply(command, *now).as_ref() == Ok(new))
    };
    if !ways(old, new).iter().any(leads) {
        return wrong("SeatsMoveAlongTheirArrows");
    }
    match (old, new) {
        // One that moves its end.
        (
            Seat::Held { reservation: before, expires_at: from },
            Seat::Held { reservation, expires_at },
        ) if before == reservation && expires_at <= from => wrong("HoldsOnlyGrow"),
        _it_is_no_extension => Ok(()),
    }
}

/// The commands by which a seat can come from `old` to `new`.
fn ways(old: &Seat, new: &Seat) -> Vec<seat::Command> {
    use seat::Command;
    match (old, new) {
        (_, Seat::Held { reservation, expires_at }) => {
            let (reservation, expires_at) = (reservation.clone(), *expires_at);
            vec![
                Command::Hold { reservation: reservation.clone(), expires_at },
                Command::Extend { reservation, expires_at },
            ]
        }
        (_, Seat::Booked { reservation }) => {
            vec![Command::Settle { reservation: reservation.clone() }]
        }
        (_, Seat::Blocked) => vec![Command::Block],
        (Seat::Held { reservation, .. }, Seat::Available) => {
            vec![Command::Release { reservation: reservation.clone() }]
        }
        (Seat::Booked { reservation }, Seat::Available) => {
            vec![Command::Cancel { reservation: reservation.clone() }]
        }
        (Seat::Blocked | Seat::Available, Seat::Available) => vec![Command::Unblock],
    }
}

/// Whether a reservation may become `new`, which was `old`.
pub(super) fn reservation(
    old: Option<&Reservation>,
    new: Option<&Reservation>,
    terms: HoldTerms,
    clocks: Clocks,
) -> Result<(), Broken> {
    match (old, new) {
        (None, None) => Ok(()),
        (Some(old), None) => Err(broken("ReservationsStay", format!("{old:?} is gone"))),
        (None, Some(new)) => begun(new, terms, clocks),
        (Some(old), Some(new)) => moved(old, new, terms, clocks),
    }
}

/// Whether a reservation may begin like this.
fn begun(new: &Reservation, terms: HoldTerms, clocks: Clocks) -> Result<(), Broken> {
    let prices: u64 = new.seats.iter().map(|seat| seat.price.minor()).sum();
    let is_priced = prices == new.amount.minor()
        && new.seats.iter().all(|seat| seat.price.currency() == new.amount.currency());
    let has_each_seat_once =
        !new.seats.is_empty() && new.seats.is_sorted_by(|one, next| one.seat_id < next.seat_id);
    let is_fresh = new.status == reservation::Status::Pending
        && !new.extended
        && new.confirmed_at.is_none()
        && new.cancelled_at.is_none()
        && new.payment.is_none()
        && new.entry.is_none();
    let is_named = new.id == ReservationId::of(&new.user_id, &new.hold_token);
    let ends_in_time = new.expires_at == terms.end(new.created_at);
    let is_of_now = clocks.can_show(new.created_at);
    // One clock says both that the show sells and when it was held.
    if new.created_at >= new.show_starts_at {
        return Err(broken("NothingIsHeldAfterItsBeginning", format!("{new:?}")));
    }
    let is_sound = is_priced && has_each_seat_once && is_fresh && is_named;
    if is_sound && ends_in_time && is_of_now {
        return Ok(());
    }
    Err(broken("ReservationsBeginAsHolds", format!("{new:?}")))
}

fn moved(
    old: &Reservation,
    new: &Reservation,
    terms: HoldTerms,
    clocks: Clocks,
) -> Result<(), Broken> {
    let wrong = |rule| Err(broken(rule, format!("it was {old:?} and is {new:?}")));
    if !is_the_same(old, new) {
        return wrong("ReservationsKeepWhatTheyAre");
    }
    if !status_leads(old, new, clocks) {
        return wrong("ReservationsMoveAlongTheirArrows");
    }
    let became = |status: reservation::Status| new.status == status && old.status != status;
    // What it is written as says what became of its payment.
    if (became(reservation::Status::Expired) || became(reservation::Status::Failed))
        && new.end() != new.status
    {
        return wrong("HoldsEndAsTheirPaymentSays");
    }
    // Another card can be tried.
    let counts = old.status == reservation::Status::Pending && old.expires_at > clocks.latest;
    if counts && became(reservation::Status::Failed) && !shows_money_that_goes_back(new) {
        return wrong("ADeclineEndsNoHold");
    }
    if !is_end_moved_well(old, new, terms) {
        return wrong("HoldsAreExtendedOnce");
    }
    let is_time_kept = |before: Option<Timestamp>, after: Option<Timestamp>, is_now: bool| {
        if is_now { after.is_some_and(|at| clocks.can_show(at)) } else { before == after }
    };
    let is_confirmed = became(reservation::Status::Confirmed);
    let is_cancelled = became(reservation::Status::Cancelled);
    if !is_time_kept(old.confirmed_at, new.confirmed_at, is_confirmed)
        || !is_time_kept(old.cancelled_at, new.cancelled_at, is_cancelled)
    {
        return wrong("TimesAreWrittenOnce");
    }
    if is_confirmed && is_sold_too_late(old, new) {
        return wrong("NothingIsSoldLateAfterItsBeginning");
    }
    let enters = old.entry.is_none() && new.status == reservation::Status::Confirmed;
    if old.entry != new.entry && !enters {
        return wrong("TicketsLetInOnce");
    }
    if !is_payment_shown_well(old, new) {
        return wrong("BookingsKeepTheirPayment");
    }
    Ok(())
}

/// Whether it is the same hold of the same seats for the same money.
fn is_the_same(old: &Reservation, new: &Reservation) -> bool {
    old.id == new.id
        && old.user_id == new.user_id
        && old.email == new.email
        && old.hold_token == new.hold_token
        && old.show_id == new.show_id
        && old.show_starts_at == new.show_starts_at
        && old.seats == new.seats
        && old.amount == new.amount
        && old.created_at == new.created_at
}

fn shows_money_that_goes_back(of: &Reservation) -> bool {
    let status = of.payment.as_ref().map(|payment| payment.status);
    matches!(status, Some(payment::Status::RefundDue | payment::Status::Refunded))
}

/// Whether it was booked when its hold was over and the show had begun. Whoever booked it looked at one
/// clock for all of that. A hold that counts is booked also when the show has begun.
fn is_sold_too_late(old: &Reservation, new: &Reservation) -> bool {
    let was_over = old.status != reservation::Status::Pending;
    let is_too_late =
        |at: Timestamp| (was_over || at >= old.expires_at) && at >= new.show_starts_at;
    new.confirmed_at.is_some_and(is_too_late)
}

fn status_leads(old: &Reservation, new: &Reservation, clocks: Clocks) -> bool {
    use reservation::Command;
    if old.status == new.status {
        return true;
    }
    // To whoever wrote it may have been live; that it was over, some clock must say.
    let lives = [true, old.is_live_at(clocks.latest)];
    let commands =
        [Command::Confirm, Command::ConfirmLate, Command::Cancel, Command::Expire, Command::Fail];
    let leads =
        |command| lives.iter().any(|live| old.status.apply(command, *live) == Ok(new.status));
    commands.into_iter().any(leads)
}

/// Its end moves once, while it is PENDING, forwards, to where the terms say.
fn is_end_moved_well(old: &Reservation, new: &Reservation, terms: HoldTerms) -> bool {
    use reservation::Status;
    if old.extended == new.extended {
        return old.expires_at == new.expires_at;
    }
    let is_pending = old.status == Status::Pending && new.status == Status::Pending;
    let is_later = old.expires_at < new.expires_at;
    let is_due = new.expires_at == terms.extended_end(new.created_at);
    new.extended && is_pending && is_later && is_due
}

/// A booking shows the payment that booked it, to its end and after.
fn is_payment_shown_well(old: &Reservation, new: &Reservation) -> bool {
    use reservation::Status;
    let (before, after) = match (&old.payment, &new.payment) {
        (None, _) => return true,
        (Some(_), None) => return false,
        (Some(before), Some(after)) => (before, after),
    };
    if after.provider == before.provider && after.reference == before.reference {
        return true;
    }
    match (old.status, new.status) {
        (Status::Confirmed | Status::Cancelled, _) | (_, Status::Cancelled) => false,
        (Status::Pending | Status::Expired | Status::Failed, _) => true,
    }
}

/// How far along a payment is. Money that came is never forgotten.
pub(super) fn rank(status: payment::Status) -> u8 {
    match status {
        payment::Status::Pending => 0,
        payment::Status::Failed => 1,
        payment::Status::Parked => 2,
        payment::Status::Success => 3,
        payment::Status::RefundDue => 4,
        payment::Status::Refunded => 5,
    }
}

/// Whether a payment may become `new`, which was `old`.
pub(super) fn payment(
    old: Option<&ListedPayment>,
    new: Option<&ListedPayment>,
    clocks: Clocks,
) -> Result<(), Broken> {
    let Some(ListedPayment { payment: new, checked_as, .. }) = new else {
        let gone = |of: &ListedPayment| Err(broken("PaymentsStay", format!("{of:?} is gone")));
        return old.map_or(Ok(()), gone);
    };
    let old = old.map(|old| &old.payment);
    let wrong = |rule| Err(broken(rule, format!("it was {old:?} and is {new:?}")));
    if !payment_leads(old.map(|old| old.status), new.status) {
        return wrong("PaymentsMoveAlongTheirArrows");
    }
    let is_new = old.is_none_or(|old| old.status != new.status);
    if is_new && !clocks.can_show(new.changed_at) {
        return wrong("TimesAreWrittenOnce");
    }
    if old.is_some_and(|old| !is_kept(old, new)) {
        return wrong("PaymentsKeepWhatTheyAre");
    }
    if !has_its_reason(old, new) {
        return wrong("RefundsHaveOneReason");
    }
    let is_looked_after = match new.status {
        payment::Status::Success | payment::Status::Refunded => checked_as.is_none(),
        // In the end nobody comes back to it any more.
        payment::Status::Failed => checked_as.is_none_or(|of| of == payment::Status::Failed),
        payment::Status::Pending | payment::Status::Parked | payment::Status::RefundDue => {
            *checked_as == Some(new.status)
        }
    };
    if !is_looked_after {
        let detail = format!("somebody comes back to it as {checked_as:?}: {new:?}");
        return Err(broken("OpenPaymentsAreComeBackTo", detail));
    }
    Ok(())
}

/// Whether a payment of which nothing was known, or that was `old`, can be `new`.
fn payment_leads(old: Option<payment::Status>, new: payment::Status) -> bool {
    use payment::{Command, Status};
    let commands =
        [Command::Capture, Command::Fail, Command::Park, Command::OweBack, Command::Refund];
    let from = old.unwrap_or(Status::Pending);
    from == new || commands.into_iter().any(|command| from.apply(command) == Some(new))
}

/// Whether only that changed of a payment which may. What it is for and how much it is are decided when
/// its money is, and not after that.
fn is_kept(old: &Payment, new: &Payment) -> bool {
    use payment::Status;
    let is_for = |of: &Payment| (of.reservation_id.clone(), of.money);
    let can_change = match (old.status, new.status) {
        (Status::Success | Status::RefundDue | Status::Refunded, _) | (_, Status::Refunded) => {
            false
        }
        (Status::Pending | Status::Failed | Status::Parked, _) => old.status != new.status,
    };
    let is_of_then = old.status != new.status || old.changed_at == new.changed_at;
    old.provider == new.provider
        && old.reference == new.reference
        && old.created_at == new.created_at
        && is_of_then
        && (can_change || is_for(old) == is_for(new))
}

/// A payment is owed back for a reason, which stays. One that was parked goes back without.
fn has_its_reason(old: Option<&Payment>, new: &Payment) -> bool {
    use payment::Status;
    let before = old.and_then(|old| old.refund_reason);
    if before.is_some() {
        return new.refund_reason == before;
    }
    match new.status {
        Status::RefundDue => new.refund_reason.is_some(),
        Status::Pending | Status::Failed | Status::Parked | Status::Success | Status::Refunded => {
            new.refund_reason.is_none()
        }
    }
}

/// Whether the cancellation of a show may become `new`, which was `old`.
pub(super) fn cancellation(
    old: Option<&Cancellation>,
    new: Option<&Cancellation>,
) -> Result<(), Broken> {
    use cancellation::Status;
    let is_sound = match (old, new) {
        (None, None) => true,
        (Some(_), None) => false,
        (None, Some(new)) => {
            let is_fresh = new.status == Status::InProgress && new.completed_at.is_none();
            is_fresh && new.order == 1 && counts(new) == [0; 5]
        }
        (Some(old), Some(new)) => {
            let is_the_same = old.requested_by == new.requested_by
                && old.requested_at == new.requested_at
                && old.currency == new.currency;
            let is_forward = match (old.status, new.status) {
                _ if old.order < new.order => new.status == Status::InProgress,
                (Status::Completed, Status::InProgress) => false,
                (Status::InProgress | Status::Completed, _) => old.order == new.order,
            };
            let only_counts_up =
                counts(old).iter().zip(counts(new)).all(|(before, after)| *before <= after);
            let is_dated = (new.status == Status::Completed) == new.completed_at.is_some();
            is_the_same && is_forward && only_counts_up && is_dated
        }
    };
    let detail = || format!("it was {old:?} and is {new:?}");
    if is_sound { Ok(()) } else { Err(broken("CancellationsOnlyGoOn", detail())) }
}

fn counts(of: &Cancellation) -> [u64; 5] {
    [of.holds_released, of.bookings_cancelled, of.refund_minor, of.refunds_done, of.refunded_minor]
}

/// An amount as details tell it.
pub(super) fn amount(money: Money) -> String {
    format!("{} {}", money.minor(), money.currency().as_str())
}
