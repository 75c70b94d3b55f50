//! The stream of seats: how many seats of a show can be had is counted again, for whoever searches.

use edge::{App, Change, Problem};

/// Counts the section that a change is in, as it is now. Safe to repeat, and late or out of order.
///
/// # Errors
///
/// If `DynamoDB` is away, the record is of no seat, or a claim in its section makes no sense.
pub async fn handle(app: App, change: Change) -> Result<(), Problem> {
    let now = change.now;
    let (show_id, section_id) = change.section()?;
    app.count_section(&show_id, &section_id, now).await
}
