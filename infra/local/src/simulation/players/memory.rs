//! What the world outside knows: what it asked for, and what it was told. Nothing here looks into a table.

use std::collections::{BTreeMap, BTreeSet};

use domain::id::{HoldToken, ReservationId, UserId};
use domain::time::Timestamp;
use fastrand::Rng;

use crate::simulation::world::{BEGIN_AFTER, SHOWS};

/// Who buys.
pub(super) const USERS: [&str; 4] = ["ann", "bob", "cat", "dan"];

/// All seats of a show.
pub(super) const SEATS: [&str; 12] =
    ["A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2", "C3", "C4"];

/// The seats that everybody wants.
const HOT_SEATS: [&str; 4] = ["A1", "A2", "A3", "C1"];

/// What seats cost at first, REGULAR and PREMIUM.
const FIRST_PRICES: (u64, u64) = (45_000, 60_000);

/// A hold that was asked for.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) user: &'static str,
    pub(super) token: String,
    /// What its reservation is called, if there is one.
    pub(super) id: String,
    pub(super) show: &'static str,
    /// The seats that were asked for under its token: mostly one choice, in the order of their names.
    pub(super) wishes: Vec<Vec<&'static str>>,
    /// When its token was first used.
    pub(super) first_asked: u64,
    /// When it was last asked for, by the true clock.
    pub(super) last_asked_at: Option<Timestamp>,
    /// Tries to hold it that were not answered yet.
    pub(super) open_asks: u32,
    /// One of them was never answered, or not clearly: it may be held for all that anybody knows.
    pub(super) is_unsure: bool,
    /// What it was told to be, first.
    pub(super) terms: Option<Terms>,
    /// Its end as it was last told, and when it was told so.
    pub(super) end: Option<(Timestamp, u64)>,
    /// When it was first told to be CONFIRMED, and by which payment.
    pub(super) confirmed: Option<(u64, String)>,
    /// When it was first told to be CANCELLED.
    pub(super) cancelled: Option<u64>,
    /// Its user wanted it cancelled.
    pub(super) cancel_asked: bool,
    /// Somebody went in with its ticket, or tried to.
    pub(super) scan_asked: bool,
    /// The scan by which somebody went in.
    pub(super) entered_by: Option<String>,
    /// Money for it went back at the provider, or may have.
    pub(super) returned: bool,
    /// Money came for it or was declined, or a payment was confirmed with while the provider was away.
    pub(super) touched_by_money: bool,
    /// A payment was asked for it, which lengthens it.
    pub(super) checkout_asked: bool,
    /// The payment that was made then.
    pub(super) checkout: Option<String>,
    /// References of the payments that name it.
    pub(super) payments: Vec<String>,
}

/// What a reservation never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) seats: Vec<String>,
    pub(super) amount: u64,
    pub(super) created_at: Timestamp,
    /// When that was first told, and by the clock that is furthest ahead.
    pub(super) told: u64,
    pub(super) told_at: Timestamp,
    /// The end that was told with it.
    pub(super) end: Timestamp,
}

/// A payment at the provider.
#[derive(Debug)]
pub(super) struct Payment {
    pub(super) reference: String,
    /// The hold that it names, if there is one.
    pub(super) hold: Option<usize>,
    /// Its amount and currency are the reservation's.
    pub(super) right: bool,
    /// It was made for a checkout, so its payer has a page.
    pub(super) has_page: bool,
    /// It was written down here while it was on its way, so nobody need tell of it.
    pub(super) noted: bool,
    /// It was declined once, or somebody else confirmed with it: it may be written down as one that came
    /// to nothing, and is not asked for long.
    pub(super) declined: bool,
}

/// What the seats of a show cost from some time on.
#[derive(Debug)]
pub(super) struct Prices {
    pub(super) regular: u64,
    pub(super) premium: u64,
    pub(super) asked: u64,
    /// When whoever asked for it was answered, or died.
    pub(super) ended: Option<u64>,
    /// From when on, at the latest, others were in force.
    pub(super) over_at: Option<Timestamp>,
}

/// What is known of a show.
#[derive(Debug, Default)]
pub(super) struct Show {
    pub(super) prices: Vec<Prices>,
    pub(super) cancel_asked: bool,
    /// When its cancellation was told: the tick, and the true time.
    pub(super) cancelled: Option<(u64, Timestamp)>,
    /// The seats that the house ever wanted to keep.
    pub(super) kept: BTreeSet<&'static str>,
}

/// Seats that the house takes from whoever has them.
#[derive(Debug)]
pub(super) struct Eviction {
    pub(super) show: &'static str,
    pub(super) seats: Vec<&'static str>,
    pub(super) ended: Option<u64>,
}

/// What the world outside knows.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) holds: Vec<Hold>,
    by_token: BTreeMap<(&'static str, String), usize>,
    by_id: BTreeMap<String, usize>,
    pub(super) payments: Vec<Payment>,
    by_reference: BTreeMap<String, usize>,
    pub(super) shows: BTreeMap<&'static str, Show>,
    pub(super) evictions: Vec<Eviction>,
    /// Who was told last that they have a seat for good.
    pub(super) booked: BTreeMap<(&'static str, String), usize>,
    /// Who was ever told that they hold a seat.
    pub(super) claims: BTreeMap<(&'static str, String), Vec<usize>>,
    /// When the history began.
    pub(super) start: Option<Timestamp>,
}

impl Memory {
    pub(super) fn new() -> Self {
        let (regular, premium) = FIRST_PRICES;
        let first = || Prices { regular, premium, asked: 0, ended: Some(0), over_at: None };
        let show = |id| (id, Show { prices: vec![first()], ..Show::default() });
        Self {
            holds: Vec::new(),
            by_token: BTreeMap::new(),
            by_id: BTreeMap::new(),
            payments: Vec::new(),
            by_reference: BTreeMap::new(),
            shows: SHOWS.into_iter().map(show).collect(),
            evictions: Vec::new(),
            booked: BTreeMap::new(),
            claims: BTreeMap::new(),
            start: None,
        }
    }

    /// The hold of this user's token; a new one if the token was not used before.
    pub(super) fn hold_of(
        &mut self,
        user: &'static str,
        token: String,
        show: &'static str,
        tick: u64,
    ) -> usize {
        let key = (user, token);
        if let Some(known) = self.by_token.get(&key) {
            return *known;
        }
        let number = self.holds.len();
        let (_, token) = &key;
        let id = id_of(user, token);
        self.by_id.insert(id.clone(), number);
        self.holds.push(Hold {
            user,
            token: token.clone(),
            id,
            show,
            wishes: Vec::new(),
            first_asked: tick,
            last_asked_at: None,
            open_asks: 0,
            is_unsure: false,
            terms: None,
            end: None,
            confirmed: None,
            cancelled: None,
            cancel_asked: false,
            scan_asked: false,
            entered_by: None,
            returned: false,
            touched_by_money: false,
            checkout_asked: false,
            checkout: None,
            payments: Vec::new(),
        });
        self.by_token.insert(key, number);
        number
    }

    pub(super) fn hold_by_id(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn payment(&self, reference: &str) -> Option<&Payment> {
        self.payments.get(*self.by_reference.get(reference)?)
    }

    pub(super) fn payment_mut(&mut self, reference: &str) -> Option<&mut Payment> {
        self.payments.get_mut(*self.by_reference.get(reference)?)
    }

    /// Remembers a payment that is at the provider.
    pub(super) fn remember(&mut self, payment: Payment) {
        if let Some(hold) = payment.hold {
            self.holds[hold].payments.push(payment.reference.clone());
        }
        self.by_reference.insert(payment.reference.clone(), self.payments.len());
        self.payments.push(payment);
    }

    /// Something was paid for what this payment names.
    pub(super) fn touch(&mut self, reference: &str) {
        if let Some(hold) = self.payment(reference).and_then(|payment| payment.hold) {
            self.holds[hold].touched_by_money = true;
        }
    }

    /// Whether its user, the house or the provider may have ended a reservation before its time.
    pub(super) fn may_have_ended(&self, hold: usize) -> bool {
        let of = &self.holds[hold];
        let is_evicted = |eviction: &Eviction| {
            let is_in_time = eviction.ended.is_none_or(|ended| ended >= of.first_asked);
            let wants = |seat: &&str| eviction.seats.contains(seat);
            is_in_time && eviction.show == of.show && of.wishes.iter().flatten().any(wants)
        };
        let is_off = self.shows[of.show].cancel_asked;
        of.cancel_asked || of.returned || is_off || self.evictions.iter().any(is_evicted)
    }

    /// Whether it was told to be booked before `tick`, and nobody may have ended it.
    pub(super) fn stands(&self, hold: usize, tick: u64) -> bool {
        let told = self.holds[hold].confirmed.as_ref();
        told.is_some_and(|(told, _)| *told < tick) && !self.may_have_ended(hold)
    }

    /// When a show begins.
    pub(super) fn begin_of(&self, show: &str) -> Option<Timestamp> {
        let position = SHOWS.iter().position(|id| *id == show)?;
        Some(self.start? + BEGIN_AFTER[position])
    }

    /// Whether a show begins at a time, or did before it.
    pub(super) fn has_begun(&self, show: &str, at: Timestamp) -> bool {
        self.begin_of(show).is_some_and(|begin| begin <= at)
    }

    /// A hold that was told to be one, to do something with: mostly one of the last, now and then one
    /// that is booked.
    pub(super) fn some_hold(&self, rng: &mut Rng) -> Option<usize> {
        let is_told = |number: &usize| self.holds[*number].terms.is_some();
        let told: Vec<usize> = (0..self.holds.len()).filter(is_told).collect();
        match rng.u8(..10) {
            0..=5 => rng.choice(told.iter().rev().take(4)).copied(),
            6..=7 => self.some_booking(rng).or_else(|| rng.choice(&told).copied()),
            _any => rng.choice(&told).copied(),
        }
    }

    /// A reservation that was told to be booked, and that nobody may have ended.
    pub(super) fn some_booking(&self, rng: &mut Rng) -> Option<usize> {
        let stands = |number: &usize| self.stands(*number, u64::MAX);
        let standing: Vec<usize> = (0..self.holds.len()).filter(stands).collect();
        rng.choice(&standing).copied()
    }

    /// A show that people want to see: mostly the first, and rarely one that they know to be off or over.
    pub(super) fn some_show(&self, rng: &mut Rng, now: Timestamp) -> &'static str {
        let wanted = match rng.u8(..20) {
            0..=13 => SHOWS[0],
            14..=18 => SHOWS[1],
            _the_last => SHOWS[2],
        };
        let is_on = |id: &&str| !self.shows[*id].cancel_asked && !self.has_begun(id, now);
        if !is_on(&wanted) && rng.u8(..10) > 0 {
            return SHOWS.into_iter().find(is_on).unwrap_or(wanted);
        }
        wanted
    }
}

/// One to three seats, in the order of their names: mostly those that everybody wants.
pub(super) fn some_seats(rng: &mut Rng) -> Vec<&'static str> {
    let mut seats = if rng.u8(..8) == 0 { SEATS.to_vec() } else { HOT_SEATS.to_vec() };
    rng.shuffle(&mut seats);
    seats.truncate(rng.usize(1..=3));
    seats.sort_unstable();
    seats
}

fn id_of(user: &str, token: &str) -> String {
    let user = UserId::try_from(user.to_owned()).expect("it is a name");
    let token: HoldToken = token.parse().expect("it is a token");
    ReservationId::of(&user, &token).as_str().to_owned()
}

/// The first 8 characters of an id, for people.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// A payment's reference, for people: its kind and 8 characters.
pub(super) fn tail(reference: &str) -> &str {
    reference.get(..12).unwrap_or(reference)
}
