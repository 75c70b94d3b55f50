//! `GET /api/admin/events`: what happened in the last 30 days, oldest first.

use edge::{App, Problem, Request, Response, ok, view};

/// Lists events as they were told, in the order in which they were recorded, for those who missed
/// some. What was recorded in the last seconds is not listed yet.
///
/// Whoever reads to the end comes to an empty page, and only there `nextCursor` is null. The cursor
/// before it is the place to go on from, at any later time; it never leads past an event.
///
/// # Errors
///
/// 400 `invalid_request`, 403 `forbidden`, 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let (after, limit) = (request.cursor()?, request.limit()?);
    let (now, settles_after) = (request.now, app.log_settles_after());
    let events = app.store.events_after(after.as_ref(), now, settles_after, limit).await?;
    let next = events.last().map(|event| event.position());
    let shown = events.iter().map(view::event::recorded).collect::<Result<Vec<_>, _>>()?;
    Ok(ok(&view::list(shown, next.as_ref())))
}
