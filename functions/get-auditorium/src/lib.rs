//! `GET /api/admin/auditoriums/{auditoriumId}`: one auditorium, with the version that a change of
//! it names.

use domain::catalog::Auditorium;
use domain::id::AuditoriumId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

/// Shows an auditorium as it is now.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: AuditoriumId = request.path("auditoriumId")?;
    let found = app.entry::<Auditorium>(&id).await?;
    Ok(tagged(ok(&view::catalog::auditorium(&found.entry)), found.version))
}
