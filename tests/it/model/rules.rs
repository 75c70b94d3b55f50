//! What must hold in every state, and between a state and the next.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use domain::audit::audit;
use domain::payment::{self, Progress};
use domain::reservation::{self, Status};
use stateright::Property;

use super::cinema::{Action, Cinema, State};
use super::house::{SEATS_OF, instant};
use super::tables::{Claim, Stored, Tables, Tick};

/// No function raised the alarm. Seen in steps, not in states.
pub(super) const CORRUPT: &str = "conditions and decisions agree";

/// Every change is one that the domain has a command for. Seen in steps, not in states.
pub(super) const BACKWARDS: &str = "what ended stays ended, and nothing goes backwards";

/// The admin's own audit.
pub(super) const AUDIT: &str = "an audit finds nothing";

pub(super) const OWNERS: &str = "no seat has two owners";

/// Nobody takes a seat from a hold that counts by every clock, or from a booking.
pub(super) const SEATS: &str = "a reservation that counts has its seats";

pub(super) const MONEY: &str = "a payment's money is in one place";

/// Whatever died or was lost so far: told once more, everything comes to its end.
pub(super) const CLOSES: &str = "the books can be closed";

impl Cinema {
    pub(super) fn is_sound(&self, state: &State) -> bool {
        let key = (state.tables, self.latest(state));
        known(&self.sound, key, || {
            let house = self.house();
            let books = house.books(&state.tables);
            audit(&books, &house.show, &house.layout, instant(key.1)).is_empty()
        })
    }

    /// Whether the books can be closed: everything is told again, long after, and what is owed goes
    /// back.
    fn closes(&self, state: &State) -> bool {
        !state.in_flight.is_empty()
            || known(&self.closed, (state.tables, state.accounts), || self.close(state.clone()))
    }

    fn close(&self, mut state: State) -> bool {
        const LONG_AFTER: Tick = 100;
        state.time = LONG_AFTER;
        for account in &mut state.accounts {
            // Nobody pays any more.
            if account.progress == Some(Progress::Processing) {
                account.progress = Some(Progress::Failed);
            }
        }
        for user in [0, 1] {
            let Some(stored) = state.tables.reservations[user] else { continue };
            self.to_the_end(&mut state, Action::Expire { user, ended_at: stored.end });
        }
        for payment in [0, 1] {
            let Some(told) = state.accounts[payment].progress else { continue };
            self.to_the_end(&mut state, Action::Hear { payment, told, now: LONG_AFTER });
            self.to_the_end(&mut state, Action::Refund { payment });
        }
        let is_pending = |stored: &Stored| stored.status == Status::Pending;
        let all_ended = !state.tables.reservations.iter().flatten().any(is_pending);
        let all_settled = [0, 1].into_iter().all(|payment| self.is_settled(&state, payment));
        state.broken.is_none()
            && state.in_flight.is_empty()
            && all_ended
            && all_settled
            && self.is_sound(&state)
    }

    /// Takes a step and all that follow from it by themselves. With nobody in between they are few.
    fn to_the_end(&self, state: &mut State, action: Action) {
        const STEPS_MAX: u32 = 20;
        self.take(&self.closing, state, action);
        for _ in 0..STEPS_MAX {
            if state.in_flight.is_empty() {
                return;
            }
            self.take(&self.closing, state, Action::GoOn { at: 0 });
        }
    }

    /// Whether the books say of a payment what its provider says.
    fn is_settled(&self, state: &State, payment: usize) -> bool {
        use payment::Status::{Failed, Refunded, Success};
        let ours = state.tables.payments[payment];
        let of = state.tables.reservations[self.scenario.orders[payment].of];
        match state.accounts[payment].progress {
            None | Some(Progress::Processing | Progress::Failed) => {
                matches!(ours, None | Some(Failed))
            }
            Some(Progress::Captured) => {
                let books = |of: Stored| {
                    of.status == Status::Confirmed && of.shown == Some((payment, Success))
                };
                ours == Some(Success) && of.is_some_and(books)
            }
            Some(Progress::Refunded) => ours == Some(Refunded),
        }
    }
}

/// Whether it is so; found out once for each `key`.
fn known<K: Eq + Hash>(before: &Mutex<HashSet<K>>, key: K, is_so: impl FnOnce() -> bool) -> bool {
    let lock = || before.lock().unwrap_or_else(PoisonError::into_inner);
    if lock().contains(&key) {
        return true;
    }
    let is_so = is_so();
    if is_so {
        lock().insert(key);
    }
    is_so
}

/// Whether a reservation or a payment went where no command leads.
pub(super) fn went_back(before: &Tables, after: &Tables) -> bool {
    let reservations = before.reservations.into_iter().zip(after.reservations);
    let payments = before.payments.into_iter().zip(after.payments);
    reservations.filter_map(|(from, to)| Some((from?, to))).any(|(from, to)| match to {
        Some(to) => !leads(from.status, to.status) || to.end < from.end,
        None => true,
    }) || payments.filter_map(|(from, to)| Some((from?, to))).any(|(from, to)| match to {
        Some(to) => !leads_payment(from, to),
        None => true,
    })
}

fn leads(from: Status, to: Status) -> bool {
    use reservation::Command::{Cancel, Confirm, ConfirmLate, Expire, Fail};
    let commands = [Confirm, ConfirmLate, Cancel, Expire, Fail].into_iter();
    let mut ends = commands.flat_map(|of| [from.apply(of, true), from.apply(of, false)]);
    from == to || ends.any(|end| end == Ok(to))
}

fn leads_payment(from: payment::Status, to: payment::Status) -> bool {
    use payment::Command::{Capture, Fail, OweBack, Park, Refund};
    let mut commands = [Capture, Fail, Park, OweBack, Refund].into_iter();
    from == to || commands.any(|of| from.apply(of) == Some(to))
}

/// Everything that must hold, and what must happen somewhere.
pub(super) fn properties() -> Vec<Property<Cinema>> {
    vec![
        Property::always(CORRUPT, |_, state: &State| state.broken != Some(CORRUPT)),
        Property::always(BACKWARDS, |_, state: &State| state.broken != Some(BACKWARDS)),
        Property::always(AUDIT, Cinema::is_sound),
        Property::always(OWNERS, has_no_two_owners),
        Property::always(SEATS, has_its_seats),
        Property::always(MONEY, is_in_one_place),
        Property::always(CLOSES, Cinema::closes),
        Property::sometimes("Ann is booked", |_, state: &State| {
            state.tables.seats == [Claim::Booked { by: 0 }; 2]
        }),
        Property::sometimes("money went back", |_, state: &State| {
            state.tables.payments.contains(&Some(payment::Status::Refunded))
        }),
    ]
}

/// Whether a reservation owns its seats: booked, or held by whatever clock.
fn owns(cinema: &Cinema, state: &State, stored: &Stored) -> bool {
    match stored.status {
        Status::Confirmed => true,
        Status::Pending => cinema.latest(state) < stored.end,
        Status::Cancelled | Status::Expired | Status::Failed => false,
    }
}

fn has_no_two_owners(cinema: &Cinema, state: &State) -> bool {
    [0, 1].into_iter().all(|seat| {
        let owners = state.tables.reservations.iter().enumerate().filter(|(user, stored)| {
            SEATS_OF[*user].contains(&seat)
                && stored.is_some_and(|stored| owns(cinema, state, &stored))
        });
        owners.count() <= 1
    })
}

fn has_its_seats(cinema: &Cinema, state: &State) -> bool {
    state.tables.reservations.iter().enumerate().all(|(user, stored)| {
        let Some(stored) = stored.filter(|stored| owns(cinema, state, stored)) else { return true };
        let claim = match stored.status {
            Status::Confirmed => Claim::Booked { by: user },
            _held => Claim::Held { by: user, end: stored.end },
        };
        SEATS_OF[user].iter().all(|seat| state.tables.seats[*seat] == claim)
    })
}

/// Money is booked or owed back only if it came, is gone only if it went, and goes once.
fn is_in_one_place(cinema: &Cinema, state: &State) -> bool {
    use payment::Status::{Failed, Parked, Pending, RefundDue, Refunded, Success};
    let gives_back = cinema.scenario.gives_back;
    state.accounts.iter().zip(&state.tables.payments).all(|(account, ours)| {
        let came = matches!(account.progress, Some(Progress::Captured | Progress::Refunded));
        let went = account.progress == Some(Progress::Refunded);
        let fits = match ours {
            None | Some(Pending | Failed | Parked) => !went || gives_back,
            Some(Success) => came && (!went || gives_back),
            Some(RefundDue) => came,
            Some(Refunded) => went,
        };
        fits && !account.is_doubled
    })
}
