//! What must hold of every history: of each write, of the books after it, and of all when it is at rest.
//!
//! The books of every show are kept in memory, line by line as the tables change, by the readers that
//! the store itself reads them with. So after each write the audit of the admin, the very function, goes
//! through all that there is, and more: it sees every reservation, where the admin's sees those that a
//! claim or a payment names. `moves` says how one line may change, `standing` what holds between the
//! lines, `owed` why money goes back, `told` what others hear of it, and `rest` what is left in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::audit::{self, Books, Claim, Invariant};
use domain::cancellation::Cancellation;
use domain::event::Event;
use domain::id::{ReservationId, ShowId};
use domain::layout::Layout;
use domain::limits::HOLD_TTL_SECS;
use domain::payment::{self, Payment};
use domain::reservation::{self, Reservation};
use domain::seat::Seat;
use domain::time::{HoldTerms, Timestamp};
use serde_json::Value;
use store::{Line, ListedPayment};

use self::ledger::{Ledger, PaymentName, name_of};
use self::moves::Clocks;
use self::owed::Owed;
use self::standing::{Freed, Write};
use self::told::Told;
use super::tables::Change;

mod ledger;
mod moves;
mod owed;
mod rest;
mod standing;
mod told;

pub(super) use self::rest::ProviderPayment;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Its name, which stays the same.
    pub(super) rule: &'static str,
    /// What is wrong.
    pub(super) detail: String,
}

fn broken(rule: &'static str, detail: String) -> Broken {
    Broken { rule, detail }
}

/// The rules, and what they remember of a history.
pub(super) struct Rules {
    terms: HoldTerms,
    ledgers: BTreeMap<ShowId, Ledger>,
    /// Payments that are listed for no show.
    unlisted: BTreeMap<PaymentName, Payment>,
    told: Told,
    /// What was changed since the last audit.
    write: Write,
}

impl Rules {
    /// The rules for a history of these shows, whose tables are empty but for the catalogue.
    pub(super) fn new(shows: Vec<(ShowId, Arc<Layout>)>) -> Self {
        let ledger = |(id, layout): (ShowId, Arc<Layout>)| (id.clone(), Ledger::new(id, layout));
        Self {
            terms: HoldTerms::of_secs(HOLD_TTL_SECS),
            ledgers: shows.into_iter().map(ledger).collect(),
            unlisted: BTreeMap::new(),
            told: Told::default(),
            write: Write::default(),
        }
    }

    /// Keeps the books as a write changes them, and says whether this line may change so. `earliest` and
    /// `latest` are the times by the clocks that are furthest behind and ahead. When all lines of the
    /// write are told, [`Rules::audit`] judges it.
    pub(super) fn changed(
        &mut self,
        change: &Change,
        earliest: Timestamp,
        latest: Timestamp,
    ) -> Result<(), Broken> {
        let clocks = Clocks { earliest, latest };
        let by_ttl = change.by_ttl;
        let old = read(change.old.as_ref(), change)?;
        let new = read(change.new.as_ref(), change)?;
        let kind = new.as_ref().or(old.as_ref());
        match kind {
            // The catalogue, limits and subscriptions are in no books.
            None => Ok(()),
            Some(Line::Claim(..)) => self.seat_changed(claim(old), claim(new), by_ttl, clocks),
            Some(Line::Reservation(_)) => {
                let (old, new) = (reservation(old), reservation(new));
                self.reservation_changed(old.as_ref(), new, clocks)
            }
            Some(Line::Payment(_)) => self.payment_changed(payment(old), payment(new), clocks),
            Some(Line::Cancellation(_)) => {
                self.cancellation_changed(cancellation(old).as_ref(), cancellation(new))
            }
            Some(Line::Event(_)) => {
                let event = |line: Option<Line>| match line {
                    Some(Line::Event(event)) => Some(*event),
                    _gone => None,
                };
                self.told.changed(event(old).as_ref(), event(new).as_ref(), by_ttl)
            }
        }
    }

    /// Judges what was changed since the last time: the write as a whole, and the books of each show that
    /// it changed.
    pub(super) fn audit(&mut self, latest: Timestamp) -> Result<(), Broken> {
        self.judge_write(latest)?;
        for ledger in self.ledgers.values_mut().filter(|ledger| ledger.is_touched) {
            ledger.is_touched = false;
            look_through(ledger, latest)?;
            standing::check(ledger, latest)?;
        }
        Ok(())
    }

    /// Something was put on the bus: its type, and what it says. When this is called, what was written
    /// before it must have been told already.
    pub(super) fn put_on_bus(&mut self, kind: &str, detail: &Value) -> Result<(), Broken> {
        self.told.put_on_bus(kind, detail)
    }

    /// Whether the books that the store reads of a show are those that are kept here. The store brings
    /// only the reservations that a claim or a payment names.
    pub(super) fn compare(&self, show: &ShowId, read: &Books) -> Result<(), Broken> {
        let Some(ledger) = self.ledgers.get(show) else { return Err(unknown(show)) };
        if let Some(first) = read.unreadable.first() {
            let detail = format!("{show} {}: {}", first.subject, first.why);
            return Err(broken("ItemsAreReadable", detail));
        }
        let mut kept = ledger.books.clone();
        let named = |of: &Reservation| {
            let claims = kept.claims.iter().any(|claim| owner(&claim.seat) == Some(&of.id));
            claims || kept.payments.iter().any(|paid| paid.reservation_id.as_ref() == Some(&of.id))
        };
        let reservations = kept.reservations.iter().filter(|of| named(of)).cloned().collect();
        kept.reservations = reservations;
        let (kept, read) = (sorted(kept), sorted(read.clone()));
        if kept == read {
            return Ok(());
        }
        let detail = format!("of {show} there is kept {kept:?}, and read {read:?}");
        Err(broken("TheBooksAreThoseOfTheTables", detail))
    }

    /// Whether all is as it must be when nothing happens any more: everything was delivered, the
    /// schedules ran, and holds are over and swept. `provider` is every payment that it has, and
    /// `dead_letters` the queues that have some.
    pub(super) fn at_rest(
        &mut self,
        provider: &[ProviderPayment],
        dead_letters: &[String],
        latest: Timestamp,
    ) -> Result<(), Broken> {
        for ledger in self.ledgers.values_mut() {
            ledger.is_touched = true;
        }
        self.audit(latest)?;
        if !dead_letters.is_empty() {
            return Err(broken("NothingIsGivenUp", dead_letters.join(", ")));
        }
        for ledger in self.ledgers.values() {
            rest::check(ledger, latest)?;
        }
        self.money_at_rest(provider)?;
        self.told.at_rest()
    }

    fn seat_changed(
        &mut self,
        old: Option<(ShowId, Claim)>,
        new: Option<(ShowId, Claim)>,
        by_ttl: bool,
        clocks: Clocks,
    ) -> Result<(), Broken> {
        let was = old.as_ref().map_or(Seat::Available, |(_, claim)| claim.seat.clone());
        let Some((show, claim)) = new.or_else(|| {
            let (show, claim) = old?;
            Some((show, Claim { seat: Seat::Available, ..claim }))
        }) else {
            return Ok(());
        };
        moves::seat(&format!("{show} {}", claim.seat_id), &was, &claim.seat, by_ttl, clocks)?;
        if claim.seat == Seat::Available && !by_ttl {
            let (show_id, seat_id) = (show.clone(), claim.seat_id.clone());
            self.write.freed.push(Freed { show_id, seat_id, was });
        }
        self.ledger(&show)?.claim(claim);
        Ok(())
    }

    fn reservation_changed(
        &mut self,
        old: Option<&Reservation>,
        new: Option<Reservation>,
        clocks: Clocks,
    ) -> Result<(), Broken> {
        moves::reservation(old, new.as_ref(), self.terms, clocks)?;
        let Some(new) = new else { return Ok(()) };
        if let Some(old) = old {
            self.write.was.insert(old.id.clone(), old.status);
        }
        self.told.happened(Event::of_reservation(old, &new, clocks.latest))?;
        let was = old.map(|old| old.status).filter(|was| *was != new.status);
        if let (Some(was), reservation::Status::Cancelled) = (was, new.status) {
            self.write.cancelled.push((new.show_id.clone(), was));
        }
        let show = new.show_id.clone();
        self.ledger(&show)?.reserve(new);
        Ok(())
    }

    fn payment_changed(
        &mut self,
        old: Option<ListedPayment>,
        new: Option<ListedPayment>,
        clocks: Clocks,
    ) -> Result<(), Broken> {
        moves::payment(old.as_ref(), new.as_ref(), clocks)?;
        let Some(ListedPayment { payment: new, show_id, .. }) = new else { return Ok(()) };
        let before = old.as_ref().map(|old| &old.payment);
        self.told.happened(Event::of_payment(before, &new))?;
        let was = before.map(|old| old.status);
        if new.status == payment::Status::RefundDue && was != Some(new.status) {
            let was_booked = was == Some(payment::Status::Success);
            self.write.owed.push(Owed { payment: new.clone(), was_booked });
        }
        let name = name_of(&new);
        if let Some(old) = old.filter(|old| old.show_id != show_id) {
            match &old.show_id {
                Some(show) => self.ledger(show)?.forget(&name),
                None => drop(self.unlisted.remove(&name)),
            }
        }
        if let Some(show) = show_id {
            self.ledger(&show)?.pay(new);
            return Ok(());
        }
        match new.status {
            payment::Status::Parked | payment::Status::Refunded => {
                self.unlisted.insert(name, new);
                Ok(())
            }
            // No audit would see it.
            payment::Status::Pending
            | payment::Status::Failed
            | payment::Status::Success
            | payment::Status::RefundDue => {
                Err(broken("PaymentsAreListedForTheirShow", format!("{new:?}")))
            }
        }
    }

    fn cancellation_changed(
        &mut self,
        old: Option<&Cancellation>,
        new: Option<Cancellation>,
    ) -> Result<(), Broken> {
        moves::cancellation(old, new.as_ref())?;
        let Some(new) = new else { return Ok(()) };
        let before = old.map_or((0, 0), |old| (old.holds_released, old.bookings_cancelled));
        let holds = new.holds_released.saturating_sub(before.0);
        let bookings = new.bookings_cancelled.saturating_sub(before.1);
        let show = new.show_id.clone();
        self.write.counted.push((show.clone(), holds, bookings));
        let ledger = self.ledger(&show)?;
        ledger.cancellation = Some(new);
        ledger.is_touched = true;
        Ok(())
    }

    fn ledger(&mut self, show: &ShowId) -> Result<&mut Ledger, Broken> {
        self.ledgers.get_mut(show).ok_or_else(|| unknown(show))
    }

    /// What one item of a write says of another: a claim is given up by the end of its reservation, a
    /// show's cancellation counts what it ended, and money goes back for what is so.
    fn judge_write(&mut self, latest: Timestamp) -> Result<(), Broken> {
        let write = std::mem::take(&mut self.write);
        for freed in &write.freed {
            let ledger = self.ledger(&freed.show_id)?;
            if !freed.is_explained(ledger, latest) {
                let (show, seat, was) = (&freed.show_id, &freed.seat_id, &freed.was);
                let detail =
                    format!("{show} {seat} was {was:?}, and its reservation has not ended");
                return Err(broken("ClaimsEndWithTheirReservation", detail));
            }
        }
        for (show, ..) in &write.counted {
            if !write.is_counted(show) {
                let detail = format!("{show} counted what it did not end");
                return Err(broken("CancellationsCountWhatTheyEnd", detail));
            }
        }
        write.owed.iter().try_for_each(|owed| self.judge_owed(owed, &write.was, latest))
    }
}

/// The audit that admins ask for, over all that there is of a show.
fn look_through(ledger: &Ledger, latest: Timestamp) -> Result<(), Broken> {
    let findings = audit::audit(&ledger.books, &ledger.show_id, &ledger.layout, latest);
    let Some(first) = findings.first() else { return Ok(()) };
    let told = findings.iter().map(|of| format!("{}: {}", of.subject, of.detail));
    let detail = format!("{}: {}", ledger.show_id, told.collect::<Vec<_>>().join("; "));
    Err(broken(name(first.invariant), detail))
}

/// The name of what an audit found broken.
fn name(invariant: Invariant) -> &'static str {
    match invariant {
        Invariant::ItemsAreReadable => "ItemsAreReadable",
        Invariant::SeatsAreInTheLayout => "SeatsAreInTheLayout",
        Invariant::BookedSeatsAreConfirmed => "BookedSeatsAreConfirmed",
        Invariant::ConfirmedSeatsAreBooked => "ConfirmedSeatsAreBooked",
        Invariant::HeldSeatsArePending => "HeldSeatsArePending",
        Invariant::BookingsArePaidOnce => "BookingsArePaidOnce",
        Invariant::PaidReservationsAreConfirmed => "PaidReservationsAreConfirmed",
        Invariant::MoneyIsAccountedFor => "MoneyIsAccountedFor",
        Invariant::PaymentsHaveReservations => "PaymentsHaveReservations",
    }
}

fn unknown(show: &ShowId) -> Broken {
    broken("ShowsAreKnown", format!("there is no {show}"))
}

/// The line that an image is, read as the store reads it.
fn read(image: Option<&Value>, change: &Change) -> Result<Option<Line>, Broken> {
    let Some(image) = image else { return Ok(None) };
    let unreadable = |why: String| broken("ItemsAreReadable", format!("{}: {why}", change.key));
    // Whatever type the store takes, which nobody here needs to name.
    let item = serde::Deserialize::deserialize(image);
    let item = item.map_err(|error: serde_json::Error| unreadable(error.to_string()))?;
    Line::read(item).map_err(|fault| unreadable(fault.to_string()))
}

fn claim(line: Option<Line>) -> Option<(ShowId, Claim)> {
    match line {
        Some(Line::Claim(show, claim)) => Some((show, claim)),
        _gone => None,
    }
}

fn reservation(line: Option<Line>) -> Option<Reservation> {
    match line {
        Some(Line::Reservation(reservation)) => Some(*reservation),
        _gone => None,
    }
}

fn payment(line: Option<Line>) -> Option<ListedPayment> {
    match line {
        Some(Line::Payment(payment)) => Some(*payment),
        _gone => None,
    }
}

fn cancellation(line: Option<Line>) -> Option<Cancellation> {
    match line {
        Some(Line::Cancellation(cancellation)) => Some(*cancellation),
        _gone => None,
    }
}

fn owner(seat: &Seat) -> Option<&ReservationId> {
    match seat {
        Seat::Held { reservation, .. } | Seat::Booked { reservation } => Some(reservation),
        Seat::Blocked | Seat::Available => None,
    }
}

/// The same books in one order.
fn sorted(mut books: Books) -> Books {
    let place = |of: &Claim| (of.section_id.clone(), of.seat_id.clone());
    books.claims.sort_by_key(place);
    books.reservations.sort_by(|one, other| one.id.cmp(&other.id));
    books.payments.sort_by_key(name_of);
    books
}
