//! `POST /api/admin/schedules`: a week of shows at once.

use edge::{App, Problem, Request, Response, created};

/// Makes the shows of a list in JSON or of a table in CSV: all of them, or none and tells what is wrong
/// with which line. Only if others plan in the same rooms meanwhile it may be some, and tells how many.
/// Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 413 `payload_too_large`; 422 `invalid_schedule`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    Ok(created(&app.load_schedule(&request).await?))
}
