//! What each part takes, how much of that is in use, and what to turn when it is full.

use std::cmp::Reverse;

use self::Waits::{Customer, Nobody};
use super::costs::SHOW_REMEMBERED_SECS;
use super::deployed;
use super::flow::{Flow, SHARDS, Step, sections_in_shard};

/// So many a second, in thousandths, as all rates are.
const fn rate(whole: u64) -> u64 {
    whole * 1_000
}

/// Units a second that one partition writes and reads (AWS, "Best practices for designing and using
/// partition keys effectively in DynamoDB").
const PARTITION_WRITES: u64 = rate(1_000);
const PARTITION_READS: u64 = rate(3_000);

/// The same of a new table on demand (AWS, "Understanding DynamoDB warm throughput in different
/// scenarios").
const TABLE_WRITES: u64 = rate(4_000);
const TABLE_READS: u64 = rate(12_000);

/// Requests a second of an account in a region (AWS, "Quotas for configuring and running an HTTP API in
/// API Gateway").
const ACCOUNT_REQUESTS: u64 = rate(10_000);

/// Functions of an account that run at once, in thousandths as well (AWS, "Lambda quotas").
const ACCOUNT_FUNCTIONS: u64 = rate(1_000);

/// Batches of a queue that Lambda has under way before it scales (AWS, "Configuring scaling behavior for
/// SQS event source mappings").
const FIRST_BATCHES: u64 = 5;

/// Events a second that the bus takes in the larger regions (AWS, "Amazon EventBridge quotas").
const BUS_EVENTS: u64 = rate(10_000);

/// Shards of the index of payments to come back to, and of the log of events (`domain::limits`).
const CHECK_SHARDS: u64 = domain::limits::PAYMENT_CHECK_SHARDS as u64;
const LOG_SHARDS: u64 = domain::limits::EVENT_LOG_SHARDS as u64;

/// Who waits for a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// A customer: what does not fit is refused, or comes late.
    Customer,
    /// Nobody in front of a screen: what does not fit is kept, and comes late.
    Nobody,
}

/// A part that can be full.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Who waits for it.
    pub waits: Waits,
    /// Which, and what is counted.
    pub name: &'static str,
    /// What it has to do in a second, in thousandths.
    pub load: u64,
    /// What it can do in a second, in thousandths.
    pub takes: u64,
    /// What to do when it is full.
    pub turn: &'static str,
}

impl Part {
    /// How much of it is in use, in tenths of a percent, rounded to the nearest.
    #[must_use]
    pub fn permille(&self) -> u64 {
        (self.load * 1_000 + self.takes / 2) / self.takes
    }

    /// The rate at which it is full, if this is its load at `rate` and grows with it. What is remembered
    /// or gathered grows slower.
    #[must_use]
    pub fn full_at(&self, rate: u64) -> u64 {
        rate * self.takes / self.load.max(1)
    }
}

/// In the order of the fields.
fn part(waits: Waits, name: &'static str, load: u64, takes: u64, turn: &'static str) -> Part {
    Part { waits, name, load, takes, turn }
}

/// The parts, the fullest first.
pub(super) fn of(flow: &Flow<'_>) -> Vec<Part> {
    let mut parts =
        [seats(flow), tables(flow), requests(flow), streams(flow), queues(flow)].concat();
    parts.sort_by_key(|part| Reverse(part.permille()));
    parts
}

/// The table of seats. What is written: a hold that wins or loses, a checkout, a confirmation, each two
/// units a seat. Looks are counted at a house that is nearly sold out.
fn seats(flow: &Flow<'_>) -> Vec<Part> {
    let arguments = flow.arguments;
    let writes = 2 * arguments.seats_per_booking * (flow.asked + 2 * flow.booked);
    let look = Flow::section_reads(arguments.seats_per_section);
    let hot_maps = flow.of_hot_show(flow.maps);
    let (hot_looks, looks) = if flow.is_large() {
        (hot_maps + hot_maps / arguments.sections, flow.maps * (arguments.sections + 1))
    } else {
        (hot_maps, flow.maps * arguments.sections)
    };
    // A consistent query is two halves, and each of the shard's batches may count this section.
    let hot_counts = flow.of_hot_section(flow.changes).min(flow.count_calls / SHARDS);
    vec![
        part(
            Customer,
            "Seats, the hottest section: write units",
            flow.of_hot_section(writes),
            PARTITION_WRITES,
            "Make more and smaller sections. Let in fewer at once: a waiting room, ClientRateLimit.",
        ),
        part(
            Customer,
            "Seats, the hottest section: read units",
            (hot_looks * look + hot_counts * 2 * look) / 2,
            PARTITION_READS,
            "Keep seat maps in the CDN, have clients ask for the best seats, make sections smaller.",
        ),
        part(
            Customer,
            "Seats, the whole table: write units",
            writes,
            TABLE_WRITES,
            "Raise the table's warm throughput before the sale, then the account's quota of a table.",
        ),
        part(
            Customer,
            "Seats, the whole table: read units",
            (looks * look + flow.counts * 2 * look) / 2,
            TABLE_READS,
            "Keep seat maps in the CDN. Raise the table's warm throughput before the sale.",
        ),
    ]
}

/// The other tables.
fn tables(flow: &Flow<'_>) -> Vec<Part> {
    let hot_counts = flow.of_hot_show(flow.changes).min(flow.counts);
    // Whoever books money reads the show; and so does each warm function that sells, now and then.
    let shows =
        flow.of_hot_show(flow.booked) + 2 * hot_counts + flow.at_once() / SHOW_REMEMBERED_SECS;
    let logged = flow.published().into_iter().chain([flow.letters()]);
    let logged: u64 = logged.map(|step| step.times * step.index_write_units).sum();
    vec![
        part(
            Customer,
            "Catalog, the hottest show: read units",
            shows,
            PARTITION_READS,
            "Remember shows for longer than 5 seconds (`App::show`); whoever books money goes on reading.",
        ),
        part(
            Customer,
            "by_city_date, a city's day: read units",
            flow.searches_asked() * flow.day_reads() / 2,
            PARTITION_READS,
            "Remember a day for longer than 10 seconds (`App::day`), or keep searches in the CDN.",
        ),
        part(
            Customer,
            "by_check_at, one of 16 shards: write units",
            2 * flow.booked / CHECK_SHARDS,
            PARTITION_WRITES,
            "Raise PAYMENT_CHECK_SHARDS in `domain::limits`.",
        ),
        part(
            Nobody,
            "Catalog, the hottest show: write units of counts",
            2 * hot_counts,
            PARTITION_WRITES,
            "Raise MaximumBatchingWindowInSeconds of count-available-seats.",
        ),
        part(
            Nobody,
            "by_recorded_at, one of 8 shards: write units",
            logged / LOG_SHARDS,
            PARTITION_WRITES,
            "Raise EVENT_LOG_SHARDS in `domain::limits`.",
        ),
    ]
}

/// API Gateway and Lambda.
fn requests(flow: &Flow<'_>) -> Vec<Part> {
    let looks = flow.maps * if flow.is_large() { 2 } else { 1 };
    vec![
        part(
            Customer,
            "API Gateway, the busiest route: requests",
            flow.searches.max(looks).max(flow.asked),
            rate(deployed::CLIENT_RATE),
            "Raise ClientRateLimit, with WebhookRateLimit above it.",
        ),
        part(
            Customer,
            "API Gateway, the route of webhooks: requests",
            flow.webhooks,
            rate(deployed::WEBHOOK_RATE),
            "Raise WebhookRateLimit. Providers tell again what was refused.",
        ),
        part(
            Customer,
            "API Gateway, all routes: requests",
            flow.searches + looks + flow.asked + 2 * flow.booked + flow.webhooks,
            ACCOUNT_REQUESTS,
            "Raise the account's quota, or keep searches in the CDN.",
        ),
        part(
            Customer,
            "Lambda: functions at once",
            flow.at_once(),
            ACCOUNT_FUNCTIONS,
            "Raise the account's quota, and set ReservedConcurrency, so that what sells has its share.",
        ),
    ]
}

/// How often in a second, in thousandths, something is done that takes so long, `at_once` of it side by
/// side.
fn often(at_once: u64, micros: u64) -> u64 {
    rate(at_once) * 1_000_000 / micros
}

/// How long one of these steps takes on average.
fn average(steps: &[Step]) -> u64 {
    let times: u64 = steps.iter().map(|step| step.times).sum();
    steps.iter().map(|step| step.times * step.micros()).sum::<u64>() / times
}

/// What reads the streams.
fn streams(flow: &Flow<'_>) -> Vec<Part> {
    let arguments = flow.arguments;
    // A full batch counts each section that it has once, and has no more sections than changes.
    let changes = deployed::COUNT_BATCH.div_ceil(arguments.seats_per_booking);
    let sections = sections_in_shard(arguments).min(changes);
    let count = sections * flow.count(arguments.seats_per_section).micros();
    vec![
        part(
            Nobody,
            "release-expired-holds, the busiest shard: records",
            flow.of_busiest_shard(flow.release_records),
            often(1, average(&flow.released())),
            "Set ParallelizationFactor of its stream, up to 10: the reservation decides, in any order.",
        ),
        part(
            Nobody,
            "count-available-seats, the busiest shard: records",
            flow.of_busiest_shard(flow.seat_records),
            often(deployed::COUNT_BATCH, count),
            "Raise BatchSize of its stream, up to 10,000: a batch counts a section once.",
        ),
        part(
            Nobody,
            "publish-events, all shards: records",
            flow.changes,
            often(SHARDS * deployed::PUBLISH_AT_ONCE, average(&flow.published())),
            "Raise the warm throughput of Reservations before the sale, for more shards.",
        ),
    ]
}

/// What is behind queues, and the bus.
fn queues(flow: &Flow<'_>) -> Vec<Part> {
    let (settlements, deliveries, letters) =
        (flow.settlements(), flow.deliveries(), flow.letters());
    vec![
        part(
            Nobody,
            "process-payment-events, the first minute: messages",
            settlements.times,
            often(FIRST_BATCHES, settlements.micros()),
            "Nothing: Lambda adds up to 300 batches a minute by itself.",
        ),
        part(
            Nobody,
            "deliver-events: messages",
            deliveries.times,
            often(deployed::DELIVERIES_AT_ONCE, deliveries.micros()),
            "Raise MaximumConcurrency of DeliverEvents, if the subscribers can take it.",
        ),
        part(
            Nobody,
            "send-emails: letters",
            letters.times,
            often(deployed::LETTERS_AT_ONCE, letters.micros()),
            "Have SES raise the account's rate first, then raise MaximumConcurrency of SendEmails.",
        ),
        part(
            Nobody,
            "The bus: events",
            flow.events,
            BUS_EVENTS,
            "Raise the account's quota of PutEvents.",
        ),
    ]
}
