//! `GET /api/admin/theatres/{theatreId}`: one theatre, with the version that a change of it names.

use domain::catalog::Theatre;
use domain::id::TheatreId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

/// Shows a theatre as it is now.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: TheatreId = request.path("theatreId")?;
    let found = app.entry::<Theatre>(&id).await?;
    Ok(tagged(ok(&view::catalog::theatre(&found.entry)), found.version))
}
