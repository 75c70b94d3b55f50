//! Writing down that holds have ended.

use domain::id::ReservationId;
use domain::time::Timestamp;
use store::Expiry;

use crate::App;
use crate::log::Note;
use crate::problem::Problem;

impl App {
    /// Ends a reservation whose hold was over at `ended_at`. Safe to repeat.
    ///
    /// Each seat of a hold has a record of its own in the stream. What this warm function knows to be
    /// PENDING no more will never be again, so the second seat costs nothing. Costs what
    /// `Store::expire` costs, else.
    ///
    /// # Errors
    ///
    /// A fault; repeat it.
    pub async fn expire(
        &self,
        id: &ReservationId,
        ended_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.note(Note::Reservation(id));
        let past = &self.caches().past;
        if past.get(id, now).is_some() {
            return Ok(());
        }
        match self.store.expire(id, ended_at).await? {
            Expiry::Ended(_) => self.note(Note::Expired),
            Expiry::Past => {}
            Expiry::StillHeld => return Ok(()),
        }
        past.put(id.clone(), (), now);
        Ok(())
    }
}
