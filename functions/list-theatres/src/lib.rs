//! `GET /api/admin/theatres?city=`: the theatres, of all cities or of one.

use domain::catalog::{Theatre, city_id};
use domain::id::TheatreId;
use edge::{App, Problem, Request, Response, ok, view};

/// Lists theatres as they are now, by id.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (after, limit) = (request.cursor::<TheatreId>()?, request.limit()?);
    let city = request.query("city").map(city_id);
    let theatres = app.store.entries::<Theatre>().await?;
    // What cannot name a city is the name of none.
    let is_asked_for = |theatre: &&Theatre| {
        city.as_ref().is_none_or(|city| city.as_ref() == Some(&theatre.city_id))
    };
    let place = |theatre: &Theatre| theatre.id.clone();
    let asked_for = theatres.iter().filter(is_asked_for);
    let (page, next) = view::page_of(asked_for, after.as_ref(), limit, place);
    let items = page.into_iter().map(view::catalog::theatre).collect();
    Ok(ok(&view::list(items, next.as_ref())))
}
