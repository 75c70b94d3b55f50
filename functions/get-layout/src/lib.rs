//! `GET /api/admin/auditoriums/{auditoriumId}/layouts/{layoutVersion}`: how the seats stand, or
//! stood.

use domain::id::AuditoriumId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

/// Shows a version of an auditorium's layout. It never changes, so its version is its `ETag`.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: AuditoriumId = request.path("auditoriumId")?;
    let version: u32 = request.path("layoutVersion")?;
    let layout = app.store.layout(&id, version).await?.ok_or(Problem::NotFound)?;
    Ok(tagged(ok(&view::catalog::layout(id.as_str(), version, &layout)), version))
}
