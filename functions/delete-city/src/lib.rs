//! `DELETE /api/admin/cities/{city}`: there are no theatres any more.

use domain::id::CityId;
use edge::{App, Problem, Request, Response, no_content};

/// Removes a city without theatres, if it is at the version in `If-Match`. Safe to repeat: one that
/// is not there any more, or never was, is gone as well.
///
/// # Errors
///
/// 401, 403; 404 `not_found` for what cannot be an id; 409 `in_use`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: CityId = request.path("city")?;
    app.remove_city(&id, request.if_match()?).await?;
    Ok(no_content())
}
