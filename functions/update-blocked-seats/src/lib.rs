//! `PUT /api/admin/shows/{showId}/blocked-seats`: the seats that the house keeps for itself.

use std::collections::BTreeSet;

use domain::id::{SeatId, ShowId};
use edge::{App, Problem, Request, Response, ok, tagged_as};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    seat_ids: BTreeSet<SeatId>,
    #[serde(default)]
    force: bool,
}

/// Keeps exactly these seats, if those that it kept are the ones of `If-Match`, if that is sent. Seats
/// that are held or booked refuse, unless it is forced: then whoever has them loses the reservation, and
/// gets the money back; but nobody who went in, or whose show has begun. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 409 `seats_unavailable`, `show_cancelled`,
/// `cancellation_closed`; 412 `precondition_failed`; 422 `unknown_seats`, `too_many_seats`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    let Body { seat_ids, force } = request.json()?;
    let if_match = request.if_match_tag();
    let kept = app.update_house_seats(&show, seat_ids, force, if_match, request.now).await?;
    Ok(tagged_as(ok(&kept), &kept.tag()))
}
