//! The audit of a show and its sales: its books, read whole and looked through.

use std::sync::Arc;

use domain::audit::{Audit, Books, Finding, Sales, audit, found_again, sales};
use domain::id::ShowId;
use domain::layout::Layout;
use domain::show::Show;
use domain::time::Timestamp;

use crate::App;
use crate::problem::Problem;

impl App {
    /// Looks through the books of a show. What seems broken is told only if it still is when they are
    /// read again, since a sale may go on between two reads.
    ///
    /// Costs what `Store::books_of` costs, twice if anything seems broken; and two reads, or none if
    /// the show was read in the last 5 seconds.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn audit(&self, show: &ShowId, now: Timestamp) -> Result<Audit, Problem> {
        let show = self.show(show, now).await?;
        let layout = self.layout(&show, now).await?;
        let (books, suspects) = self.look_through(&show, &layout, now).await?;
        if suspects.is_empty() {
            return Ok(audited(&show, &books, suspects, now));
        }
        let later = self.now();
        let (books, found) = self.look_through(&show, &layout, later).await?;
        let findings = found_again(&suspects, found);
        if !findings.is_empty() {
            let (show, findings) = (show.id.as_str(), findings.len());
            tracing::error!(show, findings, "the books of a show are not sound");
        }
        Ok(audited(&show, &books, findings, later))
    }

    async fn look_through(
        &self,
        show: &Show,
        layout: &Layout,
        now: Timestamp,
    ) -> Result<(Books, Vec<Finding>), Problem> {
        let books = self.books(show, layout).await?;
        let findings = audit(&books, &show.id, layout, now);
        Ok((books, findings))
    }

    /// What was sold of a show. While a sale goes on, the sums may be of slightly different moments.
    ///
    /// Costs what `Store::books_of` costs; and two reads, or none if the show was read in the last 5
    /// seconds.
    ///
    /// # Errors
    ///
    /// [`Problem::NotFound`], or a fault.
    pub async fn sales(
        &self,
        show: &ShowId,
        now: Timestamp,
    ) -> Result<(Arc<Show>, Sales), Problem> {
        let show = self.show(show, now).await?;
        let layout = self.layout(&show, now).await?;
        let books = self.books(&show, &layout).await?;
        let sales = sales(&books, &show, &layout, now);
        Ok((show, sales))
    }

    async fn books(&self, show: &Show, layout: &Layout) -> Result<Books, Problem> {
        let sections = layout.sections().iter().map(|section| &section.id);
        Ok(self.store.books_of(&show.id, sections).await?)
    }
}

fn audited(show: &Show, books: &Books, findings: Vec<Finding>, now: Timestamp) -> Audit {
    Audit {
        show_id: show.id.clone(),
        audited_at: now,
        claims: books.claims.len(),
        reservations: books.reservations.len(),
        payments: books.payments.len(),
        findings,
    }
}
