//! `GET /api/cities`: where there are theatres.

use domain::catalog::City;
use domain::id::CityId;
use edge::{App, Problem, Request, Response, ok, view};

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
    Ok(ok(&view::list(page.into_iter().map(view::city).collect(), next.as_ref())))
}
