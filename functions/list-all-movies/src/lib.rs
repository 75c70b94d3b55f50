//! `GET /api/admin/movies`: every film, shown or not.

use domain::catalog::Movie;
use domain::id::MovieId;
use edge::{App, Problem, Request, Response, ok, view};

/// Lists all films as they are now, by id.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (after, limit) = (request.cursor::<MovieId>()?, request.limit()?);
    let movies = app.store.entries::<Movie>().await?;
    let place = |movie: &Movie| movie.id.clone();
    let (page, next) = view::page_of(movies.iter(), after.as_ref(), limit, place);
    Ok(ok(&view::list(page.into_iter().map(view::movie).collect(), next.as_ref())))
}
