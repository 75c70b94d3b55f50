//! The world outside: users, the house, the payer's bank, and whoever carries messages. It knows only what
//! it was told, and judges what it is told: an answer that contradicts another one breaks a rule, whatever
//! the tables say.
//!
//! `steps` draws what is done; `deeds`, `money`, `house` and `couriers` do it; `purpose` says what an
//! invocation was for; `judge`, `sight` and `shown` say whether its answer may be, `returns` what comes
//! again; `rest` lets all of it come to an end, and `probe` asks for what is free then. What is known
//! meanwhile is in `memory`.

mod couriers;
mod deeds;
mod house;
mod judge;
mod memory;
mod money;
mod probe;
mod purpose;
mod rest;
mod returns;
mod shown;
mod sight;
mod steps;

use chrono::TimeDelta;
use domain::time::Timestamp;
use fastrand::Rng;
use serde_json::Value;

use self::couriers::Couriers;
use self::memory::{Memory, short};
use self::purpose::Errand;
use super::rules::Broken;
use super::world::{Done, SHOWS, SITES, Who, World};

pub(super) use self::purpose::Purpose;
pub use self::steps::{Action, Step, history};

/// What begins later than this is not waited for.
const SOON: TimeDelta = TimeDelta::hours(5);

/// What must happen at least once in many histories. The names of faults are elsewhere.
pub(super) const EXPECTED: [&str; 71] = [
    "answer: hold 201",
    "answer: hold hold_expired",
    "answer: hold already_cancelled",
    "answer: hold hold_token_reused",
    "answer: hold seats_unavailable",
    "answer: hold show_cancelled",
    "answer: hold show_not_on_sale",
    "answer: hold too_many_seats",
    "answer: hold 503",
    "answer: hold again 201",
    "answer: checkout 200",
    "answer: checkout already_cancelled",
    "answer: checkout already_confirmed",
    "answer: checkout hold_expired",
    "answer: confirm 200",
    "answer: confirm 202",
    "answer: confirm payment_failed",
    "answer: confirm payment_mismatch",
    "answer: confirm hold_expired",
    "answer: confirm already_confirmed",
    "answer: confirm already_cancelled",
    "answer: confirm show_cancelled",
    "answer: confirm 503",
    "answer: cancel 200",
    "answer: cancel hold_expired",
    "answer: cancel cancellation_closed",
    "answer: cancel closed by the beginning",
    "answer: pry not_found",
    "answer: look 200",
    "answer: price 200",
    "answer: block 200",
    "answer: block seats_unavailable",
    "answer: block with force 200",
    "answer: cancel show 202",
    "answer: scan 200",
    "answer: scan already_entered",
    "answer: audit 200",
    "answer: events 200",
    "answer: webhook 200",
    "answer: webhook 503",
    "answer: forgery invalid_signature",
    "answer: taken over at its end",
    "answer: probe 201",
    "answer: probe cancel 200",
    "money: paid early",
    "money: paid late",
    "money: paid twice",
    "money: paid wrong",
    "money: paid for nothing",
    "money: declined",
    "money: kept waiting",
    "money: returned by hand",
    "money: refunds refused",
    "money: booked late",
    "money: booked when the show had begun",
    "money: paid when the show had begun",
    "money: never told",
    "delivery: told",
    "delivery: told twice",
    "delivery: told late",
    "delivery: told out of order",
    "delivery: told under another name",
    "delivery: told again after a failure",
    "delivery: message",
    "delivery: message twice",
    "delivery: message late",
    "delivery: message again after a failure",
    "delivery: record",
    "delivery: record twice",
    "delivery: record late",
    "delivery: records shuffled",
];

/// Everybody outside.
pub(super) struct Players {
    memory: Memory,
    couriers: Couriers,
    /// Counts all that is done and heard, so that it is known what came first.
    tick: u64,
    /// Invocations, and how many of them were not heard of yet.
    asked: u64,
    under_way: usize,
    /// The history is over.
    at_rest: bool,
    /// How often time has passed since.
    passed: u32,
    /// Seats that are to be probed then, as soon as that is known.
    to_probe: Option<Vec<(&'static str, &'static str)>>,
}

/// A request of somebody.
struct Ask<'a> {
    site: usize,
    who: Who<'a>,
    method: &'a str,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: Value,
}

impl<'a> Ask<'a> {
    fn get(site: usize, who: Who<'a>, path: &'a str) -> Self {
        Self { site, who, method: "GET", path, headers: &[], body: Value::Null }
    }

    fn post(site: usize, who: Who<'a>, path: &'a str, body: Value) -> Self {
        Self { site, who, method: "POST", path, headers: &[], body }
    }
}

impl Players {
    pub(super) fn new() -> Self {
        Self {
            memory: Memory::new(),
            couriers: Couriers::default(),
            tick: 0,
            asked: 0,
            under_way: 0,
            at_rest: false,
            passed: 0,
            to_probe: None,
        }
    }

    /// Does what a step says, as far as there is anything to do it with.
    pub(super) fn act(&mut self, world: &mut World, step: &Step) {
        let rng = &mut Rng::with_seed(step.seed);
        self.tick += 1;
        self.memory.start.get_or_insert(world.now());
        self.couriers.collect(world);
        match step.action {
            Action::Hold => self.hold(world, rng, step.seed),
            Action::HoldAgain => self.hold_again(world, rng),
            Action::Pay => self.pay(world, rng),
            Action::Checkout => self.checkout(world, rng),
            Action::Payer => self.pay_on_page(world, rng),
            Action::Confirm => self.confirm(world, rng),
            Action::Cancel => self.cancel(world, rng),
            Action::Look => self.look(world, rng),
            Action::Price => self.price(world, rng),
            Action::Block => self.block(world, rng),
            Action::CancelShow => self.cancel_show(world, rng),
            Action::Scan => self.scan(world, rng),
            Action::Audit => self.audit(world, rng),
            Action::Events => self.read_events(world, rng),
            Action::Wait => self.wait(world, rng),
            Action::Sweep => self.sweep(world, [10, 50, 100][rng.usize(..3)]),
            Action::Read => self.read(world, rng),
            Action::Deliver => self.deliver(world, rng),
            Action::Tell => self.tell(world, rng),
            Action::Forge => self.forge(world, rng),
            Action::Provider => self.misbehave(world, rng),
            Action::Reconcile => self.reconcile(world, rng.usize(..SITES)),
            Action::Cool => {
                let site = rng.usize(..SITES);
                world.say(|| format!("site {site} is cold"));
                world.cold(site);
            }
        }
        self.couriers.collect(world);
    }

    /// Hears what came of an invocation.
    ///
    /// # Errors
    ///
    /// If that must not be.
    pub(super) fn heard(
        &mut self,
        world: &mut World,
        purpose: Purpose,
        done: Done,
    ) -> Result<(), Broken> {
        self.tick += 1;
        self.under_way = self.under_way.checked_sub(1).expect("nobody is heard of twice");
        self.couriers.collect(world);
        self.judge(world, purpose, done)
    }

    /// References of the payments that there are at the provider.
    pub(super) fn payments(&self) -> Vec<String> {
        self.memory.payments.iter().map(|payment| payment.reference.clone()).collect()
    }

    /// Messages that are left at rest: nobody could make anything of them, or they put themselves off
    /// for ever.
    pub(super) fn given_up(&self) -> Vec<String> {
        self.couriers.messages.iter().map(ToString::to_string).collect()
    }

    fn purpose(&mut self, world: &World, errand: Errand) -> Purpose {
        self.tick += 1;
        self.asked += 1;
        self.under_way += 1;
        Purpose {
            errand,
            asked: self.tick,
            asked_at: world.now(),
            faulty: world.is_faulty(),
            at_rest: self.at_rest,
        }
    }

    fn ask(&mut self, world: &mut World, ask: Ask<'_>, errand: Errand) {
        let purpose = self.purpose(world, errand);
        let Ask { site, who, method, path, headers, body } = ask;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        world.request(site, who, method, path, headers, body, purpose);
    }

    fn invoke(&mut self, world: &mut World, site: usize, function: &str, event: Value, of: Errand) {
        let purpose = self.purpose(world, of);
        world.invoke(site, function, event, purpose);
    }

    /// Time passes: a moment, a while, or to just about the end of some hold or the beginning of a show.
    fn wait(&mut self, world: &mut World, rng: &mut Rng) {
        let now = world.now();
        let by = match rng.u8(..20) {
            0..=7 => TimeDelta::milliseconds(rng.i64(1..5_000)),
            8..=12 => {
                let ends: Vec<Timestamp> = self.ends_after(now);
                let past_ms = [-1_000, -1, 0, 1, 1_000][rng.usize(..5)];
                let past = TimeDelta::milliseconds(past_ms);
                match rng.choice(&ends) {
                    Some(end) => *end - now + past,
                    None => TimeDelta::seconds(1),
                }
            }
            13..=16 => TimeDelta::milliseconds(rng.i64(10_000..200_000)),
            17 => {
                // Or to a little before it, so that somebody holds across it.
                let past_ms = [-200_000, -1_000, 0, 1_000][rng.usize(..4)];
                let begin = self.next_beginning(now);
                let by = begin.map(|begin| begin - now + TimeDelta::milliseconds(past_ms));
                by.unwrap_or(TimeDelta::seconds(30))
            }
            _long => TimeDelta::milliseconds(rng.i64(300_000..1_800_000)),
        };
        let by = by.max(TimeDelta::milliseconds(1));
        world.advance(by);
        let to = world.now();
        world
            .say(|| format!("{} ms pass, to {}", by.num_milliseconds(), to.format("%H:%M:%S%.3f")));
    }

    /// When holds that were told will end.
    fn ends_after(&self, now: Timestamp) -> Vec<Timestamp> {
        let open = self.memory.holds.iter().filter(|hold| hold.confirmed.is_none());
        let ends = open.filter_map(|hold| hold.end.map(|(end, _)| end));
        ends.filter(|end| *end > now + TimeDelta::seconds(1)).collect()
    }

    /// When the next show begins, if that is soon.
    fn next_beginning(&self, now: Timestamp) -> Option<Timestamp> {
        let begins = SHOWS.into_iter().filter_map(|show| self.memory.begin_of(show));
        let is_soon =
            |begin: &Timestamp| *begin > now + TimeDelta::seconds(1) && *begin < now + SOON;
        begins.filter(is_soon).min()
    }

    fn sweep(&self, world: &mut World, percent: u8) {
        let count = world.sweep_ttl(percent);
        world.say(|| format!("TTL deletes {count} items"));
    }

    /// How a hold is called in the trace.
    fn name(&self, hold: usize) -> String {
        let hold = &self.memory.holds[hold];
        format!("{}'s {} ({})", hold.user, hold.token, short(&hold.id))
    }
}
