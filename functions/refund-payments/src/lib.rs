//! The stream of payments, as far as they are owed back: each is refunded. The item in that state is
//! the order to do so; there is no other.

use edge::{App, Change, Problem};

/// Sends the money of one payment back, if it is still owed. Safe to repeat.
///
/// # Errors
///
/// If the provider or `DynamoDB` is away. After the stream's own tries the schedule goes on trying.
pub async fn handle(app: App, change: Change) -> Result<(), Problem> {
    let now = change.now;
    app.refund(&change.payment()?, now).await
}
