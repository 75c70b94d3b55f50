//! What a million bookings cost at this rate.
//!
//! List prices of us-east-1, without the free tier, on demand, the first step of each scale, as AWS's
//! pricing pages had them in November 2026. They change: this is the only place that has them.

use super::costs::LOG_LINE_BYTES;
use super::flow::{Caller, Flow, Step};
use super::rounded;

/// Bytes of what Lambda itself logs of an invocation: its start, its end, its report. Assumed.
const PLATFORM_LOG_BYTES: u64 = 400;

/// Bytes of a request in the access log. Assumed.
const ACCESS_LOG_BYTES: u64 = 400;

/// Bytes that count as one request of an HTTP API.
const METERED_BYTES: u64 = 512 * 1_024;

/// Requests of SQS for a message: sent, received, deleted.
const REQUESTS_PER_MESSAGE: u64 = 3;

/// Of all invocations, the percentage that X-Ray traces (AWS, "Configure sampling rules").
const TRACED_PERCENT: u64 = 5;

/// Bytes that a booking leaves: the reservation and the payment with their indexes, two events of a KB
/// with theirs; and each of its seats.
const KEPT_BYTES: u64 = 2 * 600 + 3 * 300 + 2 * 2 * 1_024;
const KEPT_BYTES_PER_SEAT: u64 = 230;

const BOOKINGS: u64 = 1_000_000;

/// A line of the bill.
struct Line {
    what: &'static str,
    amount: String,
    /// The price, as its page says it.
    price: &'static str,
    /// What it comes to, in millionths of a dollar.
    cost: u64,
}

/// A line for so many pieces, at so many millionths of a dollar for a million.
fn pieces(what: &'static str, count: u64, price: &'static str, per_million: u64) -> Line {
    let amount = format!("{} M", rounded(count / 1_000, 2));
    Line { what, amount, price, cost: cost(count, per_million) }
}

/// A line for so many bytes, at so many millionths of a dollar for a GB.
fn gigabytes(what: &'static str, bytes: u64, price: &'static str, per_gb: u64) -> Line {
    let amount = format!("{} GB", rounded(bytes / 1_000_000, 1));
    Line { what, amount, price, cost: cost(bytes, per_gb / 1_000) }
}

fn cost(count: u64, per_million: u64) -> u64 {
    whole(u128::from(count) * u128::from(per_million) / 1_000_000)
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The bill, line by line.
pub(super) fn of(flow: &Flow<'_>) -> Vec<String> {
    let bill = lines(flow);
    let dollars = |millionths: u64| rounded(millionths / 1_000, 2);
    let title = "1,000,000 bookings at this rate";
    let mut lines = vec![format!("{title:<50}{:>22}{:>14}", "list price", "dollars")];
    lines.extend(bill.iter().map(|Line { what, amount, price, cost }| {
        format!("  {what:<34}{amount:>14}{price:>22}{:>14}", dollars(*cost))
    }));
    let all: u64 = bill.iter().map(|line| line.cost).sum();
    let together = "Together, without metrics, KMS, Cognito, CloudFront and its firewall";
    lines.push(format!("  {together:<70}{:>14}", dollars(all)));
    lines
}

fn lines(flow: &Flow<'_>) -> Vec<Line> {
    let steps = flow.steps();
    let sum =
        |of: fn(&Step) -> u64| -> u64 { steps.iter().map(|step| step.times * of(step)).sum() };
    let requests = sum(|step| u64::from(step.caller == Caller::Request));
    let messages = sum(|step| u64::from(step.caller == Caller::Queue));
    let invocations = requests + messages + flow.stream_calls;
    let metered = sum(|step| match step.caller {
        Caller::Request => step.bytes.div_ceil(METERED_BYTES).max(1),
        Caller::Queue | Caller::Stream => 0,
    });
    // A line of each step, and of each invocation and request what AWS adds.
    let logs = sum(|_step| LOG_LINE_BYTES)
        + invocations * PLATFORM_LOG_BYTES
        + requests * ACCESS_LOG_BYTES;
    // Time is in microseconds, and memory in megabytes.
    let busy =
        steps.iter().map(|step| u128::from(step.times) * u128::from(step.micros() * step.memory));
    let busy = whole(busy.sum::<u128>() / (1_024 * 1_000_000));
    let kept = KEPT_BYTES + KEPT_BYTES_PER_SEAT * flow.arguments.seats_per_booking;
    let all = |rate: u64| whole(u128::from(rate) * u128::from(BOOKINGS) / u128::from(flow.booked));
    let writes = all(sum(|step| step.write_units + step.index_write_units));
    let reads = all(sum(|step| step.read_half_units)) / 2;
    let traces = all(invocations * TRACED_PERCENT / 100);
    vec![
        pieces("DynamoDB, write units", writes, "$0.625 a million", 625_000),
        pieces("DynamoDB, read units", reads, "$0.125 a million", 125_000),
        // A quarter for the table, a fifth for its point-in-time recovery.
        gigabytes("DynamoDB, a month of keeping it", kept * BOOKINGS, "$0.45 a GB", 450_000),
        pieces("API Gateway, requests", all(metered), "$1.00 a million", 1_000_000),
        pieces("Lambda, invocations", all(invocations), "$0.20 a million", 200_000),
        // Of arm64.
        pieces("Lambda, GB-seconds", all(busy), "$13.3334 a million", 13_333_400),
        pieces("SQS, requests", all(REQUESTS_PER_MESSAGE * messages), "$0.40 a million", 400_000),
        pieces("EventBridge, events", all(flow.events), "$1.00 a million", 1_000_000),
        pieces("SES, letters", BOOKINGS, "$100 a million", 100_000_000),
        gigabytes("CloudWatch, logs", all(logs), "$0.50 a GB", 500_000),
        pieces("X-Ray, traces", traces, "$5.00 a million", 5_000_000),
        gigabytes("Data to the internet", all(sum(|step| step.bytes)), "$0.09 a GB", 90_000),
    ]
}
