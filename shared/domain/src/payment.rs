//! The payment state machine, and what a provider says of a payment.
//!
//! ```text
//! Pending ──▶ Success ──▶ RefundDue ──▶ Refunded
//!    │           ▲  (money that nothing was booked for goes straight to RefundDue)
//!    ├─▶ Failed ─┤  a late authorisation, a second try
//!    └─▶ Parked ─┘  money for no reservation that we know; it may also go back
//! ```
//!
//! Forward only: an event that comes late or twice finds the payment further on and changes
//! nothing.

use chrono::TimeDelta;

use crate::id::{PaymentReference, Provider, ReservationId};
use crate::limits::{
    FAILED_PAYMENT_GIVEN_UP_AFTER_SECS, PAYMENT_CHECK_AFTER_SECS, PAYMENT_CHECK_EVERY_SECS_MAX,
    PAYMENT_GIVEN_UP_AFTER_SECS, REFUND_CHECK_AFTER_SECS, REFUND_OVERDUE_AFTER_SECS,
};
use crate::money::Money;
use crate::time::Timestamp;

/// Where a payment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The provider is working on it.
    Pending,
    /// The money is ours, and a booking stands for it.
    Success,
    /// No money came.
    Failed,
    /// The money came, and nobody knows what for. Somebody must look.
    Parked,
    /// The money came and must go back. An item in this state *is* the order to refund it.
    RefundDue,
    /// The money went back.
    Refunded,
}

/// What can happen to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// The money came, and a booking takes it.
    Capture,
    /// The provider gave up.
    Fail,
    /// The money came for no reservation that we know.
    Park,
    /// The money came, or had come, and must go back.
    OweBack,
    /// The money went back.
    Refund,
}

impl Status {
    /// The payment after `command`, or nothing if it is already further on.
    #[must_use]
    pub fn apply(self, command: Command) -> Option<Self> {
        match (self, command) {
            (Self::Pending | Self::Failed | Self::Parked, Command::Capture) => Some(Self::Success),
            (Self::Pending, Command::Fail) => Some(Self::Failed),
            (Self::Pending | Self::Failed, Command::Park) => Some(Self::Parked),
            (Self::Pending | Self::Failed | Self::Parked | Self::Success, Command::OweBack) => {
                Some(Self::RefundDue)
            }
            (Self::RefundDue | Self::Parked, Command::Refund) => Some(Self::Refunded),

            (Self::Success | Self::RefundDue | Self::Refunded, Command::Capture)
            | (
                Self::Failed | Self::Parked | Self::Success | Self::RefundDue | Self::Refunded,
                Command::Fail,
            )
            | (Self::Parked | Self::Success | Self::RefundDue | Self::Refunded, Command::Park)
            | (Self::RefundDue | Self::Refunded, Command::OweBack)
            | (Self::Pending | Self::Failed | Self::Success | Self::Refunded, Command::Refund) => {
                None
            }
        }
    }
}

impl Status {
    /// How long after it became so somebody must look what became of it, if anybody must.
    #[must_use]
    pub fn check_after(self) -> Option<TimeDelta> {
        match self {
            Self::Pending | Self::Failed => Some(TimeDelta::seconds(PAYMENT_CHECK_AFTER_SECS)),
            Self::RefundDue => Some(TimeDelta::seconds(REFUND_CHECK_AFTER_SECS)),
            // At once, but by a person.
            Self::Parked => Some(TimeDelta::zero()),
            Self::Success | Self::Refunded => None,
        }
    }
}

/// Why money goes back. Stored with the payment, so that a retry hears the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundReason {
    /// The hold was over when the customer confirmed.
    HoldExpired,
    /// A late payment, and somebody else has one of the seats.
    SeatsTaken,
    /// A late payment, and the show has begun.
    ShowBegun,
    /// The show was cancelled.
    ShowCancelled,
    /// The house needs the seats for itself.
    SeatsBlocked,
    /// Another payment already booked the seats.
    SecondPayment,
    /// The reservation was cancelled before the money came.
    PaidAfterCancel,
    /// The customer cancelled the booking.
    BookingCancelled,
    /// Not the amount or not the currency that was asked for.
    WrongAmount,
    /// The house, or the payer's bank, sent the money of a booking back at the provider.
    ReturnedByProvider,
}

impl RefundReason {
    /// Whether the money came after the end of its hold.
    #[must_use]
    pub fn is_late(self) -> bool {
        match self {
            Self::HoldExpired | Self::SeatsTaken | Self::ShowBegun => true,
            Self::ShowCancelled
            | Self::SeatsBlocked
            | Self::SecondPayment
            | Self::PaidAfterCancel
            | Self::BookingCancelled
            | Self::WrongAmount
            | Self::ReturnedByProvider => false,
        }
    }
}

impl RefundReason {
    /// Whether the payer, and not time or the house, paid what could not be booked: somebody may
    /// want to know why that was possible.
    #[must_use]
    pub fn is_misdirected(self) -> bool {
        match self {
            Self::SecondPayment | Self::PaidAfterCancel | Self::WrongAmount => true,
            Self::HoldExpired
            | Self::SeatsTaken
            | Self::ShowBegun
            | Self::ShowCancelled
            | Self::SeatsBlocked
            | Self::BookingCancelled
            | Self::ReturnedByProvider => false,
        }
    }
}

/// A payment as we keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Who took the money.
    pub provider: Provider,
    /// What they call it.
    pub reference: PaymentReference,
    /// What it is for, as it says. Only one that is or was [`Status::Parked`] may say nothing.
    pub reservation_id: Option<ReservationId>,
    /// How much.
    pub money: Money,
    /// Where it is in its life.
    pub status: Status,
    /// Why it goes back, from [`Status::RefundDue`] on.
    pub refund_reason: Option<RefundReason>,
    /// When we first heard of it.
    pub created_at: Timestamp,
    /// When it came to where it is in its life.
    pub changed_at: Timestamp,
}

/// What a provider says of one payment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Who says it.
    pub provider: Provider,
    /// Of which payment.
    pub reference: PaymentReference,
    /// The answer.
    pub outcome: Outcome,
}

/// A provider's answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider knows the payment.
    Known {
        /// What the payer named in the payment's metadata.
        reservation_id: Option<ReservationId>,
        /// How much was asked of the payer.
        money: Money,
        /// Whether it came.
        progress: Progress,
    },
    /// The provider knows no such payment.
    Unknown,
    /// The provider did not answer. The payment may be anything.
    Away,
}

/// How far a payment has come at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Not decided yet.
    Processing,
    /// The money is there.
    Captured,
    /// It will not come by this payment, as far as the provider knows now.
    Failed,
    /// The money was there, and all of it went back.
    Refunded,
}

/// What a provider tells by itself, in our words: its webhook's content, and what is queued.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// How a payment stands.
    Payment(Report),
    /// How a refund of a payment went, where the provider tells nothing of the payment itself.
    Refund {
        /// Who says it.
        provider: Provider,
        /// A refund of which payment.
        reference: PaymentReference,
        /// How much of it.
        money: Money,
        /// How it went.
        refund: Refund,
    },
}

impl Event {
    /// Whether it only tells that money is on its way back.
    #[must_use]
    pub fn is_refund_under_way(&self) -> bool {
        matches!(self, Self::Refund { refund: Refund::Processing, .. })
    }
}

/// How far a refund has come at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refund {
    /// On its way.
    Processing,
    /// The money went back.
    Done,
    /// It did not go back, and will not by this refund.
    Failed,
}

impl Payment {
    /// When somebody must come back to it who looked at it at `now`, if anybody must: each time
    /// after as long again, and at least once a day, so it costs a dozen looks in all. Who could not see what became of it
    /// must always come back.
    #[must_use]
    pub fn check_again_at(&self, was_seen: bool, now: Timestamp) -> Option<Timestamp> {
        let first = self.status.check_after()?;
        let most = TimeDelta::seconds(PAYMENT_CHECK_EVERY_SECS_MAX);
        let next = now + first.max((now - self.changed_at).min(most));
        match self.given_up_at() {
            Some(end) if now < end => Some(end.min(next)),
            Some(_is_over) if was_seen => None,
            Some(_) | None => Some(next),
        }
    }

    /// Whether its money can no longer be expected to come.
    #[must_use]
    pub fn is_given_up_at(&self, now: Timestamp) -> bool {
        self.given_up_at().is_some_and(|end| end <= now)
    }

    /// Whether its money is owed back for so long that somebody must look.
    #[must_use]
    pub fn is_overdue_at(&self, now: Timestamp) -> bool {
        let after = TimeDelta::seconds(REFUND_OVERDUE_AFTER_SECS);
        self.status == Status::RefundDue && self.changed_at + after <= now
    }

    /// When nobody waits for its money any more. What came is never given up.
    fn given_up_at(&self) -> Option<Timestamp> {
        let after_secs = match self.status {
            Status::Pending => PAYMENT_GIVEN_UP_AFTER_SECS,
            Status::Failed => FAILED_PAYMENT_GIVEN_UP_AFTER_SECS,
            Status::Parked | Status::Success | Status::RefundDue | Status::Refunded => return None,
        };
        Some(self.changed_at + TimeDelta::seconds(after_secs))
    }
}

impl Report {
    /// How far the payment has come, if the provider knows it and answered.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        match &self.outcome {
            Outcome::Known { progress, .. } => Some(*progress),
            Outcome::Unknown | Outcome::Away => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [Status; 6] = [
        Status::Pending,
        Status::Failed,
        Status::Parked,
        Status::Success,
        Status::RefundDue,
        Status::Refunded,
    ];
    const COMMANDS: [Command; 5] =
        [Command::Capture, Command::Fail, Command::Park, Command::OweBack, Command::Refund];

    /// How far along a status is. Money that came is never forgotten, so it never gets less.
    fn rank(status: Status) -> usize {
        STATUSES.iter().position(|of| *of == status).unwrap()
    }

    #[test]
    fn a_payment_only_moves_forward() {
        for from in STATUSES {
            for command in COMMANDS {
                if let Some(to) = from.apply(command) {
                    assert!(rank(to) > rank(from), "{from:?} {command:?} {to:?}");
                    assert_eq!(to.apply(command), None, "{command:?} twice from {from:?}");
                }
            }
        }
    }

    #[test]
    fn captured_money_never_becomes_failed() {
        for status in [Status::Parked, Status::Success, Status::RefundDue, Status::Refunded] {
            assert_eq!(status.apply(Command::Fail), None);
        }
        assert_eq!(Status::Failed.apply(Command::Capture), Some(Status::Success));
    }

    #[test]
    fn a_reason_tells_who_was_late_and_who_paid_what_was_not_asked_for() {
        use RefundReason as R;
        let late = [R::HoldExpired, R::SeatsTaken, R::ShowBegun];
        let misdirected = [R::SecondPayment, R::PaidAfterCancel, R::WrongAmount];
        let neither =
            [R::ShowCancelled, R::SeatsBlocked, R::BookingCancelled, R::ReturnedByProvider];
        let told = |reason: R| (reason.is_late(), reason.is_misdirected());
        assert_eq!(late.map(told), [(true, false); 3]);
        assert_eq!(misdirected.map(told), [(false, true); 3]);
        assert_eq!(neither.map(told), [(false, false); 4]);
    }

    const BEGIN: i64 = 1_000_000;
    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;

    /// So many seconds after a payment came to its status.
    fn after(secs: i64) -> Timestamp {
        Timestamp::from_timestamp(BEGIN + secs, 0).unwrap()
    }

    fn payment(status: Status) -> Payment {
        Payment {
            provider: "sandbox".parse().unwrap(),
            reference: "p-1".parse().unwrap(),
            reservation_id: None,
            money: Money::new(45_000, "INR".parse().unwrap()).unwrap(),
            status,
            refund_reason: None,
            created_at: after(-1),
            changed_at: after(0),
        }
    }

    /// Goal: a payment is looked at after as long again, once a day at least, and for the last time when
    /// it is given up. Method: for each status, when who sees it and who does not comes back.
    #[test]
    fn a_payment_is_looked_at_ever_later_until_it_is_given_up() {
        use Status as S;
        let again = |at| (Some(at), Some(at));
        for (status, now, (seen, unseen)) in [
            (S::Pending, 0, again(15 * 60)),
            (S::Pending, HOUR, again(2 * HOUR)),
            (S::Pending, 2 * DAY, again(3 * DAY)),
            (S::Pending, 6 * DAY + 1, again(7 * DAY)),
            (S::Pending, 7 * DAY - 1, again(7 * DAY)),
            (S::Pending, 7 * DAY, (None, Some(8 * DAY))),
            (S::Pending, 9 * DAY, (None, Some(10 * DAY))),
            (S::Failed, 0, again(15 * 60)),
            (S::Failed, 13 * HOUR, again(DAY)),
            (S::Failed, DAY, (None, Some(2 * DAY))),
            (S::RefundDue, 0, again(HOUR)),
            (S::RefundDue, 2 * HOUR, again(4 * HOUR)),
            (S::RefundDue, 30 * DAY, again(31 * DAY)),
            (S::Parked, 0, again(0)),
            (S::Parked, HOUR, again(2 * HOUR)),
            (S::Parked, 30 * DAY, again(31 * DAY)),
            (S::Success, 0, (None, None)),
            (S::Refunded, 0, (None, None)),
        ] {
            let found = |was_seen| payment(status).check_again_at(was_seen, after(now));
            let expected = [seen, unseen].map(|secs| secs.map(after));
            assert_eq!([found(true), found(false)], expected, "{status:?} after {now} s");
        }
    }

    #[test]
    fn money_that_may_come_is_given_up_and_money_that_is_owed_is_overdue() {
        for status in STATUSES {
            let given_up_after = match status {
                Status::Pending => 7 * DAY,
                Status::Failed => DAY,
                Status::Parked | Status::Success | Status::RefundDue | Status::Refunded => i64::MAX,
            };
            let overdue_after = if status == Status::RefundDue { DAY } else { i64::MAX };
            let payment = payment(status);
            for secs in [0, DAY - 1, DAY, 7 * DAY - 1, 7 * DAY, 99 * DAY] {
                let found =
                    (payment.is_given_up_at(after(secs)), payment.is_overdue_at(after(secs)));
                let expected = (given_up_after <= secs, overdue_after <= secs);
                assert_eq!(found, expected, "{status:?} after {secs} s");
            }
        }
    }

    #[test]
    fn only_a_provider_that_knows_a_payment_tells_how_far_it_is() {
        let Payment { provider, reference, money, .. } = payment(Status::Pending);
        let report =
            |outcome| Report { provider: provider.clone(), reference: reference.clone(), outcome };
        for progress in
            [Progress::Processing, Progress::Captured, Progress::Failed, Progress::Refunded]
        {
            let known = report(Outcome::Known { reservation_id: None, money, progress });
            assert_eq!(known.progress(), Some(progress));
        }
        for outcome in [Outcome::Unknown, Outcome::Away] {
            assert_eq!(report(outcome).progress(), None);
        }
        let refund = |refund| Event::Refund {
            provider: provider.clone(),
            reference: reference.clone(),
            money,
            refund,
        };
        assert!(refund(Refund::Processing).is_refund_under_way());
        for event in
            [refund(Refund::Done), refund(Refund::Failed), Event::Payment(report(Outcome::Unknown))]
        {
            assert!(!event.is_refund_under_way(), "{event:?}");
        }
    }
}
