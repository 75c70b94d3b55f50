//! The sweep of a cancelled show, from the queue: it ends holds and bookings page by page, and puts on
//! the queue what it has no time for.

use domain::cancellation::Sweep;
use edge::{App, Message, Problem};

/// Goes on with a sweep. Safe to repeat and to do twice at once.
///
/// # Errors
///
/// If `DynamoDB` or SQS is away; the message comes again.
pub async fn handle(app: App, message: Message) -> Result<(), Problem> {
    let from: Sweep = message.json()?;
    app.sweep(&message, from).await
}
