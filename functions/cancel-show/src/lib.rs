//! `POST /api/admin/shows/{showId}/cancel`: the show will not take place.

use domain::id::ShowId;
use edge::{App, Note, Problem, Request, Response, accepted, ok, view};

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    dry_run: bool,
}

/// Stops the sales of a show at once, and orders that its holds end and its bookings are refunded.
/// Safe to repeat. With `dryRun`, only tells what that would be.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 409 `cancellation_closed`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let admin = request.admin().await?;
    let show: ShowId = request.path("showId")?;
    let Body { dry_run } = request.json_or_default()?;
    app.note(Note::Show(&show));
    if dry_run {
        let (show, standing, paid) = app.plan_cancellation(&show, request.now).await?;
        return Ok(ok(&view::cancellation::plan(&show, &standing, paid)));
    }
    let cancellation = app.cancel_show(&show, &admin, request.now).await?;
    let standing = app.standing(&show, request.now).await?;
    Ok(accepted(&view::cancellation::cancellation(&cancellation, &standing)))
}
