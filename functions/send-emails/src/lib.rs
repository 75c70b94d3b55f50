//! Events from the queue, as far as customers are written about them: each is a letter, or none.

use domain::event::Letter;
use edge::{App, Message, Problem};

/// Writes one letter, unless it was sent or there is nothing to say any more. Safe to repeat.
///
/// # Errors
///
/// Whatever failed; the message comes again, and after most of a day goes to the dead-letter queue.
pub async fn handle(app: App, message: Message) -> Result<(), Problem> {
    let letter: Letter = message.json()?;
    app.mail(&letter, message.now).await
}
