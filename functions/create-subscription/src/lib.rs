//! `POST /api/admin/subscriptions`: have events posted to another system.

use std::collections::BTreeSet;

use domain::event::Type;
use edge::{App, Problem, Request, Response, created, view};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    url: String,
    #[serde(default)]
    event_types: BTreeSet<Type>,
}

/// Makes a subscription to events of these types, or of all. The secret that signs them is shown
/// here and never again, so a repetition makes another subscription.
///
/// # Errors
///
/// 400 `invalid_request`; 401, 403; 409 `too_many_subscriptions`; 422 `forbidden_target`; 503
/// `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    request.admin().await?;
    let Body { url, event_types } = request.json()?;
    let made = app.subscribe(&url, event_types, request.now).await?;
    Ok(created(&view::subscription::with_secret(&made)))
}
