//! Histories: whatever users, the house, the provider, queues, streams and clocks do, and whatever breaks
//! in between, no seat is sold twice and no money is lost.
//!
//! A history is drawn from a seed and played in one thread: the handlers that Lambda runs, over the real
//! store and SDK, on the embedded DynamoDB. Each call that a function makes waits at a `gate` until it is
//! its turn, so invocations interleave at every call; a call may fail, its answer may get lost, and its
//! function may die of it (`faults`). `players` is the world outside: what people want, and how messages
//! and records come late, twice and out of order. After each write `rules` looks through the books, with
//! the audit that the house has. The same seed is the same history to the last line.
//!
//! The method is deterministic simulation, as FoundationDB's (Zhou and others, "FoundationDB: A Distributed
//! Unbundled Transactional Key Value Store", SIGMOD 2021, section 4) and TigerBeetle's.
//!
//! What is not real here: DynamoDB's own concurrency (a transaction is carried out at a stroke; what AWS
//! does when two meet is a drawn refusal), the lag of its indexes, sockets, timeouts of the SDK, and
//! processes. Letters and subscribers are left out.

mod bug;
mod command;
mod faults;
mod gate;
mod players;
mod rules;
mod shrink;
mod tables;
mod tally;
mod tasks;
mod world;

use std::collections::BTreeSet;
use std::hash::Hasher as _;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use self::faults::FAULTS;
use self::players::{Players, Purpose};
use self::rules::{Broken, ProviderPayment, Rules};
use self::tables::Change;
use self::world::{Done, Turn, World};

pub use self::bug::Bug;
pub use self::command::{Arguments, Report, simulate};
pub use self::players::{Action, Step, history};
pub use self::shrink::{Shrunk, shrink};
pub use self::tally::Tally;

/// Invocations that are under way at most when something more happens.
const UNDER_WAY_MAX: usize = 4;

/// How long is waited at a time for those who pause before another try.
const PAUSE_MS: u64 = 2;

/// After so many writes the books kept here are held against the tables, read whole.
const WRITES_BETWEEN_READS: u64 = 400;

/// Rounds in which a history must come to rest.
const ROUNDS_MAX: u32 = 200;

/// A rule that a history broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The step that was under way, from 0; as many as there are if it was found at rest.
    pub step: usize,
    /// What the rule is called.
    pub rule: String,
    /// What is wrong.
    pub detail: String,
}

/// What came of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How often what happened.
    pub tally: Tally,
    /// Of every line of the history, and of the tables at its end.
    pub digest: u64,
    /// The lines, if they were to be kept.
    pub trace: Vec<String>,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
}

/// What must happen at least once in a run that is long enough: what never happened was not proven.
#[must_use]
pub fn expected() -> Vec<String> {
    let faults = FAULTS.iter().map(|fault| format!("fault: {fault}"));
    let others = [
        "fault: timed out",
        "fault: cold start",
        "fault: ttl swept",
        "state: seat HELD to HELD, of another",
        "state: seat HELD to BOOKED, of another",
        "state: reservation EXPIRED to CONFIRMED",
        "state: reservation FAILED to CONFIRMED",
        "state: payment FAILED to SUCCESS",
        "state: payment SUCCESS to REFUND_DUE",
        "state: payment REFUND_DUE to REFUNDED",
        "state: payment none to PARKED",
        "money: refund asked for again",
    ];
    let outside = players::EXPECTED.into_iter().chain(others).map(str::to_owned);
    faults.chain(outside).collect()
}

/// Plays a history. It blocks, and needs no runtime around it.
#[must_use]
pub fn play(seed: u64, steps: &[Step], keeps_trace: bool) -> Outcome {
    play_with(seed, steps, keeps_trace, None)
}

/// The same, with a bug in a condition.
///
/// # Panics
///
/// If the machine cannot give this thread a runtime.
#[must_use]
pub fn play_with(seed: u64, steps: &[Step], keeps_trace: bool, bug: Option<&Bug>) -> Outcome {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime that has no thread needs nothing");
    runtime.block_on(async {
        let world = World::new(seed, keeps_trace, bug.cloned()).await;
        let rules = Rules::new(World::shows());
        let mut play = Play { seed, world, players: Players::new(), rules, step: 0, writes: 0 };
        let violation = play.run(steps).await.err().map(|Broken { rule, detail }| Violation {
            step: play.step,
            rule: rule.to_owned(),
            detail,
        });
        play.end(violation)
    })
}

/// A history under way.
struct Play {
    seed: u64,
    world: World,
    players: Players,
    rules: Rules,
    step: usize,
    writes: u64,
}

impl Play {
    async fn run(&mut self, steps: &[Step]) -> Result<(), Broken> {
        for (position, step) in steps.iter().enumerate() {
            self.step = position;
            self.world.draw_from(self.seed ^ step.seed);
            self.world.say(|| format!("-- {} {}", position + 1, step.action));
            // Time passes for those who are under way, too, and most of them are done before an hour is over.
            if step.action == Action::Wait && self.world.rng.u8(..8) > 0 {
                while self.turn().await? {}
            }
            self.players.act(&mut self.world, step);
            let goes_on = self.world.rng.u8(..12);
            for _ in 0..goes_on {
                self.turn().await?;
            }
            while self.world.tasks.count() > UNDER_WAY_MAX {
                self.turn().await?;
            }
        }
        self.step = steps.len();
        self.world.draw_from(!self.seed);
        self.world.say(|| "-- at rest".to_owned());
        self.world.calm();
        for round in 0..ROUNDS_MAX {
            while self.turn().await? {}
            if self.players.settle_down(&mut self.world, round) {
                self.compare().await?;
                return self.rest();
            }
        }
        let detail = format!("after {ROUNDS_MAX} rounds something is still open");
        Err(Broken { rule: "everything comes to rest", detail })
    }

    /// Lets somebody go on. Says whether anybody is still under way.
    async fn turn(&mut self) -> Result<bool, Broken> {
        match self.world.turn() {
            Turn::WentOn => {}
            Turn::Ended(purpose, done) => self.heard(purpose, done)?,
            Turn::Carried(changes, ended) => {
                self.look(&changes).await?;
                for (kind, detail) in self.world.take_announced() {
                    self.rules.put_on_bus(&kind, &detail)?;
                }
                if let Some(broken) = self.world.broken.take() {
                    return Err(broken);
                }
                if let Some((purpose, done)) = ended {
                    self.heard(purpose, done)?;
                }
            }
            Turn::Waits => {
                tokio::time::advance(Duration::from_millis(PAUSE_MS)).await;
                self.world.advance(TimeDelta::milliseconds(PAUSE_MS.cast_signed()));
            }
            Turn::Rests => return Ok(false),
        }
        Ok(true)
    }

    fn heard(&mut self, purpose: Purpose, done: Done) -> Result<(), Broken> {
        self.players.heard(&mut self.world, purpose, done)
    }

    /// Judges what was just written.
    async fn look(&mut self, changes: &[Change]) -> Result<(), Broken> {
        if changes.is_empty() {
            return Ok(());
        }
        let (earliest, latest) = (self.world.earliest_now(), self.world.latest_now());
        for change in changes {
            if let Some(became) = became(change) {
                self.world.say(|| format!("    {became}: {}", change.key));
                self.world.tally.count(became);
            }
            self.rules.changed(change, earliest, latest)?;
        }
        self.rules.audit(latest)?;
        self.world.tally.count("check: a write");
        self.writes += 1;
        if self.writes.is_multiple_of(WRITES_BETWEEN_READS) {
            self.compare().await?;
        }
        Ok(())
    }

    /// Holds the books kept here against the tables, read whole as an audit reads them.
    async fn compare(&mut self) -> Result<(), Broken> {
        for (show, layout) in World::shows() {
            let sections = layout.sections().iter().map(|section| &section.id);
            let books = self.world.direct().books_of(&show, sections).await;
            let unread =
                |fault| Broken { rule: "ItemsAreReadable", detail: format!("{show}: {fault}") };
            let books = books.map_err(unread)?;
            self.rules.compare(&show, &books)?;
        }
        self.world.tally.count("check: the books against the tables");
        Ok(())
    }

    /// Everything is told, and nothing more will happen.
    fn rest(&mut self) -> Result<(), Broken> {
        let world = &self.world;
        let mut known: BTreeSet<String> = self.players.payments().into_iter().collect();
        known.extend(world.references());
        let provider = known.iter().map(|reference| {
            let path = format!("/sandbox/payments/{reference}");
            let (status, payment) = world.at_provider("GET", &path, &Value::Null);
            // What we know of and the provider does not is for the rules to find.
            (status == 200).then(|| serde_json::from_value(payment).expect("the sandbox is ours"))
        });
        let provider: Vec<ProviderPayment> = provider.flatten().collect();
        let given_up = self.players.given_up();
        self.rules.at_rest(&provider, &given_up, world.latest_now())
    }

    fn end(mut self, violation: Option<Violation>) -> Outcome {
        for table in ["Seats", "Reservations", "Payments", "Events"] {
            let items = json!(self.world.items(table)).to_string();
            self.world.trace.digest.write(items.as_bytes());
        }
        let trace = self.world.trace;
        Outcome {
            tally: self.world.tally,
            digest: trace.digest.finish(),
            trace: trace.lines.unwrap_or_default(),
            violation,
        }
    }
}

/// What an item became, if it has a life: `state: seat none to HELD`.
fn became(change: &Change) -> Option<String> {
    let (what, attribute) = match change.table.as_str() {
        "Seats" => ("seat", "seat_status"),
        "Reservations" => ("reservation", "reservation_status"),
        "Payments" => ("payment", "payment_status"),
        _nothing_of_a_sale => return None,
    };
    let text = |item: &Option<Value>, name: &str| {
        let text = item.as_ref().and_then(|item| item[name]["S"].as_str());
        text.unwrap_or("none").to_owned()
    };
    let (old, new) = (text(&change.old, attribute), text(&change.new, attribute));
    let owner = |item: &Option<Value>| text(item, "reservation_id");
    let is_anothers = what == "seat"
        && owner(&change.old) != owner(&change.new)
        && change.old.is_some()
        && change.new.is_some();
    let of_another = if is_anothers { ", of another" } else { "" };
    (old != new || is_anothers).then(|| format!("state: {what} {old} to {new}{of_another}"))
}
