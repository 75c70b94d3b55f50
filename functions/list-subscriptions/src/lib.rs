//! `GET /api/admin/subscriptions`: who is told of events.

use domain::id::SubscriptionId;
use edge::{App, Problem, Request, Response, ok, view};

/// Lists all subscriptions without their secrets, the oldest first. There are so few that they are
/// one page.
///
/// # Errors
///
/// 401, 403; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let all = app.store.subscriptions().await?;
    let items = all.iter().map(view::subscription::subscription).collect();
    Ok(ok(&view::list(items, None::<&SubscriptionId>)))
}
