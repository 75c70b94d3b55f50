//! `POST /api/admin/subscriptions/{subscriptionId}/rotate`: sign with another secret.

use domain::id::SubscriptionId;
use edge::{App, Problem, Request, Response, ok, view};

/// Draws a new secret, which is shown here and never again. For a day the one before signs, too. A
/// repetition within that day draws another one in place of the new one, and leaves the one before
/// its day.
///
/// # Errors
///
/// 401, 403; 404 `not_found`; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let id: SubscriptionId = request.path("subscriptionId")?;
    let rotated = app.rotate_secret(&id, request.now).await?;
    Ok(ok(&view::subscription::with_secret(&rotated)))
}
