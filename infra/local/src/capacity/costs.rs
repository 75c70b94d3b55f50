//! What each step of the way to a booking costs, in calls and units, and how long things are.
//!
//! By warm functions, for a user who did nothing lately, with ids of usual length. Each figure is
//! compared with what the real step uses by `tests/it/capacity.rs`.

use self::Units::{OfEvent, Plain};

/// Bytes of a claim on a seat as it is stored, at most.
pub const CLAIM_BYTES: u64 = 140;
/// Bytes of a show as it is stored, of usual names.
pub const SHOW_ITEM_BYTES: u64 = 620;
/// Bytes of the count of a section as it is stored, with few ends of holds.
pub const COUNT_ITEM_BYTES: u64 = 230;
/// Bytes of an answer that is no list, with its headers, at most.
pub const ANSWER_BYTES: u64 = 1_500;
/// Bytes of a seat on a map, at most.
pub const SEAT_BYTES: u64 = 150;
/// Bytes of a section in the map of a large house, at most.
pub const SECTION_BYTES: u64 = 70;
/// Bytes of a show in a search, at most.
pub const SHOW_BYTES: u64 = 800;
/// Bytes of a line that an invocation or a record logs, on average and rounded up (`edge::log`).
pub const LOG_LINE_BYTES: u64 = 1_000;

/// Seconds for which a warm function remembers the shows of a day.
pub const SEARCH_REMEMBERED_SECS: u64 = 10;
/// Seconds for which a warm function remembers a show.
pub const SHOW_REMEMBERED_SECS: u64 = 5;

/// Bytes by which an event grows with each seat.
const EVENT_BYTES_PER_SEAT: u64 = 80;

/// A number of units, by the seats of a booking.
#[derive(Debug, Clone, Copy)]
pub enum Units {
    /// So many, and so many more for each seat.
    Plain(u64, u64),
    /// So many for each started KB of an event, which has so many bytes besides its seats.
    OfEvent(u64, u64),
}

impl Units {
    /// How many these are for a booking of so many seats.
    #[must_use]
    pub fn of(self, seats: u64) -> u64 {
        match self {
            Plain(fixed, each) => fixed + each * seats,
            OfEvent(units, bytes) => units * (bytes + EVENT_BYTES_PER_SEAT * seats).div_ceil(1_024),
        }
    }
}

/// What a step costs.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Calls of `DynamoDB`.
    pub round_trips: u64,
    /// Write units of the tables themselves.
    pub write_units: Units,
    /// Write units of their indexes.
    pub index_write_units: Units,
    /// Read units, in halves.
    pub read_half_units: u64,
}

/// In the order of the fields.
const fn cost(
    round_trips: u64,
    write_units: Units,
    index_write_units: Units,
    read_half_units: u64,
) -> Cost {
    Cost { round_trips, write_units, index_write_units, read_half_units }
}

const NONE: Units = Plain(0, 0);

/// A change that means nothing to who reads it: a checkout is no event, most changes end no hold.
pub const NOTHING: Cost = cost(0, NONE, NONE, 0);
/// A look that is not remembered, at a section of which little is taken or a day with little on.
pub const LOOK: Cost = cost(1, NONE, NONE, 1);
/// A hold that wins: reservation, what the user has left, and the seats.
pub const HOLD_WON: Cost = cost(1, Plain(4, 2), Plain(1, 0), 0);
/// A hold that loses is charged as if it won (AWS, "Amazon DynamoDB Transactions: How it works"), but
/// nothing comes to the index.
pub const HOLD_LOST: Cost = cost(1, Plain(4, 2), NONE, 0);
/// A checkout, which lengthens the hold.
pub const CHECKOUT: Cost = cost(3, Plain(6, 2), Plain(4, 0), 2);
/// A confirmation that books.
pub const CONFIRM: Cost = cost(4, Plain(6, 2), Plain(3, 0), 4);
/// What a provider tells of a payment that has booked.
pub const SETTLE_KNOWN: Cost = cost(1, NONE, NONE, 2);
/// An event on a hold, or on one that lapsed.
pub const PUBLISH_HOLD: Cost = cost(1, OfEvent(2, 750), OfEvent(1, 750), 0);
/// An event on a booking.
pub const PUBLISH_BOOKING: Cost = cost(1, OfEvent(2, 850), OfEvent(1, 850), 0);
/// A letter with a ticket.
pub const MAIL: Cost = cost(3, OfEvent(2, 882), OfEvent(1, 882), 4);
/// An event that a subscriber takes.
pub const DELIVER: Cost = cost(2, NONE, NONE, 4);
/// The first seat of a hold that lapsed.
pub const RELEASE: Cost = cost(1, Plain(2, 0), Plain(1, 0), 0);
/// A count of a section of which little is taken.
pub const COUNT: Cost = cost(4, Plain(2, 0), Plain(1, 0), 6);
