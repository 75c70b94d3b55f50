//! `GET /api/reservations`: mine, newest first.

use edge::{App, Problem, Request, Response, ok, view};

/// Lists the caller's reservations.
///
/// # Errors
///
/// 400 `invalid_request`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let user = request.user().await?;
    let (after, limit) = (request.cursor()?, request.limit()?);
    let page = app.store.reservations_of(&user, after.as_ref(), limit).await?;
    let shown = page.items.iter().map(|of| view::reservation(of, request.now));
    Ok(ok(&view::list(shown.collect(), page.next.as_ref())))
}
