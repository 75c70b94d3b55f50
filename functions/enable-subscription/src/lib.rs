//! `POST /api/admin/subscriptions/{subscriptionId}/enable`: tell somebody of events again.

use domain::id::SubscriptionId;
use edge::{App, Problem, Request, Response, ok, view};

/// Enables a subscription that was disabled; what happened in between can be listed. One that is
/// active is forgiven its failures. Safe to repeat.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: SubscriptionId = request.path("subscriptionId")?;
    let enabled = app.enable(&id).await?;
    Ok(ok(&view::subscription::subscription(&enabled)))
}
