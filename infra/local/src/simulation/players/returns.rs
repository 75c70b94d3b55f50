//! What was not taken, and comes again.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Players;
use super::couriers::{Message, Record};
use super::purpose::{Errand, Purpose};
use super::sight::broken;
use crate::simulation::rules::Broken;
use crate::simulation::world::World;

/// Failures of one thing that nothing excuses.
const FAILURES_MAX: u32 = 5;

/// Tries after which the stream of refunds gives a record up, and leaves it to the schedule.
const REFUND_TRIES_MAX: u32 = 6;

impl Players {
    /// What nobody took comes again.
    pub(super) fn give_back(&mut self, purpose: Purpose) {
        match purpose.errand {
            Errand::Webhook(told) => self.couriers.untold.push_front(told),
            Errand::Messages(messages) => self.couriers.messages.extend(messages),
            Errand::Records { function, records, copies: false } => {
                let waiting = self.couriers.records.entry(function).or_default();
                records.into_iter().rev().for_each(|record| waiting.push_front(record));
            }
            _whoever_wants_asks_again => {}
        }
    }

    /// A batch, some of which comes again.
    pub(super) fn judge_batch(
        &mut self,
        world: &mut World,
        purpose: Purpose,
        failed: &[Value],
    ) -> Result<(), Broken> {
        let named: BTreeSet<&str> =
            failed.iter().filter_map(|of| of["itemIdentifier"].as_str()).collect();
        let whose = self.whose(&purpose.errand);
        if !named.is_empty() {
            world.say(|| format!("{whose}: {named:?} failed"));
        }
        let at_rest = purpose.at_rest;
        match purpose.errand {
            Errand::Messages(messages) => self.take_back_messages(messages, &named, at_rest),
            Errand::Records { function, records, copies } => {
                let is_named = |record: &Record| {
                    record.number().as_str().is_some_and(|number| named.contains(number))
                };
                let first = records.iter().position(is_named);
                if first.is_none() && !named.is_empty() {
                    let detail = format!("{function}: {named:?}");
                    return Err(broken("a function tells of what it was given", detail));
                }
                let rest = first.map_or_else(Vec::new, |first| records[first..].to_vec());
                if copies { Ok(()) } else { self.take_back_records(world, function, rest, at_rest) }
            }
            _without_a_batch => Ok(()),
        }
    }

    fn take_back_messages(
        &mut self,
        messages: Vec<Message>,
        named: &BTreeSet<&str>,
        at_rest: bool,
    ) -> Result<(), Broken> {
        let known = messages.iter().filter(|message| named.contains(message.id.as_str())).count();
        if known < named.len() {
            let detail = format!("{named:?} of {messages:?}");
            return Err(broken("a function tells of what it was given", detail));
        }
        for mut message in messages {
            if !named.contains(message.id.as_str()) {
                continue;
            }
            message.failures += 1;
            message.failures_at_rest += u32::from(at_rest);
            if message.failures_at_rest >= FAILURES_MAX {
                return Err(broken("a message is taken in the end", format!("{message:?}")));
            }
            self.couriers.messages.push(message);
        }
        Ok(())
    }

    /// From the first one that failed on they come again, in their order.
    fn take_back_records(
        &mut self,
        world: &mut World,
        function: String,
        records: Vec<Record>,
        at_rest: bool,
    ) -> Result<(), Broken> {
        let gives_up = function == "RefundPayments";
        let waiting = self.couriers.records.entry(function).or_default();
        for (position, mut record) in records.into_iter().enumerate().rev() {
            if position == 0 {
                record.failures += 1;
                record.failures_at_rest += u32::from(at_rest);
            }
            if record.failures_at_rest >= FAILURES_MAX {
                return Err(broken("a record is taken in the end", record.record.to_string()));
            }
            if gives_up && record.failures >= REFUND_TRIES_MAX {
                world.tally.count("delivery: record given up");
            } else {
                waiting.push_front(record);
            }
        }
        Ok(())
    }
}
