//! Invocations in flight: what a function has read and not yet written. Between the two anything can
//! happen, also that it dies.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use domain::payment::{self, Progress, RefundReason};
use domain::reservation::{CancelRefusal, Command, Refusal, Reservation, Status};
use domain::settlement::{Case, Decision, Origin};

use super::house::{Order, instant};
use super::tables::{Aborted, Claim, Refused, Store, Stored, Tables, Tick, Upon};

/// A function that has read, and is about to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Invocation {
    /// `Store::settle`: confirm, checkout, the queue and the schedule all come here.
    Settle(Settle),
    /// `Store::refunded`, before it reads.
    Return { payment: usize },
    /// The same, after it read that the money is owed back.
    Close { payment: usize, is_shown: bool },
    /// `Store::cancel`.
    Cancel(Cancel),
    /// `Store::expire`, which was told that a payment came to nothing.
    Expire { user: usize, ended_at: Tick },
}

/// A settlement, with everything that its decision is made upon. The decision is a pure function of it,
/// so it need not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Settle {
    payment: usize,
    /// What the provider said; nothing, if it was away.
    told: Option<Progress>,
    is_by_customer: bool,
    /// By the clock of the function.
    now: Tick,
    /// The reservation, as it was read.
    seen: Stored,
    /// Whether only seats refused what was decided upon this.
    has_lost_seats: bool,
}

/// A cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cancel {
    user: usize,
    /// The payment whose money went back by itself, if that is why.
    returned: Option<usize>,
    now: Tick,
    seen: Stored,
    lost: [bool; 2],
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It has answered.
    Done,
    /// It has more to write.
    Again(Invocation),
    /// It raises the alarm: what is stored makes no sense to it.
    Corrupt,
}

/// Marquee's functions over the tables.
pub(super) struct Functions {
    pub(super) store: Store,
    orders: [Order; 2],
    /// What happened in some history, so that a model in which nothing happens is found out.
    happened: Mutex<BTreeSet<&'static str>>,
}

impl Functions {
    pub(super) fn new(store: Store, orders: [Order; 2]) -> Self {
        Self { store, orders, happened: Mutex::default() }
    }

    fn note(&self, what: &'static str) {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
    }

    pub(super) fn happened(&self) -> BTreeSet<&'static str> {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes who is under way at the same time as an invocation that joins them.
    pub(super) fn note_company(&self, in_flight: &[Invocation], joins: &Invocation) {
        let Invocation::Settle(joins) = joins else { return };
        let is_the_other = |of: &Invocation| match of {
            Invocation::Settle(of) => {
                let same_owner = self.orders[of.payment].of == self.orders[joins.payment].of;
                same_owner && of.payment != joins.payment
            }
            Invocation::Return { .. }
            | Invocation::Close { .. }
            | Invocation::Cancel(_)
            | Invocation::Expire { .. } => false,
        };
        if in_flight.iter().any(is_the_other) {
            self.note("two payments of one reservation were under way");
        }
    }

    /// Goes on with an invocation, by one transaction or one read.
    pub(super) fn go_on(&self, tables: &mut Tables, invocation: Invocation) -> Next {
        match invocation {
            Invocation::Settle(settle) => self.go_on_settling(tables, settle),
            Invocation::Return { payment } => self.read_returned(tables, payment),
            Invocation::Close { payment, is_shown } => self.close(tables, payment, is_shown),
            Invocation::Cancel(cancel) => self.go_on_cancelling(tables, cancel),
            Invocation::Expire { user, ended_at } => {
                self.write_end(tables, user, Status::Failed, ended_at)
            }
        }
    }

    /// Holds what a user wants: one transaction, and nothing before it.
    pub(super) fn hold(&self, tables: &mut Tables, user: usize, now: Tick) -> Next {
        let found = tables.seats[1];
        let was_extended = matches!(found, Claim::Held { by, .. } if is_extended(tables, by));
        match self.store.hold(tables, user, now) {
            Ok(()) if found != Claim::Free => {
                self.note("a hold took over a seat");
                if was_extended {
                    self.note("an extended hold was taken over");
                }
            }
            Ok(()) => self.note("a hold was made"),
            Err(Aborted::Refused(refused)) if refused.contains(&Refused::Reservation) => {
                self.note("a hold was repeated");
            }
            Err(Aborted::Refused(_)) => self.note("a hold was refused"),
            Err(Aborted::Corrupt) => return Next::Corrupt,
        }
        Next::Done
    }

    /// Reads the reservation that a payment names, and decides.
    pub(super) fn settle(
        &self,
        tables: &Tables,
        payment: usize,
        told: Option<Progress>,
        is_by_customer: bool,
        now: Tick,
    ) -> Next {
        let Some(seen) = tables.reservations[self.orders[payment].of] else { return Next::Done };
        let has_lost_seats = false;
        self.decided(Settle { payment, told, is_by_customer, now, seen, has_lost_seats })
    }

    /// What is done about a decision that was just made.
    fn decided(&self, settle: Settle) -> Next {
        match self.decision(&settle).1 {
            Decision::Done => Self::settled(&settle),
            Decision::Book { .. }
            | Decision::Wait { .. }
            | Decision::Watch(_)
            | Decision::Decline
            | Decision::Refund { .. }
            | Decision::Over(_)
            | Decision::Mismatch => Next::Again(Invocation::Settle(settle)),
        }
    }

    fn decision(&self, settle: &Settle) -> (Reservation, Decision) {
        let Settle { payment, told, is_by_customer, now, seen, has_lost_seats } = settle;
        let house = &self.store.house;
        let reservation = house.reservation(self.orders[*payment].of, seen);
        let case = Case {
            report: &house.report(*payment, *told),
            show_cancelled: false,
            origin: if *is_by_customer { Origin::Customer } else { Origin::Provider },
            terms: house.terms,
            now: instant(*now),
        };
        let decision = match case.decide(&reservation) {
            // `settle::without_its_seats`.
            Decision::Book { .. } if *has_lost_seats => Decision::Refund {
                reason: RefundReason::SeatsTaken,
                ends: reservation.can_fail_at(case.now),
            },
            Decision::Wait { .. } if *has_lost_seats => Decision::Watch(RefundReason::SeatsTaken),
            decision => decision,
        };
        (reservation, decision)
    }

    /// `settle::settle`, after what came is settled.
    fn settled(settle: &Settle) -> Next {
        match settle.told {
            Some(Progress::Refunded) => Next::Again(Invocation::Return { payment: settle.payment }),
            Some(Progress::Processing | Progress::Captured | Progress::Failed) | None => Next::Done,
        }
    }

    /// `settle::settle_what_came`, once around.
    fn go_on_settling(&self, tables: &mut Tables, settle: Settle) -> Next {
        let Settle { payment, now, seen, .. } = settle;
        let user = self.orders[payment].of;
        let (reservation, decision) = self.decision(&settle);
        let upon = Upon { user, payment, seen: &seen, reservation: &reservation, now };
        let refused = match self.carry_out(tables, decision, &upon) {
            Ok(()) => return Self::settled(&settle),
            Err(Aborted::Corrupt) => return Next::Corrupt,
            Err(Aborted::Refused(refused)) => refused,
        };
        if refused.iter().any(is_an_answer) {
            self.note("a payment was settled before");
            return Self::settled(&settle);
        }
        if refused.iter().all(|refused| matches!(refused, Refused::Seat(_))) {
            return match decision {
                Decision::Book { .. } | Decision::Wait { .. } => {
                    self.note("a settlement lost its seats");
                    Next::Again(Invocation::Settle(Settle { has_lost_seats: true, ..settle }))
                }
                Decision::Done
                | Decision::Watch(_)
                | Decision::Decline
                | Decision::Refund { .. }
                | Decision::Over(_)
                | Decision::Mismatch => Next::Corrupt,
            };
        }
        match tables.reservations[user] {
            Some(found) if found != seen => {
                self.note("a settlement decided anew");
                self.decided(Settle { seen: found, has_lost_seats: false, ..settle })
            }
            _unchanged => Next::Corrupt,
        }
    }

    /// `settle::carry_out`.
    fn carry_out(
        &self,
        tables: &mut Tables,
        decision: Decision,
        upon: &Upon<'_>,
    ) -> Result<(), Aborted> {
        let store = &self.store;
        let happened = match decision {
            Decision::Done => return Ok(()),
            Decision::Mismatch => return Err(Aborted::Corrupt),
            Decision::Book { late } => {
                store.book(tables, upon, late)?;
                if late && upon.seen.extended {
                    self.note("late money booked what was extended");
                }
                if late { "late money booked" } else { "money in time booked" }
            }
            Decision::Wait { extend } => {
                store.wait(tables, upon, extend)?;
                if extend { "a hold was extended" } else { "a payment was awaited" }
            }
            Decision::Watch(_) => {
                store.watch(tables, upon)?;
                "a payment was watched"
            }
            Decision::Decline => {
                let status = upon.reservation.status_at(instant(upon.now));
                store.decline(tables, upon, status == Status::Pending)?;
                "a payment was declined"
            }
            Decision::Over(_) => {
                store.decline(tables, upon, false)?;
                "a payment failed for nothing"
            }
            Decision::Refund { reason, ends } => {
                store.owe_back(tables, upon, ends)?;
                if upon.seen.extended && reason == RefundReason::SeatsTaken {
                    self.note("late money found taken what was extended");
                }
                owed(reason)
            }
        };
        self.note(happened);
        Ok(())
    }

    /// Reads a reservation to cancel it.
    pub(super) fn cancel(
        &self,
        tables: &Tables,
        user: usize,
        returned: Option<usize>,
        now: Tick,
    ) -> Next {
        let Some(seen) = tables.reservations[user] else { return Next::Done };
        let cancel = Cancel { user, returned, now, seen, lost: [false; 2] };
        match self.cancelled_status(&cancel) {
            Ok(_) => Next::Again(Invocation::Cancel(cancel)),
            Err(CancelRefusal::AlreadyCancelled) => Self::cancelled(&cancel),
            // Only a booking is paid for, and no booking refuses to end when its money is gone.
            Err(_) if returned.is_some() => Next::Corrupt,
            Err(_) => Next::Done,
        }
    }

    fn cancelled_status(&self, cancel: &Cancel) -> Result<Status, CancelRefusal> {
        let reason = match cancel.returned {
            Some(_) => RefundReason::ReturnedByProvider,
            None => RefundReason::BookingCancelled,
        };
        let reservation = self.store.house.reservation(cancel.user, &cancel.seen);
        reservation.cancel_at(reason, instant(cancel.now))
    }

    fn cancelled(cancel: &Cancel) -> Next {
        match cancel.returned {
            Some(payment) => Next::Again(Invocation::Return { payment }),
            None => Next::Done,
        }
    }

    /// `cancel::cancel`, once around.
    fn go_on_cancelling(&self, tables: &mut Tables, cancel: Cancel) -> Next {
        let Cancel { user, returned, now, seen, lost } = cancel;
        let Ok(status) = self.cancelled_status(&cancel) else { return Next::Corrupt };
        let refused = match self.store.take_back(tables, user, &seen, status, (lost, now)) {
            Ok(()) => {
                self.note(match (seen.status, returned) {
                    (Status::Confirmed, None) => "a booking was cancelled",
                    (Status::Confirmed, Some(_)) => "a booking lost its money",
                    (_held, _) => "a hold was cancelled",
                });
                return Self::cancelled(&cancel);
            }
            Err(Aborted::Corrupt) => return Next::Corrupt,
            Err(Aborted::Refused(refused)) => refused,
        };
        let mut lost = lost;
        for refused in refused {
            match refused {
                Refused::Seat(seat) => lost[seat] = true,
                Refused::Reservation | Refused::Payment(_) | Refused::Noted => {
                    if tables.reservations[user] == Some(seen) {
                        return Next::Corrupt;
                    }
                    self.note("a cancellation decided anew");
                    return self.cancel(tables, user, returned, now);
                }
            }
        }
        self.note("a cancellation lost a seat");
        Next::Again(Invocation::Cancel(Cancel { lost, ..cancel }))
    }

    /// `Store::expire`: one transaction, and nothing before it.
    pub(super) fn expire(&self, tables: &mut Tables, user: usize, ended_at: Tick) -> Next {
        self.write_end(tables, user, Status::Expired, ended_at)
    }

    fn write_end(&self, tables: &mut Tables, user: usize, end: Status, ended_at: Tick) -> Next {
        let was_extended = is_extended(tables, user);
        let Err(found) = self.store.write_end(tables, user, end, ended_at) else {
            if was_extended {
                self.note("an extended hold ended");
            }
            self.note(match end {
                Status::Failed => "a hold ended after a declined payment",
                _unpaid => "a hold ended",
            });
            return Next::Done;
        };
        let found = self.store.house.reservation(user, &found);
        let is_live = found.status == Status::Pending && found.is_live_at(instant(ended_at));
        if is_live && found.extended {
            self.note("an extended hold outlived its first end");
        }
        match found.status.apply(Command::Expire, found.is_live_at(instant(ended_at))) {
            Err(
                Refusal::StillHeld
                | Refusal::HoldExpired
                | Refusal::AlreadyConfirmed
                | Refusal::AlreadyCancelled,
            ) => Next::Done,
            Ok(_) if found.end() == end => Next::Corrupt,
            Ok(_) if end == Status::Expired => Next::Again(Invocation::Expire { user, ended_at }),
            // A second payment came to something in between, and it is tried again later.
            Ok(_) => Next::Done,
        }
    }

    /// `Store::refunded`, its two reads.
    fn read_returned(&self, tables: &Tables, payment: usize) -> Next {
        let user = self.orders[payment].of;
        match tables.payments[payment] {
            Some(payment::Status::Refunded) => Next::Done,
            // No clock takes part in the end of a booking whose money is gone.
            Some(payment::Status::Success) => self.cancel(tables, user, Some(payment), 0),
            Some(payment::Status::RefundDue | payment::Status::Parked) => {
                let shown = tables.reservations[user].and_then(|stored| stored.shown);
                let is_shown = shown.is_some_and(|(shown, _)| shown == payment);
                Next::Again(Invocation::Close { payment, is_shown })
            }
            Some(payment::Status::Pending | payment::Status::Failed) | None => Next::Corrupt,
        }
    }

    fn close(&self, tables: &mut Tables, payment: usize, is_shown: bool) -> Next {
        match self.store.close(tables, (self.orders[payment].of, payment), is_shown) {
            Ok(()) => {
                self.note("money went back");
                Next::Done
            }
            Err(Aborted::Refused(_)) => Next::Again(Invocation::Return { payment }),
            Err(Aborted::Corrupt) => Next::Corrupt,
        }
    }
}

/// Whether a user's hold was lengthened, whatever became of it.
fn is_extended(tables: &Tables, user: usize) -> bool {
    tables.reservations[user].is_some_and(|stored| stored.extended)
}

/// `settle::before`: what became of the payment before is the answer, now as then.
fn is_an_answer(refused: &Refused) -> bool {
    match refused {
        Refused::Payment(status) => match status {
            payment::Status::Parked
            | payment::Status::Failed
            | payment::Status::RefundDue
            | payment::Status::Refunded => true,
            // It booked the reservation, which therefore changed too.
            payment::Status::Success | payment::Status::Pending => false,
        },
        Refused::Noted | Refused::Reservation | Refused::Seat(_) => false,
    }
}

fn owed(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::HoldExpired => "money came after the hold, and went back",
        RefundReason::SeatsTaken => "late money found its seats taken",
        RefundReason::SecondPayment => "a second payment went back",
        RefundReason::PaidAfterCancel => "money came after the cancellation",
        RefundReason::WrongAmount => "a wrong amount went back",
        RefundReason::ShowBegun
        | RefundReason::ShowCancelled
        | RefundReason::SeatsBlocked
        | RefundReason::BookingCancelled
        | RefundReason::ReturnedByProvider => "money went back for another reason",
    }
}
