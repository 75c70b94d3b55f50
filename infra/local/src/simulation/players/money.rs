//! What happens at the provider: people pay, by themselves and on its page, and it misbehaves.

use fastrand::Rng;
use serde_json::{Value, json};

use super::Players;
use super::memory::{Payment, tail};
use crate::simulation::world::World;

/// Who pays for this, pays for nothing that there is.
const NOBODYS_RESERVATION: &str = "nobodys";

impl Players {
    /// How a payment stands at the provider; empty if it does not know it.
    pub(super) fn status_of(world: &World, reference: &str) -> String {
        let path = format!("/sandbox/payments/{reference}");
        let (_, payment) = world.at_provider("GET", &path, &Value::Null);
        payment["status"].as_str().unwrap_or_default().to_owned()
    }

    /// A payment that a client makes by itself.
    pub(super) fn pay(&mut self, world: &mut World, rng: &mut Rng) {
        let Some(hold) = self.memory.some_hold(rng) else { return };
        let outcome = match rng.u8(..20) {
            0..=11 => "succeed",
            12..=14 => "fail",
            _later => "stay_pending",
        };
        self.pay_for(world, rng, hold, outcome);
    }

    /// Pays for a hold: mostly what it costs.
    pub(super) fn pay_for(
        &mut self,
        world: &mut World,
        rng: &mut Rng,
        hold: usize,
        outcome: &'static str,
    ) {
        let Some(amount) = self.memory.holds[hold].terms.as_ref().map(|terms| terms.amount) else {
            return;
        };
        let (mut named, mut paid, mut currency) = (Some(hold), amount, "INR");
        match rng.u8(..24) {
            0 => paid = 1,
            1 => paid = amount + 5_000,
            2 => currency = "USD",
            3 => named = None,
            _right => {}
        }
        let id = named.map_or(NOBODYS_RESERVATION, |hold| self.memory.holds[hold].id.as_str());
        let reference = format!("pay-{:08x}", rng.u32(..));
        let order = json!({
            "paymentReference": reference,
            "reservationId": id,
            "amount": paid,
            "currency": currency,
            "outcome": outcome,
        });
        let right = named.is_some() && paid == amount && currency == "INR";
        if outcome == "succeed" {
            self.count_payment(world, named, right);
        }
        let (status, _) = world.at_provider("POST", "/sandbox/payments", &order);
        if status != 201 {
            return;
        }
        world.tally.count(match outcome {
            "fail" => "money: declined",
            "stay_pending" => "money: kept waiting",
            _paid => "money: paid",
        });
        let name = self.name(hold);
        world.say(|| {
            let payment = tail(&reference);
            let for_what = if named.is_some() { name } else { "nothing".to_owned() };
            format!("{for_what}: {paid} {currency} by {payment} at the provider, to {outcome}")
        });
        let (declined, waits) = (outcome == "fail", outcome == "stay_pending");
        self.memory.remember(Payment {
            reference: reference.clone(),
            hold: named,
            right,
            has_page: false,
            noted: false,
            declined,
        });
        if !waits {
            self.memory.touch(&reference);
        }
    }

    /// Counts money that is about to come, by when it comes.
    fn count_payment(&self, world: &mut World, hold: Option<usize>, right: bool) {
        let what = match hold.map(|hold| &self.memory.holds[hold]) {
            None => "money: paid for nothing",
            Some(_) if !right => "money: paid wrong",
            Some(hold) => {
                let is_paid = |payment: &String| {
                    ["succeeded", "refunded"].contains(&Self::status_of(world, payment).as_str())
                };
                if hold.confirmed.is_some() || hold.payments.iter().any(is_paid) {
                    "money: paid twice"
                } else if hold.end.is_some_and(|(end, _)| end <= world.now()) {
                    if self.memory.has_begun(hold.show, world.now()) {
                        world.tally.count("money: paid when the show had begun");
                    }
                    "money: paid late"
                } else {
                    "money: paid early"
                }
            }
        };
        world.tally.count(what);
    }

    /// Pays, or is declined, on the provider's page; after a while perhaps with another card.
    pub(super) fn pay_on_page(&mut self, world: &mut World, rng: &mut Rng) {
        let pages = self.memory.payments.iter().filter(|payment| payment.has_page);
        let pages: Vec<&str> = pages.map(|payment| payment.reference.as_str()).collect();
        let last = pages.iter().rev().take(3);
        let page = if rng.u8(..4) == 0 { rng.choice(&pages) } else { rng.choice(last) };
        let Some(reference) = page.map(|page| (*page).to_owned()) else { return };
        let outcome = if rng.u8(..10) < 7 { "succeed" } else { "fail" };
        self.end(world, &reference, outcome, true);
    }

    /// Ends a payment that waits. On its page one that was declined waits as well.
    pub(super) fn end(&mut self, world: &mut World, reference: &str, outcome: &str, on_page: bool) {
        let status = Self::status_of(world, reference);
        if status != "pending" && !(on_page && status == "failed") {
            return;
        }
        let Some(payment) = self.memory.payment(reference) else { return };
        let (hold, right) = (payment.hold, payment.right);
        if outcome == "succeed" {
            self.count_payment(world, hold, right);
        } else {
            world.tally.count("money: declined");
            if let Some(payment) = self.memory.payment_mut(reference) {
                payment.declined = true;
            }
        }
        self.memory.touch(reference);
        world.say(|| format!("{}: is to {outcome} at the provider", tail(reference)));
        let payment = format!("/sandbox/payments/{reference}");
        let page = format!("/sandbox/pay/{reference}");
        if on_page {
            world.at_provider("POST", &page, &json!(format!("outcome={outcome}")));
        } else {
            world.at_provider("PUT", &payment, &json!({"outcome": outcome}));
        }
    }

    /// Somebody ends or returns a payment by hand, or refunds do not work for a while.
    pub(super) fn misbehave(&mut self, world: &mut World, rng: &mut Rng) {
        let all = &self.memory.payments;
        let last = all.iter().rev().take(8);
        let payment = if rng.bool() { rng.choice(all) } else { rng.choice(last) };
        let Some(reference) = payment.map(|payment| payment.reference.clone()) else { return };
        let status = Self::status_of(world, &reference);
        let path = format!("/sandbox/payments/{reference}");
        match (status.as_str(), rng.u8(..6)) {
            ("pending", _) => {
                let outcome = if rng.u8(..3) > 0 { "succeed" } else { "fail" };
                self.end(world, &reference, outcome, false);
            }
            ("succeeded", 0..=1) => {
                world.tally.count("money: returned by hand");
                world.say(|| format!("{}: goes back by hand", tail(&reference)));
                if let Some(hold) = self.memory.payment(&reference).and_then(|of| of.hold) {
                    self.memory.holds[hold].returned = true;
                }
                world.at_provider("PUT", &path, &json!({"failRefunds": false}));
                world.at_provider("POST", &format!("{path}/refunds"), &Value::Null);
            }
            ("succeeded", 2..=4) => {
                world.tally.count("money: refunds refused");
                world.say(|| format!("{}: will not be refunded for a while", tail(&reference)));
                world.at_provider("PUT", &path, &json!({"failRefunds": true}));
            }
            _it_behaves_again => {
                world.at_provider("PUT", &path, &json!({"failRefunds": false}));
            }
        }
    }

    /// Remembers the payment that was made for a checkout. It is written down as being on its way.
    pub(super) fn note_checkout(&mut self, hold: usize, reference: String) {
        if let Some(known) = self.memory.payment_mut(&reference) {
            known.noted = true;
            return;
        }
        self.memory.remember(Payment {
            reference,
            hold: Some(hold),
            right: true,
            has_page: true,
            noted: true,
            declined: false,
        });
    }
}
