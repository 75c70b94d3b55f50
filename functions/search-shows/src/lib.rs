//! `GET /api/shows?city=&date=`: what is on, where and when, and how much of it is left. Besides:
//! `movie`, `language`, `screenType`, `timeOfDay`, `minPrice`, `maxPrice`, `available`.

use domain::availability::Availability;
use domain::catalog::city_id;
use domain::id::ShowId;
use domain::search::{ShowFilter, ShowQuery};
use domain::show::Show;
use domain::time::{Timestamp, day};
use edge::{App, Problem, Request, Response, cacheable, view};

/// Seconds for which anybody on the way may keep an answer: seats go fast.
const MAX_AGE_SECS: u32 = 5;

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
    let filter = filter(&request)?;
    let shows = match city_id(city) {
        Some(city) => app.day(&city, date, request.now).await?,
        None => [].into(),
    };
    let left =
        shows.iter().map(|(show, counts)| (show, Availability::of(show, counts, request.now)));
    let matching: Vec<_> =
        left.filter(|(show, left)| filter.matches(show, left.as_ref())).collect();
    let place = |(show, _): &(&Show, Option<Availability>)| (show.starts_at, show.id.clone());
    let (page, next) = view::page_of(matching.iter(), after.as_ref(), limit, place);
    let items = page.into_iter().map(|(show, left)| view::listed_show(show, *left)).collect();
    Ok(cacheable(&request, &view::list(items, next.as_ref()), MAX_AGE_SECS))
}

fn filter(request: &Request) -> Result<ShowFilter, Problem> {
    let query = ShowQuery {
        movie: request.query("movie"),
        language: request.query("language"),
        screen_type: request.query("screenType"),
        time_of_day: request.query("timeOfDay"),
        price_min: request.query("minPrice"),
        price_max: request.query("maxPrice"),
        available: request.query("available"),
    };
    ShowFilter::try_from(query).map_err(|error| Problem::Invalid(error.to_string()))
}
