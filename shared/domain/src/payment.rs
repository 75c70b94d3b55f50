//! The payment state machine, and what a provider says of a payment.
//!
//! ```text
//! Pending ──▶ Success ──▶ RefundDue ──▶ Refunded
//!    │           ▲  (money that nothing was booked for goes straight to RefundDue)
//!    └─▶ Failed ─┘  a late authorisation, a second try
//! ```
//!
//! Forward only: an event that comes late or twice finds the payment further on and changes
//! nothing.

use crate::id::{PaymentReference, Provider, ReservationId};
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
            (Self::Pending | Self::Failed, Command::Capture) => Some(Self::Success),
            (Self::Pending, Command::Fail) => Some(Self::Failed),
            (Self::Pending | Self::Failed | Self::Success, Command::OweBack) => {
                Some(Self::RefundDue)
            }
            (Self::RefundDue, Command::Refund) => Some(Self::Refunded),
            (Self::Success | Self::RefundDue | Self::Refunded, Command::Capture)
            | (Self::Failed | Self::Success | Self::RefundDue | Self::Refunded, Command::Fail)
            | (Self::RefundDue | Self::Refunded, Command::OweBack)
            | (Self::Pending | Self::Failed | Self::Success | Self::Refunded, Command::Refund) => {
                None
            }
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
    /// Another payment already booked the seats.
    SecondPayment,
    /// The reservation was cancelled before the money came.
    PaidAfterCancel,
    /// The customer cancelled the booking.
    BookingCancelled,
    /// Not the amount or not the currency that was asked for.
    WrongAmount,
}

impl RefundReason {
    /// Whether the money came after the end of its hold.
    #[must_use]
    pub fn is_late(self) -> bool {
        match self {
            Self::HoldExpired | Self::SeatsTaken | Self::ShowBegun => true,
            Self::ShowCancelled
            | Self::SecondPayment
            | Self::PaidAfterCancel
            | Self::BookingCancelled
            | Self::WrongAmount => false,
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
    /// What it is for.
    pub reservation_id: ReservationId,
    /// How much.
    pub money: Money,
    /// Where it is in its life.
    pub status: Status,
    /// Why it goes back, from [`Status::RefundDue`] on.
    pub refund_reason: Option<RefundReason>,
    /// When we first heard of it.
    pub created_at: Timestamp,
}

/// What a provider says of one payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who says it.
    pub provider: Provider,
    /// Of which payment.
    pub reference: PaymentReference,
    /// The answer.
    pub outcome: Outcome,
}

/// A provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Not decided yet.
    Processing,
    /// The money is there.
    Captured,
    /// It will not come by this payment, as far as the provider knows now.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [Status; 5] =
        [Status::Pending, Status::Success, Status::Failed, Status::RefundDue, Status::Refunded];
    const COMMANDS: [Command; 4] =
        [Command::Capture, Command::Fail, Command::OweBack, Command::Refund];

    /// How far along a status is. Money owed back is never forgotten, so it never gets less.
    fn rank(status: Status) -> u8 {
        match status {
            Status::Pending => 0,
            Status::Failed => 1,
            Status::Success => 2,
            Status::RefundDue => 3,
            Status::Refunded => 4,
        }
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
        for status in [Status::Success, Status::RefundDue, Status::Refunded] {
            assert_eq!(status.apply(Command::Fail), None);
        }
        assert_eq!(Status::Failed.apply(Command::Capture), Some(Status::Success));
    }
}
