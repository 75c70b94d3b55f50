//! `GET /api/shows/{showId}`: one show.

use edge::{App, Note, Problem, Request, Response, cacheable_version, view};

/// Seconds for which anybody on the way may keep an answer: as long as a warm function does.
const MAX_AGE_SECS: u32 = 5;

/// Shows a show with its prices. Its `ETag` is what a change of it names in `If-Match`.
///
/// # Errors
///
/// 404 `not_found`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let show_id = request.path("showId")?;
    app.note(Note::Show(&show_id));
    let show = app.show(&show_id, request.now).await?;
    Ok(cacheable_version(&request, &view::show(&show), show.version, MAX_AGE_SECS))
}
