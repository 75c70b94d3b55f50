//! `GET /api/admin/cities/{city}`: one city, with the version that a change of it names.

use domain::catalog::City;
use domain::id::CityId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

/// Shows a city as it is now.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: CityId = request.path("city")?;
    let found = app.entry::<City>(&id).await?;
    Ok(tagged(ok(&view::city(&found.entry)), found.version))
}
