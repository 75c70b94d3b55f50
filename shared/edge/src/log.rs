//! One line per invocation: what happened, and CloudWatch metrics in the same line.
//!
//! The line is in the Embedded Metric Format (AWS, "Specification: Embedded metric format"), so
//! CloudWatch makes metrics of it without any call. Its other members make it the access log. It
//! never holds a token, a signature or a card.
//!
//! Each name and dimension is a metric that is paid for. So what seldom happens is said only when it
//! does, and CloudWatch takes silence for none. `infra/monitoring.yaml` shows them and has alarms on
//! them; a test compares the two.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use domain::id::{HoldToken, PaymentReference, ReservationId, ShowId, UserId};
use domain::time::Timestamp;
use serde_json::{Map, Value, json};
use store::Meter;

use crate::limits::Quota;

/// Metrics that `infra/monitoring.yaml` has an alarm on, whatever function they come from.
const ALARMING: [&str; 12] = [
    "selling_requests",
    "selling_failures",
    "reservation_time",
    "seat_lock_failures",
    "internal_errors",
    "payments_late",
    "parked_now",
    "payments_misdirected",
    "refund_failures",
    "refunds_overdue",
    "cancellation_failures",
    "subscriptions_disabled",
];

/// Takes the line about each invocation. On Lambda it prints it, and CloudWatch does the rest.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Something worth noting about an invocation.
#[derive(Debug, Clone, Copy)]
pub enum Note<'a> {
    /// It is the first of its sandbox, which was started for it.
    ColdStart,
    /// Who asked.
    User(&'a UserId),
    /// About which show.
    Show(&'a ShowId),
    /// With which idempotency key.
    HoldToken(&'a HoldToken),
    /// About which reservation.
    Reservation(&'a ReservationId),
    /// A reservation was confirmed, so long after it was held.
    Confirmed {
        /// From the hold to the booking, in milliseconds.
        after_ms: u64,
    },
    /// A payment came after the end of its hold, whatever became of it.
    PaidLate,
    /// A refund became due.
    RefundDue,
    /// Seats that somebody else has were asked for.
    SeatConflicts(usize),
    /// About which payment.
    Payment(&'a PaymentReference),
    /// A provider's kind of event.
    Event(&'a str),
    /// Money came for no reservation that we know.
    Parked,
    /// Money went back.
    Refunded,
    /// Money that should have gone back did not.
    RefundFailed,
    /// A payment was looked after, long after it should have been decided.
    Reconciled,
    /// A second payment, a wrong amount or one after a cancellation: it goes back.
    Misdirected,
    /// So many payments are parked.
    ParkedNow(usize),
    /// So many payments should have gone back long ago.
    RefundsOverdue(usize),
    /// A hold's end was written down.
    Expired,
    /// A cancelled show ended a booking or a hold.
    Swept,
    /// A cancelled show could not end a reservation.
    SweepFailed,
    /// Other systems were told of an event.
    Published(domain::event::Type),
    /// A subscriber took an event.
    Delivered,
    /// A subscriber did not take an event.
    DeliveryFailed,
    /// A subscriber is told of nothing any more.
    SubscriptionDisabled,
    /// A customer was written to.
    EmailSent,
    /// A customer was not written to, for this reason.
    EmailSkipped(&'static str),
    /// Somebody went in.
    Entered,
}

/// Notes of one invocation.
#[derive(Debug)]
pub(crate) struct Invocation {
    request_id: String,
    since: Instant,
    notes: Mutex<Notes>,
    quota: Mutex<Option<Quota>>,
}

#[derive(Debug, Default)]
struct Notes {
    properties: Map<String, Value>,
    reservation_success: u64,
    reservation_time_ms: Option<u64>,
    seat_reservation_conflicts: u64,
    payments_late: u64,
    refunds: u64,
    payments_parked: u64,
    refunds_done: u64,
    refund_failures: u64,
    payments_reconciled: u64,
    payments_misdirected: u64,
    /// How much there is of something now.
    gauges: BTreeMap<&'static str, usize>,
    /// What most functions never count.
    others: BTreeMap<&'static str, u64>,
}

impl Notes {
    fn count(&mut self, what: &'static str) {
        *self.others.entry(what).or_default() += 1;
    }

    fn measure(&mut self, what: &'static str, count: usize) {
        self.gauges.insert(what, count);
    }

    /// What an invocation of `function` that was answered so counts, also where it is none.
    fn counts(&self, function: &str, status: u16) -> Vec<(&'static str, u64)> {
        let settles = [
            ("reservation_success", self.reservation_success),
            ("payments_late", self.payments_late),
        ];
        let refunds =
            [("refunds_done", self.refunds_done), ("refund_failures", self.refund_failures)];
        let sells = [
            ("selling_requests", u64::from(!is_turned_away(status))),
            ("selling_failures", u64::from(is_our_failure(status))),
        ];
        match function {
            "hold-seats" => {
                let conflicts = ("seat_reservation_conflicts", self.seat_reservation_conflicts);
                [&sells[..], &[("holds", u64::from(status == 201)), conflicts]].concat()
            }
            "checkout-reservation" => sells.to_vec(),
            "confirm-reservation" => [sells, settles].concat(),
            "receive-payment-webhook" => {
                let is_taken = status < 400;
                let (taken, refused) = (u64::from(is_taken), u64::from(!is_taken));
                vec![("webhooks_taken", taken), ("webhooks_refused", refused)]
            }
            "process-payment-events" => {
                let parked = [("payments_parked", self.payments_parked)];
                [&settles[..], &refunds, &parked].concat()
            }
            "refund-payments" => refunds.to_vec(),
            "reconcile-payments" => {
                let reconciled = [("payments_reconciled", self.payments_reconciled)];
                [&settles[..], &refunds, &reconciled].concat()
            }
            _ => Vec::new(),
        }
    }
}

/// Whether nobody looked at what was asked, for who asked it or how often. A flood of these says nothing
/// of whether others are served.
fn is_turned_away(status: u16) -> bool {
    [401, 403, 429].contains(&status)
}

/// Whether no client did it.
fn is_our_failure(status: u16) -> bool {
    status >= 500
}

impl Default for Invocation {
    fn default() -> Self {
        Self::new("")
    }
}

impl Invocation {
    pub(crate) fn new(request_id: &str) -> Self {
        Self {
            request_id: request_id.to_owned(),
            since: Instant::now(),
            notes: Mutex::default(),
            quota: Mutex::default(),
        }
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Has the answer say what is left of a policy: of the one that was told last.
    pub(crate) fn tell(&self, quota: Quota) {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner) = Some(quota);
    }

    pub(crate) fn quota(&self) -> Option<Quota> {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, note: Note<'_>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut property = |name: &str, text: &str| {
            notes.properties.insert(name.to_owned(), Value::from(text));
        };
        match note {
            Note::ColdStart => notes.count("cold_starts"),
            Note::User(id) => property("user_id", id.as_str()),
            Note::Show(id) => property("show_id", id.as_str()),
            Note::HoldToken(token) => property("hold_token", token.as_str()),
            Note::Reservation(id) => property("reservation_id", id.as_str()),
            Note::Confirmed { after_ms } => {
                notes.reservation_success += 1;
                notes.reservation_time_ms = Some(after_ms);
            }
            Note::PaidLate => notes.payments_late += 1,
            Note::RefundDue => notes.refunds += 1,
            Note::SeatConflicts(seats) => notes.seat_reservation_conflicts += seats as u64,
            Note::Payment(reference) => property("payment_reference", reference.as_str()),
            Note::Event(kind) => property("event", kind),
            Note::Parked => notes.payments_parked += 1,
            Note::Refunded => notes.refunds_done += 1,
            Note::RefundFailed => notes.refund_failures += 1,
            Note::Reconciled => notes.payments_reconciled += 1,
            Note::Misdirected => notes.payments_misdirected += 1,
            Note::ParkedNow(count) => notes.measure("parked_now", count),
            Note::RefundsOverdue(count) => notes.measure("refunds_overdue", count),
            Note::Expired => notes.count("holds_expired"),
            Note::Swept => notes.count("reservations_swept"),
            Note::SweepFailed => notes.count("cancellation_failures"),
            Note::Published(kind) => {
                property("event", kind.as_str());
                notes.count("events_published");
            }
            Note::Delivered => notes.count("events_delivered"),
            Note::DeliveryFailed => notes.count("delivery_failures"),
            Note::SubscriptionDisabled => notes.count("subscriptions_disabled"),
            Note::EmailSent => notes.count("emails_sent"),
            Note::EmailSkipped(why) => {
                property("email_skipped", why);
                notes.count("emails_skipped");
            }
            Note::Entered => notes.count("tickets_entered"),
        }
    }

    /// The line about this invocation of `function`, with its metrics in `namespace`.
    pub(crate) fn line(
        &self,
        namespace: &str,
        function: &str,
        status: u16,
        code: Option<&str>,
        meter: &Meter,
        now: Timestamp,
    ) -> String {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut metrics = Metrics::default();
        metrics.add("duration", "Milliseconds", json!(self.since.elapsed().as_millis()));
        metrics.add("round_trips", "Count", json!(meter.round_trips()));
        metrics.add("write_units", "Count", units(meter.write_half_units()));
        metrics.add("index_write_units", "Count", units(meter.index_write_half_units()));
        metrics.add("read_units", "Count", units(meter.read_half_units()));
        metrics.add("transaction_conflicts", "Count", json!(meter.conflicts()));
        metrics.add("server_errors", "Count", json!(u8::from(is_our_failure(status))));
        for (name, count) in notes.counts(function, status) {
            metrics.add(name, "Count", json!(count));
        }
        for (&name, times) in &notes.others {
            metrics.add(name, "Count", json!(times));
        }
        for (&name, count) in &notes.gauges {
            metrics.add(name, "Count", json!(count));
        }
        // What no client and no service that is away explains.
        if code == Some("internal") {
            metrics.add("internal_errors", "Count", json!(1));
        }
        if notes.payments_misdirected > 0 {
            metrics.add("payments_misdirected", "Count", json!(notes.payments_misdirected));
        }
        if meter.lock_failures() > 0 {
            metrics.add("seat_lock_failures", "Count", json!(meter.lock_failures()));
        }
        if notes.refunds > 0 {
            metrics.add("refunds", "Count", json!(notes.refunds));
        }
        if let Some(after_ms) = notes.reservation_time_ms {
            metrics.add("reservation_time", "Milliseconds", json!(after_ms));
        }
        let mut line = metrics.line(namespace, now);
        line.extend(notes.properties.clone());
        line.insert("function".to_owned(), json!(function));
        line.insert("request_id".to_owned(), json!(self.request_id));
        line.insert("status".to_owned(), json!(status));
        if let Some(code) = code {
            line.insert("code".to_owned(), json!(code));
        }
        Value::Object(line).to_string()
    }
}

/// An error with all that led to it. The SDK's own words are often two levels down.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn units(halves: u64) -> Value {
    #[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "exact halves")]
    let units = halves as f64 / 2.0;
    json!(units)
}

#[derive(Default)]
struct Metrics {
    definitions: Vec<Value>,
    alarming: Vec<Value>,
    values: Map<String, Value>,
}

impl Metrics {
    fn add(&mut self, name: &'static str, unit: &'static str, value: Value) {
        let definition = json!({"Name": name, "Unit": unit});
        if ALARMING.contains(&name) {
            self.alarming.push(definition.clone());
        }
        self.definitions.push(definition);
        self.values.insert(name.to_owned(), value);
    }

    fn line(self, namespace: &str, now: Timestamp) -> Map<String, Value> {
        let mut line = self.values;
        let mut directives = vec![json!({
            "Namespace": namespace,
            "Dimensions": [["function"]],
            "Metrics": self.definitions,
        })];
        // What there are alarms on is counted over all functions, too.
        if !self.alarming.is_empty() {
            line.insert("service".to_owned(), json!("marquee"));
            directives.push(json!({
                "Namespace": namespace,
                "Dimensions": [["service"]],
                "Metrics": self.alarming,
            }));
        }
        let directive = json!({
            "Timestamp": now.timestamp_millis(),
            "CloudWatchMetrics": directives,
        });
        line.insert("_aws".to_owned(), directive);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_an_embedded_metric_and_an_access_log() {
        let invocation = Invocation::new("r-1");
        invocation.note(Note::Show(&"s1".parse().unwrap()));
        invocation.note(Note::SeatConflicts(2));
        let now = Timestamp::from_timestamp(1, 0).unwrap();
        let code = Some("seats_unavailable");
        let meter = Meter::default();
        let line = invocation.line("Marquee/dev", "hold-seats", 409, code, &meter, now);
        let line: Value = serde_json::from_str(&line).unwrap();

        assert_eq!(line["_aws"]["Timestamp"], 1_000);
        let metrics = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(metrics["Dimensions"], json!([["function"]]));
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], "Marquee/dev");
        }
        assert_eq!(line["function"], "hold-seats", "the dimension's value");
        for metric in metrics["Metrics"].as_array().unwrap() {
            assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric} has no value");
        }
        assert_eq!(line["seat_reservation_conflicts"], 2);
        assert_eq!((&line["show_id"], &line["status"]), (&json!("s1"), &json!(409)));
        assert_eq!(
            (&line["code"], &line["request_id"]),
            (&json!("seats_unavailable"), &json!("r-1"))
        );
    }
}
