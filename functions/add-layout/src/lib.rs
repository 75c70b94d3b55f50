//! `POST /api/admin/auditoriums/{auditoriumId}/layouts`: the seats were rebuilt.

use domain::id::AuditoriumId;
use edge::view::catalog::{LayoutDraft, added_layout};
use edge::{App, Problem, Request, Response, created, tagged};

/// Gives an auditorium another layout, if it is at the version in `If-Match`. Shows that are made
/// from now on are sold under it; those that are there keep theirs. The `ETag` is the auditorium's.
/// Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 404 `not_found`; 412 `precondition_failed`; 413
/// `payload_too_large`; 422 `invalid_layout` with every mistake; 428 `precondition_required`; 503
/// `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (id, expected) = (request.path::<AuditoriumId>("auditoriumId")?, request.if_match()?);
    let layout = request.json_upload::<LayoutDraft>()?.into_layout()?;
    let changed = app.store.add_layout(&id, expected, &layout).await?;
    Ok(tagged(created(&added_layout(&changed.entry)), changed.version))
}
