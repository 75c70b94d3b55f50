//! `DELETE /api/admin/shows/{showId}`: a show that was never on sale.

use domain::id::ShowId;
use edge::{App, Problem, Request, Response, no_content};

/// Removes a show. One that was on sale is cancelled instead; one that was cancelled, or of which the
/// house keeps seats, stays. Safe to repeat.
///
/// # Errors
///
/// 401, 403; 409 `in_use`; 412 `precondition_failed`; 428 `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let show: ShowId = request.path("showId")?;
    app.delete_show(&show, request.if_match()?, request.now).await?;
    Ok(no_content())
}
