//! Whether an answer may be, after all that was answered before.

use domain::payment;
use domain::reservation::Status;
use serde_json::Value;

use super::Players;
use super::memory::tail;
use super::purpose::{Errand, Paid, Purpose};
use super::sight::{Sight, broken};
use crate::simulation::rules::Broken;
use crate::simulation::world::{Done, World};

/// An answer to a request.
struct Answer<'a> {
    status: u16,
    code: &'a str,
    body: &'a Value,
}

impl Players {
    /// Hears what came of an invocation, and judges it.
    pub(super) fn judge(
        &mut self,
        world: &mut World,
        purpose: Purpose,
        done: Done,
    ) -> Result<(), Broken> {
        self.close(&purpose, &done);
        match done {
            Done::Answered { status, body } => {
                let code = body["code"].as_str().unwrap_or_default();
                let answer = Answer { status, code, body: &body };
                self.count(world, &purpose.errand, &answer);
                let judged = self.judge_answer(world, &purpose, &answer);
                if status != 200 {
                    self.give_back(purpose);
                }
                judged
            }
            Done::Returned(told) => {
                let failed = told["batchItemFailures"].as_array();
                self.judge_batch(world, purpose, failed.map_or(&[], Vec::as_slice))
            }
            Done::Failed(why) => {
                let whose = self.whose(&purpose.errand);
                world.say(|| format!("{whose} failed: {why}"));
                world.tally.count(format!("answer: {} failed", purpose.errand.word()));
                let excused = purpose.faulty && matches!(purpose.errand, Errand::Schedule);
                self.give_back(purpose);
                if excused {
                    return Ok(());
                }
                let detail = format!("{whose}: {why}");
                Err(broken("a function fails only where something is away", detail))
            }
            Done::Died => {
                world.tally.count(format!("answer: {} never", purpose.errand.word()));
                let whose = self.whose(&purpose.errand);
                world.say(|| format!("{whose}: nobody answers"));
                let excused = !purpose.at_rest;
                self.give_back(purpose);
                if excused {
                    return Ok(());
                }
                Err(broken("nobody hangs where nothing is away", whose))
            }
        }
    }

    /// What ends with whoever was asked, however that ends.
    fn close(&mut self, purpose: &Purpose, done: &Done) {
        let tick = self.tick;
        match &purpose.errand {
            Errand::Hold { hold, .. } | Errand::Probe { hold, .. } => {
                // In a storm, an earlier try may be carried out after the last one was refused.
                let is_sure = match done {
                    Done::Answered { status: 201, .. } => true,
                    Done::Answered { status, .. } => *status != 503 && !purpose.faulty,
                    Done::Returned(_) | Done::Failed(_) | Done::Died => false,
                };
                let hold = &mut self.memory.holds[*hold];
                hold.open_asks -= 1;
                hold.is_unsure |= !is_sure;
            }
            Errand::Prices { show, list } => {
                let show = self.memory.shows.get_mut(show).expect("all shows are known");
                show.prices[*list].ended = Some(tick);
            }
            Errand::Block { eviction: Some(number), .. } => {
                self.memory.evictions[*number].ended = Some(tick);
            }
            _nothing_more => {}
        }
    }

    /// Of whom the trace tells.
    pub(super) fn whose(&self, errand: &Errand) -> String {
        match errand {
            Errand::Hold { hold, .. }
            | Errand::Checkout { hold }
            | Errand::Confirm { hold, .. }
            | Errand::Cancel { hold, .. }
            | Errand::Probe { hold, .. }
            | Errand::ProbeCancel { hold }
            | Errand::Reservation { hold }
            | Errand::Scan { hold, .. } => format!("{}: {}", self.name(*hold), errand.word()),
            Errand::Reservations { user } => format!("{user}: look"),
            Errand::Records { function, .. } => function.clone(),
            other => other.word().to_owned(),
        }
    }

    fn count(&self, world: &mut World, errand: &Errand, answer: &Answer<'_>) {
        let word = errand.word();
        let Answer { status, code, .. } = answer;
        let what =
            if code.is_empty() || *status == 503 { status.to_string() } else { (*code).to_owned() };
        world.tally.count(format!("answer: {word} {what}"));
        match errand {
            Errand::Hold { hold, .. }
                if *status == 201 && self.memory.holds[*hold].terms.is_some() =>
            {
                world.tally.count("answer: hold again 201");
            }
            Errand::Block { eviction: Some(_), .. } => {
                world.tally.count(format!("answer: block with force {what}"));
            }
            _once => {}
        }
        world.say(|| {
            let told = answer.body.get("holdToken").and_then(|_| Sight::of(answer.body).ok());
            let told = told.map_or_else(String::new, |sight| format!(" {}", sight.line()));
            format!("{}: {status} {code}{told}", self.whose(errand))
        });
    }

    fn judge_answer(
        &mut self,
        world: &mut World,
        purpose: &Purpose,
        answer: &Answer<'_>,
    ) -> Result<(), Broken> {
        let Answer { status, code, body } = answer;
        if !self.is_told_something(purpose, answer)? {
            return Ok(());
        }
        self.judge_code(world, purpose, code)?;
        match &purpose.errand {
            Errand::Hold { hold, seats } => self.judge_hold(world, purpose, *hold, seats, answer),
            Errand::Checkout { hold } if *status == 200 => self.judge_checkout(*hold, answer),
            Errand::Confirm { hold, payment, paid } => {
                self.judge_confirm(world, purpose, (*hold, payment.as_str(), paid), answer)
            }
            Errand::Cancel { hold, stood } => {
                self.judge_cancel(world, purpose, (*hold, *stood), answer)
            }
            Errand::Probe { hold, seats } => {
                self.judge_hold(world, purpose, *hold, seats, answer)?;
                self.give_back_probe(world, *hold);
                Ok(())
            }
            Errand::ProbeCancel { hold } => {
                self.judge_cancel(world, purpose, (*hold, false), answer)
            }
            Errand::Reservation { hold } if *status == 200 => {
                let sight = Sight::of(body)?;
                self.see(world, *hold, &sight, purpose)
            }
            Errand::Reservations { user } => self.judge_list(world, purpose, user, body),
            Errand::Seats { show } => self.judge_seats(world, purpose, show, body),
            Errand::Prices { .. }
            | Errand::Block { .. }
            | Errand::CancelShow { .. }
            | Errand::Scan { .. }
            | Errand::Audit { .. } => self.judge_house(world, purpose, *status, body),
            Errand::Checkout { .. }
            | Errand::Reservation { .. }
            | Errand::Pry
            | Errand::Events
            | Errand::Webhook(_)
            | Errand::Forgery
            | Errand::Messages(_)
            | Errand::Records { .. }
            | Errand::Schedule => Ok(()),
        }
    }

    /// Whether an answer says anything, if it may be given at all.
    fn is_told_something(&self, purpose: &Purpose, answer: &Answer<'_>) -> Result<bool, Broken> {
        let Answer { status, body, .. } = answer;
        let is_known = purpose.errand.statuses().contains(status);
        let rule = match (status, &purpose.errand) {
            _as_documented if is_known => return Ok(true),
            (_, Errand::Probe { .. } | Errand::ProbeCancel { .. }) => "what is free can be had",
            // Nobody asks so much that it is too much; but their own tries may be in each other's way.
            (429 | 503, _) if purpose.faulty => return Ok(false),
            (429 | 503, _) => "nobody is put off where nothing is away",
            _unknown => "an answer is as it is documented",
        };
        let detail = format!("{}: {status} {body}", self.whose(&purpose.errand));
        Err(broken(rule, detail))
    }

    /// Refusals that say something of a reservation must be true of it.
    fn judge_code(&self, world: &World, purpose: &Purpose, code: &str) -> Result<(), Broken> {
        let number = match &purpose.errand {
            Errand::Hold { hold, .. }
            | Errand::Checkout { hold }
            | Errand::Confirm { hold, .. }
            | Errand::Cancel { hold, .. }
            | Errand::Reservation { hold } => *hold,
            _of_no_hold => return Ok(()),
        };
        let (hold, name) = (&self.memory.holds[number], self.name(number));
        let was_told = hold.terms.as_ref().is_some_and(|terms| terms.told < purpose.asked);
        let may_have_ended = self.memory.may_have_ended(number);
        let is_live = hold.end.is_some_and(|(end, _)| world.latest_now() < end);
        let is_of_another_payment = match (&purpose.errand, &hold.confirmed) {
            (Errand::Confirm { payment, .. }, Some((_, booked_by))) => payment != booked_by,
            _of_none => false,
        };
        match code {
            "not_found" if was_told => {
                Err(broken("what was held is not forgotten", format!("{name}: {code}")))
            }
            "hold_expired" if is_live && !may_have_ended && !hold.touched_by_money => {
                Err(broken("a hold lasts until its end", format!("{name}: {code}")))
            }
            // What came too late is told so again, whatever another payment booked since.
            "hold_expired" if is_of_another_payment => Ok(()),
            "hold_expired" if self.memory.stands(number, purpose.asked) => {
                Err(broken("a booking stays a booking", format!("{name}: {code}")))
            }
            "already_cancelled" if !may_have_ended => {
                Err(broken("nobody cancels but who may", format!("{name}: {code}")))
            }
            "show_not_on_sale" if !self.memory.has_begun(hold.show, world.latest_now()) => {
                Err(broken("what is on sale is sold", format!("{name}: {code}")))
            }
            "show_cancelled" if !self.memory.shows[hold.show].cancel_asked => {
                Err(broken("nobody cancels but who may", format!("{name}: {code}")))
            }
            _it_may_be => Ok(()),
        }
    }

    fn judge_hold(
        &mut self,
        world: &mut World,
        purpose: &Purpose,
        number: usize,
        seats: &[&'static str],
        answer: &Answer<'_>,
    ) -> Result<(), Broken> {
        let name = self.name(number);
        let wanted = seats.join(",");
        let hold = &self.memory.holds[number];
        let told = hold.terms.as_ref().filter(|terms| terms.told < purpose.asked);
        let same = told.map(|terms| terms.seats.iter().eq(seats.iter()));
        let over = ["hold_expired", "already_cancelled"].contains(&answer.code);
        let is_right = match (same, answer.status) {
            (Some(true), 201) | (None, _) => true,
            (Some(true), _) => over,
            (Some(false), _) => answer.code == "hold_token_reused",
        };
        if !is_right {
            let detail =
                format!("{name} asks for {wanted} again: {} {}", answer.status, answer.code);
            return Err(broken("a repeated hold answers as the first did", detail));
        }
        if answer.code == "hold_token_reused" && hold.wishes.len() == 1 {
            let detail = format!("{name} asked for {wanted} and nothing else");
            return Err(broken("a repeated hold answers as the first did", detail));
        }
        if answer.code == "seats_unavailable" {
            return self.judge_conflicts(world, purpose, (number, seats), answer.body);
        }
        if answer.status != 201 {
            return Ok(());
        }
        let sight = Sight::of(answer.body)?;
        if !sight.seats().eq(seats.iter().copied()) {
            let got: Vec<&str> = sight.seats().collect();
            let detail = format!("{name} asks for {wanted} and gets {}", got.join(","));
            return Err(broken("a hold is whole", detail));
        }
        self.see(world, number, &sight, purpose)
    }

    fn judge_checkout(&mut self, number: usize, answer: &Answer<'_>) -> Result<(), Broken> {
        let name = self.name(number);
        let hold = &mut self.memory.holds[number];
        let reference = answer.body["paymentReference"].as_str().unwrap_or_default().to_owned();
        let amount = answer.body["amount"]["amount"].as_u64();
        if hold.terms.as_ref().is_some_and(|terms| Some(terms.amount) != amount) {
            let detail = format!("{name} is to pay {amount:?}");
            return Err(broken("seats, price and beginning of a reservation stay", detail));
        }
        let first = hold.checkout.get_or_insert_with(|| reference.clone());
        if *first != reference {
            let detail = format!("{name} is to pay {} and {}", tail(first), tail(&reference));
            return Err(broken("a hold has one checkout", detail));
        }
        self.note_checkout(number, reference);
        Ok(())
    }

    fn judge_confirm(
        &mut self,
        world: &mut World,
        purpose: &Purpose,
        (number, payment, paid): (usize, &str, &Paid),
        answer: &Answer<'_>,
    ) -> Result<(), Broken> {
        let name = self.name(number);
        let was = format!("{name} by {}: {} {}", tail(payment), answer.status, answer.code);
        let is_paid = paid.right && paid.status == "succeeded";
        match answer.status {
            200 => {}
            // Away counts as on its way.
            202 if is_paid && !purpose.faulty => {
                return Err(broken("what is paid is not waited for", was));
            }
            202 => {
                if let Some(known) = self.memory.payment_mut(payment) {
                    known.noted |= paid.right;
                }
            }
            402 if ["succeeded", "refunded"].contains(&paid.status.as_str()) => {
                return Err(broken("what is paid is not declined", was));
            }
            422 if paid.right => return Err(broken("a right payment is no mismatch", was)),
            _refused if is_paid && self.must_book(world, number, payment, purpose) => {
                return Err(broken("a hold that is paid in time is booked", was));
            }
            _refused => {}
        }
        let booked_by = self.memory.holds[number].confirmed.as_ref();
        let is_the_one = booked_by.is_some_and(|(_, by)| by == payment);
        if is_the_one && answer.status != 200 && self.memory.stands(number, purpose.asked) {
            return Err(broken("a repeated confirm answers as the first did", was));
        }
        if answer.status > 202 {
            return Ok(());
        }
        let sight = Sight::of(answer.body)?;
        if answer.status == 200 {
            self.check_paid(world, number, payment, &sight)?;
        }
        self.see(world, number, &sight, purpose)
    }

    /// Whether a right payment that the provider has must book a hold: it is not over by any clock, and
    /// nothing else was done about it.
    fn must_book(&self, world: &World, number: usize, payment: &str, purpose: &Purpose) -> bool {
        let hold = &self.memory.holds[number];
        let was_told = hold.terms.as_ref().is_some_and(|terms| terms.told < purpose.asked);
        let is_live = hold.end.is_some_and(|(end, _)| world.latest_now() < end);
        let is_only_one = hold.payments.len() == 1 && hold.payments[0] == payment;
        was_told && is_live && is_only_one && !self.memory.may_have_ended(number)
    }

    /// Who is told that a payment booked it, has paid with it.
    fn check_paid(
        &self,
        world: &World,
        number: usize,
        payment: &str,
        sight: &Sight,
    ) -> Result<(), Broken> {
        let is_right =
            self.memory.payment(payment).is_some_and(|of| of.hold == Some(number) && of.right);
        let status = Self::status_of(world, payment);
        let has_paid =
            status == "succeeded" || (status == "refunded" && self.memory.may_have_ended(number));
        let is_named = sight
            .payment
            .as_ref()
            .is_some_and(|of| of.reference == payment && of.status == payment::Status::Success);
        if is_right && has_paid && is_named && sight.status == Status::Confirmed {
            return Ok(());
        }
        let detail =
            format!("{}: {}, and {} is {status}", self.name(number), sight.line(), tail(payment));
        Err(broken("what is booked is paid", detail))
    }

    fn judge_cancel(
        &mut self,
        world: &mut World,
        purpose: &Purpose,
        (number, stood): (usize, bool),
        answer: &Answer<'_>,
    ) -> Result<(), Broken> {
        let hold = &self.memory.holds[number];
        let has_begun = self.memory.has_begun(hold.show, world.latest_now());
        let detail = format!("{}: {} {}", self.name(number), answer.status, answer.code);
        if stood && answer.code == "hold_expired" && !hold.returned {
            return Err(broken("a booking stays a booking", detail));
        }
        if answer.code == "cancellation_closed" && !has_begun && !hold.scan_asked {
            return Err(broken("a booking can be cancelled until it is used", detail));
        }
        if answer.code == "cancellation_closed" && !hold.scan_asked {
            world.tally.count("answer: cancel closed by the beginning");
        }
        if answer.status != 200 {
            return Ok(());
        }
        let sight = Sight::of(answer.body)?;
        if sight.status != Status::Cancelled {
            return Err(broken("what is cancelled stays cancelled", detail));
        }
        self.see(world, number, &sight, purpose)
    }
}
