//! Payment events from the queue: each is settled.

use domain::payment::Event;
use edge::{App, Message, Problem};

/// Settles one event. Safe to repeat, and in any order: a queue delivers twice and out of turn.
///
/// # Errors
///
/// Whatever failed; the message comes again, and after five times goes to the dead-letter queue.
pub async fn handle(app: App, message: Message) -> Result<(), Problem> {
    let event: Event = message.json()?;
    app.hear(&event, message.now).await
}
