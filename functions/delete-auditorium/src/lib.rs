//! `DELETE /api/admin/auditoriums/{auditoriumId}`: nothing is shown in it any more.

use domain::id::AuditoriumId;
use edge::{App, Problem, Request, Response, no_content};

/// Removes an auditorium whose shows are over or cancelled, if it is at the version in `If-Match`. Its layouts
/// stay, for the shows that were. Safe to repeat: one that is not there any more, or never was, is
/// gone as well.
///
/// # Errors
///
/// 401, 403; 404 `not_found` for what cannot be an id; 409 `in_use`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: AuditoriumId = request.path("auditoriumId")?;
    app.remove_auditorium(&id, request.if_match()?, request.now).await?;
    Ok(no_content())
}
