//! Cancelling a show: the order, and the sweep.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use domain::cancellation::{Cancellation, Standing, Status, Sweep};
use domain::id::{ReservationId, SectionId, ShowId, UserId};
use domain::layout::Layout;
use domain::limits::SWEEP_PAGE_CLAIMS;
use domain::payment::RefundReason;
use domain::reservation::{CancelRefusal, Status as Reserved};
use domain::show::{self, Show};
use domain::time::Timestamp;
use store::{CancelError, Fault};

use crate::App;
use crate::events::Message;
use crate::log::{Note, causes};
use crate::problem::Problem;
use crate::queues::Queue;

/// Tries of an order that somebody else gives at the same time.
const ORDERS_MAX: u32 = 4;

impl App {
    /// What stands of a show. Costs a query for each of its sections.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn standing(&self, show: &ShowId, now: Timestamp) -> Result<Standing, Problem> {
        Ok(self.claims(show, now).await?.1)
    }

    /// What cancelling a show would end, and what its bookings were paid, in minor units. Costs what
    /// [`App::standing`] costs, and a read for each booking.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], [`Problem::ShowOver`], or a fault.
    pub async fn plan_cancellation(
        &self,
        show: &ShowId,
        now: Timestamp,
    ) -> Result<(Arc<Show>, Standing, u64), Problem> {
        let (show, standing, bookings) = self.claims(show, now).await?;
        if show.ends_at <= now {
            return Err(Problem::ShowOver);
        }
        let paid_minor = self.store.amount_of(bookings).await?;
        Ok((show, standing, paid_minor))
    }

    async fn claims(
        &self,
        show: &ShowId,
        now: Timestamp,
    ) -> Result<(Arc<Show>, Standing, BTreeSet<ReservationId>), Problem> {
        let show = self.show(show, now).await?;
        let layout = self.layout(&show, now).await?;
        let (standing, bookings) = self.store.standing(&show.id, sections(&layout), now).await?;
        Ok((show, standing, bookings))
    }

    /// Stops the sales of a show and orders its sweep. Safe to repeat: while it is not at its end, that
    /// orders the sweep anew, and the one before ends.
    ///
    /// The last pass is ordered before anything is written, to begin when all has settled. So
    /// wherever this function dies, either nothing was cancelled or the last pass will come by; one
    /// whose order was never written does nothing. Costs 3 reads, two messages, and what
    /// `Store::cancel_show` costs.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], [`Problem::ShowOver`], [`Problem::QueueAway`], or a fault.
    pub async fn cancel_show(
        &self,
        show: &ShowId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Cancellation, Problem> {
        for _ in 0..ORDERS_MAX {
            let show = self.show_now(show, now).await?;
            let before = self.store.cancellation(&show.id).await?;
            match &before {
                None if show.ends_at <= now => return Err(Problem::ShowOver),
                Some(before)
                    if before.status == Status::Completed
                        && show.status == show::Status::Cancelled =>
                {
                    return Ok(before.clone());
                }
                Some(_) | None => {}
            }
            let order = before.as_ref().map_or(1, |before| before.order.saturating_add(1));
            self.order_pass(&Sweep::pass(&show.id, order, Sweep::LAST)).await?;
            let ordered = self.store.cancel_show(&show, before.as_ref(), by, now).await?;
            if let Some(cancellation) = ordered {
                self.order_pass(&Sweep::pass(&show.id, order, Sweep::FIRST)).await?;
                // What this function remembers of it is on sale.
                self.show_now(&show.id, now).await?;
                return Ok(cancellation);
            }
        }
        Err(Fault::Contended.into())
    }

    async fn order_pass(&self, beginning: &Sweep) -> Result<(), Problem> {
        let delay = Sweep::delay(beginning.pass, self.sweep_settles_after());
        self.send(Queue::ShowCancellations, beginning, delay).await
    }

    /// Goes on with a sweep while there is time, and puts the rest on the queue. Safe to repeat, and to
    /// do twice at once. Costs 2 reads, a query for each page and, for each reservation, a read and a
    /// transaction.
    ///
    /// # Errors
    ///
    /// A fault, or [`Problem::QueueAway`]: it comes again from where the message says.
    pub async fn sweep(&self, message: &Message, from: Sweep) -> Result<(), Problem> {
        self.note(Note::Show(&from.show_id));
        let ordered = self.store.cancellation(&from.show_id).await?;
        // Never ordered, since whoever was about to died; or ordered again.
        let Some(ordered) = ordered.filter(|ordered| ordered.order == from.order) else {
            return Ok(());
        };
        let settled_at = ordered.ordered_at + self.sweep_settles_after();
        if from.pass >= Sweep::LAST && message.now < settled_at {
            return self.send(Queue::ShowCancellations, &from, settled_at - message.now).await;
        }
        let show = match self.show_now(&from.show_id, message.now).await {
            Ok(show) if show.status == show::Status::Cancelled => show,
            // What has its id now is another one.
            Ok(_) | Err(Problem::NotFound) => return Ok(()),
            Err(problem) => return Err(problem),
        };
        let layout = self.layout(&show, message.now).await?;
        let mut page = from;
        while self.sweep_page(&layout, &mut page).await? {
            if !message.has_time() {
                return self.send(Queue::ShowCancellations, &page, TimeDelta::zero()).await;
            }
        }
        self.end_pass(page).await
    }

    /// Ends what claims the seats of one page, and turns to the next one. Says whether there is one.
    async fn sweep_page(&self, layout: &Layout, page: &mut Sweep) -> Result<bool, Problem> {
        let here = page.section.clone();
        let mut rest = sections(layout)
            .skip_while(|section| here.as_ref().is_some_and(|here| here != *section));
        let section = rest.next();
        let section =
            section.ok_or_else(|| Fault::Corrupt(format!("{page:?} is of no section")))?;
        let (show, after) = (&page.show_id, page.after.as_ref());
        let limit = SWEEP_PAGE_CLAIMS;
        let claims = self.store.claims_page(show, section, after, limit, self.now()).await?;
        let mut left = page.left.saturating_add(claims.broken);
        for _ in 0..claims.broken {
            self.note(Note::SweepFailed);
        }
        for id in claims.booked_by.union(&claims.held_by) {
            if let Err(problem) = self.end_for_cancelled_show(id).await {
                // With DynamoDB away there is no going on. One that is broken, or busy, must not stand
                // in the way of the others; the last pass comes back to it.
                if let Problem::TryAgain(Fault::Unavailable(_)) = problem {
                    return Err(problem);
                }
                left = left.saturating_add(1);
                self.note(Note::SweepFailed);
                tracing::error!(%id, cause = causes(&problem), "not swept");
            }
        }
        page.left = left;
        page.after = claims.next;
        if page.after.is_some() {
            page.section = Some(section.clone());
            return Ok(true);
        }
        page.section = rest.next().cloned();
        Ok(page.section.is_some())
    }

    /// What follows when all sections were gone through.
    async fn end_pass(&self, done: Sweep) -> Result<(), Problem> {
        if done.pass < Sweep::LAST {
            return Ok(());
        }
        if done.left > 0 {
            let next = done.pass.saturating_add(1);
            return self.order_pass(&Sweep::pass(&done.show_id, done.order, next)).await;
        }
        Ok(self.store.complete_cancellation(&done.show_id, self.now()).await?)
    }

    /// Ends what claims seats of a cancelled show.
    async fn end_for_cancelled_show(&self, id: &ReservationId) -> Result<(), Problem> {
        let now = self.now();
        let reservation = self.store.reservation(id).await?;
        let missing = || Fault::Corrupt(format!("{id} claims seats, and there is none"));
        let reservation = reservation.ok_or_else(missing)?;
        if !matches!(reservation.status_at(now), Reserved::Pending | Reserved::Confirmed) {
            // A payment ended it because its show is cancelled.
            return Ok(self.store.free(&reservation).await?);
        }
        match self.store.cancel(reservation, RefundReason::ShowCancelled, now).await {
            Ok(cancelled) => {
                self.note(Note::Swept);
                if cancelled.refund {
                    self.note(Note::RefundDue);
                }
                Ok(())
            }
            // It ended meanwhile.
            Err(CancelError::Refused(CancelRefusal::HoldExpired)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn sections(layout: &Layout) -> impl Iterator<Item = &SectionId> {
    layout.sections().iter().map(|section| &section.id)
}
