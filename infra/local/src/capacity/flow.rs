//! What happens in a second: how often each step is done, and for how long.

use super::Arguments;
use super::costs::{self, Cost};
use super::deployed;

/// Partitions of a table at least, and so shards of its stream: what a new table on demand takes (AWS,
/// "Understanding DynamoDB warm throughput in different scenarios") is four times what a partition
/// takes. There may be more; nobody can ask how many.
pub(super) const SHARDS: u64 = 4;

/// Times a second that Lambda asks a shard for records (AWS, "Process DynamoDB records with Lambda").
const POLLS_PER_SECOND: u64 = 4;

/// What a provider tells of a payment that books: it began, and it succeeded.
const WEBHOOKS_PER_BOOKING: u64 = 2;

/// Queries of one request that run side by side.
const QUERIES_AT_ONCE: u64 = 16;

/// Seats of a show that one answer lists, at most.
const MAP_SEATS_MAX: u64 = 5_000;

/// Shows on a page of a search.
const PAGE_SHOWS: u64 = 50;

/// Megabytes with which a function has a whole processor (AWS, "Configure Lambda function memory").
const WHOLE_PROCESSOR: u64 = 1_769;

/// Microseconds of a whole processor that an invocation takes, and each call of it. Measured with the
/// release binary of hold-seats: 1.4 ms with one call.
const INVOCATION_CPU: u64 = 1_000;
const CALL_CPU: u64 = 400;

/// The same of a record of a stream without a call: 14 measured with that of release-expired-holds.
const RECORD_CPU: u64 = 14;

/// The same of each claim that is read, and each seat that is listed.
const SEAT_CPU: u64 = 2;

/// Who calls a function for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// API Gateway, once for each.
    Request,
    /// Lambda's pollers, once for each message.
    Queue,
    /// Lambda's pollers, once for a batch of these.
    Stream,
}

/// Something that happens again and again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The function, and what happens in it.
    pub(super) name: &'static str,
    pub(super) caller: Caller,
    /// How often in a second, in thousandths.
    pub(super) times: u64,
    /// Microseconds that it waits for others, as if one call came after the other.
    waits: u64,
    /// Microseconds that it needs of a whole processor.
    processor: u64,
    /// Megabytes of its function.
    pub(super) memory: u64,
    pub(super) write_units: u64,
    pub(super) index_write_units: u64,
    pub(super) read_half_units: u64,
    /// What it answers.
    pub(super) bytes: u64,
}

impl Step {
    /// How long it takes with the share of a processor that its function has, at worst: short work may
    /// get a whole one.
    pub(super) fn micros(&self) -> u64 {
        self.waits + self.processor * WHOLE_PROCESSOR / self.memory
    }
}

/// A second at the peak. Rates are in thousandths.
#[derive(Debug)]
pub(super) struct Flow<'a> {
    pub(super) arguments: &'a Arguments,
    /// Percent of all that is for the hottest show.
    pub(super) hot: u64,
    /// Holds: asked for, won, lapsed, booked.
    pub(super) asked: u64,
    won: u64,
    lapsed: u64,
    pub(super) booked: u64,
    pub(super) searches: u64,
    /// Looks at a seat map.
    pub(super) maps: u64,
    /// What others are told.
    pub(super) events: u64,
    pub(super) webhooks: u64,
    /// Transactions that change seats, which are those that change a reservation.
    pub(super) changes: u64,
    /// Changes of single seats.
    pub(super) seat_records: u64,
    /// Those that pass the filter of release-expired-holds.
    pub(super) release_records: u64,
    /// Invocations of what reads streams, and those of them that count.
    pub(super) stream_calls: u64,
    pub(super) count_calls: u64,
    /// Counts of sections.
    pub(super) counts: u64,
}

impl<'a> Flow<'a> {
    pub(super) fn new(arguments: &'a Arguments) -> Self {
        let seats = arguments.seats_per_booking;
        let asked = arguments.rate * 1_000;
        let won = asked - asked * arguments.lost_share / 100;
        let lapsed = won * arguments.lapsed_share / 100;
        let booked = won - lapsed;
        // Held, lengthened at checkout, booked; or held and deleted.
        let changes = won + 2 * booked + lapsed;
        let released = 2 * booked + lapsed;
        // A batch is full, or what came since the last one.
        let calls = |changes: u64, records: u64, batch: u64, polls: u64| {
            (records / batch).max(changes.min(polls))
        };
        let polls = SHARDS * POLLS_PER_SECOND * 1_000;
        let windows = SHARDS * 1_000 / deployed::COUNT_WINDOW_SECS;
        let count_calls = calls(changes, changes * seats, deployed::COUNT_BATCH, windows);
        let release_calls = calls(released, released * seats, deployed::RELEASE_BATCH, polls);
        let publish_polls = polls * deployed::PUBLISH_AT_ONCE;
        let publish_calls = calls(changes, changes, deployed::PUBLISH_BATCH, publish_polls);
        Self {
            arguments,
            hot: arguments.hot_share.max(100_u64.div_ceil(arguments.shows)),
            asked,
            won,
            lapsed,
            booked,
            searches: booked * arguments.searches_per_booking,
            maps: booked * arguments.seat_maps_per_booking,
            events: won + booked + lapsed,
            webhooks: WEBHOOKS_PER_BOOKING * booked,
            changes,
            seat_records: changes * seats,
            release_records: released * seats,
            stream_calls: count_calls + release_calls + publish_calls,
            count_calls,
            counts: changes.min(count_calls * sections_in_shard(arguments)),
        }
    }

    /// What of a rate is for the hottest show.
    pub(super) fn of_hot_show(&self, rate: u64) -> u64 {
        rate * self.hot / 100
    }

    /// What of a rate is for one section of it.
    pub(super) fn of_hot_section(&self, rate: u64) -> u64 {
        self.of_hot_show(rate) / self.arguments.sections
    }

    /// What of a rate comes by the busiest shard: all of the hottest section, and a part of the rest.
    pub(super) fn of_busiest_shard(&self, rate: u64) -> u64 {
        let hot = self.of_hot_section(rate);
        hot + (rate - hot) / SHARDS
    }

    /// Whether a look at the map is one at its sections, and then one at one of them.
    pub(super) fn is_large(&self) -> bool {
        self.arguments.sections * self.arguments.seats_per_section > MAP_SEATS_MAX
    }

    /// Half units of an eventually consistent query of a section with so many claims.
    pub(super) fn section_reads(claims: u64) -> u64 {
        per_4_kb(claims * costs::CLAIM_BYTES)
    }

    /// Half units of a search that is not remembered.
    pub(super) fn day_reads(&self) -> u64 {
        let Arguments { shows, sections, .. } = *self.arguments;
        per_4_kb(shows * (costs::SHOW_ITEM_BYTES + sections * costs::COUNT_ITEM_BYTES))
    }

    /// Searches that are not remembered: each warm function asks once in a while.
    pub(super) fn searches_asked(&self) -> u64 {
        let functions = functions(self.searches * self.search(0).micros());
        self.searches.min(functions / costs::SEARCH_REMEMBERED_SECS)
    }

    /// Functions that run at once, in thousandths.
    pub(super) fn at_once(&self) -> u64 {
        functions(self.steps().iter().map(|step| step.times * step.micros()).sum())
    }

    /// Everything that happens, in the order of a booking.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = self.looks();
        steps.extend(self.sales());
        steps.extend(self.published());
        steps.extend([self.letters(), self.deliveries()]);
        steps.extend(self.released());
        steps.push(self.count(self.arguments.seats_per_section / 2));
        steps
    }

    fn looks(&self) -> Vec<Step> {
        let Arguments { sections, seats_per_section, .. } = *self.arguments;
        let asked = self.search(self.searches_asked());
        let remembered = Step {
            name: "search-shows, remembered",
            times: self.searches - asked.times,
            waits: 0,
            processor: INVOCATION_CPU,
            read_half_units: 0,
            ..asked
        };
        let mut looks = vec![remembered, asked];
        if self.is_large() {
            let all = self.map("get-seat-map, all sections", sections, 0);
            looks.push(Step { bytes: sections * costs::SECTION_BYTES, ..all });
            looks.push(self.map("get-seat-map, one section", 1, seats_per_section));
        } else {
            looks.push(self.map("get-seat-map", sections, sections * seats_per_section));
        }
        looks
    }

    fn search(&self, times: u64) -> Step {
        Step {
            memory: deployed::MORE_MEMORY,
            read_half_units: self.day_reads(),
            bytes: self.arguments.shows.min(PAGE_SHOWS) * costs::SHOW_BYTES,
            ..self.step("search-shows, asked", Caller::Request, costs::LOOK, times)
        }
    }

    /// A look at so many sections, half taken, that lists so many seats.
    fn map(&self, name: &'static str, sections: u64, seats: u64) -> Step {
        let reads = Self::section_reads(self.arguments.seats_per_section / 2);
        Step {
            waits: sections.div_ceil(QUERIES_AT_ONCE) * self.micros_of_a_call(),
            processor: INVOCATION_CPU + sections * CALL_CPU + seats * SEAT_CPU,
            memory: deployed::MORE_MEMORY,
            read_half_units: sections * reads,
            bytes: seats * costs::SEAT_BYTES,
            ..self.step(name, Caller::Request, costs::LOOK, self.maps)
        }
    }

    fn sales(&self) -> [Step; 6] {
        let provider = self.arguments.provider_ms * 1_000;
        let request = |name, cost, times, others| {
            let step = self.step(name, Caller::Request, cost, times);
            Step { waits: step.waits + others, bytes: costs::ANSWER_BYTES, ..step }
        };
        // No DynamoDB, but a queue.
        let webhook = request(
            "receive-payment-webhook",
            costs::NOTHING,
            self.webhooks,
            self.micros_of_a_call(),
        );
        [
            request("hold-seats, won", costs::HOLD_WON, self.won, 0),
            request("hold-seats, lost", costs::HOLD_LOST, self.asked - self.won, 0),
            request("checkout-reservation", costs::CHECKOUT, self.booked, provider),
            request("confirm-reservation", costs::CONFIRM, self.booked, provider),
            Step { bytes: 0, ..webhook },
            self.settlements(),
        ]
    }

    pub(super) fn settlements(&self) -> Step {
        let name = "process-payment-events, known";
        self.step(name, Caller::Queue, costs::SETTLE_KNOWN, self.webhooks)
    }

    pub(super) fn published(&self) -> [Step; 4] {
        let publish = |name, cost, times, messages| {
            let step = self.step(name, Caller::Stream, cost, times);
            let waits = step.waits + messages * self.micros_of_a_call();
            Step { waits, processor: step.processor + messages * CALL_CPU, ..step }
        };
        // The bus, and all subscribers side by side; of a booking the letter, too.
        let told = 1 + self.arguments.subscriptions.min(1);
        [
            publish("publish-events, held", costs::PUBLISH_HOLD, self.won, told),
            publish("publish-events, no event", costs::NOTHING, self.booked, 0),
            publish("publish-events, confirmed", costs::PUBLISH_BOOKING, self.booked, told + 1),
            publish("publish-events, expired", costs::PUBLISH_HOLD, self.lapsed, told),
        ]
    }

    pub(super) fn letters(&self) -> Step {
        let step = self.step("send-emails", Caller::Queue, costs::MAIL, self.booked);
        Step { waits: step.waits + self.arguments.ses_ms * 1_000, ..step }
    }

    pub(super) fn deliveries(&self) -> Step {
        let times = self.events * self.arguments.subscriptions;
        let step = self.step("deliver-events", Caller::Queue, costs::DELIVER, times);
        Step { waits: step.waits + self.arguments.subscriber_ms * 1_000, ..step }
    }

    pub(super) fn released(&self) -> [Step; 2] {
        let step = |name, cost, times| self.step(name, Caller::Stream, cost, times);
        let others = self.release_records - self.lapsed;
        [
            step("release-expired-holds, ended", costs::RELEASE, self.lapsed),
            step("release-expired-holds, no end", costs::NOTHING, others),
        ]
    }

    /// The counts of sections of which so much is taken.
    pub(super) fn count(&self, claims: u64) -> Step {
        let step = self.step("count-available-seats", Caller::Stream, costs::COUNT, self.counts);
        Step {
            processor: step.processor + claims * SEAT_CPU,
            memory: deployed::MORE_MEMORY,
            read_half_units: step.read_half_units + 2 * (Self::section_reads(claims) - 1),
            ..step
        }
    }

    fn micros_of_a_call(&self) -> u64 {
        self.arguments.call_ms * 1_000
    }

    /// A step of this cost and nothing besides.
    fn step(&self, name: &'static str, caller: Caller, cost: Cost, times: u64) -> Step {
        let seats = self.arguments.seats_per_booking;
        let own = if caller == Caller::Stream { RECORD_CPU } else { INVOCATION_CPU };
        Step {
            name,
            caller,
            times,
            waits: cost.round_trips * self.micros_of_a_call(),
            processor: own + cost.round_trips * CALL_CPU,
            memory: deployed::MEMORY,
            write_units: cost.write_units.of(seats),
            index_write_units: cost.index_write_units.of(seats),
            read_half_units: cost.read_half_units,
            bytes: 0,
        }
    }
}

/// Sections that may be in one shard.
pub(super) fn sections_in_shard(arguments: &Arguments) -> u64 {
    (arguments.shows * arguments.sections).div_ceil(SHARDS)
}

/// Half units of an eventually consistent query of so many bytes, and units of a consistent one.
fn per_4_kb(bytes: u64) -> u64 {
    bytes.div_ceil(4_096).max(1)
}

/// Whole functions, in thousandths, that are busy for so many thousandths of microseconds in a second.
fn functions(busy: u64) -> u64 {
    busy.div_ceil(1_000 * 1_000_000) * 1_000
}
