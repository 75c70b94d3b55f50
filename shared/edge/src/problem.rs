//! Every way a request can fail, and how it is told: RFC 9457 `application/problem+json`.
//!
//! `code` is contract: clients branch on it, so a code is added and never renamed. `detail` is
//! prose. What a client must not learn stays in the log, reached through `source`.

use domain::id::SeatId;
use domain::limits::{SEATS_PER_HOLD_MAX, SUBSCRIPTIONS_MAX};
use domain::payment::RefundReason;
use domain::reservation::{CancelRefusal, Refusal};
use domain::seat;
use domain::seats::InvalidSeats;
use domain::show::{NoQuote, NotOnSale};
use domain::ticket::Entry;
use lambda_http::http::StatusCode;
use store::{CancelError, Fault, HoldError};

use crate::app::MissingSetting;
use crate::payment::ProviderError;

/// What a customer is told who came second.
pub const SEAT_TAKEN_DETAIL: &str =
    "Sorry, this seat was just taken by someone else. Please pick another seat.";

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A part of the request is missing or malformed.
    #[error("{0}")]
    Invalid(String),
    /// The body is too large.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// No token, or none that is believed.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The token lacks a role.
    #[error("this needs the role `{0}`")]
    Forbidden(&'static str),
    /// There is no such thing, or it belongs to somebody else.
    #[error("there is no such thing")]
    NotFound,
    /// Some seats cannot be had.
    #[error("{SEAT_TAKEN_DETAIL}")]
    SeatsUnavailable(Vec<(SeatId, seat::Refusal)>),
    /// More seats than one hold may have.
    #[error("at most {SEATS_PER_HOLD_MAX} seats can be held at once, not {0}")]
    TooManySeats(usize),
    /// A seat was named twice.
    #[error("each seat can be named once")]
    DuplicateSeats,
    /// The show has no such seats.
    #[error("the show has no seat {}", join(.0))]
    UnknownSeats(Vec<SeatId>),
    /// The hold token stands for another request.
    #[error("this hold token was used for other seats or another show")]
    HoldTokenReused,
    /// The show is not sold now.
    #[error("the show is not on sale")]
    ShowNotOnSale,
    /// The show will not take place.
    #[error("the show was cancelled")]
    ShowCancelled,
    /// The hold is over.
    #[error("the hold is over")]
    HoldExpired,
    /// Another payment booked it.
    #[error("the reservation is confirmed already, by another payment")]
    AlreadyConfirmed,
    /// It was cancelled.
    #[error("the reservation was cancelled")]
    AlreadyCancelled,
    /// The show has begun, or its customer went in.
    #[error("the show has begun or the ticket was used; the booking can be cancelled no more")]
    CancellationClosed,
    /// No money came.
    #[error("the payment failed; try another one while the hold lasts")]
    PaymentFailed,
    /// Not a payment for this reservation, or not of its amount or currency.
    #[error("this is not a payment of the right amount for this reservation")]
    PaymentMismatch,
    /// A webhook that its provider did not sign, or not now, or not so.
    #[error("the signature is missing, old or not of this body")]
    InvalidSignature,
    /// The show has ended, so it can no more be cancelled.
    #[error("the show is over; it can be cancelled no more")]
    ShowOver,
    /// An address that events are not sent to.
    #[error("events are not sent there: {0}")]
    ForbiddenTarget(String),
    /// More subscriptions than there may be.
    #[error("there are {SUBSCRIPTIONS_MAX} subscriptions already; delete one first")]
    TooManySubscriptions,
    /// Not a ticket of ours, or of no booking.
    #[error("this is no valid ticket")]
    InvalidTicket,
    /// A ticket for another show than this gate's.
    #[error("this ticket is for another show")]
    WrongShow,
    /// The ticket was scanned before.
    #[error("somebody went in with this ticket already")]
    AlreadyEntered(Entry),
    /// Try again: others are faster, or `DynamoDB` is away.
    #[error("please try again")]
    TryAgain(#[source] Fault),
    /// Try again: the payment provider is away.
    #[error("please try again")]
    ProviderAway(#[source] ProviderError),
    /// Try again: a refund was told of before its payment.
    #[error("please try again")]
    OutOfTurn,
    /// Try again: the queue is away.
    #[error("please try again")]
    QueueAway(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Try again: the event bus is away, or did not take an event.
    #[error("please try again")]
    BusAway(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Try again: a letter was not sent.
    #[error("please try again")]
    EmailAway(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Our fault: the payment provider refuses what we ask, or cannot be understood.
    #[error("internal error")]
    ProviderRefused(#[source] ProviderError),
    /// Our fault: what is stored makes no sense, or a call that can never work.
    #[error("internal error")]
    Internal(#[source] Fault),
    /// Our fault: the function is not set up.
    #[error("internal error")]
    NotConfigured(#[source] MissingSetting),
}

fn join(seats: &[SeatId]) -> String {
    seats.iter().map(SeatId::as_str).collect::<Vec<_>>().join(", ")
}

impl Problem {
    /// Status and code. One arm each, no wildcard: a new problem must choose.
    #[must_use]
    pub fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::SeatsUnavailable(_) => (StatusCode::CONFLICT, "seats_unavailable"),
            Self::TooManySeats(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_seats"),
            Self::DuplicateSeats => (StatusCode::UNPROCESSABLE_ENTITY, "duplicate_seats"),
            Self::UnknownSeats(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_seats"),
            Self::HoldTokenReused => (StatusCode::UNPROCESSABLE_ENTITY, "hold_token_reused"),
            Self::ShowNotOnSale => (StatusCode::CONFLICT, "show_not_on_sale"),
            Self::ShowCancelled => (StatusCode::CONFLICT, "show_cancelled"),
            Self::HoldExpired => (StatusCode::CONFLICT, "hold_expired"),
            Self::AlreadyConfirmed => (StatusCode::CONFLICT, "already_confirmed"),
            Self::AlreadyCancelled => (StatusCode::CONFLICT, "already_cancelled"),
            Self::CancellationClosed | Self::ShowOver => {
                (StatusCode::CONFLICT, "cancellation_closed")
            }
            Self::PaymentFailed => (StatusCode::PAYMENT_REQUIRED, "payment_failed"),
            Self::PaymentMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "payment_mismatch"),
            Self::InvalidSignature => (StatusCode::BAD_REQUEST, "invalid_signature"),
            Self::ForbiddenTarget(_) => (StatusCode::UNPROCESSABLE_ENTITY, "forbidden_target"),
            Self::TooManySubscriptions => (StatusCode::CONFLICT, "too_many_subscriptions"),
            Self::InvalidTicket => (StatusCode::BAD_REQUEST, "invalid_ticket"),
            Self::WrongShow => (StatusCode::UNPROCESSABLE_ENTITY, "wrong_show"),
            Self::AlreadyEntered(_) => (StatusCode::CONFLICT, "already_entered"),
            Self::TryAgain(_)
            | Self::ProviderAway(_)
            | Self::OutOfTurn
            | Self::QueueAway(_)
            | Self::BusAway(_)
            | Self::EmailAway(_) => (StatusCode::SERVICE_UNAVAILABLE, "try_again"),
            Self::Internal(_) | Self::NotConfigured(_) | Self::ProviderRefused(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }
}

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
