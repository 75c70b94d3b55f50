//! `GET /api/admin/movies/{movieId}`: one film, with the version that a change of it names.

use domain::catalog::Movie;
use domain::id::MovieId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

/// Shows a film as it is now.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: MovieId = request.path("movieId")?;
    let found = app.entry::<Movie>(&id).await?;
    Ok(tagged(ok(&view::movie(&found.entry)), found.version))
}
