//! `POST /api/admin/auditoriums`: a room with seats.

use domain::catalog::{Auditorium, Name};
use domain::id::{AuditoriumId, TheatreId};
use edge::view::catalog::{LayoutDraft, auditorium};
use edge::{App, Problem, Request, Response, created, tagged};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    auditorium_id: AuditoriumId,
    name: Name,
    theatre_id: TheatreId,
    layout: LayoutDraft,
}

/// Makes an auditorium under the id in the body, in a theatre that is there, with its first layout.
/// Safe to repeat.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 409 `already_exists`; 413 `payload_too_large`; 422
/// `invalid_layout` with every mistake, `unknown_reference`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let Body { auditorium_id, name, theatre_id, layout } = request.json_upload()?;
    let layout = layout.into_layout()?;
    let wanted = Auditorium { id: auditorium_id, name, theatre_id, layout_version: 1 };
    let made = app.create_auditorium(&wanted, &layout).await?;
    Ok(tagged(created(&auditorium(&made.entry)), made.version))
}
