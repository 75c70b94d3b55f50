//! Every way a request can fail, and how it is told: RFC 9457 `application/problem+json`.
//!
//! `code` is contract: clients branch on it, so a code is added and never renamed. `detail` is
//! prose. What a client must not learn stays in the log, reached through `source`.

use chrono::TimeDelta;
use domain::id::{SeatId, ShowId};
use domain::layout::InvalidLayout;
use domain::limits::{HOUSE_SEATS_CHANGED_MAX, SEATS_PER_HOLD_MAX, SUBSCRIPTIONS_MAX};
use domain::schedule::{InvalidShow, LineError};
use domain::seat;
use domain::ticket::Entry;
use lambda_http::http::StatusCode;
use store::Fault;

use crate::payment::ProviderError;
use crate::response::whole_secs;
use crate::settings::MissingSetting;

mod from;

/// What a customer is told who came second.
pub const SEAT_TAKEN_DETAIL: &str =
    "Sorry, this seat was just taken by someone else. Please pick another seat.";

/// Why a request without a token is refused.
pub(crate) const NO_TOKEN: &str = "a bearer token is needed";

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
    /// It came around the front.
    #[error("this address takes no requests; use the one that is published")]
    AroundTheFront,
    /// There is no such thing, or it belongs to somebody else.
    #[error("there is no such thing")]
    NotFound,
    /// There is another one of this id.
    #[error("there is another one with this id")]
    AlreadyExists,
    /// Something else builds on it.
    #[error("{0}")]
    InUse(&'static str),
    /// A change without saying of what.
    #[error("a change needs `If-Match` with the entry's `ETag`, or with `*`")]
    PreconditionRequired,
    /// Somebody else changed it.
    #[error("it was changed meanwhile; read it again")]
    PreconditionFailed,
    /// It names something that is not there.
    #[error("there is no such thing: {0}")]
    UnknownReference(String),
    /// The seats of an auditorium make no sense.
    #[error("the layout has {} mistakes", .0.len())]
    InvalidLayout(Vec<InvalidLayout>),
    /// A show that cannot be.
    #[error("{0}")]
    InvalidShow(InvalidShow),
    /// Two shows in one room at one time.
    #[error("show {show} and show {other} would be in one auditorium at the same time")]
    ShowOverlaps {
        /// The new one.
        show: ShowId,
        /// The one that is there.
        other: ShowId,
    },
    /// A schedule with mistakes.
    #[error("{}", not_loaded(*.created))]
    InvalidSchedule {
        /// Shows that were made before somebody else took what the rest needs.
        created: u32,
        /// What is wrong, by line.
        errors: Vec<LineError>,
    },
    /// The choice leaves single seats.
    #[error("this would leave a single seat free: {}", join(.0))]
    OrphanSeats(Vec<SeatId>),
    /// Seats for those who need them.
    #[error("these seats are kept for those who need them: {}", join(.0))]
    AccessibleSeats(Vec<SeatId>),
    /// More of the house's seats than one change may have.
    #[error("at most {HOUSE_SEATS_CHANGED_MAX} of the house's seats can change at once, not {0}")]
    TooManySeatsChanged(usize),
    /// One user's holds of a show.
    #[error("you hold {held} seats of this show already; pay for them or give some back first")]
    TooManySeatsHeld {
        /// How many they hold.
        held: u32,
    },
    /// Too often.
    #[error("too many requests; try again in {} s", whole_secs(*.retry_after))]
    RateLimited {
        /// From when on it may work.
        retry_after: TimeDelta,
    },
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
    /// Try again: who issues tokens is away, and none of its keys is known.
    #[error("please try again")]
    IssuerAway(#[source] Box<dyn std::error::Error + Send + Sync>),
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

/// What became of a schedule with mistakes.
fn not_loaded(created: u32) -> String {
    match created {
        0 => "nothing was loaded: the schedule has mistakes".to_owned(),
        1 => "1 show was loaded, then others took what the rest needs: mend it, and load it again"
            .to_owned(),
        _ => format!(
            "{created} shows were loaded, then others took what the rest needs: mend it, and load it \
             again"
        ),
    }
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
            Self::Forbidden(_) | Self::AroundTheFront => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::SeatsUnavailable(_) => (StatusCode::CONFLICT, "seats_unavailable"),
            Self::TooManySeats(_)
            | Self::TooManySeatsHeld { .. }
            | Self::TooManySeatsChanged(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_seats"),
            Self::AlreadyExists => (StatusCode::CONFLICT, "already_exists"),
            Self::InUse(_) => (StatusCode::CONFLICT, "in_use"),
            Self::PreconditionRequired => {
                (StatusCode::PRECONDITION_REQUIRED, "precondition_required")
            }
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::UnknownReference(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_reference"),
            Self::InvalidLayout(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_layout"),
            Self::InvalidShow(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_show"),
            Self::ShowOverlaps { .. } => (StatusCode::CONFLICT, "show_overlaps"),
            Self::InvalidSchedule { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_schedule"),
            Self::OrphanSeats(_) => (StatusCode::UNPROCESSABLE_ENTITY, "orphan_seats"),
            Self::AccessibleSeats(_) => (StatusCode::UNPROCESSABLE_ENTITY, "accessible_seats"),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
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
            | Self::EmailAway(_)
            | Self::IssuerAway(_) => (StatusCode::SERVICE_UNAVAILABLE, "try_again"),
            Self::Internal(_) | Self::NotConfigured(_) | Self::ProviderRefused(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }
}
