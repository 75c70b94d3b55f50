//! Everything that two users, two seats and two payments can do to each other, explored to the end.
//!
//! A model of hold, settle, cancel, expire and refund, for the checker of `stateright`. It decides with
//! Marquee's own code (`domain::seat`, `reservation`, `payment`, `settlement`) and looks for what is
//! broken with the admin's own audit (`domain::audit`). What it has of its own are the store's
//! transactions, their conditions under the names that they have there ([`tables`]); that the real
//! conditions say the same is for `parity`.
//!
//! A tick is a second, and a hold lasts one. Functions read in one step and write in a later one
//! ([`invocations`]), and anything may happen in between: time passes, others write, the function dies.
//! A function is called again as often as you like, so an answer that was lost is asked for again; a
//! report comes twice, late, or when it is true no more; in some scenarios two clocks differ by a tick.
//!
//! What is bounded is time, and how many functions have read and not yet written: two in some scenarios,
//! in the others one, which only steps can overtake that read and write at once (a hold, an end, the
//! provider). No scenario has everything. In the usual run two payments of one reservation are under way
//! together only where nobody else wants the seats, and an extended hold comes to its end only where one
//! function is under way. No money comes for what nobody held, or for somebody else's reservation; so no
//! payment is parked or mismatched here. Nobody is told that they ask too often, no show is cancelled and
//! no seat blocked. All of that is for the simulation.
//!
//! Beside what must hold in each state ([`rules`]), from each in which nothing is in flight the books
//! must be closable: if all is told once more, all money is a booking's or back, and no hold is left
//! open. Last, bugs are planted into conditions, and the checker must find each: a model that cannot
//! fail proves nothing.

mod cinema;
mod house;
mod invocations;
mod rules;
mod tables;

use stateright::{Checker as _, HasDiscoveries, Model as _};

use self::cinema::{Cinema, Scenario};
use self::house::Order;
use self::rules::{AUDIT, BACKWARDS, CORRUPT, MONEY, OWNERS, SEATS};
use self::tables::{Bug, Tick};

/// Ann's payment, and Bob's.
const EACH_PAYS: [Order; 2] = [
    Order { of: 0, is_right: true, is_slow: false },
    Order { of: 1, is_right: true, is_slow: false },
];

/// Two of Ann's. The first one may fail, or take its time.
const ANN_PAYS_TWICE: [Order; 2] = [
    Order { of: 0, is_right: true, is_slow: true },
    Order { of: 0, is_right: true, is_slow: false },
];

/// Two of Ann's. The second one is of a wrong amount, and may fail, or take its time.
const ANN_PAYS_WRONG: [Order; 2] = [
    Order { of: 0, is_right: true, is_slow: false },
    Order { of: 0, is_right: false, is_slow: true },
];

/// Ann holds at once, or not at all; Bob at any time. Ann cancels. Two functions are in flight.
const TAKEOVER: Scenario = Scenario {
    orders: EACH_PAYS,
    holds_before: [1, Tick::MAX],
    cancels: [true, false],
    at_once: 2,
    last_tick: 2,
    ahead: 0,
    is_away: false,
    sweeps: true,
    gives_back: false,
};

/// The same with clocks that differ; both cancel.
const SKEWED: Scenario = Scenario { cancels: [true, true], at_once: 1, ahead: 1, ..TAKEOVER };

/// Ann pays twice, and the provider is away now and then. It goes on until an extended hold is over, too.
const SLOW: Scenario = Scenario {
    orders: ANN_PAYS_TWICE,
    at_once: 1,
    last_tick: 3,
    is_away: true,
    sweeps: false,
    ..TAKEOVER
};

/// The same with an amount that nobody asked for, and no longer than the usual hold and one second.
const WRONG: Scenario = Scenario { orders: ANN_PAYS_WRONG, last_tick: 2, ..SLOW };

/// The house gives money back by hand, and clocks differ.
const GIVEN_BACK: Scenario = Scenario { at_once: 1, ahead: 1, gives_back: true, ..TAKEOVER };

/// Ann alone, with a slow payment, and two functions in flight.
const ALONE: Scenario = Scenario {
    orders: [ANN_PAYS_TWICE[0], EACH_PAYS[1]],
    holds_before: [1, 0],
    at_once: 2,
    last_tick: 1,
    ..SLOW
};

/// Ann alone, with two payments, and two functions in flight: what comes of the one meets what comes of
/// the other. That the provider is away would be one more way to say that it does not know yet.
const TWICE: Scenario = Scenario { orders: ANN_PAYS_TWICE, is_away: false, ..ALONE };

/// What happens in every scenario.
const ALWAYS: [&str; 13] = [
    "a hold was made",
    "a hold was repeated",
    "money in time booked",
    "late money booked",
    "money came after the hold, and went back",
    "money came after the cancellation",
    "a settlement decided anew",
    "a payment was settled before",
    "a hold was cancelled",
    "a booking was cancelled",
    "a cancellation decided anew",
    "a hold ended",
    "money went back",
];

/// What happens where Bob is.
const WITH_BOB: [&str; 5] = [
    "a hold was refused",
    "a hold took over a seat",
    "a settlement lost its seats",
    "late money found its seats taken",
    "a cancellation lost a seat",
];

/// What happens where a payment is not decided at once.
const WHEN_SLOW: [&str; 6] = [
    "a payment was awaited",
    "a hold was extended",
    "a payment was watched",
    "a payment was declined",
    "a payment failed for nothing",
    "a hold ended after a declined payment",
];

/// What happens where an extended hold comes to its end.
const WHEN_EXTENDED: [&str; 5] = [
    "an extended hold outlived its first end",
    "an extended hold ended",
    "an extended hold was taken over",
    "late money booked what was extended",
    "late money found taken what was extended",
];

/// Explores a scenario to the end: every rule holds in each of more than so many states, and all of this
/// happens in some.
fn explore(scenario: Scenario, more_than: usize, happens: &[&[&'static str]]) {
    let checker = Cinema::new(scenario, None).checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    let states = checker.unique_state_count();
    println!("{states} states, at most {} steps from the first", checker.max_depth());
    assert!(states > more_than, "{states} states are too few");
    let happened = checker.model().functions.happened();
    let never: Vec<&str> =
        happens.iter().copied().flatten().copied().filter(|of| !happened.contains(of)).collect();
    assert!(never.is_empty(), "it never happened: {never:?}");
}

#[test]
fn a_takeover_meets_payments_and_cancellations() {
    explore(TAKEOVER, 100_000, &[&ALWAYS, &WITH_BOB]);
}

#[test]
fn clocks_differ_by_a_second() {
    explore(SKEWED, 42_000, &[&ALWAYS, &WITH_BOB]);
}

#[test]
fn a_payment_is_declined_awaited_or_the_second_one() {
    let more = ["a second payment went back"];
    explore(SLOW, 190_000, &[&ALWAYS, &WITH_BOB, &WHEN_SLOW, &WHEN_EXTENDED, &more]);
}

#[test]
fn a_payment_is_of_the_wrong_amount() {
    explore(WRONG, 69_000, &[&ALWAYS, &WITH_BOB, &["a wrong amount went back"]]);
}

#[test]
fn money_is_given_back_by_hand() {
    explore(GIVEN_BACK, 43_000, &[&ALWAYS, &WITH_BOB, &["a booking lost its money"]]);
}

#[test]
fn a_slow_payment_meets_its_own_cancellation() {
    explore(ALONE, 30_000, &[&ALWAYS, &WHEN_SLOW]);
}

#[test]
fn two_payments_of_one_reservation_are_under_way_together() {
    let more = ["two payments of one reservation were under way", "a second payment went back"];
    explore(TWICE, 300_000, &[&ALWAYS, &WHEN_SLOW, &more]);
}

/// The larger ones take a minute and more, so only with `MARQUEE_LONG` set.
#[test]
fn more_of_everything_at_once() {
    if std::env::var_os("MARQUEE_LONG").is_none() {
        println!("left out, since `MARQUEE_LONG` is not set");
        return;
    }
    explore(Scenario { ahead: 1, ..TAKEOVER }, 440_000, &[&ALWAYS, &WITH_BOB]);
    explore(Scenario { at_once: 2, ahead: 0, ..GIVEN_BACK }, 420_000, &[&ALWAYS, &WITH_BOB]);
    let two = Scenario { at_once: 2, last_tick: 1, is_away: false, ..SLOW };
    explore(two, 840_000, &[&ALWAYS, &WITH_BOB, &WHEN_SLOW]);
    let orders = [ANN_PAYS_TWICE[0]; 2];
    let skewed = Scenario { orders, ahead: 1, last_tick: 2, sweeps: true, ..SLOW };
    explore(skewed, 840_000, &[&ALWAYS, &WITH_BOB, &WHEN_SLOW]);
}

/// Goal: the model can fail. Method: each bug is planted, and the checker must find a history that breaks
/// the rule which it is expected to break.
#[test]
fn a_bug_that_is_planted_is_found() {
    let bugs = [
        (Bug::HoldTakesHeldSeats, TAKEOVER, OWNERS),
        (Bug::HoldEndsLate, TAKEOVER, CORRUPT),
        (Bug::BookTakesAnySeat, TAKEOVER, AUDIT),
        (Bug::BookTakesAnyReservation, TAKEOVER, BACKWARDS),
        (Bug::SettleTakesAnyPayment, TAKEOVER, BACKWARDS),
        (Bug::CancelFreesAnySeat, TAKEOVER, SEATS),
        (Bug::CancelForgetsTheMoney, TAKEOVER, AUDIT),
        (Bug::ExpireEndsLiveHolds, SLOW, AUDIT),
        (Bug::ExpireEndsBookings, TAKEOVER, BACKWARDS),
        (Bug::RefundIsNotIdempotent, TAKEOVER, MONEY),
    ];
    for (bug, scenario, rule) in bugs {
        let until = HasDiscoveries::AllOf([rule].into());
        let checker = Cinema::new(scenario, Some(bug)).checker().finish_when(until);
        let found = checker.spawn_bfs().join().discovery(rule);
        let path = found.unwrap_or_else(|| panic!("{bug:?}: nobody sees that not {rule:?}"));
        println!("{bug:?} breaks {rule:?}. {path}");
    }
}
