//! Which seats somebody may choose, and which to propose, as the tables are now.
//!
//! Both guide a customer and protect nobody: what they see may be some milliseconds old, and it is
//! the hold that decides who has a seat.

use domain::id::SeatId;
use domain::layout::{Feature, Layout, Section};
use domain::limits::SEAT_MAP_SEATS_MAX;
use domain::seat_choice::{self, Offer, Wanted};
use domain::seats::Seats;
use domain::show::{OrphanRule, Quote, Show};
use domain::time::Timestamp;

use crate::app::App;
use crate::problem::Problem;

impl App {
    /// The best free seats of a show side by side, by number, with what they cost; `None` if there
    /// are not so many, or none that the show's rule for single seats lets be held.
    ///
    /// Costs a query for each section in which they could be, as the seat map does. A house of more
    /// seats than one seat map lists must be narrowed to a section, or to a type of seat that
    /// stands in few.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`] for the section; [`Problem::Invalid`] for a house that is too large; a
    /// fault.
    pub async fn best_seats(
        &self,
        show: &Show,
        layout: &Layout,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<Quote>, Problem> {
        if wanted.section.as_ref().is_some_and(|id| layout.section(id.as_str()).is_none()) {
            return Err(Problem::NotFound);
        }
        let offer = offer(show, layout);
        let sections: Vec<&Section> = offer.sections_for(wanted).collect();
        let seats: usize = sections.iter().map(|section| section.seat_count()).sum();
        if sections.len() > 1 && seats > SEAT_MAP_SEATS_MAX {
            return Err(Problem::Invalid("the house is large: `section` is missing".to_owned()));
        }
        let ids = sections.iter().map(|section| &section.id);
        let taken = self.store.taken_seats(&show.id, ids, now).await?;
        let taken = || taken.iter().map(|taken| &taken.seat_id);
        let Some(seats) = seat_choice::best(&offer, taken(), wanted) else { return Ok(None) };
        let seats = Seats::try_from(seats)?;
        let orphans = seat_choice::orphans(&offer, taken(), &seats, wanted.needs_accessible);
        // What leaves fewest comes first, so that where it would be refused, all would be.
        let is_bound = show.orphan_rule == OrphanRule::Enforce && !wanted.needs_accessible;
        if is_bound && !orphans.is_empty() {
            return Ok(None);
        }
        let mut quote = show.quote(&seats, layout)?;
        quote.seats.sort_by_key(|seat| layout.find(&seat.seat_id).map(|place| place.number));
        Ok(Some(quote))
    }

    /// Whether a customer may choose these seats of a show; the seats that the choice leaves alone,
    /// if the show has them told.
    ///
    /// The same for a hold that is repeated: what it has itself counts as free. Where the rule would
    /// refuse and some of the seats are taken, the hold is left to say so. Costs nothing where the
    /// show has no rule, and one query for each row of the choice where it has one.
    ///
    /// # Errors
    ///
    /// [`Problem::AccessibleSeats`], [`Problem::OrphanSeats`]; a fault.
    pub async fn check_choice(
        &self,
        show: &Show,
        layout: &Layout,
        seats: &Seats,
        needs_accessible: bool,
        now: Timestamp,
    ) -> Result<Vec<SeatId>, Problem> {
        let feature = |id: &SeatId| layout.find(id).map(|place| place.feature);
        // Who comes along comes with somebody.
        let may_have =
            needs_accessible && seats.iter().any(|id| feature(id) == Some(Feature::Accessible));
        if !show.accessible_released {
            let is_kept = |id: &&SeatId| feature(id).is_some_and(|of| !of.is_standard());
            let kept: Vec<SeatId> = seats.iter().filter(is_kept).cloned().collect();
            if !kept.is_empty() && !may_have {
                return Err(Problem::AccessibleSeats(kept));
            }
        }
        let enforces = match show.orphan_rule {
            OrphanRule::Off => return Ok(Vec::new()),
            OrphanRule::Warn => false,
            // A wheelchair's place is where it is: what it leaves alone is nobody's choice.
            OrphanRule::Enforce => !may_have,
        };
        let places = seats.iter().filter_map(|id| Some((&layout.find(id)?.section.id, id)));
        let taken = self.store.taken_in_rows(&show.id, places, now).await?;
        let taken = || taken.iter().map(|taken| &taken.seat_id);
        let offer = offer(show, layout);
        let orphans = seat_choice::orphans(&offer, taken(), seats, needs_accessible);
        if !enforces || orphans.is_empty() {
            return Ok(orphans);
        }
        let is_taken = |id: &SeatId| taken().any(|taken| taken == id);
        if seats.iter().any(is_taken) { Ok(Vec::new()) } else { Err(Problem::OrphanSeats(orphans)) }
    }
}

fn offer<'a>(show: &'a Show, layout: &'a Layout) -> Offer<'a> {
    Offer { layout, prices: &show.prices, accessible_released: show.accessible_released }
}
