//! Whoever carries news: the provider's webhooks, queues and streams. All of them bring everything in the
//! end, and until then late, twice, in any order; streams in none that AWS would bring them in.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use domain::time::Timestamp;
use fastrand::Rng;
use serde_json::{Value, json};

use super::Players;
use super::memory::tail;
use super::purpose::Errand;
use crate::sandbox::Delivery;
use crate::simulation::world::{SITES, WEBHOOK_SECRET, Who, World};

/// The functions behind queues, and how many messages they get at once.
const QUEUES: [(&str, &str, usize); 4] = [
    ("PaymentEvents", "ProcessPaymentEvents", 5),
    ("ShowCancellations", "SweepCancelledShows", 1),
    ("EventDeliveries", "DeliverEvents", 10),
    ("Emails", "SendEmails", 10),
];

/// Where a provider tells.
const WEBHOOKS: &str = "/api/payments/webhooks/sandbox";

/// What comes later than this comes late.
const LATE: TimeDelta = TimeDelta::seconds(60);

/// Something that the provider has to tell.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) delivery: Delivery,
    /// When it could first be told.
    at: Timestamp,
    /// How often it was tried.
    pub(super) tries: u32,
    /// It was told before.
    is_copy: bool,
}

/// A message of a queue.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) queue: String,
    body: String,
    /// When it can first be seen.
    at: Timestamp,
    /// How often it failed, and how often of that when nothing was to go wrong any more.
    pub(super) failures: u32,
    pub(super) failures_at_rest: u32,
    is_copy: bool,
}

impl Message {
    /// Whether a function is behind its queue. What is set aside is on another one.
    fn is_for_somebody(&self) -> bool {
        QUEUES.iter().any(|(queue, ..)| *queue == self.queue)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.id, self.queue, self.body)
    }
}

/// A record of a stream, for one function.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) record: Value,
    at: Timestamp,
    pub(super) failures: u32,
    pub(super) failures_at_rest: u32,
    is_copy: bool,
}

impl Record {
    pub(super) fn number(&self) -> &Value {
        &self.record["dynamodb"]["SequenceNumber"]
    }
}

/// Everything on its way.
#[derive(Default)]
pub(super) struct Couriers {
    pub(super) untold: VecDeque<Told>,
    pub(super) messages: Vec<Message>,
    pub(super) records: BTreeMap<String, VecDeque<Record>>,
    messages_made: u64,
}

impl Couriers {
    /// Takes what there is to carry.
    pub(super) fn collect(&mut self, world: &mut World) {
        let at = world.now();
        let told = |delivery| Told { delivery, at, tries: 0, is_copy: false };
        self.untold.extend(world.take_deliveries().into_iter().map(told));
        for (queue, body, delay_secs) in world.take_messages() {
            self.messages_made += 1;
            self.messages.push(Message {
                id: format!("m{}", self.messages_made),
                queue,
                body,
                at: at + TimeDelta::seconds(delay_secs),
                failures: 0,
                failures_at_rest: 0,
                is_copy: false,
            });
        }
        for (function, record) in world.take_records() {
            let record = Record { record, at, failures: 0, failures_at_rest: 0, is_copy: false };
            self.records.entry(function).or_default().push_back(record);
        }
    }

    /// Whether nothing is on its way that could be there by now.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        let is_there = |message: &Message| message.is_for_somebody() && message.at <= now;
        self.untold.is_empty()
            && self.records.values().all(VecDeque::is_empty)
            && !self.messages.iter().any(is_there)
    }

    /// Whether some function will get a message.
    pub(super) fn has_messages(&self) -> bool {
        self.messages.iter().any(Message::is_for_somebody)
    }

    /// Takes up to `count` messages of a queue that can be seen, any of them.
    fn take_messages(
        &mut self,
        queue: &str,
        count: usize,
        now: Timestamp,
        rng: &mut Rng,
    ) -> Vec<Message> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let is_there = |number: &usize| {
                let message = &self.messages[*number];
                message.queue == queue && message.at <= now
            };
            let there: Vec<usize> = (0..self.messages.len()).filter(is_there).collect();
            let Some(number) = rng.choice(&there) else { break };
            taken.push(self.messages.remove(*number));
        }
        taken
    }
}

/// What a delivery says of which payment: its kind, and the reference.
fn news(delivery: &Delivery) -> (String, String) {
    let body: Value = serde_json::from_str(&delivery.body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&body["type"]), text(&body["data"]["paymentReference"]))
}

/// Counts that something is brought, and how.
fn count(world: &mut World, what: &str, is_copy: bool, is_again: bool, since: Timestamp) {
    let is_late = world.now() - since > LATE;
    world.tally.count(format!("delivery: {what}"));
    for (is_so, how) in [(is_copy, "twice"), (is_again, "again after a failure"), (is_late, "late")]
    {
        if is_so {
            world.tally.count(format!("delivery: {what} {how}"));
        }
    }
}

impl Players {
    /// The provider tells some of what it has to, perhaps not for the last time.
    pub(super) fn tell(&mut self, world: &mut World, rng: &mut Rng) {
        for _ in 0..rng.usize(1..=3) {
            let count = self.couriers.untold.len();
            if count == 0 {
                return;
            }
            let next = if rng.u8(..10) < 6 { 0 } else { rng.usize(..count) };
            let Some(mut told) = self.couriers.untold.remove(next) else { return };
            if next > 0 {
                world.tally.count("delivery: told out of order");
            }
            if self.need_not_be_told(&told.delivery) && rng.u8(..3) == 0 {
                let (kind, payment) = news(&told.delivery);
                world.tally.count("money: never told");
                world.say(|| format!("{}: {kind} is never told", tail(&payment)));
                continue;
            }
            if rng.u8(..5) == 0 {
                let mut again = told.clone();
                again.is_copy = true;
                self.couriers.untold.push_back(again);
            }
            if rng.u8(..16) == 0 {
                world.tally.count("delivery: told under another name");
                told.delivery.id.push_str("-again");
            }
            self.tell_one(world, rng.usize(..SITES), told);
        }
    }

    /// A payment that is written down as on its way is asked for, whoever tells of it. One that was
    /// declined before is not asked for long.
    fn need_not_be_told(&self, delivery: &Delivery) -> bool {
        let (kind, reference) = news(delivery);
        let payment = self.memory.payment(&reference);
        payment.is_some_and(|payment| match kind.as_str() {
            "payment.processing" | "payment.failed" => payment.noted,
            "payment.succeeded" => payment.noted && !payment.declined,
            _money_that_went_back => false,
        })
    }

    pub(super) fn tell_one(&mut self, world: &mut World, site: usize, mut told: Told) {
        told.tries += 1;
        count(world, "told", told.is_copy, told.tries > 1, told.at);
        let (kind, payment) = news(&told.delivery);
        world.say(|| format!("{}: {kind} is told at site {site}", tail(&payment)));
        let signed = told.delivery.signed(WEBHOOK_SECRET, world.now());
        let headers: Vec<(&str, &str)> =
            signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = told.delivery.body.clone();
        let purpose = self.purpose(world, Errand::Webhook(told));
        world.request(site, Who::Nobody, "POST", WEBHOOKS, &headers, body, purpose);
    }

    /// Somebody who has no secret says that a payment succeeded, or changes what the provider said.
    pub(super) fn forge(&mut self, world: &mut World, rng: &mut Rng) {
        let Some(hold) = self.memory.some_hold(rng) else { return };
        let of = &self.memory.holds[hold];
        let amount = of.terms.as_ref().map_or(1, |terms| terms.amount);
        let body = json!({"type": "payment.succeeded", "data": {
            "paymentReference": format!("pay-{:08x}", rng.u32(..)),
            "reservationId": of.id,
            "amount": amount,
            "currency": "INR",
        }});
        let delivery =
            Delivery { id: "forged".to_owned(), body: body.to_string(), delay: Duration::ZERO };
        let (secret, now) = if rng.bool() {
            ("whsec_bm90IG91ciBzZWNyZXQ=", world.now())
        } else {
            (WEBHOOK_SECRET, world.now() - TimeDelta::minutes(6))
        };
        let signed = delivery.signed(secret, now);
        let headers: Vec<(&str, &str)> =
            signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (name, site) = (self.name(hold), rng.usize(..SITES));
        world.say(|| format!("{name}: somebody forges that it was paid, at site {site}"));
        let purpose = self.purpose(world, Errand::Forgery);
        world.request(site, Who::Nobody, "POST", WEBHOOKS, &headers, delivery.body, purpose);
    }

    /// A function gets messages of its queue, in no order, perhaps not for the last time.
    pub(super) fn deliver(&mut self, world: &mut World, rng: &mut Rng) {
        let now = world.now();
        let is_there = |queue: &str| {
            let messages = &self.couriers.messages;
            messages.iter().any(|message| message.queue == queue && message.at <= now)
        };
        let busy: Vec<_> = QUEUES.into_iter().filter(|(queue, ..)| is_there(queue)).collect();
        let Some((queue, _, most)) = rng.choice(&busy).copied() else { return };
        let count = rng.usize(1..=most);
        let messages = self.couriers.take_messages(queue, count, now, rng);
        if rng.u8(..6) == 0 {
            let copies = messages.iter().cloned();
            self.couriers.messages.extend(copies.map(|copy| Message { is_copy: true, ..copy }));
        }
        self.deliver_all(world, rng.usize(..SITES), messages);
    }

    /// Up to `batches` calls of the function behind each queue.
    pub(super) fn deliver_rest(&mut self, world: &mut World, rng: &mut Rng, batches: usize) {
        let now = world.now();
        for (queue, _, most) in QUEUES {
            for _ in 0..batches {
                let messages = self.couriers.take_messages(queue, most, now, rng);
                self.deliver_all(world, rng.usize(..SITES), messages);
            }
        }
    }

    fn deliver_all(&mut self, world: &mut World, site: usize, messages: Vec<Message>) {
        let Some(first) = messages.first() else { return };
        let function = QUEUES.iter().find(|(queue, ..)| *queue == first.queue);
        let Some((_, function, _)) = function else { return };
        for message in &messages {
            count(world, "message", message.is_copy, message.failures > 0, message.at);
        }
        world.say(|| {
            let ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
            format!("{function} gets {} at site {site}", ids.join(" "))
        });
        let record = |message: &Message| {
            json!({
                "messageId": message.id,
                "receiptHandle": message.id,
                "body": message.body,
                "attributes": {},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": "us-east-1",
            })
        };
        let records: Vec<Value> = messages.iter().map(record).collect();
        let event = json!({"Records": records});
        self.invoke(world, site, function, event, Errand::Messages(messages));
    }

    /// A function hears what a stream tells: from its front, or anything, perhaps not for the last time.
    pub(super) fn read(&mut self, world: &mut World, rng: &mut Rng) {
        let waiting = self.couriers.records.iter().filter(|(_, records)| !records.is_empty());
        let busy: Vec<String> = waiting.map(|(function, _)| function.clone()).collect();
        let Some(function) = rng.choice(&busy).cloned() else { return };
        let Some(waiting) = self.couriers.records.get_mut(&function) else { return };
        let count = rng.usize(1..=12).min(waiting.len());
        let (mut records, mut copies) = (Vec::new(), false);
        match rng.u8(..20) {
            0..=11 => records.extend(waiting.drain(..count)),
            12..=15 => {
                while records.len() < count {
                    let next = rng.usize(..waiting.len());
                    records.extend(waiting.remove(next));
                }
                rng.shuffle(&mut records);
                if count > 1 {
                    world.tally.count("delivery: records shuffled");
                }
            }
            16..=17 => {
                // They are told now, and told again by whoever comes next.
                records.extend(waiting.iter().take(count).cloned());
                waiting.iter_mut().take(count).for_each(|record| record.is_copy = true);
                copies = true;
            }
            _told_later => {
                // What is behind them overtakes them.
                waiting.rotate_left(count);
                return;
            }
        }
        self.tell_of(world, rng.usize(..SITES), function, records, copies);
    }

    /// The next records of each stream, in one call of each function.
    pub(super) fn read_rest(&mut self, world: &mut World, rng: &mut Rng, most: usize) {
        let functions: Vec<String> = self.couriers.records.keys().cloned().collect();
        for function in functions {
            let Some(waiting) = self.couriers.records.get_mut(&function) else { continue };
            let count = most.min(waiting.len());
            let records = waiting.drain(..count).collect();
            self.tell_of(world, rng.usize(..SITES), function, records, false);
        }
    }

    fn tell_of(
        &mut self,
        world: &mut World,
        site: usize,
        function: String,
        records: Vec<Record>,
        copies: bool,
    ) {
        if records.is_empty() {
            return;
        }
        for record in &records {
            count(world, "record", record.is_copy, record.failures > 0, record.at);
        }
        world.say(|| {
            let number = |record: &Record| {
                let number = record.number().as_str().unwrap_or_default();
                number.trim_start_matches('0').to_owned()
            };
            let numbers: Vec<String> = records.iter().map(number).collect();
            format!("{function} hears of changes {} at site {site}", numbers.join(" "))
        });
        let told: Vec<&Value> = records.iter().map(|record| &record.record).collect();
        let event = json!({"Records": told});
        let name = function.clone();
        self.invoke(world, site, &name, event, Errand::Records { function, records, copies });
    }

    /// The schedule runs.
    pub(super) fn reconcile(&mut self, world: &mut World, site: usize) {
        world.say(|| format!("ReconcilePayments runs at site {site}"));
        let event = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
        self.invoke(world, site, "ReconcilePayments", event, Errand::Schedule);
    }
}
