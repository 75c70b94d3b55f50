//! `PUT /api/admin/movies/{movieId}`: what was wrong or missing about a film.

use domain::catalog::{Movie, Name};
use domain::id::MovieId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    title: Name,
    languages: Vec<Name>,
    genres: Vec<Name>,
    runtime_minutes: u16,
    certificate: Name,
}

/// Changes a film, if it is at the version in `If-Match`. Shows that are there keep the title and
/// the times that they have. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (id, expected) = (request.path::<MovieId>("movieId")?, request.if_match()?);
    let Body { title, languages, genres, runtime_minutes, certificate } = request.json()?;
    let movie = Movie::new(id.clone(), title, languages, genres, runtime_minutes, certificate);
    let movie = movie.map_err(|invalid| Problem::Invalid(invalid.to_string()))?;
    let changed = app.change::<Movie>(&id, expected, |_| movie.clone()).await?;
    Ok(tagged(ok(&view::movie(&changed.entry)), changed.version))
}
