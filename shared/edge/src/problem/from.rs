//! What the failures of the layers below are to a client.

use chrono::TimeDelta;
use domain::payment::RefundReason;
use domain::reservation::{CancelRefusal, Refusal};
use domain::seats::InvalidSeats;
use domain::show::{NoQuote, NotOnSale};
use store::{CancelError, CreateError, Fault, HoldError, ReplaceError};

use crate::payment::ProviderError;
use crate::problem::Problem;
use crate::settings::MissingSetting;

impl From<InvalidSeats> for Problem {
    fn from(invalid: InvalidSeats) -> Self {
        match invalid {
            InvalidSeats::None => Self::Invalid("`seatIds` names no seat".to_owned()),
            InvalidSeats::TooMany { count } => Self::TooManySeats(count),
            InvalidSeats::Repeated => Self::DuplicateSeats,
        }
    }
}

impl From<NotOnSale> for Problem {
    fn from(not: NotOnSale) -> Self {
        match not {
            NotOnSale::Closed => Self::ShowNotOnSale,
            NotOnSale::Cancelled => Self::ShowCancelled,
        }
    }
}

impl From<NoQuote> for Problem {
    fn from(no: NoQuote) -> Self {
        match no {
            NoQuote::UnknownSeats(seats) => Self::UnknownSeats(seats),
            NoQuote::Amount(error) => Self::Internal(Fault::Corrupt(error.to_string())),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::HoldExpired | Refusal::StillHeld => Self::HoldExpired,
            Refusal::AlreadyConfirmed => Self::AlreadyConfirmed,
            Refusal::AlreadyCancelled => Self::AlreadyCancelled,
        }
    }
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Taken(seats) => Self::SeatsUnavailable(seats),
            HoldError::Over(refusal) => refusal.into(),
            HoldError::TokenReused => Self::HoldTokenReused,
            HoldError::RateLimited { retry_after, .. } => Self::RateLimited { retry_after },
            HoldError::TooManyHeld { held, .. } => Self::TooManySeatsHeld { held },
            HoldError::Fault(fault) => fault.into(),
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Refused(CancelRefusal::AlreadyCancelled) => Self::AlreadyCancelled,
            CancelError::Refused(CancelRefusal::HoldExpired) => Self::HoldExpired,
            CancelError::Refused(CancelRefusal::ShowBegun | CancelRefusal::Entered) => {
                Self::CancellationClosed
            }
            CancelError::Fault(fault) => fault.into(),
        }
    }
}

/// Why a payment booked nothing, as its payer is told.
impl From<RefundReason> for Problem {
    fn from(reason: RefundReason) -> Self {
        match reason {
            RefundReason::HoldExpired | RefundReason::SeatsTaken | RefundReason::ShowBegun => {
                Self::HoldExpired
            }
            RefundReason::ShowCancelled => Self::ShowCancelled,
            RefundReason::SeatsBlocked => Self::AlreadyCancelled,
            RefundReason::SecondPayment => Self::AlreadyConfirmed,
            RefundReason::PaidAfterCancel
            | RefundReason::BookingCancelled
            | RefundReason::ReturnedByProvider => Self::AlreadyCancelled,
            RefundReason::WrongAmount => Self::PaymentMismatch,
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Contended | Fault::Unavailable(_) => Self::TryAgain(fault),
            Fault::Outrun => Self::RateLimited { retry_after: TimeDelta::seconds(1) },
            Fault::Refused(_) | Fault::Corrupt(_) => Self::Internal(fault),
        }
    }
}

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Away(_) => Self::ProviderAway(error),
            ProviderError::Refused { .. } | ProviderError::Nonsense(_) => {
                Self::ProviderRefused(error)
            }
        }
    }
}

impl From<MissingSetting> for Problem {
    fn from(missing: MissingSetting) -> Self {
        Self::NotConfigured(missing)
    }
}

impl From<CreateError> for Problem {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Exists => Self::AlreadyExists,
            CreateError::NoParent => Self::UnknownReference("what it stands in".to_owned()),
            CreateError::Fault(fault) => fault.into(),
        }
    }
}

impl From<ReplaceError> for Problem {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::NotFound => Self::NotFound,
            ReplaceError::Stale => Self::PreconditionFailed,
            ReplaceError::Fault(fault) => fault.into(),
        }
    }
}
