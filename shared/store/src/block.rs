//! Block: keep seats back for the house, and give them to the public again.

use domain::id::{SeatId, SectionId, ShowId};
use domain::seat::{Command, Refusal, Seat};
use domain::time::Timestamp;

use crate::txn::{Aborted, Txn};
use crate::{Fault, Store, seat as seats};

/// Why seats were not blocked or unblocked.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// These seats refused; nothing was changed.
    #[error("seats were taken")]
    Taken(Vec<(SeatId, Refusal)>),
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Aborted<(SeatId, Refusal)>> for BlockError {
    fn from(aborted: Aborted<(SeatId, Refusal)>) -> Self {
        match aborted {
            Aborted::Refused(refusals) => Self::Taken(refusals),
            Aborted::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl Store {
    /// Blocks up to a hundred seats of a show, all or none. Costs 2 write units a seat.
    ///
    /// # Errors
    ///
    /// [`BlockError`]; a seat that is blocked already refuses too.
    pub async fn block(
        &self,
        show: &ShowId,
        places: &[(SectionId, SeatId)],
        now: Timestamp,
    ) -> Result<(), BlockError> {
        let mut txn = Txn::new(self);
        for (section, seat) in places {
            let new = seats::with_claim(seats::key(show, section, seat), &Seat::Blocked);
            txn = txn.put(&self.tables.seats, new, seats::if_free(now), move |found| {
                Ok((seat.clone(), seats::explain(found, &Command::Block, now)?))
            });
        }
        Ok(txn.commit().await?)
    }

    /// Unblocks up to a hundred seats of a show, all or none; what is free already may be among
    /// them. Costs 2 write units a seat.
    ///
    /// # Errors
    ///
    /// [`BlockError`]; seats that are held or sold refuse.
    pub async fn unblock(
        &self,
        show: &ShowId,
        places: &[(SectionId, SeatId)],
        now: Timestamp,
    ) -> Result<(), BlockError> {
        let mut txn = Txn::new(self);
        for (section, seat) in places {
            let key = seats::key(show, section, seat);
            txn = txn.delete(&self.tables.seats, key, seats::if_blocked(), move |found| {
                Ok((seat.clone(), seats::explain(found, &Command::Unblock, now)?))
            });
        }
        Ok(txn.commit().await?)
    }
}
