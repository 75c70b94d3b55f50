//! `PUT /api/admin/cities/{city}`: another spelling, another zone.

use domain::catalog::{City, Name};
use domain::id::CityId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    name: Name,
    time_zone: String,
}

/// Changes a city, if it is at the version in `If-Match`. Its name must stay one that its id is
/// made of. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (id, expected) = (request.path::<CityId>("city")?, request.if_match()?);
    let Body { name, time_zone } = request.json()?;
    let city = City::new(name, time_zone);
    let city = city.map_err(|invalid| Problem::Invalid(invalid.to_string()))?;
    if city.id != id {
        return Err(Problem::Invalid("`name` is the name of another city".to_owned()));
    }
    let changed = app.change::<City>(&id, expected, |_| city.clone()).await?;
    Ok(tagged(ok(&view::city(&changed.entry)), changed.version))
}
