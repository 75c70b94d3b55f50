//! The way of a payment event: from a provider's signed webhook onto the queue. Nothing on it touches
//! `DynamoDB`, so a throttled table keeps no provider waiting.

use chrono::TimeDelta;
use domain::id::Provider;
use domain::payment::Event;

use crate::App;
use crate::log::Note;
use crate::payment::{Scheme, Webhook, scheme};
use crate::problem::Problem;
use crate::queues::Queue;
use crate::request::Request;

impl App {
    /// What a provider's webhook says, if the provider signed it.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`] for a provider that there is not; [`Problem::InvalidSignature`];
    /// [`Problem::Invalid`] for what is signed and cannot be read, or is of play money where real
    /// money moves.
    pub async fn webhook(
        &self,
        provider: &Provider,
        request: &Request,
    ) -> Result<Webhook, Problem> {
        let scheme = scheme(provider).ok_or(Problem::NotFound)?;
        let body = request.body()?;
        if !self.is_signed(&scheme, provider, request, body).await? {
            return Err(Problem::InvalidSignature);
        }
        let mut webhook = (scheme.read)(provider, body).map_err(|unreadable| {
            tracing::error!(%provider, cause = %unreadable, "a signed event cannot be read");
            Problem::Invalid(unreadable.to_string())
        })?;
        self.note(Note::Event(&webhook.kind));
        let is_live_here = self.payment_settings().is_some_and(|settings| settings.live);
        if is_live_here && webhook.live == Some(false) {
            return Err(Problem::Invalid("a test event, and this endpoint is live".to_owned()));
        }
        // What is under way ends, and only that is news.
        webhook.event = webhook.event.filter(|event| !event.is_refund_under_way());
        Ok(webhook)
    }

    async fn is_signed(
        &self,
        scheme: &Scheme,
        provider: &Provider,
        request: &Request,
        body: &[u8],
    ) -> Result<bool, Problem> {
        let Some(secrets) = self.secrets() else { return Ok(false) };
        let is_signed = |secrets: &[String]| {
            let by = |secret: &String| {
                !secret.is_empty()
                    && (scheme.is_signed)(request.headers(), body, secret, request.now)
            };
            secrets.iter().any(by)
        };
        if is_signed(&secrets.of(provider).await?.webhook_secrets) {
            return Ok(true);
        }
        // It may be signed by a new secret, which was put in place since we looked.
        let again = secrets.again(provider).await;
        Ok(again.is_some_and(|secrets| is_signed(&secrets.webhook_secrets)))
    }

    /// Puts an event on the queue. Costs one call of SQS.
    ///
    /// # Errors
    ///
    /// [`Problem::QueueAway`]: the provider tells it again.
    pub async fn enqueue(&self, event: &Event) -> Result<(), Problem> {
        self.send(Queue::PaymentEvents, event, TimeDelta::zero()).await
    }
}
