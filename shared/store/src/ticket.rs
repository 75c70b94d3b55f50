//! Enter: let the seats of a booking in, once.

use domain::id::ShowId;
use domain::reservation::{Reservation, Status};
use domain::ticket::{Admission, AdmitRefusal, Entry, admit};

use crate::item::{instant, string, value};
use crate::txn::{Aborted, If, Txn, corrupt};
use crate::{Fault, Store, reservation as reservations};

const SET_ENTERED: &str = "SET entered_at = :at, entered_gate = :gate, entered_scan_id = :scan, \
     entered_by = :by";

/// What the domain says of a booking that nobody went in with.
const IF_OUTSIDE: &str = "reservation_status = :confirmed AND attribute_not_exists(entered_at)";

/// Why nobody goes in.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The booking does not let in, or not any more.
    #[error("the ticket does not let in")]
    Refused(AdmitRefusal),
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Store {
    /// Notes that the seats of `reservation`, which was just read, went in by `scan` at a gate for
    /// `show`, or for any show.
    ///
    /// Safe to repeat: the same scan again, soon, answers with the entry that it made. Of several at
    /// once, exactly one lets in. Costs one transaction of one item (2 write units, and 1 of the
    /// index on users), or nothing if it is known to be refused or done.
    ///
    /// # Errors
    ///
    /// [`EnterError`].
    pub async fn enter(
        &self,
        mut reservation: Reservation,
        show: Option<&ShowId>,
        scan: &Entry,
    ) -> Result<Reservation, EnterError> {
        let admission = admit(&reservation, show, scan).map_err(EnterError::Refused)?;
        if admission == Admission::EnteredBefore {
            return Ok(reservation);
        }
        let found = match self.write_entry(&reservation, scan).await {
            Ok(()) => {
                reservation.entry = Some(scan.clone());
                return Ok(reservation);
            }
            Err(Aborted::Fault(fault)) => return Err(fault.into()),
            Err(Aborted::Refused(found)) => found.into_iter().next(),
        };
        let found = found.ok_or_else(|| corrupt("a refusal that says nothing"))?;
        match admit(&found, show, scan).map_err(EnterError::Refused)? {
            Admission::EnteredBefore => Ok(found),
            Admission::Enter => {
                let (id, status) = (&found.id, found.status);
                Err(corrupt(format!("reservation {id}, {status:?}, refused to enter")).into())
            }
        }
    }

    /// Writes the entry. A refusal brings what it met.
    async fn write_entry(
        &self,
        reservation: &Reservation,
        scan: &Entry,
    ) -> Result<(), Aborted<Reservation>> {
        let only = If::new(
            IF_OUTSIDE,
            [
                (":confirmed", value(&Status::Confirmed)),
                (":at", instant(scan.at)),
                (":gate", string(scan.gate.as_str())),
                (":scan", string(scan.scan_id.as_str())),
                (":by", string(scan.by.as_str())),
            ],
        );
        let key = reservations::key(&reservation.id);
        let table = &self.tables.reservations;
        let txn = Txn::new(self).update(table, key, SET_ENTERED, only, |found| {
            let vanished = || corrupt(format!("reservation {} vanished", reservation.id));
            reservations::read(found.ok_or_else(vanished)?.clone())
        });
        txn.commit().await
    }
}
