//! The seats that the house keeps for itself: for a film's guests, for the press, behind a pillar.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use domain::id::{ReservationId, SeatId, SectionId, ShowId};
use domain::layout::Layout;
use domain::limits::HOUSE_SEATS_CHANGED_MAX;
use domain::payment::RefundReason;
use domain::reservation::{CancelRefusal, Reservation, Status};
use domain::seat::Refusal;
use domain::show::Show;
use domain::time::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use store::{CancelError, Claim, Fault, HouseSeatsError};

use crate::App;
use crate::log::Note;
use crate::problem::Problem;

/// Tries of a change that somebody else's claims come before.
const TRIES_MAX: u32 = 8;

/// Bytes of a hash that tell two sets of seats apart.
const TAG_BYTES: usize = 16;

/// Where the claim on a seat is.
type Place = (SectionId, SeatId);

/// What the house keeps of a show.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HouseSeats {
    show_id: ShowId,
    seat_ids: BTreeSet<SeatId>,
    /// The reservations that this call ended, if it was one that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<BTreeSet<ReservationId>>,
}

impl HouseSeats {
    /// Its `ETag`: the same for the same seats.
    #[must_use]
    pub fn tag(&self) -> String {
        tag_of(&self.seat_ids)
    }
}

/// The blocked claims of a show.
struct Kept {
    /// Of its seats.
    places: BTreeSet<Place>,
    /// Of seats that are not there: the show moved to another room while they were blocked.
    strays: BTreeSet<Place>,
}

impl Kept {
    fn seats(&self) -> BTreeSet<SeatId> {
        self.places.iter().map(|(_, seat)| seat.clone()).collect()
    }
}

impl App {
    /// The seats that the house keeps of a show. Costs 2 reads (one of a layout, unless it is
    /// remembered), and a query for each section.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn house_seats(&self, show: &ShowId, now: Timestamp) -> Result<HouseSeats, Problem> {
        self.note(Note::Show(show));
        let show = self.show_now(show, now).await?;
        let layout = self.layout(&show, now).await?;
        let seat_ids = self.kept(&show, &layout).await?.seats();
        Ok(HouseSeats { show_id: show.id.clone(), seat_ids, cancelled: None })
    }

    /// Keeps exactly `wanted` for the house: of its other seats nothing stays blocked. All of that
    /// changes in one transaction, or nothing. `if_match`, if somebody says it, is the tag of the seats
    /// that they know; it is held against what was read just before.
    ///
    /// With `force` whoever holds or booked one of the seats loses all of their reservation, and gets
    /// their money back: none of them, if one went in or the show has begun; else they end one by one,
    /// and then the seats change. What has ended by then stays so, whatever fails, and a repetition
    /// goes on from there. If the show is changed meanwhile, it is read and decided anew: seats of a
    /// room that it left are not kept.
    ///
    /// Safe to repeat: what the house keeps already is answered, whatever `if_match` says. Costs 2
    /// reads (one of a layout, unless it is remembered), a query for each section, 2 write units for
    /// each seat that changes, and as many for the show with 1 of its index; for each reservation that
    /// ends a read and what `Store::cancel` costs, and then that read of the show and those queries
    /// again.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], [`Problem::ShowCancelled`], [`Problem::ShowOver`],
    /// [`Problem::UnknownSeats`], [`Problem::PreconditionFailed`], [`Problem::TooManySeatsChanged`],
    /// [`Problem::SeatsUnavailable`], [`Problem::CancellationClosed`], or a fault.
    pub async fn update_house_seats(
        &self,
        show: &ShowId,
        wanted: BTreeSet<SeatId>,
        force: bool,
        if_match: Option<&str>,
        now: Timestamp,
    ) -> Result<HouseSeats, Problem> {
        self.note(Note::Show(show));
        let mut cancelled = BTreeSet::new();
        for _ in 0..TRIES_MAX {
            let show = self.show_now(show, now).await?;
            show.takes_place()?;
            if show.ends_at <= now {
                return Err(Problem::ShowOver);
            }
            let layout = self.layout(&show, now).await?;
            let places = places(&wanted, &show, &layout)?;
            let kept = self.kept(&show, &layout).await?;
            if kept.places != places && if_match.is_some_and(|tags| !names(tags, &kept.seats())) {
                return Err(Problem::PreconditionFailed);
            }
            let block: Vec<Place> = places.difference(&kept.places).cloned().collect();
            let mut unblock: Vec<Place> = kept.places.difference(&places).cloned().collect();
            let changes = block.len() + unblock.len();
            if changes > HOUSE_SEATS_CHANGED_MAX {
                return Err(Problem::TooManySeatsChanged(changes));
            }
            unblock.extend(kept.strays.into_iter().take(HOUSE_SEATS_CHANGED_MAX - changes));
            let changed = if block.is_empty() && unblock.is_empty() {
                Ok(())
            } else {
                self.store.change_house_seats(&show, &block, &unblock, now).await
            };
            match changed {
                Ok(()) => {
                    let (show_id, cancelled) = (show.id.clone(), Some(cancelled));
                    return Ok(HouseSeats { show_id, seat_ids: wanted, cancelled });
                }
                Err(HouseSeatsError::Claimed(mut claims)) => {
                    // What is not wanted and refuses is somebody's already, and no more the house's.
                    claims.retain(|claim| wanted.contains(&claim.seat_id));
                    if force {
                        self.end_claims(&claims, &mut cancelled, now).await?;
                    } else {
                        refuse(claims)?;
                    }
                }
                Err(HouseSeatsError::Changed) => {}
                Err(HouseSeatsError::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(Fault::Contended.into())
    }

    /// The blocked claims of a show, in the sections that it has.
    async fn kept(&self, show: &Show, layout: &Layout) -> Result<Kept, Fault> {
        let claims = self.store.house_seats(&show.id, sections(layout)).await?;
        let is_there = |(section, seat): &Place| {
            layout.find(seat).is_some_and(|place| place.section.id == *section)
        };
        let (places, strays) = claims.into_iter().partition(is_there);
        Ok(Kept { places, strays })
    }

    /// Ends the reservations that claim seats which the house wants, if all of them can be ended.
    async fn end_claims(
        &self,
        claims: &[Claim],
        cancelled: &mut BTreeSet<ReservationId>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let whose: BTreeSet<&ReservationId> =
            claims.iter().filter_map(|claim| claim.reservation.as_ref()).collect();
        let mut reservations = Vec::with_capacity(whose.len());
        for id in whose {
            let missing = || Fault::Corrupt(format!("{id} claims seats, and there is none"));
            let reservation = self.store.reservation(id).await?.ok_or_else(missing)?;
            match reservation.cancel_at(RefundReason::SeatsBlocked, now) {
                Err(refusal @ (CancelRefusal::ShowBegun | CancelRefusal::Entered)) => {
                    return Err(CancelError::Refused(refusal).into());
                }
                Ok(_) | Err(CancelRefusal::AlreadyCancelled | CancelRefusal::HoldExpired) => {}
            }
            reservations.push(reservation);
        }
        for reservation in reservations {
            let id = reservation.id.clone();
            if self.end_for_house(reservation, now).await? {
                cancelled.insert(id);
            }
        }
        Ok(())
    }

    /// Ends a reservation whose seats the house wants. Says whether it stood until then.
    async fn end_for_house(
        &self,
        reservation: Reservation,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        if !matches!(reservation.status_at(now), Status::Pending | Status::Confirmed) {
            self.store.free(&reservation).await?;
            return Ok(false);
        }
        match self.store.cancel(reservation, RefundReason::SeatsBlocked, now).await {
            Ok(cancelled) => {
                if cancelled.refund {
                    self.note(Note::RefundDue);
                }
                Ok(true)
            }
            // It ended meanwhile, and its seats are free.
            Err(CancelError::Refused(CancelRefusal::HoldExpired)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the house keeps seats of a show.
    pub(super) async fn has_house_seats(
        &self,
        show: &Show,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        let layout = self.layout(show, now).await?;
        Ok(!self.store.house_seats(&show.id, sections(&layout)).await?.is_empty())
    }
}

/// Where these seats are, if the show sells all of them, so that keeping one means something.
fn places(
    wanted: &BTreeSet<SeatId>,
    show: &Show,
    layout: &Layout,
) -> Result<BTreeSet<Place>, Problem> {
    let mut places = BTreeSet::new();
    let mut unknown = Vec::new();
    for seat in wanted {
        let place = layout.find(seat);
        match place.filter(|place| show.prices.of(place.seat_type).is_some()) {
            Some(place) => drop(places.insert((place.section.id.clone(), seat.clone()))),
            None => unknown.push(seat.clone()),
        }
    }
    if unknown.is_empty() { Ok(places) } else { Err(Problem::UnknownSeats(unknown)) }
}

/// The tag of a set of seats, quotes included.
fn tag_of(seats: &BTreeSet<SeatId>) -> String {
    let mut hash = Sha256::new();
    for seat in seats {
        hash.update(seat.as_str());
        // No seat's name has one, so no two sets read alike.
        hash.update("\n");
    }
    let mut tag = "\"".to_owned();
    for byte in &hash.finalize()[..TAG_BYTES] {
        write!(tag, "{byte:02x}").expect("a text takes all that is written");
    }
    tag.push('"');
    tag
}

/// Whether what `If-Match` says is true of these seats (RFC 9110, section 13.1.1).
fn names(tags: &str, seats: &BTreeSet<SeatId>) -> bool {
    let known = tag_of(seats);
    tags.trim() == "*" || tags.split(',').any(|tag| tag.trim() == known)
}

/// Refuses if somebody has a seat that the house wants. Else it was the house itself that was faster.
fn refuse(claims: Vec<Claim>) -> Result<(), Problem> {
    let stands = |claim: &Claim| match claim.refusal {
        Refusal::Held { .. } | Refusal::Booked => true,
        Refusal::Blocked | Refusal::NotHeld => false,
    };
    let taken: Vec<(SeatId, Refusal)> =
        claims.into_iter().filter(stands).map(|claim| (claim.seat_id, claim.refusal)).collect();
    if taken.is_empty() { Ok(()) } else { Err(Problem::SeatsUnavailable(taken)) }
}

fn sections(layout: &Layout) -> impl Iterator<Item = &SectionId> {
    layout.sections().iter().map(|section| &section.id)
}
