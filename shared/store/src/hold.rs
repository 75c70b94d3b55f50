//! Hold: claim seats for a few minutes, all or none, in one round trip.

use domain::id::{ReservationId, SeatId, ShowId};
use domain::reservation::{PricedSeat, Refusal, Reservation, Status};
use domain::seat::{self, Command, Seat};
use domain::seats::Seats;
use domain::time::Timestamp;

use crate::item::Item;
use crate::reservation as reservations;
use crate::seat as seats;
use crate::txn::{Aborted, IF_ABSENT, If, Txn, corrupt};
use crate::{Fault, Store};

/// Why seats were not held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// These seats refused; nothing was held.
    #[error("seats were taken")]
    Taken(Vec<(SeatId, seat::Refusal)>),
    /// The same hold was made before, and it is over.
    #[error("the hold is over")]
    Over(Refusal),
    /// The token already stands for other seats.
    #[error("the hold token was used for another request")]
    TokenReused,
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

enum Refused {
    Reservation(Box<Reservation>),
    Seat(SeatId, seat::Refusal),
}

impl Store {
    /// Holds every seat of `wanted`, which is PENDING, or none.
    ///
    /// Safe to repeat: the same request again answers with the reservation that the first one
    /// made, as it now is, even if the first answer was lost. Costs one transaction of `seats + 1`
    /// items at 2 write units each (and 1 of the index on users when it wins), and no read, whether
    /// it wins, loses or is a repetition.
    ///
    /// # Errors
    ///
    /// [`HoldError::Taken`] names each seat that refused and why. [`HoldError::Over`] and
    /// [`HoldError::TokenReused`] speak of the reservation that the token stands for; they come
    /// before the seats, since in a repetition our own seats refuse too. [`HoldError::Fault`] says
    /// nothing about the seats; repeat it.
    pub async fn hold(
        &self,
        wanted: &Reservation,
        now: Timestamp,
    ) -> Result<Reservation, HoldError> {
        let claim = Seat::Held { reservation: wanted.id.clone(), expires_at: wanted.expires_at };
        let command =
            Command::Hold { reservation: wanted.id.clone(), expires_at: wanted.expires_at };
        let command = &command;
        let mut txn = Txn::new(self).put(
            &self.tables.reservations,
            reservations::item_of(wanted),
            If::new(IF_ABSENT, []),
            explain_reservation,
        );
        for PricedSeat { seat_id, section_id, .. } in &wanted.seats {
            let key = seats::key(&wanted.show_id, section_id, seat_id);
            txn = txn.put(
                &self.tables.seats,
                seats::with_claim(key, &claim),
                seats::if_free(now),
                move |found| {
                    let refusal = seats::explain(found, command, now)?;
                    Ok(Refused::Seat(seat_id.clone(), refusal))
                },
            );
        }
        match txn.commit().await {
            Ok(()) => Ok(wanted.clone()),
            Err(Aborted::Fault(fault)) => Err(fault.into()),
            Err(Aborted::Refused(refusals)) => judge(wanted, refusals, now),
        }
    }

    /// The answer to a hold of `seats` by this token, if one was made before.
    ///
    /// For holds that would not be tried now, since the show sells no more or not these seats: the
    /// first answer still stands.
    /// Costs one consistent read of one item.
    ///
    /// # Errors
    ///
    /// As [`Store::hold`], but never [`HoldError::Taken`].
    pub async fn held_before(
        &self,
        id: &ReservationId,
        show: &ShowId,
        seats: &Seats,
        now: Timestamp,
    ) -> Result<Option<Reservation>, HoldError> {
        let Some(first) = self.reservation(id).await? else { return Ok(None) };
        let same = first.is_for(show, seats.iter());
        repeat(first, same, now).map(Some)
    }
}

fn explain_reservation(found: Option<&Item>) -> Result<Refused, Fault> {
    let found = found.ok_or_else(|| corrupt("no reservation refused to be made"))?;
    Ok(Refused::Reservation(Box::new(reservations::read(found.clone())?)))
}

/// What refusals mean together: the reservation speaks first.
fn judge(
    wanted: &Reservation,
    refusals: Vec<Refused>,
    now: Timestamp,
) -> Result<Reservation, HoldError> {
    let mut taken = Vec::new();
    for refusal in refusals {
        match refusal {
            Refused::Reservation(first) => {
                let same = first.is_for(&wanted.show_id, wanted.seat_ids());
                return repeat(*first, same, now);
            }
            Refused::Seat(seat, refusal) => taken.push((seat, refusal)),
        }
    }
    Err(HoldError::Taken(taken))
}

/// What a hold answers whose token already stands for `first`.
fn repeat(first: Reservation, same: bool, now: Timestamp) -> Result<Reservation, HoldError> {
    if !same {
        return Err(HoldError::TokenReused);
    }
    match first.status_at(now) {
        Status::Pending | Status::Confirmed => Ok(first),
        Status::Cancelled => Err(HoldError::Over(Refusal::AlreadyCancelled)),
        Status::Expired | Status::Failed => Err(HoldError::Over(Refusal::HoldExpired)),
    }
}
