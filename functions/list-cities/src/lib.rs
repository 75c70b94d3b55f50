//! `GET /api/cities`: where there are theatres.

use domain::catalog::City;
use domain::id::CityId;
use edge::{App, Problem, Request, Response, cacheable, view};

/// Seconds for which anybody on the way may keep an answer: as long as a warm function does.
const MAX_AGE_SECS: u32 = 60;

/// Lists the cities, by id.
///
/// # Errors
///
/// 400 `invalid_request`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let (after, limit) = (request.cursor::<CityId>()?, request.limit()?);
    let cities = app.cities(request.now).await?;
    let place = |city: &City| city.id.clone();
    let (page, next) = view::page_of(cities.iter(), after.as_ref(), limit, place);
    let items = page.into_iter().map(view::city).collect();
    Ok(cacheable(&request, &view::list(items, next.as_ref()), MAX_AGE_SECS))
}
