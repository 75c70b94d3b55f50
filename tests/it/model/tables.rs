//! The tables, and the store's transactions on them. Each is one step: all of it or nothing.
//!
//! A condition stands here under the name that it has in `shared/store`. What a refusal means is asked
//! of the domain, as the store asks it; where the domain sees no reason, the two disagree.

use domain::payment;
use domain::reservation::Command::{Confirm, ConfirmLate, Fail};
use domain::reservation::{self, Reservation};
use domain::seat::Command;

use super::house::{House, SEATS_OF, instant, tick};

/// Seconds since the first hold.
pub(super) type Tick = u8;

/// The item of a seat. A free one has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Claim {
    Free,
    Held { by: usize, end: Tick },
    Booked { by: usize },
}

/// The item of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stored {
    pub(super) status: reservation::Status,
    pub(super) held_at: Tick,
    pub(super) end: Tick,
    pub(super) extended: bool,
    /// The payment that it shows, and as what.
    pub(super) shown: Option<(usize, payment::Status)>,
}

/// Seats by number, reservations by user, payments by number. Each payment is for one reservation, and
/// names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tables {
    pub(super) seats: [Claim; 2],
    pub(super) reservations: [Option<Stored>; 2],
    pub(super) payments: [Option<payment::Status>; 2],
}

impl Tables {
    pub(super) const EMPTY: Self =
        Self { seats: [Claim::Free; 2], reservations: [None; 2], payments: [None; 2] };
}

/// A condition that is left out or bent, to see that the checker finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// `seat::IF_FREE` without `expires_at <= :now`: a hold takes seats whose hold counts.
    HoldTakesHeldSeats,
    /// `seat::IF_FREE` with `<` for `<=`: a hold ends a second late.
    HoldEndsLate,
    /// `book` without `seat::IF_SETTLEABLE`.
    BookTakesAnySeat,
    /// `book` without `reservation::IF_UNCHANGED`.
    BookTakesAnyReservation,
    /// `book` and `owe_back` without `payment::IF_OPEN`.
    SettleTakesAnyPayment,
    /// `cancel` without `seat::IF_OURS`.
    CancelFreesAnySeat,
    /// `cancel` without its step on the payment.
    CancelForgetsTheMoney,
    /// `expire::IF_UNPAID` without `expires_at <= :ended_at`.
    ExpireEndsLiveHolds,
    /// `expire::IF_UNPAID` without `reservation_status = :pending`.
    ExpireEndsBookings,
    /// A refund is asked for without an idempotency key.
    RefundIsNotIdempotent,
}

/// What a refused step means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The payment is further on.
    Payment(payment::Status),
    /// Something was noted of the payment before.
    Noted,
    /// The reservation is not as it was decided upon.
    Reservation,
    /// Somebody else has the seat.
    Seat(usize),
}

/// Why a transaction wrote nothing.
#[derive(Debug)]
pub(super) enum Aborted {
    Refused(Vec<Refused>),
    /// A condition refuses, and the domain sees no reason: the store would raise an alarm.
    Corrupt,
}

/// A transaction in the making.
struct Txn {
    before: Tables,
    after: Tables,
    refused: Vec<Refused>,
    is_corrupt: bool,
}

impl Txn {
    fn new(before: &Tables) -> Self {
        Self { before: *before, after: *before, refused: Vec::new(), is_corrupt: false }
    }

    /// Adds a step, which writes if its condition `holds`; `meaning` says why it does not.
    fn step(
        mut self,
        holds: bool,
        write: impl FnOnce(&mut Tables),
        meaning: impl FnOnce() -> Option<Refused>,
    ) -> Self {
        if holds {
            write(&mut self.after);
            return self;
        }
        match meaning() {
            Some(refused) => self.refused.push(refused),
            None => self.is_corrupt = true,
        }
        self
    }

    fn reservation(self, user: usize, holds: bool, change: impl FnOnce(&mut Stored)) -> Self {
        let write = |after: &mut Tables| {
            if let Some(stored) = &mut after.reservations[user] {
                change(stored);
            }
        };
        self.step(holds, write, || Some(Refused::Reservation))
    }

    /// `command` is what the domain must refuse if the condition does.
    fn payment(
        self,
        payment: usize,
        holds: bool,
        command: payment::Command,
        status: payment::Status,
    ) -> Self {
        let found = self.before.payments[payment];
        let refused = || found.filter(|found| found.apply(command).is_none()).map(Refused::Payment);
        self.step(holds, |after| after.payments[payment] = Some(status), refused)
    }

    fn commit(self, tables: &mut Tables) -> Result<(), Aborted> {
        if self.is_corrupt {
            return Err(Aborted::Corrupt);
        }
        if !self.refused.is_empty() {
            return Err(Aborted::Refused(self.refused));
        }
        *tables = self.after;
        Ok(())
    }
}

/// `reservation::IF_UNCHANGED`: `reservation_status = :from AND expires_at = :expires_at`.
fn if_unchanged(tables: &Tables, user: usize, seen: &Stored) -> bool {
    let is = |found: Stored| found.status == seen.status && found.end == seen.end;
    tables.reservations[user].is_some_and(is)
}

/// `payment::IF_UNDECIDED`: `attribute_not_exists(pk) OR payment_status = :pending`.
fn if_undecided(found: Option<payment::Status>) -> bool {
    matches!(found, None | Some(payment::Status::Pending))
}

/// What `expire::IF_UNPAID` and `expire::IF_DECLINED` ask of the payment, each the other way round.
fn if_declined(stored: &Stored) -> bool {
    use payment::Status::{Failed, RefundDue, Refunded};
    stored.shown.is_some_and(|(_, status)| matches!(status, Failed | RefundDue | Refunded))
}

/// What a settlement decided upon.
pub(super) struct Upon<'a> {
    pub(super) user: usize,
    pub(super) payment: usize,
    pub(super) seen: &'a Stored,
    /// [`Upon::seen`], as the domain sees it.
    pub(super) reservation: &'a Reservation,
    pub(super) now: Tick,
}

impl Upon<'_> {
    fn has_heard_of_it(&self) -> bool {
        self.seen.shown.is_some_and(|(payment, _)| payment == self.payment)
    }

    fn after(&self, command: reservation::Command) -> Result<reservation::Status, Aborted> {
        let is_live = self.reservation.is_live_at(instant(self.now));
        self.seen.status.apply(command, is_live).map_err(|_| Aborted::Corrupt)
    }
}

/// The store's transactions, with a bug or without.
pub(super) struct Store {
    pub(super) house: House,
    pub(super) bug: Option<Bug>,
}

impl Store {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// `seat::IF_FREE`: `attribute_not_exists(pk) OR (seat_status = :held AND expires_at <= :now)`.
    fn if_free(&self, claim: Claim, now: Tick) -> bool {
        match claim {
            Claim::Free => true,
            Claim::Held { .. } if self.has(Bug::HoldTakesHeldSeats) => true,
            Claim::Held { end, .. } if self.has(Bug::HoldEndsLate) => end < now,
            Claim::Held { end, .. } => end <= now,
            Claim::Booked { .. } => false,
        }
    }

    /// `seat::IF_SETTLEABLE`: `attribute_not_exists(pk) OR (seat_status = :held AND
    /// (reservation_id = :reservation OR expires_at <= :now))`.
    fn if_settleable(&self, claim: Claim, user: usize, now: Tick) -> bool {
        let holds = match claim {
            Claim::Free => true,
            Claim::Held { by, end } => by == user || end <= now,
            Claim::Booked { .. } => false,
        };
        holds || self.has(Bug::BookTakesAnySeat)
    }

    /// `seat::IF_OURS`: `attribute_not_exists(pk) OR (seat_status = :claimed AND
    /// reservation_id = :reservation)`.
    fn if_ours(&self, claim: Claim, user: usize, is_booked: bool) -> bool {
        let holds = match claim {
            Claim::Free => true,
            Claim::Held { by, .. } => by == user && !is_booked,
            Claim::Booked { by } => by == user && is_booked,
        };
        holds || self.has(Bug::CancelFreesAnySeat)
    }

    /// `payment::IF_OPEN`: `attribute_not_exists(pk) OR payment_status IN (:pending, :failed, :parked)`.
    fn if_open(&self, found: Option<payment::Status>) -> bool {
        use payment::Status::{Failed, Parked, Pending};
        matches!(found, None | Some(Pending | Failed | Parked))
            || self.has(Bug::SettleTakesAnyPayment)
    }

    /// Adds the step on a seat; a refusal must be the domain's too.
    fn seat(
        &self,
        txn: Txn,
        (seat, holds): (usize, bool),
        after: Claim,
        (command, now): (&Command, Tick),
    ) -> Txn {
        let before = txn.before.seats[seat];
        let refused = || {
            let says = self.house.seat(before).apply(command, instant(now));
            says.is_err().then_some(Refused::Seat(seat))
        };
        txn.step(holds, |tables| tables.seats[seat] = after, refused)
    }

    /// `hold::write_hold`.
    pub(super) fn hold(&self, tables: &mut Tables, user: usize, now: Tick) -> Result<(), Aborted> {
        let expires_at = self.house.terms.end(instant(now));
        let end = tick(expires_at);
        let command = Command::Hold { reservation: self.house.id(user), expires_at };
        let status = reservation::Status::Pending;
        let made = Stored { status, held_at: now, end, extended: false, shown: None };
        // `txn::IF_ABSENT`: `attribute_not_exists(pk)`.
        let is_absent = tables.reservations[user].is_none();
        let mut txn = Txn::new(tables).step(
            is_absent,
            |after| after.reservations[user] = Some(made),
            || Some(Refused::Reservation),
        );
        for seat in SEATS_OF[user].iter().copied() {
            let holds = self.if_free(tables.seats[seat], now);
            txn = self.seat(txn, (seat, holds), Claim::Held { by: user, end }, (&command, now));
        }
        txn.commit(tables)
    }

    /// `settle::book`.
    pub(super) fn book(
        &self,
        tables: &mut Tables,
        upon: &Upon<'_>,
        late: bool,
    ) -> Result<(), Aborted> {
        let Upon { user, payment, seen, now, .. } = *upon;
        let status = upon.after(if late { ConfirmLate } else { Confirm })?;
        let success = payment::Status::Success;
        let is_unchanged =
            if_unchanged(tables, user, seen) || self.has(Bug::BookTakesAnyReservation);
        let is_open = self.if_open(tables.payments[payment]);
        let mut txn = Txn::new(tables)
            .payment(payment, is_open, payment::Command::Capture, success)
            .reservation(user, is_unchanged, |stored| {
                stored.status = status;
                stored.shown = Some((payment, success));
            });
        let command = Command::Settle { reservation: self.house.id(user) };
        for seat in SEATS_OF[user].iter().copied() {
            let holds = self.if_settleable(tables.seats[seat], user, now);
            txn = self.seat(txn, (seat, holds), Claim::Booked { by: user }, (&command, now));
        }
        txn.commit(tables)
    }

    /// `settle::wait`.
    pub(super) fn wait(
        &self,
        tables: &mut Tables,
        upon: &Upon<'_>,
        extend: bool,
    ) -> Result<(), Aborted> {
        let Upon { user, payment, seen, reservation, now } = *upon;
        let shown = Some((payment, payment::Status::Pending));
        if !extend && seen.shown == shown {
            return Ok(());
        }
        let found = tables.payments[payment];
        let awaited = |after: &mut Tables| after.payments[payment] = Some(payment::Status::Pending);
        let mut txn =
            Txn::new(tables).step(if_undecided(found), awaited, || found.map(Refused::Payment));
        let is_unchanged = if_unchanged(tables, user, seen);
        if !extend {
            return txn
                .reservation(user, is_unchanged, |stored| stored.shown = shown)
                .commit(tables);
        }
        let expires_at = self.house.terms.extended_end(reservation.created_at);
        let end = tick(expires_at);
        txn = txn.reservation(user, is_unchanged, |stored| {
            (stored.end, stored.extended, stored.shown) = (end, true, shown);
        });
        let command = Command::Extend { reservation: self.house.id(user), expires_at };
        for seat in SEATS_OF[user].iter().copied() {
            // `seat::IF_EXTENDABLE`: `seat_status = :held AND reservation_id = :reservation AND
            // expires_at > :now`.
            let holds = matches!(
                tables.seats[seat],
                Claim::Held { by, end } if by == user && end > now
            );
            txn = self.seat(txn, (seat, holds), Claim::Held { by: user, end }, (&command, now));
        }
        txn.commit(tables)
    }

    /// `settle::watch`.
    pub(super) fn watch(&self, tables: &mut Tables, upon: &Upon<'_>) -> Result<(), Aborted> {
        let payment = upon.payment;
        // `txn::IF_ABSENT`: `attribute_not_exists(pk)`.
        let is_absent = tables.payments[payment].is_none();
        let seen = |after: &mut Tables| after.payments[payment] = Some(payment::Status::Pending);
        let txn = Txn::new(tables).step(is_absent, seen, || Some(Refused::Noted));
        match txn.commit(tables) {
            Err(Aborted::Refused(_)) => Ok(()),
            outcome => outcome,
        }
    }

    /// `settle::decline`.
    pub(super) fn decline(
        &self,
        tables: &mut Tables,
        upon: &Upon<'_>,
        awaits: bool,
    ) -> Result<(), Aborted> {
        let Upon { user, payment, seen, .. } = *upon;
        let failed = payment::Status::Failed;
        let is_undecided = if_undecided(tables.payments[payment]);
        let mut txn =
            Txn::new(tables).payment(payment, is_undecided, payment::Command::Fail, failed);
        if awaits || upon.has_heard_of_it() {
            let is_unchanged = if_unchanged(tables, user, seen);
            txn = txn
                .reservation(user, is_unchanged, |stored| stored.shown = Some((payment, failed)));
        }
        match txn.commit(tables) {
            Err(Aborted::Refused(refused)) if refused.contains(&Refused::Payment(failed)) => Ok(()),
            outcome => outcome,
        }
    }

    /// `settle::owe_back`.
    pub(super) fn owe_back(
        &self,
        tables: &mut Tables,
        upon: &Upon<'_>,
        ends: bool,
    ) -> Result<(), Aborted> {
        let Upon { user, payment, seen, .. } = *upon;
        let due = payment::Status::RefundDue;
        let is_open = self.if_open(tables.payments[payment]);
        let mut txn = Txn::new(tables).payment(payment, is_open, payment::Command::Capture, due);
        let is_unchanged = if_unchanged(tables, user, seen);
        if ends {
            let status = upon.after(Fail)?;
            txn = txn.reservation(user, is_unchanged, |stored| {
                (stored.status, stored.shown) = (status, Some((payment, due)));
            });
        } else if upon.has_heard_of_it() {
            txn = txn.reservation(user, is_unchanged, |stored| stored.shown = Some((payment, due)));
        }
        txn.commit(tables)
    }

    /// `cancel::take_back`, which leaves the seats in `lost` alone. Whatever refuses but a seat is a
    /// change of the reservation.
    pub(super) fn take_back(
        &self,
        tables: &mut Tables,
        user: usize,
        seen: &Stored,
        status: reservation::Status,
        (lost, now): ([bool; 2], Tick),
    ) -> Result<(), Aborted> {
        let is_booked = seen.status == reservation::Status::Confirmed;
        let due = payment::Status::RefundDue;
        let owed = seen.shown.map(|(payment, _)| payment).filter(|_| is_booked);
        let is_unchanged = if_unchanged(tables, user, seen);
        let mut txn = Txn::new(tables).reservation(user, is_unchanged, |stored| {
            stored.status = status;
            if let (Some((_, shown)), Some(_)) = (&mut stored.shown, owed) {
                *shown = due;
            }
        });
        if let Some(payment) = owed.filter(|_| !self.has(Bug::CancelForgetsTheMoney)) {
            // `payment::IF_BOOKED`: `payment_status = :success AND reservation_id = :reservation`.
            let stands = tables.payments[payment] == Some(payment::Status::Success);
            let owe = |after: &mut Tables| after.payments[payment] = Some(due);
            txn = txn.step(stands, owe, || Some(Refused::Reservation));
        }
        let reservation = self.house.id(user);
        let command = if is_booked {
            Command::Cancel { reservation }
        } else {
            Command::Release { reservation }
        };
        for seat in SEATS_OF[user].iter().copied().filter(|seat| !lost[*seat]) {
            let holds = self.if_ours(tables.seats[seat], user, is_booked);
            txn = self.seat(txn, (seat, holds), Claim::Free, (&command, now));
        }
        txn.commit(tables)
    }

    /// `expire::write_end`. A refusal brings what is there.
    pub(super) fn write_end(
        &self,
        tables: &mut Tables,
        user: usize,
        end: reservation::Status,
        ended_at: Tick,
    ) -> Result<(), Stored> {
        let Some(stored) = &mut tables.reservations[user] else { return Ok(()) };
        // `expire::IF_UNPAID`: `reservation_status = :pending AND expires_at <= :ended_at AND
        // (attribute_not_exists(payment_status) OR NOT payment_status IN (:failed, :due, :refunded))`.
        // `expire::IF_DECLINED`: `reservation_status = :pending AND expires_at <= :ended_at AND
        // payment_status IN (:failed, :due, :refunded)`.
        let is_pending =
            stored.status == reservation::Status::Pending || self.has(Bug::ExpireEndsBookings);
        let is_over = stored.end <= ended_at || self.has(Bug::ExpireEndsLiveHolds);
        let is_declined = if_declined(stored) == (end == reservation::Status::Failed);
        if !(is_pending && is_over && is_declined) {
            return Err(*stored);
        }
        stored.status = end;
        Ok(())
    }

    /// `refund::close`.
    pub(super) fn close(
        &self,
        tables: &mut Tables,
        (user, payment): (usize, usize),
        is_shown: bool,
    ) -> Result<(), Aborted> {
        let refunded = payment::Status::Refunded;
        let found = tables.payments[payment];
        // `payment::IF_REFUNDABLE`: `payment_status IN (:refund_due, :parked)`.
        let is_refundable =
            matches!(found, Some(payment::Status::RefundDue | payment::Status::Parked));
        let mut txn =
            Txn::new(tables).payment(payment, is_refundable, payment::Command::Refund, refunded);
        if is_shown {
            // `refund::IF_SHOWN`: `payment_provider = :provider AND payment_reference = :reference`.
            let shown = tables.reservations[user].and_then(|stored| stored.shown);
            let still = shown.is_some_and(|(shown, _)| shown == payment);
            txn = txn.reservation(user, still, |stored| stored.shown = Some((payment, refunded)));
        }
        txn.commit(tables)
    }
}
