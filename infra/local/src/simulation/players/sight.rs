//! A reservation as it is seen in an answer, held against all that was told of it before.

use chrono::TimeDelta;
use domain::payment;
use domain::reservation::Status;
use domain::time::{Timestamp, whole_second};
use serde::Deserialize;
use serde_json::Value;

use super::Players;
use super::memory::{Hold, Terms, tail};
use super::purpose::Purpose;
use crate::simulation::rules::Broken;
use crate::simulation::world::World;

/// How long a hold may last from its beginning: extended.
pub(super) const LONGEST_HOLD: TimeDelta = TimeDelta::seconds(900);

/// For how long a function may know an old price or an old show: 5 seconds, and what clocks differ by.
const KNOWN_FOR: TimeDelta = TimeDelta::seconds(8);

/// More than two clocks differ by.
const SKEW: TimeDelta = TimeDelta::seconds(3);

/// A reservation as it is answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sight {
    pub(super) reservation_id: String,
    hold_token: String,
    show_id: String,
    seats: Vec<Seat>,
    amount: Money,
    pub(super) status: Status,
    pub(super) hold_expires_at: Timestamp,
    pub(super) payment: Option<Payment>,
    created_at: Timestamp,
    confirmed_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seat {
    seat_id: String,
    seat_type: String,
    price: Money,
}

#[derive(Debug, Deserialize)]
struct Money {
    amount: u64,
    currency: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Payment {
    pub(super) status: payment::Status,
    pub(super) reference: String,
}

impl Sight {
    pub(super) fn of(body: &Value) -> Result<Self, Broken> {
        Self::deserialize(body).map_err(|error| {
            broken("an answer is as it is documented", format!("{error} in {body}"))
        })
    }

    pub(super) fn seats(&self) -> impl Iterator<Item = &str> {
        self.seats.iter().map(|seat| seat.seat_id.as_str())
    }

    /// What the trace has of it.
    pub(super) fn line(&self) -> String {
        let payment = self.payment.as_ref().map_or_else(String::new, |payment| {
            format!(", {} {:?}", tail(&payment.reference), payment.status)
        });
        let end = self.hold_expires_at.format("%H:%M:%S");
        format!("{:?} until {end}{payment}", self.status)
    }
}

pub(super) fn broken(rule: &'static str, detail: String) -> Broken {
    Broken { rule, detail }
}

impl Players {
    /// Holds what is told of a hold against all that was told before, and remembers it.
    pub(super) fn see(
        &mut self,
        world: &mut World,
        number: usize,
        sight: &Sight,
        when: &Purpose,
    ) -> Result<(), Broken> {
        let name = self.name(number);
        let hold = &self.memory.holds[number];
        let is_ours = sight.reservation_id == hold.id
            && sight.hold_token == hold.token
            && sight.show_id == hold.show;
        if !is_ours {
            let detail =
                format!("{name} is told to be {} of {}", sight.reservation_id, sight.show_id);
            return Err(broken("a reservation is named by its user and token", detail));
        }
        match &hold.terms {
            None => self.see_first(world, number, sight)?,
            Some(terms) => same_terms(&name, terms, sight)?,
        }
        self.see_end(world, number, sight, when)?;
        self.see_status(world, number, sight, when)?;
        if sight.status == Status::Confirmed {
            self.see_booked(world, number, sight)?;
        }
        self.remember_sight(number, sight);
        Ok(())
    }

    /// What is told for the first time: its price, and whether its seats could be had.
    fn see_first(&mut self, world: &mut World, number: usize, sight: &Sight) -> Result<(), Broken> {
        let name = self.name(number);
        let hold = &self.memory.holds[number];
        let sum: u64 = sight.seats.iter().map(|seat| seat.price.amount).sum();
        if sum != sight.amount.amount || sight.amount.currency != "INR" {
            let detail = format!(
                "{name} costs {} {}, its seats {sum}",
                sight.amount.amount, sight.amount.currency
            );
            return Err(broken("a reservation costs what its seats cost", detail));
        }
        let show = &self.memory.shows[hold.show];
        let read_from = sight.created_at - KNOWN_FOR;
        let in_force = show.prices.iter().any(|list| {
            let price = |seat: &Seat| match seat.seat_type.as_str() {
                "PREMIUM" => list.premium,
                _regular => list.regular,
            };
            let is_young = list.over_at.is_none_or(|over| over > read_from);
            is_young && sight.seats.iter().all(|seat| seat.price.amount == price(seat))
        });
        if !in_force {
            let detail = format!("{name} was held at {} for {sum}", sight.created_at);
            return Err(broken("a hold costs what was asked at its time", detail));
        }
        if let Some((_, off_at)) = show.cancelled
            && sight.created_at > off_at + KNOWN_FOR
        {
            let detail =
                format!("{name} was held at {}, the show was off at {off_at}", sight.created_at);
            return Err(broken("a cancelled show holds no seats", detail));
        }
        if self.memory.has_begun(hold.show, sight.created_at) {
            let detail = format!("{name} was held at {}", sight.created_at);
            return Err(broken("a show that has begun holds no seats", detail));
        }
        let terms = Terms {
            seats: sight.seats().map(str::to_owned).collect(),
            amount: sum,
            created_at: sight.created_at,
            told: self.tick,
            told_at: world.latest_now(),
            end: sight.hold_expires_at,
        };
        self.claim(world, number, &terms)?;
        self.memory.holds[number].terms = Some(terms);
        Ok(())
    }

    /// A seat that is held is nobody else's until the hold's end.
    fn claim(&mut self, world: &mut World, number: usize, terms: &Terms) -> Result<(), Broken> {
        let show = self.memory.holds[number].show;
        for seat in &terms.seats {
            let place = (show, seat.clone());
            let others = self.memory.claims.entry(place).or_default();
            others.push(number);
            let others = others.clone();
            for other in others.into_iter().filter(|other| *other != number) {
                let Some(theirs) = &self.memory.holds[other].terms else { continue };
                let ours_is_first = terms.created_at <= theirs.created_at;
                let (early, late) = if ours_is_first { (terms, theirs) } else { (theirs, terms) };
                let may_be_over = |hold: usize| {
                    self.memory.may_have_ended(hold) || self.memory.holds[hold].touched_by_money
                };
                let is_free = may_be_over(number)
                    || may_be_over(other)
                    // Its end was over when the other one was told, whatever the clocks said before.
                    || early.end <= late.told_at;
                if !is_free && late.created_at < early.end {
                    let (one, two) = (self.name(number), self.name(other));
                    let detail = format!("{one} and {two} hold {seat} of {show} at once");
                    return Err(broken("a held seat is held until its end", detail));
                }
                let past = late.created_at - early.end;
                if past >= TimeDelta::zero() && past < TimeDelta::seconds(2) {
                    world.tally.count("answer: taken over at its end");
                }
            }
        }
        Ok(())
    }

    fn see_end(
        &mut self,
        world: &World,
        number: usize,
        sight: &Sight,
        when: &Purpose,
    ) -> Result<(), Broken> {
        let name = self.name(number);
        let hold = &mut self.memory.holds[number];
        let end = sight.hold_expires_at;
        if end > whole_second(sight.created_at) + LONGEST_HOLD {
            let detail = format!("{name} began at {} and is to end at {end}", sight.created_at);
            return Err(broken("a hold lasts 15 minutes at most", detail));
        }
        match hold.end {
            Some((before, told)) if told < when.asked && end < before => {
                let detail = format!("{name} was to end at {before}, and now at {end}");
                return Err(broken("a hold's end never comes nearer", detail));
            }
            Some((before, _)) if end <= before => {}
            _later => hold.end = Some((end, self.tick)),
        }
        let skew = world.latest_now() - world.now();
        if sight.status == Status::Pending && when.asked_at - skew >= end {
            let detail =
                format!("{name} ended at {end}, and was PENDING to who asked at {}", when.asked_at);
            return Err(broken("a hold is over at its end", detail));
        }
        Ok(())
    }

    fn see_status(
        &mut self,
        world: &World,
        number: usize,
        sight: &Sight,
        when: &Purpose,
    ) -> Result<(), Broken> {
        let name = self.name(number);
        let status = sight.status;
        let hold = &self.memory.holds[number];
        if status != Status::Confirmed && self.memory.stands(number, when.asked) {
            let detail = format!("{name} was booked, nobody ended it, and it is {status:?}");
            return Err(broken("a booking stays a booking", detail));
        }
        if status != Status::Cancelled && hold.cancelled.is_some_and(|told| told < when.asked) {
            let detail = format!("{name} was cancelled, and is {status:?}");
            return Err(broken("what is cancelled stays cancelled", detail));
        }
        match status {
            Status::Cancelled if !self.memory.may_have_ended(number) => {
                let detail = format!("{name} was cancelled by nobody");
                Err(broken("nobody cancels but who may", detail))
            }
            Status::Expired | Status::Failed
                if !hold.touched_by_money && world.latest_now() < sight.hold_expires_at =>
            {
                let detail = format!("{name} is {status:?} before {}", sight.hold_expires_at);
                Err(broken("a hold lasts until its end", detail))
            }
            Status::Failed if !hold.touched_by_money => {
                let detail = format!("{name} failed, and nobody paid for it");
                Err(broken("a hold without a payment does not fail", detail))
            }
            Status::Pending
            | Status::Confirmed
            | Status::Cancelled
            | Status::Expired
            | Status::Failed => Ok(()),
        }
    }

    /// Who is told to have a seat for good, has it alone.
    fn see_booked(
        &mut self,
        world: &mut World,
        number: usize,
        sight: &Sight,
    ) -> Result<(), Broken> {
        let show = self.memory.holds[number].show;
        let may_have_ended = self.memory.may_have_ended(number);
        for seat in sight.seats() {
            let place = (show, seat.to_owned());
            let other = self.memory.booked.insert(place, number);
            let Some(other) = other.filter(|other| *other != number) else { continue };
            if !may_have_ended && !self.memory.may_have_ended(other) {
                let (one, two) = (self.name(number), self.name(other));
                let detail = format!("{one} and {two} were both told to have {seat} of {show}");
                return Err(broken("no seat is sold twice", detail));
            }
        }
        let name = self.name(number);
        let confirmed_at = sight.confirmed_at.ok_or_else(|| {
            broken("an answer is as it is documented", format!("{name}: booked, and not when"))
        })?;
        if let Some((_, off_at)) = self.memory.shows[show].cancelled
            && confirmed_at > off_at + SKEW
        {
            let detail =
                format!("{name} was booked at {confirmed_at}, the show was off at {off_at}");
            return Err(broken("a cancelled show sells nothing", detail));
        }
        let is_news = self.memory.holds[number].confirmed.is_none();
        let is_late = confirmed_at >= sight.hold_expires_at;
        let has_begun = self.memory.has_begun(show, confirmed_at);
        if is_late && has_begun {
            let detail = format!("{name} was booked at {confirmed_at}, its hold was over");
            return Err(broken("a show that has begun sells nothing late", detail));
        }
        if is_news && is_late {
            world.tally.count("money: booked late");
        }
        if is_news && has_begun {
            world.tally.count("money: booked when the show had begun");
        }
        Ok(())
    }

    fn remember_sight(&mut self, number: usize, sight: &Sight) {
        let tick = self.tick;
        let hold: &mut Hold = &mut self.memory.holds[number];
        match sight.status {
            Status::Confirmed if hold.confirmed.is_none() => {
                let payment = sight.payment.as_ref();
                let payment = payment.map(|payment| payment.reference.clone());
                hold.confirmed = Some((tick, payment.unwrap_or_default()));
            }
            Status::Cancelled if hold.cancelled.is_none() => hold.cancelled = Some(tick),
            Status::Pending
            | Status::Confirmed
            | Status::Cancelled
            | Status::Expired
            | Status::Failed => {}
        }
    }
}

/// Its seats, its price and its beginning never change.
fn same_terms(name: &str, terms: &Terms, sight: &Sight) -> Result<(), Broken> {
    let same = sight.seats().eq(terms.seats.iter().map(String::as_str))
        && sight.amount.amount == terms.amount
        && sight.created_at == terms.created_at;
    if same {
        return Ok(());
    }
    let seats: Vec<&str> = sight.seats().collect();
    let detail = format!(
        "{name}: {} for {} since {} became {} for {} since {}",
        terms.seats.join(","),
        terms.amount,
        terms.created_at,
        seats.join(","),
        sight.amount.amount,
        sight.created_at,
    );
    Err(broken("seats, price and beginning of a reservation stay", detail))
}
