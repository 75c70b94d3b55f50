//! `GET /api/admin/auditoriums?theatre=`: the auditoriums, of all theatres or of one.

use domain::catalog::Auditorium;
use domain::id::AuditoriumId;
use edge::{App, Problem, Request, Response, ok, view};

/// Lists auditoriums as they are now, by id.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (after, limit) = (request.cursor::<AuditoriumId>()?, request.limit()?);
    let theatre = request.query("theatre");
    let auditoriums = app.store.entries::<Auditorium>().await?;
    let is_asked_for = |auditorium: &&Auditorium| {
        theatre.is_none_or(|theatre| auditorium.theatre_id.as_str() == theatre)
    };
    let place = |auditorium: &Auditorium| auditorium.id.clone();
    let asked_for = auditoriums.iter().filter(is_asked_for);
    let (page, next) = view::page_of(asked_for, after.as_ref(), limit, place);
    let items = page.into_iter().map(view::catalog::auditorium).collect();
    Ok(ok(&view::list(items, next.as_ref())))
}
