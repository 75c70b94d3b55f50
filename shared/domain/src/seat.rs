//! The seat state machine.
//!
//! ```text
//!              hold               settle
//! Available ─────────▶ Held ────────────────▶ Booked
//!   │  ▲                │ release, or now ≥ expires_at │ cancel
//!   │  └────────────────┴──────────────────────────────┘
//!   │ block ▶ Blocked ─ unblock ▶ Available
//! ```
//!
//! The table enforces these arrows with condition expressions; this module *explains* them. When
//! `DynamoDB` refuses a write it hands back the item it saw, and the store asks [`Seat::apply`]
//! why that item refuses. If it sees no reason, the two disagree, and that is a bug the store
//! reports rather than hides.

use crate::id::ReservationId;
use crate::time::Timestamp;

/// What a seat is, as stored. Whether a hold still counts depends on the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seat {
    /// Nobody has a claim on it. Such a seat has no item.
    Available,
    /// Claimed by a PENDING reservation until `expires_at`, exclusive: then it is free again.
    Held {
        /// Who claims it.
        reservation: ReservationId,
        /// The first second at which the claim no longer counts.
        expires_at: Timestamp,
    },
    /// Sold. Only a cancellation of that reservation frees it.
    Booked {
        /// Whose it is.
        reservation: ReservationId,
    },
    /// Kept back by the house.
    Blocked,
}

/// How a seat looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It can be had.
    Available,
    /// Somebody is about to pay for it.
    Held,
    /// It is sold.
    Booked,
    /// The house keeps it.
    Blocked,
}

/// What can be asked of a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Claim it until `expires_at`.
    Hold {
        /// Who claims it.
        reservation: ReservationId,
        /// The new end.
        expires_at: Timestamp,
    },
    /// Move the end of a live claim.
    Extend {
        /// Whose claim.
        reservation: ReservationId,
        /// The new end.
        expires_at: Timestamp,
    },
    /// Sell it. A hold that ended does not stand in the way: a late payment takes its seats again.
    Settle {
        /// Who bought it.
        reservation: ReservationId,
    },
    /// Give up a claim by hand. Giving up what is already gone is fine.
    Release {
        /// Whose claim.
        reservation: ReservationId,
    },
    /// Take back a sale. Taking back what is already gone is fine.
    Cancel {
        /// Whose seat.
        reservation: ReservationId,
    },
    /// Keep it back for the house.
    Block,
    /// Give it back to the public.
    Unblock,
}

/// Why a seat refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody's hold counts until `until`.
    Held {
        /// When it will be free, if it is not settled or extended before.
        until: Timestamp,
    },
    /// It is sold.
    Booked,
    /// The house keeps it.
    Blocked,
    /// The claim that the command builds on is over.
    NotHeld,
}

impl Seat {
    /// The seat after `command` at `now`, or why it refuses.
    ///
    /// Pure: the same three values give the same answer, on every machine and in every retry. A
    /// hold that ended counts as none, whether or not its item was swept. Only `Release`, `Cancel`
    /// and `Unblock` look at the item as it stands: they free what is theirs and leave even a dead
    /// claim of somebody else alone, so that its end is told once, as an expiry.
    ///
    /// # Errors
    ///
    /// A [`Refusal`].
    pub fn apply(&self, command: &Command, now: Timestamp) -> Result<Self, Refusal> {
        match (self, command) {
            (
                Self::Available,
                Command::Release { .. } | Command::Cancel { .. } | Command::Unblock,
            )
            | (Self::Blocked, Command::Unblock) => Ok(Self::Available),
            (Self::Held { reservation, .. }, Command::Release { reservation: by })
            | (Self::Booked { reservation }, Command::Cancel { reservation: by })
                if reservation == by =>
            {
                Ok(Self::Available)
            }
            (seat, Command::Release { .. } | Command::Cancel { .. } | Command::Unblock) => {
                Err(seat.refusal())
            }

            (seat, command) => seat.at(now).apply_live(command),
        }
    }

    /// Whose hold is over if this seat became `after`, and since when.
    ///
    /// Somebody else's claim on a held seat says that the hold had ended, whatever our clock says. An
    /// item that is gone says so only if it was swept, at `swept_at`, when its time had come: else it
    /// was released by hand, and whoever did that wrote it down.
    #[must_use]
    pub fn hold_ended_by(
        &self,
        after: &Self,
        swept_at: Option<Timestamp>,
    ) -> Option<(&ReservationId, Timestamp)> {
        let Self::Held { reservation, expires_at } = self else { return None };
        let ended = match after {
            Self::Available => swept_at.is_some_and(|at| *expires_at <= at),
            Self::Held { reservation: next, .. } | Self::Booked { reservation: next } => {
                next != reservation
            }
            Self::Blocked => true,
        };
        ended.then_some((reservation, *expires_at))
    }

    /// The seat as it counts at `now`: a hold that ended is already `Available`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        match self {
            Self::Held { expires_at, .. } if *expires_at <= now => Self::Available,
            seat => seat.clone(),
        }
    }

    /// `apply` for a seat whose hold, if it has one, counts.
    fn apply_live(&self, command: &Command) -> Result<Self, Refusal> {
        match (self, command) {
            (Self::Available, Command::Hold { reservation, expires_at }) => {
                Ok(Self::Held { reservation: reservation.clone(), expires_at: *expires_at })
            }
            (Self::Available, Command::Settle { reservation }) => {
                Ok(Self::Booked { reservation: reservation.clone() })
            }
            (Self::Available, Command::Block) => Ok(Self::Blocked),

            (Self::Held { reservation, .. }, Command::Extend { reservation: by, expires_at })
                if reservation == by =>
            {
                Ok(Self::Held { reservation: by.clone(), expires_at: *expires_at })
            }
            (Self::Held { reservation, .. }, Command::Settle { reservation: by })
                if reservation == by =>
            {
                Ok(Self::Booked { reservation: by.clone() })
            }

            (seat, _refused) => Err(seat.refusal()),
        }
    }

    /// Why nothing more can be done with the seat as it is.
    fn refusal(&self) -> Refusal {
        match self {
            Self::Available => Refusal::NotHeld,
            Self::Held { expires_at, .. } => Refusal::Held { until: *expires_at },
            Self::Booked { .. } => Refusal::Booked,
            Self::Blocked => Refusal::Blocked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn id(text: &str) -> ReservationId {
        text.parse().unwrap()
    }

    fn held(by: &str, expires_at: i64) -> Seat {
        Seat::Held { reservation: id(by), expires_at: at(expires_at) }
    }

    fn booked(by: &str) -> Seat {
        Seat::Booked { reservation: id(by) }
    }

    #[track_caller]
    fn check(seat: &Seat, command: &Command, now: i64, expected: Result<Seat, Refusal>) {
        assert_eq!(seat.apply(command, at(now)), expected, "{seat:?} {command:?} at {now}");
    }

    #[test]
    fn a_hold_ends_at_its_second_not_after_it() {
        let seat = held("theirs", 100);
        let hold = Command::Hold { reservation: id("ours"), expires_at: at(200) };
        check(&seat, &hold, 99, Err(Refusal::Held { until: at(100) }));
        check(&seat, &hold, 100, Ok(held("ours", 200)));

        let extend = Command::Extend { reservation: id("theirs"), expires_at: at(300) };
        check(&seat, &extend, 99, Ok(held("theirs", 300)));
        check(&seat, &extend, 100, Err(Refusal::NotHeld));
        let extend = Command::Extend { reservation: id("ours"), expires_at: at(300) };
        check(&seat, &extend, 99, Err(Refusal::Held { until: at(100) }));
    }

    #[test]
    fn a_hold_is_not_its_own_excuse() {
        let again = Command::Hold { reservation: id("ours"), expires_at: at(200) };
        check(&held("ours", 100), &again, 99, Err(Refusal::Held { until: at(100) }));
        check(&booked("ours"), &again, 99, Err(Refusal::Booked));
    }

    #[test]
    fn a_settlement_takes_its_own_seat_or_a_free_one() {
        let settle = Command::Settle { reservation: id("ours") };
        check(&held("ours", 100), &settle, 99, Ok(booked("ours")));
        check(&held("ours", 100), &settle, 100, Ok(booked("ours")));
        check(&Seat::Available, &settle, 100, Ok(booked("ours")));
        check(&held("theirs", 100), &settle, 99, Err(Refusal::Held { until: at(100) }));
        check(&held("theirs", 100), &settle, 100, Ok(booked("ours")));
        check(&booked("theirs"), &settle, 100, Err(Refusal::Booked));
        check(&booked("ours"), &settle, 100, Err(Refusal::Booked));
        check(&Seat::Blocked, &settle, 100, Err(Refusal::Blocked));
    }

    #[test]
    fn only_the_owner_frees_a_seat_and_only_the_way_it_was_claimed() {
        let release = Command::Release { reservation: id("ours") };
        check(&held("ours", 100), &release, 99, Ok(Seat::Available));
        check(&held("ours", 100), &release, 100, Ok(Seat::Available));
        check(&held("theirs", 100), &release, 100, Err(Refusal::Held { until: at(100) }));
        check(&booked("ours"), &release, 99, Err(Refusal::Booked));
        check(&Seat::Available, &release, 99, Ok(Seat::Available));

        let cancel = Command::Cancel { reservation: id("ours") };
        check(&booked("ours"), &cancel, 99, Ok(Seat::Available));
        check(&booked("theirs"), &cancel, 99, Err(Refusal::Booked));
        check(&held("ours", 100), &cancel, 99, Err(Refusal::Held { until: at(100) }));
        check(&Seat::Available, &cancel, 99, Ok(Seat::Available));
    }

    #[test]
    fn a_hold_is_over_when_its_item_is_swept_or_somebody_else_has_the_seat() {
        let seat = held("ours", 100);
        let ended = |after: &Seat, swept_at: Option<i64>| {
            let ended = seat.hold_ended_by(after, swept_at.map(at));
            ended.map(|(id, at)| (id.clone(), at.timestamp()))
        };
        let over = Some((id("ours"), 100));
        assert_eq!(ended(&Seat::Available, Some(99)), None, "its time had not come");
        assert_eq!(ended(&Seat::Available, Some(100)), over);
        assert_eq!(ended(&Seat::Available, None), None, "it was released by hand");
        for next in [held("theirs", 400), booked("theirs"), Seat::Blocked] {
            assert_eq!(ended(&next, None), over, "{next:?}");
        }
        for next in [held("ours", 400), booked("ours")] {
            assert_eq!(ended(&next, None), None, "{next:?}");
        }
        for seat in [Seat::Available, booked("ours"), Seat::Blocked] {
            assert_eq!(seat.hold_ended_by(&Seat::Available, Some(at(120))), None, "{seat:?}");
        }
    }

    #[test]
    fn the_house_takes_only_what_is_free() {
        check(&Seat::Available, &Command::Block, 0, Ok(Seat::Blocked));
        check(&held("theirs", 100), &Command::Block, 99, Err(Refusal::Held { until: at(100) }));
        check(&held("theirs", 100), &Command::Block, 100, Ok(Seat::Blocked));
        check(&booked("theirs"), &Command::Block, 0, Err(Refusal::Booked));
        check(&Seat::Blocked, &Command::Block, 0, Err(Refusal::Blocked));
        check(&Seat::Blocked, &Command::Unblock, 0, Ok(Seat::Available));
        check(&booked("theirs"), &Command::Unblock, 0, Err(Refusal::Booked));
        check(&held("theirs", 100), &Command::Unblock, 100, Err(Refusal::Held { until: at(100) }));
    }
}
