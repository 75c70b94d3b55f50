//! The states of the model, and the steps between them.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Mutex;

use domain::payment::{self, Progress};
use stateright::{Model, Property};

use super::house::{House, Order};
use super::invocations::{Functions, Invocation, Next};
use super::rules::{self, BACKWARDS, CORRUPT};
use super::tables::{Bug, Claim, Store, Tables, Tick};

/// What the two do, and how much of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) orders: [Order; 2],
    /// Before which tick each of them holds; at 0, never.
    pub(super) holds_before: [Tick; 2],
    /// Whether each of them cancels.
    pub(super) cancels: [bool; 2],
    /// Functions in flight at once.
    pub(super) at_once: usize,
    pub(super) last_tick: Tick,
    /// How far a function's clock may be ahead.
    pub(super) ahead: Tick,
    /// Whether the provider is away now and then.
    pub(super) is_away: bool,
    /// Whether TTL sweeps now and then.
    pub(super) sweeps: bool,
    /// Whether the house sends money back by hand, at the provider.
    pub(super) gives_back: bool,
}

/// A payment as its provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Account {
    /// Nothing, if it was not made yet.
    pub(super) progress: Option<Progress>,
    /// Whether its money was sent back twice.
    pub(super) is_doubled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) time: Tick,
    pub(super) tables: Tables,
    pub(super) accounts: [Account; 2],
    pub(super) in_flight: Vec<Invocation>,
    /// What no state shows: a step that must not be.
    pub(super) broken: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// A second passes.
    Pass,
    Hold {
        user: usize,
        now: Tick,
    },
    /// A payer pays, as far as the provider.
    Order {
        payment: usize,
    },
    /// The provider decides, or the house gives back by hand.
    Decide {
        payment: usize,
        progress: Progress,
    },
    /// A customer confirms.
    Confirm {
        payment: usize,
        told: Option<Progress>,
        now: Tick,
    },
    /// The provider tells, perhaps not for the first time, perhaps what is true no more.
    Hear {
        payment: usize,
        told: Progress,
        now: Tick,
    },
    Cancel {
        user: usize,
        now: Tick,
    },
    /// The stream of seats tells that a hold is over.
    Expire {
        user: usize,
        ended_at: Tick,
    },
    /// The stream of payments, or the schedule, tells that money is owed back.
    Refund {
        payment: usize,
    },
    /// TTL takes a seat whose hold is over.
    Sweep {
        seat: usize,
    },
    GoOn {
        at: usize,
    },
    Die {
        at: usize,
    },
}

pub(super) struct Cinema {
    pub(super) scenario: Scenario,
    pub(super) functions: Functions,
    /// What happens when the books are closed is no part of any history.
    pub(super) closing: Functions,
    /// What was found sound before: other states have the same tables.
    pub(super) sound: Mutex<HashSet<(Tables, Tick)>>,
    pub(super) closed: Mutex<HashSet<(Tables, [Account; 2])>>,
}

impl Cinema {
    pub(super) fn new(scenario: Scenario, bug: Option<Bug>) -> Self {
        let functions = || {
            let store = Store { house: House::new(&scenario.orders), bug };
            Functions::new(store, scenario.orders)
        };
        Self {
            scenario,
            functions: functions(),
            closing: functions(),
            sound: Mutex::default(),
            closed: Mutex::default(),
        }
    }

    pub(super) fn house(&self) -> &House {
        &self.functions.store.house
    }

    /// What the clocks of functions may say.
    fn clocks(&self, state: &State) -> impl Iterator<Item = Tick> + use<> {
        state.time..=state.time + self.scenario.ahead
    }

    /// What the clock that is furthest ahead says.
    pub(super) fn latest(&self, state: &State) -> Tick {
        state.time + self.scenario.ahead
    }

    fn user_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let Scenario { orders, holds_before, cancels, is_away, gives_back, .. } = self.scenario;
        for user in [0, 1] {
            let nows = self.clocks(state).filter(|now| *now < holds_before[user]);
            actions.extend(nows.map(|now| Action::Hold { user, now }));
        }
        let may_begin = state.in_flight.len() < self.scenario.at_once;
        for payment in [0, 1] {
            let Order { of, is_slow, .. } = orders[payment];
            let is_held = state.tables.reservations[of].is_some();
            let decide = |progress| Action::Decide { payment, progress };
            match state.accounts[payment].progress {
                None if is_held => actions.push(Action::Order { payment }),
                Some(Progress::Processing) => {
                    actions.extend([Progress::Captured, Progress::Failed].map(decide));
                }
                Some(Progress::Failed) => actions.push(decide(Progress::Captured)),
                Some(Progress::Captured) if gives_back => actions.push(decide(Progress::Refunded)),
                None | Some(Progress::Captured | Progress::Refunded) => {}
            }
            let Some(progress) = state.accounts[payment].progress.filter(|_| may_begin) else {
                continue;
            };
            for now in self.clocks(state) {
                let told = [Some(progress)].into_iter().chain(is_away.then_some(None));
                actions.extend(told.map(|told| Action::Confirm { payment, told, now }));
                let told = told_of(progress, is_slow).iter().copied();
                actions.extend(told.map(|told| Action::Hear { payment, told, now }));
            }
        }
        for user in [0, 1].into_iter().filter(|user| may_begin && cancels[*user]) {
            if state.tables.reservations[user].is_some() {
                actions.extend(self.clocks(state).map(|now| Action::Cancel { user, now }));
            }
        }
    }

    fn house_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for user in [0, 1] {
            let Some(stored) = state.tables.reservations[user] else { continue };
            let mut ends = vec![stored.held_at + 1, stored.end];
            ends.dedup();
            ends.retain(|end| *end <= self.latest(state));
            actions.extend(ends.into_iter().map(|ended_at| Action::Expire { user, ended_at }));
        }
        for seat in [0, 1].into_iter().filter(|_| self.scenario.sweeps) {
            if matches!(state.tables.seats[seat], Claim::Held { end, .. } if end < state.time) {
                actions.push(Action::Sweep { seat });
            }
        }
        for payment in [0, 1] {
            let is_due = state.tables.payments[payment] == Some(payment::Status::RefundDue);
            if is_due && state.in_flight.len() < self.scenario.at_once {
                actions.push(Action::Refund { payment });
            }
        }
    }

    /// Takes the step. What comes next of a function that was called joins those in flight.
    pub(super) fn take(&self, functions: &Functions, state: &mut State, action: Action) {
        let State { tables, accounts, in_flight, .. } = state;
        let next = match action {
            Action::Pass => {
                state.time += 1;
                return;
            }
            Action::Hold { user, now } => functions.hold(tables, user, now),
            Action::Order { payment } => {
                let is_slow = self.scenario.orders[payment].is_slow;
                let progress = if is_slow { Progress::Processing } else { Progress::Captured };
                accounts[payment].progress = Some(progress);
                return;
            }
            Action::Decide { payment, progress } => {
                accounts[payment].progress = Some(progress);
                return;
            }
            Action::Confirm { payment, told, now } => {
                functions.settle(tables, payment, told, true, now)
            }
            Action::Hear { payment, told, now } => {
                functions.settle(tables, payment, Some(told), false, now)
            }
            Action::Cancel { user, now } => functions.cancel(tables, user, None, now),
            Action::Expire { user, ended_at } => functions.expire(tables, user, ended_at),
            Action::Refund { payment } => self.send_back(tables, &mut accounts[payment], payment),
            Action::Sweep { seat } => {
                tables.seats[seat] = Claim::Free;
                return;
            }
            Action::GoOn { at } => {
                let invocation = in_flight.remove(at);
                functions.go_on(tables, invocation)
            }
            Action::Die { at } => {
                in_flight.remove(at);
                return;
            }
        };
        match next {
            Next::Done => {}
            Next::Corrupt => state.broken = Some(CORRUPT),
            // It dies, if that would be one too many.
            Next::Again(_) if in_flight.len() >= self.scenario.at_once => {}
            Next::Again(invocation) => {
                functions.note_company(in_flight, &invocation);
                in_flight.push(invocation);
            }
        }
    }

    /// `App::refund`, as far as the provider: it is asked if the money is still owed, and takes one
    /// refund under one key.
    fn send_back(&self, tables: &Tables, account: &mut Account, payment: usize) -> Next {
        if tables.payments[payment] != Some(payment::Status::RefundDue) {
            return Next::Done;
        }
        let has_no_key = self.functions.store.bug == Some(Bug::RefundIsNotIdempotent);
        if account.progress == Some(Progress::Refunded) && has_no_key {
            account.is_doubled = true;
        }
        account.progress = Some(Progress::Refunded);
        Next::Again(Invocation::Return { payment })
    }
}

/// What a provider may tell of a payment: what is true, and what was.
fn told_of(progress: Progress, is_slow: bool) -> &'static [Progress] {
    use Progress::{Captured, Failed, Processing, Refunded};
    match (progress, is_slow) {
        (Processing, _) => &[Processing],
        (Failed, _) => &[Processing, Failed],
        (Captured, true) => &[Processing, Failed, Captured],
        (Captured, false) => &[Captured],
        (Refunded, true) => &[Processing, Failed, Captured, Refunded],
        (Refunded, false) => &[Captured, Refunded],
    }
}

/// Invocations in flight have no order.
fn place(invocation: &Invocation) -> u64 {
    let mut hasher = DefaultHasher::new();
    invocation.hash(&mut hasher);
    hasher.finish()
}

impl Model for Cinema {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let account = Account { progress: None, is_doubled: false };
        vec![State {
            time: 0,
            tables: Tables::EMPTY,
            accounts: [account; 2],
            in_flight: Vec::new(),
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        if state.time < self.scenario.last_tick {
            actions.push(Action::Pass);
        }
        self.user_actions(state, actions);
        self.house_actions(state, actions);
        for (at, invocation) in state.in_flight.iter().enumerate() {
            if at == 0 || state.in_flight[at - 1] != *invocation {
                actions.extend([Action::GoOn { at }, Action::Die { at }]);
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.take(&self.functions, &mut state, action);
        if rules::went_back(&before.tables, &state.tables) {
            state.broken = Some(BACKWARDS);
        }
        state.in_flight.sort_by_key(place);
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        rules::properties()
    }
}
