//! What a house costs on AWS, and which part of it is full first: `cargo run -p local -- capacity`.
//!
//! A calculator. What a step costs in units ([`costs`]) is compared with the real thing by
//! `tests/it/capacity.rs`. What AWS grants and asks for is from its own pages (`parts.rs`, `bill.rs`).
//! How long AWS's services and others take nobody can measure here, so that is an argument.
//! `docs/capacity.md` says how to read what comes out.
//!
//! Rates are a second and in thousandths, money is in millionths of a dollar: whole numbers, all of it.

mod bill;
pub mod costs;
pub mod deployed;
mod flow;
mod parts;

use std::ops::RangeInclusive;

use clap::builder::RangedU64ValueParser;
use clap::{Args as _, Command, FromArgMatches as _};

use self::flow::Flow;
pub use self::parts::{Part, Waits};

/// What is sold, how fast and to whom.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Shows on sale at once, all of them in one city and on one day.
    #[arg(long, value_parser = within(1..=10_000))]
    pub shows: u64,

    /// Holds that are asked for in a second at the peak, over all shows: those that win and those that
    /// lose.
    #[arg(long, value_parser = within(1..=100_000))]
    pub rate: u64,

    /// Of those, the percentage for the hottest show; at least its even share.
    #[arg(long, default_value_t = 20, value_parser = within(0..=100))]
    pub hot_share: u64,

    /// Sections of a show. One is a partition of the table of seats.
    #[arg(long, default_value_t = 1, value_parser = within(1..=200))]
    pub sections: u64,

    /// Seats of a section.
    #[arg(long, default_value_t = 200, value_parser = within(1..=25_000))]
    pub seats_per_section: u64,

    /// Seats that are held at once, and booked.
    #[arg(long, default_value_t = 2, value_parser = within(1..=10))]
    pub seats_per_booking: u64,

    /// Holds that lose, in percent: somebody else has one of the seats.
    #[arg(long, default_value_t = 10, value_parser = within(0..=95))]
    pub lost_share: u64,

    /// Holds that win and are left to lapse, in percent of those that win.
    #[arg(long, default_value_t = 20, value_parser = within(0..=95))]
    pub lapsed_share: u64,

    /// Searches for each booking.
    #[arg(long, default_value_t = 10, value_parser = within(0..=1_000))]
    pub searches_per_booking: u64,

    /// Looks at a seat map for each booking. In a house of more than 5,000 seats one is two requests:
    /// all sections, and then one.
    #[arg(long, default_value_t = 3, value_parser = within(0..=1_000))]
    pub seat_maps_per_booking: u64,

    /// Subscribers, each of all events.
    #[arg(long, default_value_t = 1, value_parser = within(0..=20))]
    pub subscriptions: u64,

    /// Milliseconds that a call of DynamoDB, SQS or the bus takes on AWS. Assumed.
    #[arg(long, default_value_t = 10, value_parser = within(1..=1_000))]
    pub call_ms: u64,

    /// Milliseconds that a call of the payment provider takes. Assumed.
    #[arg(long, default_value_t = 300, value_parser = within(0..=20_000))]
    pub provider_ms: u64,

    /// Milliseconds that a call of a subscriber takes. Assumed.
    #[arg(long, default_value_t = 200, value_parser = within(0..=10_000))]
    pub subscriber_ms: u64,

    /// Milliseconds that SES takes for a letter. Assumed.
    #[arg(long, default_value_t = 100, value_parser = within(0..=10_000))]
    pub ses_ms: u64,
}

fn within(range: RangeInclusive<u64>) -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(range)
}

impl Arguments {
    /// The arguments in a line, as `--shows 1 --rate 10`.
    ///
    /// # Errors
    ///
    /// If there is anything else in it, or something is missing.
    pub fn of(line: &str) -> Result<Self, clap::Error> {
        let command = Self::augment_args(Command::new("capacity").no_binary_name(true));
        Self::from_arg_matches(&command.try_get_matches_from(line.split_whitespace())?)
    }
}

/// How much each part of the house has to do and can do, the fullest first.
#[must_use]
pub fn parts(arguments: &Arguments) -> Vec<Part> {
    parts::of(&Flow::new(arguments))
}

/// What there is to say of a house.
#[must_use]
pub fn report(arguments: &Arguments) -> String {
    let flow = Flow::new(arguments);
    let sections = [
        head(&flow),
        way(&flow),
        filled("What customers wait for", Waits::Customer, &flow),
        filled("What comes after, and may be late", Waits::Nobody, &flow),
        bill::of(&flow),
    ];
    sections.map(|lines| lines.join("\n") + "\n").join("\n")
}

fn head(flow: &Flow<'_>) -> Vec<String> {
    let Arguments { sections, seats_per_booking, lost_share, lapsed_share, .. } = *flow.arguments;
    let [shows, seats, rate] =
        [flow.arguments.shows, flow.arguments.seats_per_section, flow.arguments.rate]
            .map(thousands);
    let (booked, hot) = (rounded(flow.booked, 1), flow.hot);
    vec![
        format!("Shows: {shows}; sections of each: {sections}; seats of each: {seats}"),
        format!("Holds a second: {rate}; of them for the hottest show: {hot}%"),
        format!(
            "Bookings a second: {booked}, of {seats_per_booking} seats each; \
             holds that lose: {lost_share}%; that lapse, of the others: {lapsed_share}%"
        ),
    ]
}

/// What it takes to make a booking, with its share of what leads to none.
fn way(flow: &Flow<'_>) -> Vec<String> {
    let title = "A booking, and its share of what leads to none";
    let mut lines =
        vec![format!("{title:<46}{:>8}{:>10}{:>10}{:>10}", "times", "writes", "reads", "ms")];
    lines.extend(flow.steps().iter().map(|step| {
        let times = rounded(step.times * 1_000 / flow.booked, 2);
        let writes = thousands(step.write_units + step.index_write_units);
        let reads = rounded(step.read_half_units * 500, 1);
        let millis = rounded(step.micros(), 1);
        format!("  {:<42}{times:>10}{writes:>10}{reads:>10}{millis:>10}", step.name)
    }));
    lines
}

/// How full the parts are that somebody or nobody waits for, and what to turn at the fullest.
fn filled(title: &str, waits: Waits, flow: &Flow<'_>) -> Vec<String> {
    let mut parts = parts::of(flow);
    parts.retain(|part| part.waits == waits);
    let mut lines =
        vec![format!("{title:<56}{:>12}{:>10}{:>10}", "a second", "it takes", "in use")];
    lines.extend(parts.iter().map(|part| {
        let (load, takes) = (rounded(part.load, 1), thousands(part.takes / 1_000));
        let used = rounded(part.permille() * 100, 1);
        format!("  {:<54}{load:>12}{takes:>10}{used:>9}%", part.name)
    }));
    if let Some(first) = parts.first() {
        let rate = thousands(first.full_at(flow.arguments.rate));
        lines.push(format!(
            "The first is full at {rate} holds a second, if it grows as it does here."
        ));
        lines.push(first.turn.to_owned());
    }
    lines
}

/// A whole number, with commas.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of thousandths, rounded to so many decimals, one or two.
fn rounded(thousandths: u64, decimals: u32) -> String {
    let (step, scale) = (10_u64.pow(3 - decimals), 10_u64.pow(decimals));
    let steps = (thousandths + step / 2) / step;
    let width = usize::try_from(decimals).unwrap_or_default();
    format!("{}.{:0width$}", thousands(steps / scale), steps % scale)
}
