//! The cloud of a simulation: functions at three sites, whose clocks differ, over tables, queues, a bus
//! and a provider that are all in this thread. Nothing here knows what users want; that is `players`.

mod calls;
mod catalogue;
mod environment;
mod events;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use chrono::TimeDelta;
use domain::id::ShowId;
use domain::layout::Layout;
use domain::time::Timestamp;
use dynoxide::Database;
use edge::{App, Clock, Role, TokenSettings};
use fastrand::Rng;
use serde_json::Value;
use store::Store;

use self::calls::Write;
use self::environment::{Parts, clients, cold, retries, sandbox, settings};
use self::events::Functions;
use super::Bug;
use super::faults::Weather;
use super::gate::{Gate, Service};
use super::players::Purpose;
use super::rules::Broken;
use super::tables::{Change, Tables};
use super::tally::Tally;
use super::tasks::{TaskId, Tasks};
use crate::bus::Bus;
use crate::dynamodb::{client_over, create_tables};
use crate::sandbox::Delivery;
use crate::token;

pub(super) use self::calls::Turn;
pub(super) use self::catalogue::{BEGIN_AFTER, SHOWS};

/// When every history begins: noon in Delhi.
const START: &str = "2026-11-22T06:30:00Z";

/// What holds last, in seconds.
const HOLD_SECS: u32 = 300;

/// What signs the provider's webhooks.
pub(super) const WEBHOOK_SECRET: &str = "whsec_c2VjcmV0IG9mIGEgc2ltdWxhdGlvbg==";

/// What signs tickets.
pub(super) const TICKET_SECRET: &str = "a secret for the tickets of a simulation";

/// Environments that run functions side by side, each with a clock and a memory of its own.
pub(super) const SITES: usize = 3;

/// How far the clock of a site may be from the true time: so two of them differ by 2 s at most.
const SKEW_MS_MAX: i64 = 1_000;

/// How late a write can still be carried out that its maker gave up. What is later never was.
const LATE_MAX: TimeDelta = TimeDelta::seconds(5);

/// Users may do so much that few of them fill a history.
const LIMITS: &str =
    "hold=600/60,confirm=600/60,cancel=600/60,checkout=600/60,read=60000/60,held_seats=4";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who<'a> {
    /// Anybody.
    Nobody,
    /// A customer.
    User(&'a str),
    /// The house.
    Admin,
}

/// What came of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Done {
    /// A request was answered.
    Answered { status: u16, body: Value },
    /// A function that no request calls returned this.
    Returned(Value),
    /// It failed as a whole.
    Failed(String),
    /// It died on the way, and nobody heard of it.
    Died,
}

/// The lines of a history: always counted into its digest, kept if somebody will read them.
pub(super) struct Trace {
    pub(super) digest: DefaultHasher,
    pub(super) lines: Option<Vec<String>>,
}

struct Site {
    app: App,
    skew_ms: i64,
}

/// The cloud.
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    pub(super) tasks: Tasks,
    /// Invocations that ended outside of a turn, and whom nobody told yet.
    pub(super) ended: Vec<(Purpose, Done)>,
    /// What TTL deleted, and nobody judged yet.
    pub(super) swept: Vec<Change>,
    /// What the bus was told, and nobody judged yet: each event's type, and what it says.
    announced: Vec<(String, Value)>,
    /// A rule that a call broke.
    pub(super) broken: Option<Broken>,
    /// Writes that are carried out when whoever made them has given them up.
    late: Vec<Write>,
    /// How refunds were ordered of the provider, by payment: under which key, and whether it failed.
    refund_orders: BTreeMap<String, Vec<(String, bool)>>,
    gate: Gate,
    tables: Tables,
    /// A store that no gate is before.
    direct: Store,
    clock: Arc<AtomicI64>,
    sites: Vec<Site>,
    parts: Parts,
    functions: Functions,
    tokens: TokenSettings,
    minted: BTreeMap<String, String>,
    weather: Weather,
    bug: Option<Bug>,
    bus: Bus,
    sandbox: Router,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
    records: Vec<(String, Value)>,
    sequence: u64,
    messages: Vec<(String, String, i64)>,
}

impl World {
    /// A world with its catalogue, at its beginning. Whatever is random in it comes from `seed`, on this
    /// thread.
    pub(super) async fn new(seed: u64, keeps_lines: bool, bug: Option<Bug>) -> Self {
        let seed = stream(seed, 1);
        seed_thread(seed);
        let mut rng = Rng::with_seed(stream(seed, 2));
        let start: Timestamp = START.parse().expect("it is a time");
        let clock = Arc::new(AtomicI64::new(start.timestamp_millis()));
        let functions = Functions::known();
        let (gate, tables) = (Gate::default(), Tables::new(Database::memory().expect("it is new")));
        let client = client_over(tables.engine());
        let names = create_tables(&client, functions.template(), "", false).await;
        let names = names.expect("the template has tables");
        let direct = Store::new(client.clone(), names.clone());
        let gated = client.config().to_builder().http_client(gate.client(Service::DynamoDb));
        let gated = gated.retry_partition(retries());
        let store = Store::new(aws_sdk_dynamodb::Client::from_conf(gated.build()), names.clone());

        let bus = Bus::new(told_by(&clock, 0));
        let deliveries = Arc::default();
        let sandbox = sandbox(&clock, &deliveries);
        let tokens = token::settings("a secret of some length for a simulation");
        let settings = settings(names, &tokens, &gate);
        let parts = Parts { store, clients: clients(&clock, &bus, &gate), settings };
        let skews = [-SKEW_MS_MAX, rng.i64(-SKEW_MS_MAX..=SKEW_MS_MAX), SKEW_MS_MAX];
        let sites = skews.map(|skew_ms| Site { app: cold(&parts, &clock, skew_ms), skew_ms });
        let weather = Weather::draw(&mut rng);
        let digest = DefaultHasher::new();
        let mut world = Self {
            rng,
            tally: Tally::default(),
            trace: Trace { digest, lines: keeps_lines.then(Vec::new) },
            tasks: Tasks::default(),
            ended: Vec::new(),
            swept: Vec::new(),
            announced: Vec::new(),
            broken: None,
            late: Vec::new(),
            refund_orders: BTreeMap::new(),
            gate,
            tables,
            direct,
            clock,
            sites: sites.into(),
            parts,
            functions,
            tokens,
            minted: BTreeMap::new(),
            weather,
            bug,
            bus,
            sandbox,
            deliveries,
            records: Vec::new(),
            sequence: 0,
            messages: Vec::new(),
        };
        let skews = world.sites.iter().map(|site| site.skew_ms).collect::<Vec<_>>();
        world.say(|| format!("clocks are off by {skews:?} ms; {}", weather.name()));
        catalogue::fill(&world.direct, start).await;
        for table in ["Catalog", "Seats", "Reservations", "Payments", "Events", "Limits"] {
            world.tables.look(table);
        }
        world
    }

    /// From now on what is random comes from `seed`. Each step has its own, so that a step which is left
    /// out changes nothing of what the others draw.
    pub(super) fn draw_from(&mut self, seed: u64) {
        seed_thread(stream(seed, 3));
        self.rng = Rng::with_seed(stream(seed, 4));
    }

    /// The shows, and where their seats are.
    pub(super) fn shows() -> Vec<(ShowId, Arc<Layout>)> {
        let layout = Arc::new(catalogue::hall());
        SHOWS.map(|id| (id.parse().expect("it is an id"), Arc::clone(&layout))).to_vec()
    }

    /// The true time.
    pub(super) fn now(&self) -> Timestamp {
        told_by(&self.clock, 0)()
    }

    /// The time by the clock that is furthest behind.
    pub(super) fn earliest_now(&self) -> Timestamp {
        self.now() - TimeDelta::milliseconds(SKEW_MS_MAX)
    }

    /// The time by the clock that is furthest ahead.
    pub(super) fn latest_now(&self) -> Timestamp {
        self.now() + TimeDelta::milliseconds(SKEW_MS_MAX)
    }

    /// Tells something of this history.
    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        let line = line();
        self.trace.digest.write(line.as_bytes());
        self.trace.digest.write_u8(b'\n');
        if let Some(lines) = &mut self.trace.lines {
            let now = told_by(&self.clock, 0)();
            lines.push(format!("{} {line}", now.format("%d %H:%M:%S%.3f")));
        }
    }

    /// Time passes. Who takes longer than Lambda allows is ended.
    pub(super) fn advance(&mut self, by: TimeDelta) {
        self.clock.fetch_add(by.num_milliseconds(), Relaxed);
        while let Some(task) = self.tasks.overdue(self.now()) {
            self.tally.count("fault: timed out");
            let purpose = self.kill(task);
            self.ended.extend(purpose.map(|purpose| (purpose, Done::Died)));
        }
        if by > LATE_MAX {
            self.late.clear();
        }
    }

    fn kill(&mut self, task: TaskId) -> Option<Purpose> {
        for call in self.gate.forget(task) {
            self.abandon(call);
        }
        self.tasks.kill(task).map(|task| task.purpose)
    }

    /// A site forgets what its functions remembered.
    pub(super) fn cold(&mut self, site: usize) {
        self.tally.count("fault: cold start");
        let (parts, site) = (&self.parts, &mut self.sites[site]);
        site.app = cold(parts, &self.clock, site.skew_ms);
    }

    /// Whether things go wrong here.
    pub(super) fn is_faulty(&self) -> bool {
        !self.weather.is_calm()
    }

    /// Nothing goes wrong from now on.
    pub(super) fn calm(&mut self) {
        self.weather = Weather::CALM;
    }

    /// TTL comes by, and deletes so many in a hundred of the items whose time has come. Says how many.
    pub(super) fn sweep_ttl(&mut self, percent: u8) -> usize {
        let now_secs = self.now().timestamp();
        let rng = &mut self.rng;
        let changes = self.tables.sweep(now_secs, || rng.u8(..100) < percent);
        for change in &changes {
            self.tally.count("fault: ttl swept");
            self.record(change);
        }
        let count = changes.len();
        self.swept.extend(changes);
        count
    }

    /// The items of a table, as DynamoDB has them in JSON.
    pub(super) fn items(&self, table: &str) -> Vec<&Value> {
        self.tables.items(table).collect()
    }

    /// The payments that the tables name, by the provider's references.
    pub(super) fn references(&self) -> BTreeSet<String> {
        let keys = self.tables.items("Payments").filter_map(|item| item["pk"]["S"].as_str());
        keys.filter_map(|key| key.rsplit('#').next()).map(str::to_owned).collect()
    }

    /// The store, for who audits: its calls are not let through one by one.
    pub(super) fn direct(&self) -> &Store {
        &self.direct
    }

    /// What streams tell that nobody was told yet: each with the function that it is for.
    pub(super) fn take_records(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.records)
    }

    /// What functions put on queues: the queue, the body, and for how many seconds it is kept back.
    pub(super) fn take_messages(&mut self) -> Vec<(String, String, i64)> {
        std::mem::take(&mut self.messages)
    }

    /// What the provider has to tell.
    pub(super) fn take_deliveries(&mut self) -> Vec<Delivery> {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *deliveries)
    }

    /// What the bus was told that nobody judged.
    pub(super) fn take_announced(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.announced)
    }

    fn token_of(&mut self, who: Who<'_>) -> Option<String> {
        let (user, role) = match who {
            Who::Nobody => return None,
            Who::User(user) => (user, Role::User),
            Who::Admin => ("boss", Role::Admin),
        };
        let tokens = &self.tokens;
        let mint = || token::mint(tokens, user, role, START.parse().expect("it is a time"));
        Some(self.minted.entry(user.to_owned()).or_insert_with(mint).clone())
    }
}

/// A seed for one use of `seed`: what is drawn for two of them is not alike.
fn stream(seed: u64, of: u64) -> u64 {
    Rng::with_seed(seed ^ of.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..)
}

/// Pauses before another try, and the provider's names, are drawn from the thread's own generator.
fn seed_thread(seed: u64) {
    fastrand::seed(seed);
}

fn told_by(clock: &Arc<AtomicI64>, skew_ms: i64) -> Clock {
    let clock = Arc::clone(clock);
    Arc::new(move || {
        let now = Timestamp::from_timestamp_millis(clock.load(Relaxed) + skew_ms);
        now.expect("no history is that long")
    })
}
