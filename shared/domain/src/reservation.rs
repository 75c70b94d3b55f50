//! The reservation state machine. A hold is a PENDING reservation, not a second thing.
//!
//! ```text
//! Pending ──confirm──▶ Confirmed ──cancel──▶ Cancelled
//!    ├──cancel──▶ Cancelled
//!    ├──expire──▶ Expired ─┐ confirm late: a payment that came after the end
//!    └──fail────▶ Failed ──┴─▶ Confirmed   and took every seat again
//!                 Expired and Failed can fail (again): another payment goes back
//! ```

use crate::email::EmailAddress;
use crate::id::{HoldToken, PaymentReference, Provider, ReservationId, SeatId, SectionId};
use crate::id::{SeatType, ShowId, UserId};
use crate::money::Money;
use crate::payment::{self, RefundReason};
use crate::ticket::Entry;
use crate::time::Timestamp;

/// Where a reservation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Seats are held, money is awaited.
    Pending,
    /// Booked.
    Confirmed,
    /// Given up by the customer or the house.
    Cancelled,
    /// The hold ended and no payment came.
    Expired,
    /// It ended after a failed or refunded payment.
    Failed,
}

/// What can happen to a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Money came in time.
    Confirm,
    /// Money came after the end, and every seat was free to take again.
    ConfirmLate,
    /// The customer or the house gives it up.
    Cancel,
    /// The hold ended.
    Expire,
    /// It ends because its payment failed or goes back.
    Fail,
}

/// Why a reservation refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The hold is over.
    HoldExpired,
    /// The hold is not over yet.
    StillHeld,
    /// It is booked.
    AlreadyConfirmed,
    /// It was cancelled.
    AlreadyCancelled,
}

impl Status {
    /// The reservation after `command`. `live` says that its hold has not ended.
    ///
    /// # Errors
    ///
    /// A [`Refusal`].
    pub fn apply(self, command: Command, live: bool) -> Result<Self, Refusal> {
        match (self, command) {
            (Self::Pending, Command::Confirm) if live => Ok(Self::Confirmed),
            (Self::Pending, Command::ConfirmLate) if !live => Ok(Self::Confirmed),
            (Self::Expired | Self::Failed, Command::ConfirmLate) => Ok(Self::Confirmed),
            (Self::Pending, Command::Cancel) if live => Ok(Self::Cancelled),
            (Self::Confirmed, Command::Cancel) => Ok(Self::Cancelled),
            (Self::Pending, Command::Expire) if !live => Ok(Self::Expired),
            (Self::Pending | Self::Expired | Self::Failed, Command::Fail) => Ok(Self::Failed),

            (Self::Pending, Command::Expire | Command::ConfirmLate) => Err(Refusal::StillHeld),
            (Self::Pending, Command::Confirm | Command::Cancel)
            | (
                Self::Expired | Self::Failed,
                Command::Confirm | Command::Cancel | Command::Expire,
            ) => Err(Refusal::HoldExpired),
            (
                Self::Confirmed,
                Command::Confirm | Command::ConfirmLate | Command::Expire | Command::Fail,
            ) => Err(Refusal::AlreadyConfirmed),
            (Self::Cancelled, _) => Err(Refusal::AlreadyCancelled),
        }
    }
}

/// A seat with the price it is held at. Later price changes never touch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedSeat {
    /// Which seat.
    pub seat_id: SeatId,
    /// Where it is stored.
    pub section_id: SectionId,
    /// What it is sold as.
    pub seat_type: SeatType,
    /// For how much.
    pub price: Money,
}

/// The payment that a reservation last heard of, as a customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentSummary {
    /// Who takes the money.
    pub provider: Provider,
    /// What they call it.
    pub reference: PaymentReference,
    /// Where it is in its life.
    pub status: payment::Status,
}

/// Some seats of a show, claimed by a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// [`ReservationId::of`] the user and the token.
    pub id: ReservationId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where to write to them, as their token said when they held. Nobody else is shown it.
    pub email: Option<EmailAddress>,
    /// The client's idempotency key.
    pub hold_token: HoldToken,
    /// Of which show.
    pub show_id: ShowId,
    /// When that show begins. Bookings can be cancelled until then.
    pub show_starts_at: Timestamp,
    /// Which seats, ordered by id.
    pub seats: Vec<PricedSeat>,
    /// The sum of their prices.
    pub amount: Money,
    /// As stored. A customer is shown [`Reservation::status_at`].
    pub status: Status,
    /// The first second at which the hold no longer counts.
    pub expires_at: Timestamp,
    /// Whether the end was moved already. It moves once.
    pub extended: bool,
    /// When it was held.
    pub created_at: Timestamp,
    /// When it was booked.
    pub confirmed_at: Option<Timestamp>,
    /// When it was given up.
    pub cancelled_at: Option<Timestamp>,
    /// The payment it last heard of.
    pub payment: Option<PaymentSummary>,
    /// When and where its ticket was scanned.
    pub entry: Option<Entry>,
}

impl Reservation {
    /// Whether the hold has not ended at `now`.
    #[must_use]
    pub fn is_live_at(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// What it counts as at `now`: a hold that ended is over, whether or not it was swept.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> Status {
        match self.status {
            Status::Pending if self.is_live_at(now) => Status::Pending,
            Status::Pending | Status::Expired => self.end(),
            status => status,
        }
    }

    /// What its hold's end makes of it: FAILED if a payment was tried and its money did not come
    /// or does not stay, EXPIRED else.
    #[must_use]
    pub fn end(&self) -> Status {
        match self.payment.as_ref().map(|payment| payment.status) {
            Some(
                payment::Status::Failed | payment::Status::RefundDue | payment::Status::Refunded,
            ) => Status::Failed,
            None
            | Some(payment::Status::Pending | payment::Status::Parked | payment::Status::Success) => {
                Status::Expired
            }
        }
    }

    /// Its seats' names, in ascending order.
    pub fn seat_ids(&self) -> impl Iterator<Item = &SeatId> {
        self.seats.iter().map(|seat| &seat.seat_id)
    }

    /// Whether these seats of `show`, in ascending order, are what this reservation was made for.
    pub fn is_for<'a>(&self, show: &ShowId, seats: impl Iterator<Item = &'a SeatId>) -> bool {
        self.show_id == *show && self.seat_ids().eq(seats)
    }

    /// Whether this payment is the one it last heard of.
    #[must_use]
    pub fn has_heard_of(&self, provider: &Provider, reference: &PaymentReference) -> bool {
        let is = |payment: &PaymentSummary| {
            payment.reference == *reference && payment.provider == *provider
        };
        self.payment.as_ref().is_some_and(is)
    }

    /// Whether this payment booked it.
    #[must_use]
    pub fn is_booked_by(&self, provider: &Provider, reference: &PaymentReference) -> bool {
        self.status == Status::Confirmed && self.has_heard_of(provider, reference)
    }

    /// Whether a payment that goes back ends it at `now`, or would have: not what is booked or
    /// cancelled. Whether its end was written down before makes no difference.
    #[must_use]
    pub fn can_fail_at(&self, now: Timestamp) -> bool {
        self.status.apply(Command::Fail, self.is_live_at(now)).is_ok()
    }

    /// How it ends if it is cancelled at `now` for `reason`: the new status, or why not. Once the show
    /// has begun or its customer went in, a booking stands: neither they nor the house that wants
    /// their seats can cancel it. Only the show itself can be cancelled then.
    ///
    /// # Errors
    ///
    /// [`CancelRefusal`].
    pub fn cancel_at(&self, reason: RefundReason, now: Timestamp) -> Result<Status, CancelRefusal> {
        let is_of_one =
            matches!(reason, RefundReason::BookingCancelled | RefundReason::SeatsBlocked);
        match self.status.apply(Command::Cancel, self.is_live_at(now)) {
            Ok(_) if is_of_one && self.entry.is_some() => Err(CancelRefusal::Entered),
            Ok(_)
                if is_of_one && self.status == Status::Confirmed && self.show_starts_at <= now =>
            {
                Err(CancelRefusal::ShowBegun)
            }
            Ok(status) => Ok(status),
            Err(Refusal::AlreadyCancelled) => Err(CancelRefusal::AlreadyCancelled),
            Err(Refusal::HoldExpired | Refusal::StillHeld | Refusal::AlreadyConfirmed) => {
                Err(CancelRefusal::HoldExpired)
            }
        }
    }
}

/// Why a reservation is not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelRefusal {
    /// It is already.
    AlreadyCancelled,
    /// The hold is over; there is nothing left to cancel.
    HoldExpired,
    /// The show has begun.
    ShowBegun,
    /// Its ticket was scanned.
    Entered,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const STATUSES: [Status; 5] =
        [Status::Pending, Status::Confirmed, Status::Cancelled, Status::Expired, Status::Failed];
    pub(crate) const COMMANDS: [Command; 5] =
        [Command::Confirm, Command::ConfirmLate, Command::Cancel, Command::Expire, Command::Fail];

    /// A reservation of this status with all its times.
    pub(crate) fn reservation(status: Status) -> Reservation {
        let at = |second| Timestamp::from_timestamp(second, 0).unwrap();
        Reservation {
            id: "r-1".parse().unwrap(),
            user_id: "ann".to_owned().try_into().unwrap(),
            email: None,
            hold_token: "t1".parse().unwrap(),
            show_id: "s-1".parse().unwrap(),
            show_starts_at: at(9_000),
            seats: Vec::new(),
            amount: Money::new(45_000, "INR".parse().unwrap()).unwrap(),
            status,
            expires_at: at(4),
            extended: false,
            created_at: at(1),
            confirmed_at: Some(at(2)),
            cancelled_at: Some(at(3)),
            payment: None,
            entry: None,
        }
    }

    /// Goal: exactly the arrows of the design exist. Method: apply everything to everything.
    #[test]
    fn the_arrows_are_those_of_the_picture() {
        let mut arrows = Vec::new();
        for from in STATUSES {
            for command in COMMANDS {
                for live in [true, false] {
                    if let Ok(to) = from.apply(command, live) {
                        arrows.push((from, command, live, to));
                    }
                }
            }
        }
        use Command as C;
        use Status as S;
        assert_eq!(
            arrows,
            [
                (S::Pending, C::Confirm, true, S::Confirmed),
                (S::Pending, C::ConfirmLate, false, S::Confirmed),
                (S::Pending, C::Cancel, true, S::Cancelled),
                (S::Pending, C::Expire, false, S::Expired),
                (S::Pending, C::Fail, true, S::Failed),
                (S::Pending, C::Fail, false, S::Failed),
                (S::Confirmed, C::Cancel, true, S::Cancelled),
                (S::Confirmed, C::Cancel, false, S::Cancelled),
                (S::Expired, C::ConfirmLate, true, S::Confirmed),
                (S::Expired, C::ConfirmLate, false, S::Confirmed),
                (S::Expired, C::Fail, true, S::Failed),
                (S::Expired, C::Fail, false, S::Failed),
                (S::Failed, C::ConfirmLate, true, S::Confirmed),
                (S::Failed, C::ConfirmLate, false, S::Confirmed),
                (S::Failed, C::Fail, true, S::Failed),
                (S::Failed, C::Fail, false, S::Failed),
            ]
        );
    }

    /// Goal: whoever sits in the show keeps the seat, whoever else wants it. Method: every reason, before
    /// and after the begin, outside and inside.
    #[test]
    fn once_it_began_or_was_entered_only_the_shows_end_ends_a_booking() {
        let begin = reservation(Status::Confirmed).show_starts_at;
        let before = begin - chrono::TimeDelta::seconds(1);
        let outside = reservation(Status::Confirmed);
        let entry = Entry {
            at: before,
            gate: "Gate 1".to_owned().try_into().unwrap(),
            scan_id: "scan-1".parse().unwrap(),
            by: "boss".to_owned().try_into().unwrap(),
        };
        let inside = Reservation { entry: Some(entry), ..outside.clone() };
        for reason in [RefundReason::BookingCancelled, RefundReason::SeatsBlocked] {
            assert_eq!(outside.cancel_at(reason, before), Ok(Status::Cancelled), "{reason:?}");
            let begun = outside.cancel_at(reason, begin);
            assert_eq!(begun, Err(CancelRefusal::ShowBegun), "{reason:?}");
            for now in [before, begin] {
                let entered = inside.cancel_at(reason, now);
                assert_eq!(entered, Err(CancelRefusal::Entered), "{reason:?}");
            }
        }
        let off = RefundReason::ShowCancelled;
        for now in [before, begin] {
            assert_eq!(outside.cancel_at(off, now), Ok(Status::Cancelled));
            assert_eq!(inside.cancel_at(off, now), Ok(Status::Cancelled));
        }
    }

    #[test]
    fn a_cancelled_reservation_refuses_everything() {
        for command in COMMANDS {
            for live in [true, false] {
                assert_eq!(Status::Cancelled.apply(command, live), Err(Refusal::AlreadyCancelled));
            }
        }
    }

    #[test]
    fn a_reservation_is_for_its_own_seats_of_its_show() {
        let held = |name: &str| PricedSeat {
            seat_id: name.parse().unwrap(),
            section_id: "MAIN".parse().unwrap(),
            seat_type: "REGULAR".parse().unwrap(),
            price: Money::new(22_500, "INR".parse().unwrap()).unwrap(),
        };
        let seats = ["A1", "A2"].map(held).into();
        let held = Reservation { seats, ..reservation(Status::Pending) };
        for (show, seats, expected) in [
            ("s-1", &["A1", "A2"][..], true),
            ("s-2", &["A1", "A2"], false),
            ("s-1", &["A1", "A3"], false),
            ("s-1", &["A1"], false),
            ("s-1", &["A1", "A2", "A3"], false),
        ] {
            let ids: Vec<SeatId> = seats.iter().map(|seat| seat.parse().unwrap()).collect();
            let found = held.is_for(&show.parse().unwrap(), ids.iter());
            assert_eq!(found, expected, "{seats:?} of {show}");
        }
    }
}
