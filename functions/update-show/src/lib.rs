//! `PUT /api/admin/shows/{showId}`: what a show is, but for its prices.

use domain::id::ShowId;
use domain::schedule::Plan;
use edge::{App, Problem, Request, Response, ok, tagged, view};

/// Changes a show: all of it until it is on sale, then only what nobody bought a ticket for. It keeps its
/// room while the house keeps seats there. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 409 `in_use`, `show_cancelled`, `show_overlaps`;
/// 412 `precondition_failed`; 422 `unknown_reference`, `invalid_show`; 428 `precondition_required`; 503
/// `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    let expected = request.if_match()?;
    let plan: Plan = request.json()?;
    let show = app.update_show(&show, &plan, expected, request.now).await?;
    Ok(tagged(ok(&view::show(&show)), show.version))
}
