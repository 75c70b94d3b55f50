//! `DELETE /api/admin/movies/{movieId}`: no further show shows it.

use domain::id::MovieId;
use edge::{App, Problem, Request, Response, no_content};

/// Removes a film that no city shows any more, if it is at the version in `If-Match`. Shows that were
/// keep their copy of its title. Safe to repeat: one that is not there any more, or never was, is gone as well.
///
/// # Errors
///
/// 401, 403; 404 `not_found` for what cannot be an id; 409 `in_use`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: MovieId = request.path("movieId")?;
    app.remove_movie(&id, request.if_match()?, request.now).await?;
    Ok(no_content())
}
