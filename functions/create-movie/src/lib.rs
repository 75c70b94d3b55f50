//! `POST /api/admin/movies`: a film that shows can show.

use domain::catalog::{Movie, Name};
use domain::id::MovieId;
use edge::{App, Problem, Request, Response, created, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    movie_id: MovieId,
    title: Name,
    languages: Vec<Name>,
    genres: Vec<Name>,
    runtime_minutes: u16,
    certificate: Name,
}

/// Makes a film under the id in the body. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 409 `already_exists`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let Body { movie_id, title, languages, genres, runtime_minutes, certificate } =
        request.json()?;
    let movie = Movie::new(movie_id, title, languages, genres, runtime_minutes, certificate);
    let movie = movie.map_err(|invalid| Problem::Invalid(invalid.to_string()))?;
    let made = app.store.create(&movie).await?;
    Ok(tagged(created(&view::movie(&made.entry)), made.version))
}
