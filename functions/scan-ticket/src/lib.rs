//! `POST /api/admin/tickets/scan`: let the seats of a booking in.

use domain::id::{ScanId, ShowId};
use domain::ticket::{Entry, Gate};
use edge::{App, Problem, Request, Response, ok, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    ticket: String,
    gate: Gate,
    scan_id: ScanId,
    show_id: Option<ShowId>,
}

/// Lets in by a ticket, once. Safe to repeat: the same scan again, within two minutes, answers as the
/// first did.
///
/// # Errors
///
/// 400 `invalid_request`, `invalid_ticket`; 401, 403; 404 `not_found`; 409 `already_entered`,
/// `already_cancelled`, `show_cancelled`; 422 `wrong_show`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let by = request.admin().await?;
    let Body { ticket, gate, scan_id, show_id } = request.json()?;
    let scan = Entry { at: request.now, gate, scan_id, by };
    let booking = app.scan(&ticket, show_id.as_ref(), &scan).await?;
    Ok(ok(&view::ticket::admission(&booking)))
}
