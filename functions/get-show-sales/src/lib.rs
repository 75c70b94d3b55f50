//! `GET /api/admin/shows/{showId}/sales`: what was sold of a show.

use domain::id::ShowId;
use edge::{App, Note, Problem, Request, Response, ok, view};

/// Seats by type and state, what they were sold for, and what goes back.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    app.note(Note::Show(&show));
    let (show, sales) = app.sales(&show, request.now).await?;
    Ok(ok(&view::audit::sales(&show.id, &sales, request.now)))
}
