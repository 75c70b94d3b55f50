//! The stream of seats, as far as they were held: a reservation whose hold is over is written down as
//! such. The seats are free without it.

use domain::seat::Seat;
use edge::{App, Change, Problem};
use store::Image;

/// Ends the reservation that a change of one seat shows to be over, if it is PENDING. Safe to repeat,
/// and late or out of order: the reservation decides.
///
/// # Errors
///
/// If `DynamoDB` is away, or the record is of no seat.
pub async fn handle(app: App, change: Change) -> Result<(), Problem> {
    let now = change.now;
    let swept_at = change.is_by_ttl().then_some(change.at);
    let seat = |image| match image {
        None => Ok(Seat::Available),
        Some(Image::Seat(seat)) => Ok(seat),
        Some(other) => Err(store::Fault::Corrupt(format!("{other:?} is no seat"))),
    };
    let (old, new) = change.images()?;
    let (old, new) = (seat(old)?, seat(new)?);
    match old.hold_ended_by(&new, swept_at) {
        Some((reservation, ended_at)) => app.expire(reservation, ended_at, now).await,
        None => Ok(()),
    }
}
