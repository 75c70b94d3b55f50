//! The streams of reservations and payments, as far as their changes mean something to others: each
//! is an event, and told.

use domain::event::Event;
use edge::{App, Change, Problem};
use store::Image;

/// Tells what one change means to others, if anything. Safe to repeat.
///
/// # Errors
///
/// If `DynamoDB`, the bus or a queue is away, or an image makes no sense.
pub async fn handle(app: App, change: Change) -> Result<(), Problem> {
    let (now, at) = (change.now, change.at);
    let event = match change.images()? {
        (None, Some(Image::Reservation(new))) => Event::of_reservation(None, &new, at),
        (Some(Image::Reservation(old)), Some(Image::Reservation(new))) => {
            Event::of_reservation(Some(&old), &new, at)
        }
        (None, Some(Image::Payment(new))) => Event::of_payment(None, &new),
        (Some(Image::Payment(old)), Some(Image::Payment(new))) => {
            Event::of_payment(Some(&old), &new)
        }
        _nothing_that_others_are_told => None,
    };
    match event {
        Some(event) => app.publish(&event, now).await,
        None => Ok(()),
    }
}
