//! `GET /api/movies?city=`: what a city shows. Besides: `title`, `language`.

use domain::catalog::{Movie, Name, city_id};
use domain::id::MovieId;
use domain::search::MovieFilter;
use edge::{App, Problem, Request, Response, cacheable, view};

/// Seconds for which anybody on the way may keep an answer: as long as a warm function does.
const MAX_AGE_SECS: u32 = 60;

/// Lists the films that a city shows today or later, by title, as far as they match.
///
/// # Errors
///
/// 400 `invalid_request`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let (after, limit) = (request.cursor::<(Name, MovieId)>()?, request.limit()?);
    let filter = MovieFilter::new(request.query("title"), request.query("language"));
    let movies = match city_id(request.required_query("city")?) {
        Some(city) => app.movies_in(&city, request.now).await?,
        None => [].into(),
    };
    let matching = movies.iter().filter(|movie| filter.matches(movie));
    let place = |movie: &Movie| (movie.title.clone(), movie.id.clone());
    let (page, next) = view::page_of(matching, after.as_ref(), limit, place);
    let items = page.into_iter().map(view::movie).collect();
    Ok(cacheable(&request, &view::list(items, next.as_ref()), MAX_AGE_SECS))
}
