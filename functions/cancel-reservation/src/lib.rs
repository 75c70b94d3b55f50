//! `POST /api/reservations/cancel`: give up a hold, or take back a booking.

use domain::allowance::PolicyName;
use domain::id::ReservationId;
use domain::payment::RefundReason;
use edge::{App, Note, Problem, Request, Response, ok, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    reservation_id: ReservationId,
}

/// Cancels the caller's reservation; the money of a booking is owed back. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 404 `not_found`, also for what belongs to somebody else; 409
/// `hold_expired`, `cancellation_closed`; 429 `rate_limited`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let user = request.user().await?;
    let Body { reservation_id } = request.json()?;
    app.note(Note::Reservation(&reservation_id));
    let (reservation, counted) = tokio::join!(
        app.store.reservation(&reservation_id),
        app.limit(PolicyName::Cancel, &user, request.now),
    );
    counted?;
    let reservation = reservation?.filter(|of| of.user_id == user).ok_or(Problem::NotFound)?;
    app.note(Note::Show(&reservation.show_id));
    let reason = RefundReason::BookingCancelled;
    let cancelled = app.store.cancel(reservation, reason, request.now).await?;
    if cancelled.refund {
        app.note(Note::RefundDue);
    }
    Ok(ok(&view::reservation(&cancelled.reservation, request.now)))
}
