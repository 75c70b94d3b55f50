//! Events from the queue: each is posted to its subscriber.

use domain::event::Delivery;
use edge::{App, Message, Problem};

/// Posts one event, or puts it back until its time comes. Safe to repeat: a subscriber may get an
/// event twice, under the same id.
///
/// # Errors
///
/// Whatever of ours failed; the message comes again, and after some hours goes to the dead-letter
/// queue. A subscriber that fails is none: it gets a message of its own for the next try.
pub async fn handle(app: App, message: Message) -> Result<(), Problem> {
    let delivery: Delivery = message.json()?;
    app.deliver(&delivery, message.now).await
}
