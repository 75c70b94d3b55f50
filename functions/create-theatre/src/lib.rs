//! `POST /api/admin/theatres`: a building with auditoriums.

use domain::catalog::{Name, Theatre};
use domain::id::{CityId, TheatreId};
use edge::{App, Problem, Request, Response, created, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    theatre_id: TheatreId,
    name: Name,
    city: CityId,
}

/// Makes a theatre under the id in the body, in a city that is there. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 409 `already_exists`; 422 `unknown_reference`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let Body { theatre_id, name, city } = request.json()?;
    let made = app.create_theatre(&Theatre { id: theatre_id, name, city_id: city }).await?;
    Ok(tagged(created(&view::catalog::theatre(&made.entry)), made.version))
}
