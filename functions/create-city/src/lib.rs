//! `POST /api/admin/cities`: a city where there will be theatres.

use domain::catalog::{City, Name};
use edge::{App, Problem, Request, Response, created, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    name: Name,
    time_zone: String,
}

/// Makes a city, whose id is its name folded. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 409 `already_exists`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let Body { name, time_zone } = request.json()?;
    let city = City::new(name, time_zone);
    let city = city.map_err(|invalid| Problem::Invalid(invalid.to_string()))?;
    let made = app.store.create(&city).await?;
    Ok(tagged(created(&view::city(&made.entry)), made.version))
}
