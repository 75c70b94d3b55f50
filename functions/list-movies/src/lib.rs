//! `GET /api/movies?city=`: what a city shows.

use domain::catalog::{Movie, Name, city_id};
use domain::id::MovieId;
use edge::{App, Problem, Request, Response, ok, view};

/// Lists the films that a city shows today or later, by title.
///
/// # Errors
///
/// 400 `invalid_request`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let (after, limit) = (request.cursor::<(Name, MovieId)>()?, request.limit()?);
    let movies = match city_id(request.required_query("city")?) {
        Some(city) => app.movies_in(&city, request.now).await?,
        None => [].into(),
    };
    let place = |movie: &Movie| (movie.title.clone(), movie.id.clone());
    let (page, next) = view::page_of(movies.iter(), after.as_ref(), limit, place);
    Ok(ok(&view::list(page.into_iter().map(view::movie).collect(), next.as_ref())))
}
