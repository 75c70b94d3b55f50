//! `PUT /api/admin/auditoriums/{auditoriumId}`: another name.

use domain::catalog::{Auditorium, Name};
use domain::id::AuditoriumId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    name: Name,
}

/// Renames an auditorium, if it is at the version in `If-Match`. It stays in its theatre and keeps
/// its seats, and shows that are there keep the name that they have. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (id, expected) = (request.path::<AuditoriumId>("auditoriumId")?, request.if_match()?);
    let Body { name } = request.json()?;
    let renamed = |auditorium| Auditorium { name: name.clone(), ..auditorium };
    let changed = app.change::<Auditorium>(&id, expected, renamed).await?;
    Ok(tagged(ok(&view::catalog::auditorium(&changed.entry)), changed.version))
}
