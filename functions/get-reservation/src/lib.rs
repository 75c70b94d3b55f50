//! `GET /api/reservations/{reservationId}`: where a booking and its payment are.

use edge::{App, Note, Problem, Request, Response, ok, view};

/// Shows the caller's reservation.
///
/// # Errors
///
/// 404 `not_found`, also for what belongs to somebody else; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let user = request.user().await?;
    let id = request.path("reservationId")?;
    app.note(Note::Reservation(&id));
    let reservation = app.store.reservation(&id).await?;
    let reservation = reservation.filter(|of| of.user_id == user).ok_or(Problem::NotFound)?;
    Ok(ok(&view::reservation(&reservation, request.now)))
}
