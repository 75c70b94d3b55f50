//! `GET /api/admin/shows/{showId}/cancellation`: how far the cancellation of a show is.

use domain::id::ShowId;
use edge::{App, Note, Problem, Request, Response, ok, view};

/// What was ended and refunded so far, and what still stands.
///
/// # Errors
///
/// 401, 403; 404 `not_found` if it was not cancelled; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    app.note(Note::Show(&show));
    let cancellation = app.store.cancellation(&show).await?.ok_or(Problem::NotFound)?;
    let standing = app.standing(&show, request.now).await?;
    Ok(ok(&view::cancellation::cancellation(&cancellation, &standing)))
}
