//! `cargo run -p local --release -- simulate`: many histories, one after the other and side by side.
//!
//! Each history has a seed of its own, one above that of the history before. Threads take the next one
//! that nobody has; how many threads there are changes nothing of what comes out. When a history breaks
//! a rule, no new one begins, those that began end, and of all that broke a rule the first is told. Had
//! there been an earlier one, it would have begun earlier.

mod progress;
mod report;

use std::cell::RefCell;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use clap::builder::RangedU64ValueParser;

use self::progress::Progress;
use super::{Bug, Outcome, Step, Tally, Violation, history, play_with};

/// Which histories are played.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The seed of the first history; the next one has the next number. Drawn and printed if it is not
    /// given.
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,

    /// What is done in all histories together.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000,
        value_parser = RangedU64ValueParser::<u64>::new().range(1..=10_000_000_000))]
    pub operations: u64,

    /// What is done in one history. After it the world calms down, and everything must come to rest.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000,
        value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000))]
    pub operations_per_seed: u64,

    /// How many histories are played at once; as many as there are processors if it is not given.
    #[arg(long, value_name = "COUNT",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_024))]
    pub jobs: Option<usize>,

    /// Play the first history only, and print whatever happens in it.
    #[arg(long)]
    pub trace: bool,

    /// Of the first history play these steps only, by their numbers, which begin with 1: a history that
    /// breaks a rule is told with those that it takes. The numbers are right for the same
    /// `--operations-per-seed` only.
    #[arg(long, value_name = "STEP,STEP", value_delimiter = ',',
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub only: Vec<usize>,

    /// Plant a bug: wherever FROM is part of a condition that DynamoDB is to check, it becomes TO.
    /// `--plant 'AND expires_at <= :now =>'` takes seats whose hold is not over.
    #[arg(long, value_name = "FROM => TO", value_parser = planted)]
    pub plant: Option<Bug>,
}

/// `FROM => TO`.
fn planted(text: &str) -> Result<Bug, String> {
    let (from, to) = text.split_once("=>").ok_or("it is FROM => TO")?;
    let [from, to] = [from, to].map(|part| part.trim().to_owned());
    if from.is_empty() {
        return Err("what becomes something else is not empty".into());
    }
    Ok(Bug { from, to })
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// What there is to say to people.
    pub text: String,
    /// No rule was broken, and what should happen in so many histories did.
    pub held: bool,
    /// What happened in the histories that were played.
    pub tally: Tally,
    /// Of all of them, in the order of their seeds. If no rule was broken, the same arguments give the
    /// same one.
    pub digest: u64,
}

/// Plays the histories, says on stderr how far it is, and reports.
///
/// It blocks, and must not be called where an asynchronous runtime drives its caller.
#[must_use]
pub fn simulate(arguments: &Arguments) -> Report {
    NAMES_PANICS.call_once(name_panics);
    let first = arguments.seed.unwrap_or_else(|| u64::from(fastrand::u32(..)));
    let histories = Histories {
        first,
        operations: arguments.operations,
        per_seed: arguments.operations_per_seed,
        bug: arguments.plant.as_ref(),
    };
    if arguments.trace || !arguments.only.is_empty() {
        return report::of_one(&histories, &arguments.only, arguments.trace);
    }
    let jobs =
        arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get));
    // Whoever stops it knows what to ask for again.
    eprintln!("{}", histories.command());
    let progress = Progress::new(histories.operations);
    let played = play_all(&histories, jobs, &progress);
    let millis = progress.end();
    report::of(&histories, played, millis)
}

/// The histories of a run.
struct Histories<'a> {
    first: u64,
    operations: u64,
    per_seed: u64,
    bug: Option<&'a Bug>,
}

impl Histories<'_> {
    /// How many there are.
    fn count(&self) -> u64 {
        self.operations.div_ceil(self.per_seed)
    }

    fn seed(&self, number: u64) -> u64 {
        self.first.wrapping_add(number)
    }

    /// How much is done in one of them. The last one can be shorter.
    fn length(&self, number: u64) -> u64 {
        self.per_seed.min(self.operations - number * self.per_seed)
    }

    fn steps(&self, number: u64) -> Vec<Step> {
        let length = usize::try_from(self.length(number)).expect("it fits into memory");
        history(self.seed(number), length)
    }

    /// Plays some steps, in the world that the history with this number has.
    fn play(&self, number: u64, steps: &[Step], keep_trace: bool) -> Outcome {
        PLAYING.set(Some(self.wanted_of(number)));
        let outcome = play_with(self.seed(number), steps, keep_trace, self.bug);
        PLAYING.set(None);
        outcome
    }

    /// How to call for all of them again.
    fn command(&self) -> String {
        format!("{COMMAND} {}", wanted(self.first, self.operations, self.per_seed, self.bug))
    }

    /// How to call for one of them.
    fn command_of(&self, number: u64) -> String {
        format!("{COMMAND} {}", self.wanted_of(number))
    }

    fn wanted_of(&self, number: u64) -> String {
        let length = self.length(number);
        wanted(self.seed(number), length, length, self.bug)
    }
}

const COMMAND: &str = "cargo run -p local --release --";

/// What comes behind it.
fn wanted(seed: u64, operations: u64, per_seed: u64, bug: Option<&Bug>) -> String {
    let plant =
        bug.map_or_else(String::new, |Bug { from, to }| format!(" --plant '{from} => {to}'"));
    format!(
        "simulate --seed {seed} --operations {operations} --operations-per-seed {per_seed}{plant}"
    )
}

/// What came of some histories.
#[derive(Default)]
struct Played {
    tally: Tally,
    /// Of each history that was played, by its number.
    digests: Vec<(u64, u64)>,
    /// The first history that broke a rule, by its number.
    broken: Option<(u64, Violation)>,
}

impl Played {
    fn add(&mut self, number: u64, outcome: Outcome) {
        self.tally.add(&outcome.tally);
        self.digests.push((number, outcome.digest));
        self.broken = outcome.violation.map(|violation| (number, violation));
    }

    fn join(&mut self, other: Self) {
        self.tally.add(&other.tally);
        self.digests.extend(other.digests);
        let broken = [self.broken.take(), other.broken].into_iter().flatten();
        self.broken = broken.min_by_key(|(number, _)| *number);
    }

    /// One of all digests, by FNV-1a, in the order of the seeds.
    fn digest(&mut self) -> u64 {
        self.digests.sort_unstable();
        let bytes = self.digests.iter().flat_map(|(_, digest)| digest.to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

fn play_all(histories: &Histories<'_>, jobs: usize, progress: &Progress) -> Played {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut all = Played::default();
    thread::scope(|scope| {
        let work = || play_some(histories, &next, &stop, progress);
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            all.join(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
    });
    all
}

/// Plays one history after the other, until there are no more or somebody found something.
fn play_some(
    histories: &Histories<'_>,
    next: &AtomicU64,
    stop: &AtomicBool,
    progress: &Progress,
) -> Played {
    let mut played = Played::default();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= histories.count() {
            break;
        }
        let steps = histories.steps(number);
        let one = || histories.play(number, &steps, false);
        let outcome = catch_unwind(AssertUnwindSafe(one)).unwrap_or_else(|panic| {
            stop.store(true, Ordering::Relaxed);
            resume_unwind(panic)
        });
        if outcome.violation.is_some() {
            stop.store(true, Ordering::Relaxed);
        }
        played.add(number, outcome);
        progress.done(histories.length(number));
    }
    played
}

thread_local! {
    /// How to call for what this thread plays.
    static PLAYING: RefCell<Option<String>> = const { RefCell::new(None) };
}

static NAMES_PANICS: Once = Once::new();

/// A panic ends a release build at once, so it is said before in which history it was, and how to hear
/// more of it.
fn name_panics() {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        usual(panic);
        if let Ok(Some(wanted)) = PLAYING.try_with(|playing| playing.borrow().clone()) {
            eprintln!(
                "It was in a history. Without --release, a function that panics breaks a rule, and the \
                 history is cut down:\n  cargo run -p local -- {wanted}"
            );
        }
    }));
}
