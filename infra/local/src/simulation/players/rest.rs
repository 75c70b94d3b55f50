//! The end of a history: nothing goes wrong any more, everything is told, and time passes until nothing is
//! left that somebody should do.

use chrono::TimeDelta;
use fastrand::Rng;
use serde_json::{Value, json};

use super::Players;
use crate::simulation::world::{SITES, World};

/// How often hours pass: two days of them, so that the schedule comes back to everything.
const PASSES: u32 = 8;

/// How long it is from one to the next.
const PASS: TimeDelta = TimeDelta::hours(6);

/// Webhooks that are told at once, records that a function hears of at once, and calls of the function
/// behind a queue at once.
const WEBHOOKS_AT_ONCE: usize = 40;
const RECORDS_AT_ONCE: usize = 60;
const BATCHES_AT_ONCE: usize = 4;

impl Players {
    /// Does some of what is left. Says whether there was nothing. Nobody may be under way.
    pub(in crate::simulation) fn settle_down(&mut self, world: &mut World, round: u32) -> bool {
        let rng = &mut Rng::with_seed(u64::from(round));
        self.tick += 1;
        self.couriers.collect(world);
        if self.under_way > 0 {
            return false;
        }
        if !self.at_rest {
            self.at_rest = true;
            self.memory.start.get_or_insert(world.now());
            world.say(|| "nothing goes wrong any more".to_owned());
            let known = self.payments();
            self.end_all(world, rng, &known);
        }
        // What the provider tells may be the first that anybody hears of a checkout.
        let adopted = self.adopt(world);
        self.end_all(world, rng, &adopted);
        self.couriers.collect(world);
        if self.probe(world) {
            return false;
        }
        if !self.couriers.is_idle(world.now()) {
            for _ in 0..WEBHOOKS_AT_ONCE {
                let Some(told) = self.couriers.untold.pop_front() else { break };
                self.tell_one(world, rng.usize(..SITES), told);
            }
            self.deliver_rest(world, rng, BATCHES_AT_ONCE);
            self.read_rest(world, rng, RECORDS_AT_ONCE);
            return false;
        }
        if self.to_probe.is_none() {
            self.begin_probe(world);
            return false;
        }
        // Once more after the last hours, since time may have brought something to do.
        if self.passed > 2 * PASSES {
            return !self.couriers.has_messages() || !self.wait_for_messages(world);
        }
        self.passed += 1;
        if self.passed % 2 == 1 {
            self.sweep(world, 100);
            self.reconcile(world, rng.usize(..SITES));
        } else {
            world.advance(PASS);
            let now = world.now();
            world.say(|| format!("hours pass, to {}", now.format("%d %H:%M")));
        }
        false
    }

    /// Checkouts whose answers nobody heard are at the provider all the same. Says which are new.
    fn adopt(&mut self, world: &World) -> Vec<String> {
        let mut adopted = Vec::new();
        let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
        let items = world.items("Payments").into_iter();
        let known = items.map(|item| (text(&item["pk"]), text(&item["reservation_id"])));
        for (key, reservation) in known.collect::<Vec<_>>() {
            let reference = key.rsplit('#').next().unwrap_or_default();
            let is_new = self.memory.payment(reference).is_none();
            let hold = self.memory.hold_by_id(&reservation);
            if let Some(hold) =
                hold.filter(|_| is_new && !Self::status_of(world, reference).is_empty())
            {
                self.note_checkout(hold, reference.to_owned());
                adopted.push(reference.to_owned());
            }
        }
        adopted
    }

    /// What waits is ended, and money can go back.
    fn end_all(&mut self, world: &mut World, rng: &mut Rng, payments: &[String]) {
        for reference in payments {
            let path = format!("/sandbox/payments/{reference}");
            world.at_provider("PUT", &path, &json!({"failRefunds": false}));
            let outcome = if rng.bool() { "succeed" } else { "fail" };
            self.end(world, reference, outcome, false);
        }
    }

    /// Until the last of them can be seen. Not for ever: what always puts itself off is given up.
    fn wait_for_messages(&mut self, world: &mut World) -> bool {
        const WAITS_MAX: u32 = 20;
        self.passed += 1;
        world.advance(PASS);
        self.passed < 2 * PASSES + WAITS_MAX
    }
}
