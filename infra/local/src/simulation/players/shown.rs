//! Whether what is shown to people is true: lists, seat maps, and what the house is told.

use serde_json::Value;

use super::Players;
use super::memory::SEATS;
use super::purpose::{Errand, Purpose};
use super::sight::{LONGEST_HOLD, Sight, broken};
use crate::simulation::rules::Broken;
use crate::simulation::world::World;

impl Players {
    /// Who lists reservations sees their own, each as it is.
    pub(super) fn judge_list(
        &mut self,
        world: &mut World,
        purpose: &Purpose,
        user: &str,
        body: &Value,
    ) -> Result<(), Broken> {
        for item in body["items"].as_array().into_iter().flatten() {
            let sight = Sight::of(item)?;
            let known = self.memory.hold_by_id(&sight.reservation_id);
            let own = known.filter(|hold| self.memory.holds[*hold].user == user);
            let Some(hold) = own else {
                let detail = format!("{user} sees {}", sight.reservation_id);
                return Err(broken("who lists reservations sees their own", detail));
            };
            self.see(world, hold, &sight, purpose)?;
        }
        Ok(())
    }

    /// A seat map shows what was booked and held before it was asked for, and frees what is over.
    pub(super) fn judge_seats(
        &self,
        world: &World,
        purpose: &Purpose,
        show: &'static str,
        body: &Value,
    ) -> Result<(), Broken> {
        let items = body["items"].as_array().map_or(&[][..], Vec::as_slice);
        if items.len() != SEATS.len() {
            let detail = format!("{show} has {} seats", items.len());
            return Err(broken("a seat map shows all seats", detail));
        }
        for item in items {
            let text = |name: &str| item[name].as_str().unwrap_or_default();
            let (seat, status) = (text("seatId"), text("status"));
            let place = (show, seat.to_owned());
            let booked = self.memory.booked.get(&place).copied();
            if let Some(hold) = booked.filter(|hold| self.memory.stands(*hold, purpose.asked))
                && status != "BOOKED"
            {
                let detail = format!("{seat} of {show} is {status}, {} booked it", self.name(hold));
                return Err(broken("a seat map shows what is booked", detail));
            }
            let claims = self.memory.claims.get(&place).into_iter().flatten();
            let mut holding = claims.filter(|hold| self.must_hold(world, purpose, **hold));
            if let Some(hold) = holding.next()
                && status != "HELD"
            {
                let detail = format!("{seat} of {show} is {status}, {} holds it", self.name(*hold));
                return Err(broken("a seat map shows what is held", detail));
            }
            if status == "HELD" && !self.may_be_held(world, purpose, (show, seat), None) {
                let detail = format!("{seat} of {show} is HELD, by nobody whose hold lasts");
                return Err(broken("a seat is free when its hold is over", detail));
            }
        }
        Ok(())
    }

    /// Whether a hold must still be one: it was told, nobody ended it or paid, and no clock is that far.
    fn must_hold(&self, world: &World, purpose: &Purpose, number: usize) -> bool {
        let hold = &self.memory.holds[number];
        let was_told = hold.terms.as_ref().is_some_and(|terms| terms.told < purpose.asked);
        let is_live = hold.end.is_some_and(|(end, _)| world.latest_now() < end);
        was_told && is_live && !hold.touched_by_money && !self.memory.may_have_ended(number)
    }

    /// Who is refused seats is told of those that somebody else may have, and of no others.
    pub(super) fn judge_conflicts(
        &self,
        world: &World,
        purpose: &Purpose,
        (number, seats): (usize, &[&'static str]),
        body: &Value,
    ) -> Result<(), Broken> {
        let show = self.memory.holds[number].show;
        let conflicts = body["conflicts"].as_array().map_or(&[][..], Vec::as_slice);
        let is_true = |conflict: &Value| {
            let text = |name: &str| conflict[name].as_str().unwrap_or_default();
            let seat = text("seatId");
            let may_be = match text("status") {
                "HELD" => self.may_be_held(world, purpose, (show, seat), Some(number)),
                "BOOKED" => self.may_be_booked(show, seat),
                "BLOCKED" => self.memory.shows[show].kept.contains(seat),
                _free => false,
            };
            may_be && seats.contains(&seat)
        };
        if !conflicts.is_empty() && conflicts.iter().all(is_true) {
            return Ok(());
        }
        let detail =
            format!("{} asks for {} of {show}: {body}", self.name(number), seats.join(","));
        Err(broken("only what somebody may have is refused", detail))
    }

    /// Whether anybody may have paid for a seat, as far as they know.
    fn may_be_booked(&self, show: &str, seat: &str) -> bool {
        self.memory.holds.iter().any(|hold| {
            let wants = hold.show == show && hold.wishes.iter().flatten().any(|wish| *wish == seat);
            wants && (hold.touched_by_money || hold.confirmed.is_some())
        })
    }

    /// Whether anybody but one may hold a seat, as far as they know.
    fn may_be_held(
        &self,
        world: &World,
        purpose: &Purpose,
        (show, seat): (&str, &str),
        but: Option<usize>,
    ) -> bool {
        let skew = world.latest_now() - world.now();
        let others = self.memory.holds.iter().enumerate();
        let mut others = others.filter(|(number, _)| but != Some(*number));
        others.any(|(_, hold)| {
            let wants = hold.show == show && hold.wishes.iter().flatten().any(|wish| *wish == seat);
            let may_be_longer = hold.checkout_asked || hold.touched_by_money;
            let may_last = match hold.end {
                Some((end, _)) => may_be_longer || purpose.asked_at - skew < end,
                None => {
                    let asked_at =
                        hold.last_asked_at.filter(|_| hold.open_asks > 0 || hold.is_unsure);
                    asked_at.is_some_and(|at| purpose.asked_at - skew < at + LONGEST_HOLD)
                }
            };
            // Whoever was answered while the map was read may have held when it was asked for.
            let is_news = hold.first_asked >= purpose.asked;
            wants && (may_last || is_news)
        })
    }

    /// What the house is told.
    pub(super) fn judge_house(
        &mut self,
        world: &mut World,
        purpose: &Purpose,
        status: u16,
        body: &Value,
    ) -> Result<(), Broken> {
        match (&purpose.errand, status) {
            (Errand::Prices { show, list }, 200) => {
                self.priced(world, show, *list);
                Ok(())
            }
            (Errand::Block { show, seats, eviction: None }, 200) => {
                let is_booked = |seat: &&&str| {
                    let booked = self.memory.booked.get(&(*show, (**seat).to_owned()));
                    booked.is_some_and(|hold| self.memory.stands(*hold, purpose.asked))
                };
                match seats.iter().find(is_booked) {
                    None => Ok(()),
                    Some(seat) => {
                        let detail = format!("{seat} of {show} was booked, and the house has it");
                        Err(broken("the house takes no booked seat", detail))
                    }
                }
            }
            (Errand::CancelShow { show }, 202) => {
                let (tick, now) = (self.tick, world.now());
                let show = self.memory.shows.get_mut(show).expect("all shows are known");
                show.cancelled.get_or_insert((tick, now));
                Ok(())
            }
            (Errand::Scan { hold, scan }, 200) => {
                let name = self.name(*hold);
                let first = self.memory.holds[*hold].entered_by.get_or_insert_with(|| scan.clone());
                if first == scan {
                    return Ok(());
                }
                let detail = format!("{name}: by {first}, and by {scan}");
                Err(broken("a ticket lets in once", detail))
            }
            (Errand::Audit { show, alone }, 200) => {
                let findings = body["findings"].as_array().map_or(0, Vec::len);
                if findings == 0 && body["isSound"] == true {
                    return Ok(());
                }
                // It looks twice, and each look takes a while. Beside a sale both may meet one on its way.
                if *alone != Some(self.asked) {
                    world.tally.count("answer: audit met a sale");
                    return Ok(());
                }
                Err(broken("the house's audit finds nothing", format!("{show}: {body}")))
            }
            _nothing_is_told => Ok(()),
        }
    }

    /// Prices are in force, and what was asked for before they were asked for is not.
    fn priced(&mut self, world: &World, show: &str, list: usize) {
        let show = self.memory.shows.get_mut(show).expect("all shows are known");
        let asked = show.prices[list].asked;
        for (number, other) in show.prices.iter_mut().enumerate() {
            let was_before = other.ended.is_some_and(|ended| ended < asked);
            if number != list && was_before {
                other.over_at.get_or_insert(world.now());
            }
        }
    }
}
