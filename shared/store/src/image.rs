//! What a table's stream tells: items as they were and as they are.

use domain::id::{SectionId, ShowId};
use domain::payment::Payment;
use domain::reservation::Reservation;
use domain::seat::Seat;

use crate::item::Item;
use crate::txn::corrupt;
use crate::{Fault, payment, reservation, seat};

/// An item in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// A claim on a seat.
    Seat(Seat),
    /// A reservation.
    Reservation(Box<Reservation>),
    /// A payment.
    Payment(Box<Payment>),
    /// The cancellation of a show, which nobody listens to.
    Cancellation,
}

impl Image {
    /// The item that an image is of.
    ///
    /// # Errors
    ///
    /// [`Fault::Corrupt`].
    pub fn read(image: serde_dynamo::Item) -> Result<Self, Fault> {
        let item: Item = image.into();
        let key = item.get("pk").and_then(|key| key.as_s().ok());
        match key.and_then(|key| key.split('#').next()) {
            Some("SHOW") => Ok(Self::Seat(seat::read(Some(&item))?)),
            Some("RESERVATION") => Ok(Self::Reservation(Box::new(reservation::read(item)?))),
            Some("PAYMENT") => Ok(Self::Payment(Box::new(payment::read(item)?))),
            Some("CANCELLATION") => Ok(Self::Cancellation),
            other => Err(corrupt(format!("an image of {other:?}"))),
        }
    }

    /// The section of a show that an image of a seat is in, whatever else there is in it.
    ///
    /// # Errors
    ///
    /// [`Fault::Corrupt`] if it is of no seat.
    pub fn section_of(image: serde_dynamo::Item) -> Result<(ShowId, SectionId), Fault> {
        let item: Item = image.into();
        let key = item.get("pk").and_then(|key| key.as_s().ok()).map(String::as_str);
        let section = key.and_then(seat::section_in);
        section.ok_or_else(|| corrupt(format!("an image of {key:?}, and no seat")))
    }
}
