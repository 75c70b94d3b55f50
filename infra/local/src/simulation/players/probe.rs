//! When nothing is under way any more: whether what nobody has can be had. A hold that is over and blocks
//! its seats, a user whose limit is never given back, a refusal that is remembered for too long: all of
//! them leave the books right, and nobody can buy.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::memory::{SEATS, USERS};
use super::purpose::Errand;
use super::{Ask, Players};
use crate::simulation::world::{SHOWS, SITES, Who, World};

/// After this all holds are over, by every clock; and their claims are there yet, if TTL does not come by.
const HOLDS_ARE_OVER: TimeDelta = TimeDelta::minutes(20);

/// A show that begins later than this is on sale until the probe is over.
const PROBE_LASTS: TimeDelta = TimeDelta::minutes(5);

impl Players {
    /// Lets all holds come to their end, and finds the shows whose seats are to be had then.
    pub(super) fn begin_probe(&mut self, world: &mut World) {
        world.advance(HOLDS_ARE_OVER);
        let on_sale_until = world.latest_now() + PROBE_LASTS;
        let is_on_sale = |show: &&'static str| {
            let is_off = self.memory.shows[*show].cancel_asked;
            !is_off && !self.memory.has_begun(show, on_sale_until)
        };
        let shows = SHOWS.into_iter().filter(is_on_sale);
        let seats = shows.flat_map(|show| SEATS.map(|seat| (show, seat)));
        self.to_probe = Some(seats.collect());
        world.say(|| "what is free is asked for".to_owned());
    }

    /// Each user asks for one of the seats that are left. Says whether there was one. Nobody else may be
    /// under way: what is free stays so until they are answered.
    pub(super) fn probe(&mut self, world: &mut World) -> bool {
        let Some(left) = &mut self.to_probe else { return false };
        let rest = left.len().saturating_sub(USERS.len());
        let next = left.split_off(rest);
        for (number, (show, seat)) in next.iter().copied().enumerate() {
            if !is_free(world, show, seat) {
                continue;
            }
            let token = format!("probe-{show}-{seat}");
            let hold = self.memory.hold_of(USERS[number], token, show, self.tick);
            let errand = Errand::Probe { hold, seats: vec![seat] };
            self.ask_for_hold(world, (rest + number) % SITES, errand);
        }
        !next.is_empty()
    }

    /// Who was given what they asked for only to see whether they are, gives it back.
    pub(super) fn give_back_probe(&mut self, world: &mut World, hold: usize) {
        let site = hold % SITES;
        let of = &mut self.memory.holds[hold];
        of.cancel_asked = true;
        let user = of.user;
        let body = json!({"reservationId": of.id});
        let name = self.name(hold);
        world.say(|| format!("{name}: {user} gives it back at site {site}"));
        let path = "/api/reservations/cancel";
        let ask = Ask::post(site, Who::User(user), path, body);
        self.ask(world, ask, Errand::ProbeCancel { hold });
    }
}

/// Whether nobody has a seat, by the tables: no booking, not the house, and no hold by any clock.
fn is_free(world: &World, show: &str, seat: &str) -> bool {
    let earliest_secs = world.earliest_now().timestamp();
    let text = |value: &Value| value["S"].as_str().unwrap_or_default().to_owned();
    world.items("Seats").into_iter().all(|item| {
        let is_another = text(&item["pk"]).split('#').nth(1) != Some(show)
            || text(&item["sk"]).strip_prefix("SEAT#") != Some(seat);
        let end_secs = item["expires_at"]["N"].as_str().and_then(|end| end.parse::<i64>().ok());
        let is_over = end_secs.is_some_and(|end| end < earliest_secs);
        is_another || (text(&item["seat_status"]) == "HELD" && is_over)
    })
}
