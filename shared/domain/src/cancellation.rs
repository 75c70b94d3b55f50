//! Cancelling a show: sales stop at once, then every claim on its seats is swept, page by page.
//!
//! Seats are the list of what there is to do: a live hold and a booking have claims on seats, and
//! what is over has none that count. So the sweep needs no list of its own, it can be broken off
//! anywhere, and doing a part of it twice finds nothing to do.

use crate::id::{SeatId, SectionId, ShowId, UserId};
use crate::limits::SWEEP_AGAIN_SECS_MAX;
use crate::money::Currency;
use crate::time::Timestamp;
use chrono::TimeDelta;

/// How far the cancellation of a show is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Nothing is sold any more, and reservations are being swept.
    InProgress,
    /// Every reservation has ended. Refunds may still be on their way.
    Completed,
}

/// The cancellation of a show, with what came of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// Of which show.
    pub show_id: ShowId,
    /// How far it is.
    pub status: Status,
    /// How often it was ordered. Only the sweep that was ordered last goes on.
    pub order: u32,
    /// When it was ordered last.
    pub ordered_at: Timestamp,
    /// Who asked for it.
    pub requested_by: UserId,
    /// When, at first.
    pub requested_at: Timestamp,
    /// When the sweep found nothing more to end.
    pub completed_at: Option<Timestamp>,
    /// Bookings that it ended; each is owed back.
    pub bookings_cancelled: u64,
    /// Live holds that it ended.
    pub holds_released: u64,
    /// In what the show was sold.
    pub currency: Currency,
    /// What those bookings were paid, in minor units. All of a stadium can be more than any one amount
    /// of money here may be.
    pub refund_minor: u64,
    /// Refunds of them that went through.
    pub refunds_done: u64,
    /// How much that is.
    pub refunded_minor: u64,
}

/// What stands of a show: what cancelling it would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Bookings.
    pub bookings: u64,
    /// Live holds.
    pub holds: u64,
    /// Seats of both.
    pub seats: u64,
}

/// A page of a sweep, as it waits in the queue: where to begin.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// Of which show.
    pub show_id: ShowId,
    /// By which order of its cancellation.
    pub order: u32,
    /// Which time the whole house is gone through.
    pub pass: u32,
    /// In which section; the first if it is not said.
    pub section: Option<SectionId>,
    /// Behind which seat of it.
    pub after: Option<SeatId>,
    /// Reservations of this pass that could not be ended.
    pub left: u32,
}

impl Sweep {
    /// The pass at once: what is known to be claimed when the show is cancelled.
    pub const FIRST: u32 = 0;

    /// The pass that ends it: by then no function sells the show any more, or is about to.
    pub const LAST: u32 = 1;

    /// The beginning of a pass.
    #[must_use]
    pub fn pass(show_id: &ShowId, order: u32, pass: u32) -> Self {
        Self { show_id: show_id.clone(), order, pass, section: None, after: None, left: 0 }
    }

    /// How long after it is ordered a pass begins, if all has settled after `settles_after`.
    ///
    /// The first at once. The last one when all has settled; and if something could not be ended,
    /// again, after pauses that double.
    #[must_use]
    pub fn delay(pass: u32, settles_after: TimeDelta) -> TimeDelta {
        let Some(doublings) = pass.checked_sub(Self::LAST) else { return TimeDelta::zero() };
        let secs = settles_after.num_seconds().saturating_mul(1 << doublings.min(8));
        TimeDelta::seconds(secs.min(SWEEP_AGAIN_SECS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_begin_at_once_then_when_all_has_settled_then_ever_later() {
        let delay = |pass| Sweep::delay(pass, TimeDelta::seconds(100)).num_seconds();
        assert_eq!((0..7).map(delay).collect::<Vec<_>>(), [0, 100, 200, 400, 800, 900, 900]);
        assert_eq!(delay(u32::MAX), 900);
    }
}
