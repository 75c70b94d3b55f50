//! `GET /api/admin/shows/{showId}/audit`: whether the books of a show are sound.

use domain::id::ShowId;
use edge::{App, Note, Problem, Request, Response, ok, view};

/// Recomputes what must hold of a show from the tables, and tells what does not.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    app.note(Note::Show(&show));
    let audit = app.audit(&show, request.now).await?;
    Ok(ok(&view::audit::audit(&audit)))
}
