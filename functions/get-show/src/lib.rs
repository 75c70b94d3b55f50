//! `GET /api/shows/{showId}`: one show.

use edge::{App, Note, Problem, Request, Response, ok, view};

/// Shows a show with its prices.
///
/// # Errors
///
/// 404 `not_found`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let show_id = request.path("showId")?;
    app.note(Note::Show(&show_id));
    let show = app.show(&show_id, request.now).await?;
    Ok(ok(&view::show(&show)))
}
