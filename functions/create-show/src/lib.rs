//! `POST /api/admin/shows`: a show, at a time when its auditorium is free.

use domain::schedule::Draft;
use edge::{App, Problem, Request, Response, created, tagged, view};

/// Makes a show under the id that the house gives it. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 409 `already_exists`, `show_overlaps`; 422 `unknown_reference`,
/// `invalid_show`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let draft: Draft = request.json()?;
    let show = app.create_show(&draft, request.now).await?;
    Ok(tagged(created(&view::show(&show)), show.version))
}
