//! `DELETE /api/admin/theatres/{theatreId}`: the building is closed.

use domain::id::TheatreId;
use edge::{App, Problem, Request, Response, no_content};

/// Removes a theatre without auditoriums, if it is at the version in `If-Match`. Safe to repeat:
/// one that is not there any more, or never was, is gone as well.
///
/// # Errors
///
/// 401, 403; 404 `not_found` for what cannot be an id; 409 `in_use`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: TheatreId = request.path("theatreId")?;
    app.remove_theatre(&id, request.if_match()?).await?;
    Ok(no_content())
}
