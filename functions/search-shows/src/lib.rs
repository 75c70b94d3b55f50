//! `GET /api/shows?city=&date=&movie=&language=&screenType=`: what is on, where and when.

use domain::catalog::city_id;
use domain::id::ShowId;
use domain::search::ShowFilter;
use domain::show::Show;
use domain::time::{Timestamp, day};
use edge::{App, Problem, Request, Response, ok, view};

/// Lists the shows of a city's day by start, as far as they match.
///
/// # Errors
///
/// 400 `invalid_request`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let (after, limit) = (request.cursor::<(Timestamp, ShowId)>()?, request.limit()?);
    let city = request.required_query("city")?;
    let date = day(request.required_query("date")?);
    let date = date.ok_or_else(|| Problem::Invalid("`date` is no day YYYY-MM-DD".to_owned()))?;
    let filter = ShowFilter::new(
        request.query("movie"),
        request.query("language"),
        request.query("screenType"),
    );
    let shows = match city_id(city) {
        Some(city) => app.shows_on(&city, date, request.now).await?,
        None => [].into(),
    };
    let matching = shows.iter().filter(|show| filter.matches(show));
    let place = |show: &Show| (show.starts_at, show.id.clone());
    let (page, next) = view::page_of(matching, after.as_ref(), limit, place);
    Ok(ok(&view::list(page.into_iter().map(view::show).collect(), next.as_ref())))
}
