//! `GET /api/admin/shows/{showId}/blocked-seats`: the seats that the house keeps for itself.

use domain::id::ShowId;
use edge::{App, Problem, Request, Response, ok, tagged_as};

/// Which seats those are now. Who changes them with this `ETag` in `If-Match` changes what they saw.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    let kept = app.house_seats(&show, request.now).await?;
    Ok(tagged_as(ok(&kept), &kept.tag()))
}
