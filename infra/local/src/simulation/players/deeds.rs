//! What users do.

use fastrand::Rng;
use serde_json::json;

use super::memory::{SEATS, USERS, some_seats, tail};
use super::purpose::{Errand, Paid};
use super::{Ask, Players};
use crate::simulation::world::{SITES, Who, World};

/// A payment that nobody ever made.
const NO_PAYMENT: &str = "pay-unknown";

impl Players {
    pub(super) fn hold(&mut self, world: &mut World, rng: &mut Rng, seed: u64) {
        let user = USERS[rng.usize(..USERS.len())];
        let show = self.memory.some_show(rng, world.now());
        let seats = some_seats(rng);
        // A part of the seed, so that the same step is about the same token whatever came before it.
        let token = format!("t{:06x}", seed & 0xff_ffff);
        let hold = self.memory.hold_of(user, token, show, self.tick);
        self.ask_for_hold(world, rng.usize(..SITES), Errand::Hold { hold, seats });
    }

    /// The same once more, or something else under the same token.
    pub(super) fn hold_again(&mut self, world: &mut World, rng: &mut Rng) {
        let count = self.memory.holds.len();
        let last = count.saturating_sub(6)..count;
        let hold = if rng.u8(..3) == 0 { rng.choice(0..count) } else { rng.choice(last) };
        let Some(hold) = hold else { return };
        let first = self.memory.holds[hold].wishes.first().cloned();
        let seats = match first {
            Some(first) if rng.u8(..4) > 0 => first,
            _another_choice => some_seats(rng),
        };
        self.ask_for_hold(world, rng.usize(..SITES), Errand::Hold { hold, seats });
    }

    /// As an errand says that is about a hold of seats.
    pub(super) fn ask_for_hold(&mut self, world: &mut World, site: usize, errand: Errand) {
        let (Errand::Hold { hold, seats } | Errand::Probe { hold, seats }) = &errand else {
            return;
        };
        let (hold, seats) = (*hold, seats.clone());
        let of = &mut self.memory.holds[hold];
        if !of.wishes.contains(&seats) {
            of.wishes.push(seats.clone());
        }
        of.open_asks += 1;
        of.last_asked_at = Some(world.now());
        let (user, show) = (of.user, of.show);
        let body = json!({"showId": show, "seatIds": seats, "holdToken": of.token});
        let (name, wanted) = (self.name(hold), seats.join(","));
        world.say(|| format!("{name}: holds {show} {wanted} at site {site}"));
        let path = "/api/reservations/hold";
        let ask = Ask::post(site, Who::User(user), path, body);
        self.ask(world, ask, errand);
    }

    pub(super) fn checkout(&mut self, world: &mut World, rng: &mut Rng) {
        let Some(hold) = self.memory.some_hold(rng) else { return };
        let of = &mut self.memory.holds[hold];
        of.checkout_asked = true;
        let (user, site) = (of.user, rng.usize(..SITES));
        let body = json!({"holdToken": of.token});
        let name = self.name(hold);
        world.say(|| format!("{name}: checks out at site {site}"));
        let path = "/api/reservations/checkout";
        let ask = Ask::post(site, Who::User(user), path, body);
        self.ask(world, ask, Errand::Checkout { hold });
    }

    /// With a payment of the hold, which is made now if there is none; with another hold's; or with none.
    pub(super) fn confirm(&mut self, world: &mut World, rng: &mut Rng) {
        let Some(hold) = self.memory.some_hold(rng) else { return };
        let payment = match rng.u8(..20) {
            0 => NO_PAYMENT.to_owned(),
            1..=2 => match rng.choice(&self.memory.payments) {
                Some(payment) => payment.reference.clone(),
                None => NO_PAYMENT.to_owned(),
            },
            _its_own => {
                if self.memory.holds[hold].payments.is_empty() {
                    self.pay_for(world, rng, hold, "succeed");
                }
                let own = &self.memory.holds[hold].payments;
                let last = own.last().filter(|_| rng.u8(..3) > 0);
                match last.or_else(|| rng.choice(own)) {
                    Some(payment) => payment.clone(),
                    None => NO_PAYMENT.to_owned(),
                }
            }
        };
        let paid = self.paid(world, hold, &payment);
        if let Some(known) = self.memory.payment_mut(&payment) {
            known.declined |= known.hold != Some(hold);
        }
        // Any payment may be noted while the provider is away, and come to nothing.
        let of = &mut self.memory.holds[hold];
        of.touched_by_money |= paid.right || world.is_faulty();
        let (user, site) = (of.user, rng.usize(..SITES));
        let body = json!({"holdToken": of.token, "paymentReference": payment});
        let name = self.name(hold);
        world.say(|| {
            let status = if paid.status.is_empty() { "unknown" } else { &paid.status };
            let own = if paid.right { "" } else { " and not for this" };
            let payment = tail(&payment);
            format!("{name}: confirms by {payment}, which is {status}{own}, at site {site}")
        });
        let path = "/api/reservations/confirm";
        let errand = Errand::Confirm { hold, payment, paid };
        self.ask(world, Ask::post(site, Who::User(user), path, body), errand);
    }

    /// What a payment is at the provider, and to a hold.
    fn paid(&self, world: &World, hold: usize, reference: &str) -> Paid {
        let status = Self::status_of(world, reference);
        let known = self.memory.payment(reference);
        let right = known.is_some_and(|payment| payment.hold == Some(hold) && payment.right);
        Paid { right, status }
    }

    pub(super) fn cancel(&mut self, world: &mut World, rng: &mut Rng) {
        let Some(hold) = self.memory.some_hold(rng) else { return };
        let stood = self.memory.stands(hold, self.tick);
        let (owner, site) = (self.memory.holds[hold].user, rng.usize(..SITES));
        let user = if rng.u8(..12) == 0 { Self::another(rng, owner) } else { owner };
        let body = json!({"reservationId": self.memory.holds[hold].id});
        let name = self.name(hold);
        world.say(|| format!("{name}: {user} cancels it at site {site}"));
        let errand = if user == owner {
            self.memory.holds[hold].cancel_asked = true;
            Errand::Cancel { hold, stood }
        } else {
            Errand::Pry
        };
        let path = "/api/reservations/cancel";
        self.ask(world, Ask::post(site, Who::User(user), path, body), errand);
    }

    fn another(rng: &mut Rng, than: &str) -> &'static str {
        let mut others = USERS.into_iter().filter(|user| *user != than);
        others.nth(rng.usize(..USERS.len() - 1)).expect("there are so many others")
    }

    /// At a seat map, at a reservation, at all of one's own.
    pub(super) fn look(&mut self, world: &mut World, rng: &mut Rng) {
        let site = rng.usize(..SITES);
        match rng.u8(..8) {
            0..=2 => {
                let show = self.memory.some_show(rng, world.now());
                world.say(|| format!("somebody looks at the seats of {show} at site {site}"));
                let path = format!("/api/shows/{show}/seats");
                self.ask(world, Ask::get(site, Who::Nobody, &path), Errand::Seats { show });
            }
            3..=5 => {
                let Some(hold) = self.memory.some_hold(rng) else { return };
                let of = &self.memory.holds[hold];
                let owner = of.user;
                let user = if rng.u8(..8) == 0 { Self::another(rng, owner) } else { owner };
                let path = format!("/api/reservations/{}", of.id);
                let name = self.name(hold);
                world.say(|| format!("{name}: {user} looks at it at site {site}"));
                let errand = if user == owner { Errand::Reservation { hold } } else { Errand::Pry };
                self.ask(world, Ask::get(site, Who::User(user), &path), errand);
            }
            _all => {
                let user = USERS[rng.usize(..USERS.len())];
                world.say(|| format!("{user} looks at all reservations at site {site}"));
                let path = "/api/reservations?limit=100";
                let ask = Ask::get(site, Who::User(user), path);
                self.ask(world, ask, Errand::Reservations { user });
            }
        }
    }

    /// Any seats of a show, few of which people want.
    pub(super) fn seats_of_the_house(rng: &mut Rng) -> Vec<&'static str> {
        let mut seats = SEATS.to_vec();
        if rng.u8(..3) > 0 {
            seats.retain(|seat| seat.starts_with('B') || seat.ends_with('4'));
        }
        rng.shuffle(&mut seats);
        seats.truncate(rng.usize(..=2));
        seats.sort_unstable();
        seats
    }
}
