//! What the house does: prices, seats it keeps, shows it cancels, tickets it lets in, and how it looks at
//! its books.

use fastrand::Rng;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use super::memory::{Eviction, Prices};
use super::purpose::Errand;
use super::{Ask, Players};
use crate::simulation::world::{SHOWS, SITES, TICKET_SECRET, Who, World};

impl Players {
    pub(super) fn price(&mut self, world: &mut World, rng: &mut Rng) {
        let (show, site) = (self.memory.some_show(rng, world.now()), rng.usize(..SITES));
        let regular = 30_000 + 100 * rng.u64(..300);
        let premium = regular + 100 * rng.u64(50..300);
        let money = |amount: u64| json!({"amount": amount, "currency": "INR"});
        let body = json!({"prices": {"REGULAR": money(regular), "PREMIUM": money(premium)}});
        world.say(|| format!("boss prices {show} at {regular} and {premium}, at site {site}"));
        let path = format!("/api/admin/shows/{show}/prices");
        let asked = self.tick;
        let known = self.memory.shows.get_mut(show).expect("all shows are known");
        let list = known.prices.len();
        known.prices.push(Prices { regular, premium, asked, ended: None, over_at: None });
        let headers = &[("if-match", "*")];
        let ask = Ask { site, who: Who::Admin, method: "PUT", path: &path, headers, body };
        self.ask(world, ask, Errand::Prices { show, list });
    }

    /// Keeps some seats and lets all others go; now and then whoever has them.
    pub(super) fn block(&mut self, world: &mut World, rng: &mut Rng) {
        let (show, site) = (self.memory.some_show(rng, world.now()), rng.usize(..SITES));
        let seats = Self::seats_of_the_house(rng);
        let known = self.memory.shows.get_mut(show).expect("all shows are known");
        known.kept.extend(&seats);
        let force = rng.u8(..4) == 0;
        let eviction = force.then_some(self.memory.evictions.len());
        if force {
            let seats = seats.clone();
            self.memory.evictions.push(Eviction { show, seats, ended: None });
        }
        let body = json!({"seatIds": seats, "force": force});
        world.say(|| {
            let how = if force { ", whoever has them" } else { "" };
            format!("boss keeps [{}] of {show}{how}, at site {site}", seats.join(","))
        });
        let path = format!("/api/admin/shows/{show}/blocked-seats");
        let ask = Ask { site, who: Who::Admin, method: "PUT", path: &path, headers: &[], body };
        self.ask(world, ask, Errand::Block { show, seats, eviction });
    }

    /// One that is not off yet, if there is one; mostly one that has not begun, and of all of them the
    /// second.
    pub(super) fn cancel_show(&mut self, world: &mut World, rng: &mut Rng) {
        let is_on = |show: &&'static str| !self.memory.shows[*show].cancel_asked;
        let mut on: Vec<&'static str> = SHOWS.into_iter().filter(is_on).collect();
        let is_ahead = |show: &&'static str| !self.memory.has_begun(show, world.now());
        let ahead: Vec<&'static str> = on.iter().copied().filter(is_ahead).collect();
        if ahead.len() == SHOWS.len() && rng.bool() {
            on = vec![SHOWS[1]];
        } else if !ahead.is_empty() && rng.u8(..4) > 0 {
            on = ahead;
        }
        let show = rng.choice(&on).copied().unwrap_or(SHOWS[0]);
        let site = rng.usize(..SITES);
        self.memory.shows.get_mut(show).expect("all shows are known").cancel_asked = true;
        world.say(|| format!("boss cancels {show} at site {site}"));
        let path = format!("/api/admin/shows/{show}/cancel");
        let ask = Ask::post(site, Who::Admin, &path, Value::Null);
        self.ask(world, ask, Errand::CancelShow { show });
    }

    /// A ticket of a booking, perhaps for the second time.
    pub(super) fn scan(&mut self, world: &mut World, rng: &mut Rng) {
        let holds = &self.memory.holds;
        let is_entered = |number: &usize| holds[*number].scan_asked;
        let entered: Vec<usize> = (0..holds.len()).filter(is_entered).collect();
        let hold = match rng.choice(&entered) {
            Some(again) if rng.u8(..3) == 0 => Some(*again),
            _for_the_first_time => self.memory.some_booking(rng),
        };
        let Some(hold) = hold else { return };
        let (scan, site) = (format!("scan-{}", rng.u8(..4)), rng.usize(..SITES));
        let of = &mut self.memory.holds[hold];
        of.scan_asked = true;
        let ticket = ticket(&of.id, world.now().timestamp());
        let body = json!({"ticket": ticket, "gate": "Gate 1", "scanId": scan, "showId": of.show});
        let name = self.name(hold);
        world.say(|| format!("{name}: its ticket is scanned by {scan} at site {site}"));
        let ask = Ask::post(site, Who::Admin, "/api/admin/tickets/scan", body);
        self.ask(world, ask, Errand::Scan { hold, scan });
    }

    pub(super) fn audit(&mut self, world: &mut World, rng: &mut Rng) {
        let (show, site) = (self.memory.some_show(rng, world.now()), rng.usize(..SITES));
        world.say(|| format!("boss audits {show} at site {site}"));
        let path = format!("/api/admin/shows/{show}/audit");
        let alone = (self.under_way == 0).then_some(self.asked + 1);
        self.ask(world, Ask::get(site, Who::Admin, &path), Errand::Audit { show, alone });
    }

    pub(super) fn read_events(&mut self, world: &mut World, rng: &mut Rng) {
        let site = rng.usize(..SITES);
        world.say(|| format!("another system reads events at site {site}"));
        let path = "/api/admin/events?limit=100";
        self.ask(world, Ask::get(site, Who::Admin, path), Errand::Events);
    }
}

/// A ticket as the letter to a customer brings it. Nobody writes letters here.
fn ticket(reservation: &str, booked_at_secs: i64) -> String {
    edge::install_crypto();
    let claims = json!({"aud": "marquee/ticket", "sub": reservation, "iat": booked_at_secs});
    let key = EncodingKey::from_secret(TICKET_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("plain claims can be signed")
}
