//! `DELETE /api/admin/subscriptions/{subscriptionId}`: tell somebody nothing any more.

use domain::id::SubscriptionId;
use edge::{App, Problem, Request, Response, no_content};

/// Deletes a subscription. Safe to repeat: one that is not there any more, or never was, is gone as
/// well.
///
/// # Errors
///
/// 401, 403; 404 `not_found` for what cannot be an id; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: SubscriptionId = request.path("subscriptionId")?;
    app.store.delete_subscription(&id).await?;
    Ok(no_content())
}
