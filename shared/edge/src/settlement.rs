//! Payments on their way through the house: what is heard of one is brought to the store, and what is
//! owed back is asked of the provider. Confirm, checkout, the queue, the stream and the schedule all
//! come here; what a report *means* is decided in `domain`.

use domain::id::{PaymentReference, Provider};
use domain::money::Money;
use domain::payment::{Event, Outcome, Payment, Progress, Refund, Report, Status};
use domain::reservation::Reservation;
use domain::settlement::{Case, Origin};
use domain::show;
use domain::time::Timestamp;
use store::{Fault, Settled};

use crate::App;
use crate::log::{Note, causes};
use crate::payment::{PaymentProvider, ProviderError};
use crate::problem::Problem;
use crate::settings::MissingSetting;

impl App {
    /// Settles `reservation`, which was just read, with a report. Costs what `Store::settle` costs,
    /// and a read of the show; none if no money is to be booked and the show was read in the last 5
    /// seconds.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn settle(
        &self,
        reservation: Reservation,
        report: &Report,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Settled, Problem> {
        let is_booked = reservation.is_booked_by(&report.provider, &report.reference);
        // No money is taken for a show that was cancelled a moment ago.
        let show = match report.progress() {
            Some(Progress::Captured | Progress::Refunded) if !is_booked => {
                self.show_now(&reservation.show_id, now).await?
            }
            _nothing_to_book => self.show(&reservation.show_id, now).await?,
        };
        let case = Case {
            report,
            show_cancelled: show.status == show::Status::Cancelled,
            origin,
            terms: self.hold_terms(),
            now,
        };
        let settled = self.store.settle(reservation, &case).await?;
        self.note_settled(&settled, now);
        Ok(settled)
    }

    fn note_settled(&self, settled: &Settled, now: Timestamp) {
        match settled {
            Settled::Booked { reservation, late } => {
                let after = now - reservation.created_at;
                self.note(Note::Confirmed { after_ms: after.num_milliseconds().unsigned_abs() });
                if *late {
                    self.note(Note::PaidLate);
                }
            }
            Settled::NotBooked { reason, refund: true } => {
                self.note(Note::RefundDue);
                if reason.is_late() {
                    self.note(Note::PaidLate);
                }
                if reason.is_misdirected() {
                    self.note(Note::Misdirected);
                }
            }
            Settled::Returned { news: true, .. } => self.note(Note::Refunded),
            Settled::BookedBefore(_)
            | Settled::Processing(_)
            | Settled::Declined
            | Settled::NotBooked { refund: false, .. }
            | Settled::Returned { news: false, .. }
            | Settled::Mismatch => {}
        }
    }

    /// Acts upon what a provider told by itself. Safe to repeat, in any order with others.
    ///
    /// # Errors
    ///
    /// A fault, or a provider that is away: nothing is lost if the event is told again.
    pub async fn hear(&self, event: &Event, now: Timestamp) -> Result<(), Problem> {
        match event {
            Event::Payment(report) => {
                self.note(Note::Payment(&report.reference));
                let told = if is_to_be_asked(report) { self.ask(report).await? } else { None };
                self.bring(told.as_ref().unwrap_or(report), now).await
            }
            Event::Refund { provider, reference, money, refund } => {
                self.note(Note::Payment(reference));
                match refund {
                    Refund::Processing => Ok(()),
                    Refund::Failed => {
                        let payment = self.store.payment(provider, reference).await?;
                        let status = payment.map(|payment| payment.status);
                        self.refund_failed(reference, status, "it failed later");
                        Ok(())
                    }
                    Refund::Done => self.hear_of_refund(provider, reference, *money, now).await,
                }
            }
        }
    }

    /// Acts upon a refund of so much that is done, of which nothing more was told.
    async fn hear_of_refund(
        &self,
        provider: &Provider,
        reference: &PaymentReference,
        money: Money,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let payment = self.store.payment(provider, reference).await?;
        if let Some(payment) = &payment
            && payment.money.is_covered_by(money)
        {
            return self.bring(&went_back(payment), now).await;
        }
        let (provider, reference) = (provider.clone(), reference.clone());
        let in_part = Report { provider, reference, outcome: Outcome::Unknown };
        match (self.ask(&in_part).await?, payment) {
            (Some(told), _) => self.bring(&told, now).await,
            // Some of the money, by hand: a gesture, no end of a booking.
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Problem::OutOfTurn),
        }
    }

    /// What the provider says now of a payment that it told too little of, if it is the one that is
    /// configured and knows more.
    async fn ask(&self, told: &Report) -> Result<Option<Report>, Problem> {
        let Some(provider) = self.provider_of(&told.provider)? else { return Ok(None) };
        let report = provider.report(&told.reference).await;
        match &report.outcome {
            Outcome::Known { .. } => Ok(Some(report)),
            Outcome::Unknown => Ok(None),
            Outcome::Away => Err(Problem::ProviderAway(ProviderError::silent())),
        }
    }

    /// The provider of this name, if it is the one that is configured.
    fn provider_of(&self, name: &Provider) -> Result<Option<&dyn PaymentProvider>, MissingSetting> {
        Ok(Some(self.payments()?).filter(|provider| provider.name() == name))
    }

    /// Settles the reservation that a report names, whoever brought it, or parks money that names
    /// none. Safe to repeat.
    ///
    /// # Errors
    ///
    /// A fault.
    pub async fn bring(&self, report: &Report, now: Timestamp) -> Result<(), Problem> {
        let Outcome::Known { reservation_id, money, progress } = &report.outcome else {
            return Ok(());
        };
        let reservation = match reservation_id {
            Some(id) => self.store.reservation(id).await?,
            None => None,
        };
        if let Some(reservation) = reservation {
            self.note(Note::Reservation(&reservation.id));
            let settled = self.settle(reservation, report, Origin::Provider, now).await?;
            if settled == Settled::Mismatch {
                let reference = report.reference.as_str();
                tracing::error!(reference, "the payment is another reservation's already");
            }
            return Ok(());
        }
        match progress {
            Progress::Processing | Progress::Failed => Ok(()),
            Progress::Captured | Progress::Refunded => {
                let Report { provider, reference, .. } = report;
                let named = reservation_id.as_ref();
                if self.store.park(provider, reference, named, *money, now).await? {
                    self.note(Note::Parked);
                    let reference = reference.as_str();
                    tracing::error!(reference, "money for no reservation that we know");
                }
                if *progress == Progress::Refunded
                    && self.store.refunded(provider, reference, now).await?
                {
                    self.note(Note::Refunded);
                }
                Ok(())
            }
        }
    }

    /// Sends the money of a payment back if it is owed, and writes down that it went.
    ///
    /// Safe to repeat and to do twice at once: the provider takes one refund. Costs a read, two
    /// calls of the provider, and what `Store::refunded` costs.
    ///
    /// # Errors
    ///
    /// A fault, or a provider that is away. One that refuses is noted and logged: it stays owed, and
    /// is tried again by the schedule.
    pub async fn refund(&self, payment: &Payment, now: Timestamp) -> Result<(), Problem> {
        let Payment { provider, reference, .. } = payment;
        self.note(Note::Payment(reference));
        let owed = self.store.payment(provider, reference).await?;
        let Some(owed) = owed.filter(|payment| payment.status == Status::RefundDue) else {
            return Ok(());
        };
        if let Some(id) = &owed.reservation_id {
            self.note(Note::Reservation(id));
        }
        let Some(provider) = self.provider_of(provider)? else {
            self.refund_failed(reference, Some(owed.status), "its provider is not configured");
            return Ok(());
        };
        match provider.refund(&owed).await {
            Ok(Refund::Done) => {
                if self.store.refunded(provider.name(), reference, now).await? {
                    self.note(Note::Refunded);
                }
            }
            Ok(Refund::Processing) => {}
            Ok(Refund::Failed) => self.refund_failed(reference, Some(owed.status), "it failed"),
            Err(error @ ProviderError::Away(_)) => return Err(error.into()),
            Err(error) => {
                self.refund_failed(reference, Some(owed.status), &error.to_string());
            }
        }
        Ok(())
    }

    fn refund_failed(&self, reference: &PaymentReference, status: Option<Status>, why: &str) {
        self.note(Note::RefundFailed);
        // Of one that counts as refunded only a person can make good.
        let counts_as_refunded = status == Some(Status::Refunded);
        tracing::error!(%reference, why, counts_as_refunded, "a refund failed");
    }

    /// Looks after a payment that is still on its way, or still owed back, long after it should not
    /// be; and puts off the next look at it if it still is.
    ///
    /// # Errors
    ///
    /// A fault, or a provider that is away. It is logged here, with the payment.
    pub async fn reconcile(&self, payment: &Payment, now: Timestamp) -> Result<(), Problem> {
        self.note(Note::Reconciled);
        let looked = match payment.status {
            Status::Pending | Status::Failed => self.look_after(payment, now).await,
            Status::RefundDue => self.refund(payment, now).await,
            Status::Success | Status::Parked | Status::Refunded => Ok(()),
        };
        if let Err(problem) = &looked {
            let Payment { reference, status, .. } = payment;
            tracing::warn!(%reference, ?status, cause = causes(problem), "not reconciled");
        }
        // Also after a failure: one that always fails must not stand in the way of the others.
        self.store.check_later(payment, looked.is_ok(), now).await?;
        looked
    }

    /// Asks the provider what became of a payment in progress, and settles it.
    async fn look_after(&self, payment: &Payment, now: Timestamp) -> Result<(), Problem> {
        let Payment { provider, reference, .. } = payment;
        self.note(Note::Payment(reference));
        let reservation = match &payment.reservation_id {
            Some(id) => self.store.reservation(id).await?,
            None => None,
        };
        let gone = || Problem::Internal(Fault::Corrupt(format!("{payment:?} is for nothing")));
        let reservation = reservation.ok_or_else(gone)?;
        let not_here = MissingSetting("PAYMENT_PROVIDER");
        let provider = self.provider_of(provider)?.ok_or(not_here)?;
        let report = provider.report(reference).await;
        if report.outcome == Outcome::Away {
            return Err(Problem::ProviderAway(ProviderError::silent()));
        }
        let progress = report.progress();
        if payment.status == Status::Failed {
            // It stays written off, under this name, unless its money came after all.
            let came = matches!(progress, Some(Progress::Captured | Progress::Refunded));
            return if came { self.bring(&report, now).await } else { Ok(()) };
        }
        if report.reference != *reference {
            // The order was paid by a payment with a name of its own; nothing comes under this one.
            self.bring(&report, now).await?;
        } else if progress != Some(Progress::Processing) {
            let settled = self.settle(reservation, &report, Origin::Provider, now).await?;
            // The provider now says that it is for something else.
            return match settled {
                Settled::Mismatch => self.bring(&report, now).await,
                _settled => Ok(()),
            };
        } else if !payment.is_given_up_at(now) {
            return Ok(());
        }
        let over = Report { outcome: came_to_nothing(payment), ..report_of(payment) };
        let reservation = self.store.reservation(&reservation.id).await?.ok_or_else(gone)?;
        self.settle(reservation, &over, Origin::Provider, now).await.map(drop)
    }
}

/// Whether the provider is to be asked before money that it tells of is believed. Some keep the
/// reservation with the order, and tell only the payment; and some call money refunded whose refund
/// is under way and may fail.
fn is_to_be_asked(told: &Report) -> bool {
    match &told.outcome {
        Outcome::Known { progress: Progress::Refunded, .. } => true,
        Outcome::Known { reservation_id: None, progress, .. } => *progress == Progress::Captured,
        Outcome::Known { .. } | Outcome::Unknown | Outcome::Away => false,
    }
}

fn report_of(payment: &Payment) -> Report {
    let Payment { provider, reference, .. } = payment;
    let outcome = Outcome::Unknown;
    Report { provider: provider.clone(), reference: reference.clone(), outcome }
}

/// That all of a payment's money went back.
fn went_back(payment: &Payment) -> Report {
    let outcome = Outcome::Known {
        reservation_id: payment.reservation_id.clone(),
        money: payment.money,
        progress: Progress::Refunded,
    };
    Report { outcome, ..report_of(payment) }
}

fn came_to_nothing(payment: &Payment) -> Outcome {
    Outcome::Known {
        reservation_id: payment.reservation_id.clone(),
        money: payment.money,
        progress: Progress::Failed,
    }
}
