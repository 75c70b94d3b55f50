//! `POST /api/payments/webhooks/{provider}`: what a provider tells by itself, onto the queue.

use domain::id::Provider;
use edge::{App, Problem, Request, Response, ok, view};

/// Queues the event if the provider signed it. What it means is settled behind the queue, so this
/// answers within a second whatever else is slow; the provider tells again what is not answered 200.
///
/// # Errors
///
/// 400 `invalid_signature`, and `invalid_request` for what is signed and cannot be read; 404
/// `not_found` for a provider that there is not; 413; 503 `try_again`.
pub async fn handle(app: App, request: Request) -> Result<Response, Problem> {
    let provider: Provider = request.path("provider")?;
    let webhook = app.webhook(&provider, &request).await?;
    if let Some(event) = &webhook.event {
        app.enqueue(event).await?;
    }
    Ok(ok(&view::webhook(&webhook)))
}
