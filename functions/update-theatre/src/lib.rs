//! `PUT /api/admin/theatres/{theatreId}`: another name.

use domain::catalog::{Name, Theatre};
use domain::id::TheatreId;
use edge::{App, Problem, Request, Response, ok, tagged, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    name: Name,
}

/// Renames a theatre, if it is at the version in `If-Match`. It stays in its city, and shows that
/// are there keep the name that they have. Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 412 `precondition_failed`; 428
/// `precondition_required`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (id, expected) = (request.path::<TheatreId>("theatreId")?, request.if_match()?);
    let Body { name } = request.json()?;
    let renamed = |theatre| Theatre { name: name.clone(), ..theatre };
    let changed = app.change::<Theatre>(&id, expected, renamed).await?;
    Ok(tagged(ok(&view::catalog::theatre(&changed.entry)), changed.version))
}
