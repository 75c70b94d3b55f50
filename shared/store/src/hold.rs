//! Hold: claim seats for a few minutes, all or none, in one round trip.

use chrono::TimeDelta;
use domain::allowance::{Allowance, HeldSeats, HoldRefusal, Policy, PolicyName};
use domain::id::{ReservationId, SeatId, ShowId};
use domain::reservation::{PricedSeat, Refusal, Reservation, Status};
use domain::seat::{self, Command, Seat};
use domain::seats::Seats;
use domain::time::Timestamp;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::item::Item;
use crate::limit::{self as limits, Seen, TRIES_MAX, Use};
use crate::txn::{Aborted, IF_ABSENT, If, Txn, corrupt};
use crate::{Fault, Store, reservation as reservations, seat as seats};

/// Reservations read side by side.
const AT_ONCE: usize = 16;

/// How much one user may hold.
#[derive(Debug, Clone)]
pub struct HoldLimit {
    /// How often.
    pub policy: Policy,
    /// How many seats of one show at a time.
    pub cap: u32,
    /// What is remembered of what they have left, which may be old. It only saves a call.
    pub known: Option<Allowance>,
}

/// A hold that was made, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// As it now is.
    pub reservation: Reservation,
    /// What its user has left, if it was made now. A repetition takes nothing.
    pub allowance: Option<Allowance>,
}

impl Held {
    fn before(reservation: Reservation) -> Self {
        Self { reservation, allowance: None }
    }
}

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
    /// This user holds too often.
    #[error("too often")]
    RateLimited {
        /// After this it may work.
        retry_after: TimeDelta,
        /// What they have left, as it was last seen: enough to refuse the next time without a write.
        seen: Option<Allowance>,
    },
    /// This user holds so many seats of the show that these would be too many.
    #[error("the user holds {held} seats of the show")]
    TooManyHeld {
        /// How many.
        held: u32,
        /// What they have left, as it was last seen.
        seen: Option<Allowance>,
    },
    /// No answer.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl HoldError {
    fn limited(refusal: HoldRefusal, seen: Option<&Seen>) -> Self {
        let seen = seen.map(|seen| seen.allowance.clone());
        match refusal {
            HoldRefusal::RateLimited { retry_after } | HoldRefusal::Full { retry_after } => {
                Self::RateLimited { retry_after, seen }
            }
            HoldRefusal::TooMany { held } => Self::TooManyHeld { held, seen },
        }
    }

    /// Their own requests are in each other's way.
    fn paused(seen: Option<&Seen>) -> Self {
        Self::limited(HoldRefusal::RateLimited { retry_after: limits::pause() }, seen)
    }
}

enum Refused {
    Reservation(Box<Reservation>),
    /// What the user has left is not what was thought, but this.
    Limit(Option<Seen>),
    Seat(SeatId, seat::Refusal),
}

/// What refusals mean together.
enum Verdict {
    /// It was held before.
    Repeated(Box<Reservation>),
    /// It was not.
    Refused {
        taken: Vec<(SeatId, seat::Refusal)>,
        /// What the user has left, if that was not known.
        limit: Option<Option<Seen>>,
    },
}

impl Store {
    /// Holds every seat of `wanted`, which is PENDING, or none; and takes one of what its user may do.
    ///
    /// Safe to repeat: the same request again answers with the reservation that the first one
    /// made, as it now is, even if the first answer was lost, and whatever its user has left. Costs one
    /// transaction of `seats + 2` items at 2 write units each (and 1 of the index on users when it
    /// wins), and no read, whether it wins, loses or is a repetition. If its user has other holds or
    /// was here a moment ago, and that is not known, the transaction is made twice. Near the cap, the
    /// reservations that may count are read (1 unit each). A hold that is refused takes nothing. What is
    /// known to refuse costs no transaction, but a read (1 unit): whether this is a repetition.
    ///
    /// # Errors
    ///
    /// [`HoldError::Over`] and [`HoldError::TokenReused`] speak of the reservation that the token stands
    /// for; they come first, since in a repetition our own seats refuse too. Then
    /// [`HoldError::RateLimited`] and [`HoldError::TooManyHeld`] speak. [`HoldError::Taken`] names each
    /// seat that refused and why. [`HoldError::Fault`] says nothing about the seats; repeat it.
    pub async fn hold(
        &self,
        wanted: &Reservation,
        limit: &HoldLimit,
        now: Timestamp,
    ) -> Result<Held, HoldError> {
        let ours = HeldSeats::of(wanted);
        let mut seen = limit.known.clone().map(Seen::of);
        let (mut taken, mut was_asked) = (Vec::new(), false);
        for _ in 0..TRIES_MAX {
            let next = match self.allowed(&ours, seen.as_ref(), limit, now).await {
                Ok(next) => next,
                Err(refused) if was_asked => return Err(refused),
                // Nobody asked yet whether this is a repetition.
                Err(refused) => return self.repeated(wanted, now).await?.ok_or(refused),
            };
            if !taken.is_empty() {
                return Err(HoldError::Taken(taken));
            }
            let (policy, user) = (PolicyName::Hold, &wanted.user_id);
            let used = Use { policy, user, seen: seen.as_ref(), next: &next, now };
            let written = self.write_hold(wanted, used).await;
            match written {
                Ok(()) => return Ok(Held { reservation: wanted.clone(), allowance: Some(next) }),
                Err(Aborted::Fault(Fault::Outrun)) => break,
                Err(Aborted::Fault(fault)) => return Err(fault.into()),
                Err(Aborted::Refused(refusals)) => match judge(wanted, refusals, now)? {
                    Verdict::Repeated(first) => return Ok(Held::before(*first)),
                    Verdict::Refused { taken, limit: None } => {
                        return Err(HoldError::Taken(taken));
                    }
                    Verdict::Refused { taken: others, limit: Some(found) } => {
                        (seen, taken, was_asked) = (found, others, true);
                    }
                },
            }
        }
        Err(HoldError::paused(seen.as_ref()))
    }

    /// The answer to a hold of `seats` by this token, if one was made before.
    ///
    /// For holds that would not be tried now, since the show sells no more or not these seats: the
    /// first answer still stands.
    /// Costs one consistent read of one item.
    ///
    /// # Errors
    ///
    /// As [`Store::hold`], but only those that speak of the reservation.
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

    async fn repeated(
        &self,
        wanted: &Reservation,
        now: Timestamp,
    ) -> Result<Option<Held>, HoldError> {
        let Some(first) = self.reservation(&wanted.id).await? else { return Ok(None) };
        let same = first.is_for(&wanted.show_id, wanted.seat_ids());
        repeat(first, same, now).map(Held::before).map(Some)
    }

    /// What is left after `ours`. Before it refuses for what the user holds, it looks at that.
    async fn allowed(
        &self,
        ours: &HeldSeats,
        seen: Option<&Seen>,
        limit: &HoldLimit,
        now: Timestamp,
    ) -> Result<Allowance, HoldError> {
        let before = seen.map(|seen| seen.allowance.clone()).unwrap_or_default();
        let refusal = match before.hold(ours, limit.cap, limit.policy, now) {
            Ok(next) => return Ok(next),
            Err(refusal) => refusal,
        };
        let id_of = |held: &HeldSeats| held.reservation_id.clone();
        let may_be_over: Vec<ReservationId> = match refusal {
            HoldRefusal::RateLimited { .. } => return Err(HoldError::limited(refusal, seen)),
            HoldRefusal::TooMany { .. } => before.holds_of(&ours.show_id).map(id_of).collect(),
            HoldRefusal::Full { .. } => before.holds().iter().map(id_of).collect(),
        };
        let over = self.over(may_be_over, now).await?;
        let left = before.without(&over).hold(ours, limit.cap, limit.policy, now);
        left.map_err(|refusal| HoldError::limited(refusal, seen))
    }

    /// Those of these reservations that hold nothing any more, and never will again.
    async fn over(
        &self,
        ids: Vec<ReservationId>,
        now: Timestamp,
    ) -> Result<Vec<ReservationId>, Fault> {
        let looks = ids.into_iter().map(|id| async move {
            let found = self.reservation(&id).await?;
            let holds = found.is_some_and(|found| found.status_at(now) == Status::Pending);
            Ok::<_, Fault>((!holds).then_some(id))
        });
        let over: Vec<Option<ReservationId>> =
            stream::iter(looks.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
        Ok(over.into_iter().flatten().collect())
    }

    async fn write_hold(
        &self,
        wanted: &Reservation,
        used: Use<'_>,
    ) -> Result<(), Aborted<Refused>> {
        let (now, expires_at) = (used.now, wanted.expires_at);
        let claim = Seat::Held { reservation: wanted.id.clone(), expires_at };
        let command = Command::Hold { reservation: wanted.id.clone(), expires_at };
        let command = &command;
        let mut txn = Txn::new(self)
            .put(
                &self.tables.reservations,
                reservations::item_of(wanted),
                If::new(IF_ABSENT, []),
                explain_reservation,
            )
            .used(used, Refused::Limit);
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
        txn.commit().await
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
) -> Result<Verdict, HoldError> {
    let (mut taken, mut limit) = (Vec::new(), None);
    for refusal in refusals {
        match refusal {
            Refused::Reservation(first) => {
                let same = first.is_for(&wanted.show_id, wanted.seat_ids());
                return repeat(*first, same, now).map(Box::new).map(Verdict::Repeated);
            }
            Refused::Limit(found) => limit = Some(found),
            Refused::Seat(seat, refusal) => taken.push((seat, refusal)),
        }
    }
    Ok(Verdict::Refused { taken, limit })
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
