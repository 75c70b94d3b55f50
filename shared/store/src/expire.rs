//! Expire: write down that a hold has ended. Its seats are free without it.

use domain::id::ReservationId;
use domain::payment;
use domain::reservation::{Command, Refusal, Status};
use domain::time::Timestamp;

use crate::item::{Item, seconds, value};
use crate::reservation as reservations;
use crate::txn::{Aborted, If, Txn, corrupt};
use crate::{Fault, Store};

const SET_STATUS: &str = "SET reservation_status = :status";

/// What the domain says of a hold that ended and of no payment, or none that came to nothing.
const IF_UNPAID: &str = "reservation_status = :pending AND expires_at <= :ended_at \
     AND (attribute_not_exists(payment_status) OR NOT payment_status IN (:failed, :due, :refunded))";

/// The same, after a payment that came to nothing.
const IF_DECLINED: &str = "reservation_status = :pending AND expires_at <= :ended_at \
     AND payment_status IN (:failed, :due, :refunded)";

/// What the end of a hold is to its reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It is over, just now, as EXPIRED or FAILED.
    Ended(Status),
    /// It was booked, cancelled or over before, and is never PENDING again.
    Past,
    /// It lasts longer than that.
    StillHeld,
}

impl Store {
    /// Ends a PENDING reservation whose hold was over at `ended_at`: FAILED if a payment of it came
    /// to nothing, EXPIRED else.
    ///
    /// Safe to repeat, and safe beside a settlement, cancellation or extension: the reservation
    /// decides, whatever is said of its seats. Costs one transaction of one item (2 write units, and
    /// 1 of the index on users), and another one if a payment came to nothing.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it.
    pub async fn expire(&self, id: &ReservationId, ended_at: Timestamp) -> Result<Expiry, Fault> {
        let mut end = Status::Expired;
        // One payment more may come to nothing in between, and none comes back from there.
        for _ in 0..2 {
            let found = match self.write_end(id, end, ended_at).await {
                Ok(()) => return Ok(Expiry::Ended(end)),
                Err(Aborted::Fault(fault)) => return Err(fault),
                Err(Aborted::Refused(found)) => found,
            };
            let found = found.into_iter().flatten().next();
            let found = found.ok_or_else(|| corrupt(format!("no reservation {id} has seats")))?;
            let found = reservations::read(found)?;
            match found.status.apply(Command::Expire, found.is_live_at(ended_at)) {
                Err(Refusal::StillHeld) => return Ok(Expiry::StillHeld),
                Err(_over) => return Ok(Expiry::Past),
                Ok(_) if found.end() != end => end = found.end(),
                Ok(_) => {
                    let what = format!("{id} refused to be {end:?} at {ended_at}");
                    return Err(corrupt(what));
                }
            }
        }
        Err(Fault::Contended)
    }

    async fn write_end(
        &self,
        id: &ReservationId,
        end: Status,
        ended_at: Timestamp,
    ) -> Result<(), Aborted<Option<Item>>> {
        let condition = if end == Status::Failed { IF_DECLINED } else { IF_UNPAID };
        let only = If::new(
            condition,
            [
                (":pending", value(&Status::Pending)),
                (":ended_at", seconds(ended_at)),
                (":failed", value(&payment::Status::Failed)),
                (":due", value(&payment::Status::RefundDue)),
                (":refunded", value(&payment::Status::Refunded)),
                (":status", value(&end)),
            ],
        );
        let table = &self.tables.reservations;
        let txn = Txn::new(self);
        txn.update(table, reservations::key(id), SET_STATUS, only, |found| Ok(found.cloned()))
            .commit()
            .await
    }
}
