//! What to do with a payment, decided in one place.
//!
//! Confirm, the webhook and the reconciler all end here, so it never matters which of them comes
//! first. The store carries the decision out under conditions on exactly what was decided upon;
//! if something changed in between, it reads again and decides again.

use crate::payment::{Outcome, Progress, RefundReason, Report};
use crate::reservation::{Reservation, Status};
use crate::time::{HoldTerms, Timestamp};

/// Who brings a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A customer who pays or confirms, and waits. A payment in progress lengthens the hold. Money
    /// that is there and late goes back: who is told that the hold is over is told the end.
    Customer,
    /// The provider, by a webhook or when it is asked long after. Late money books the same seats
    /// if all are still free. Nothing lengthens a hold, so events end the same in every order.
    Provider,
}

/// What to do with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It already booked this reservation. Nothing to write.
    Done,
    /// Payment SUCCESS, reservation CONFIRMED, seats BOOKED, together.
    Book {
        /// The hold was over, so the seats may be gone.
        late: bool,
    },
    /// Payment PENDING; the hold lives on.
    Wait {
        /// And its end is moved, which happens once.
        extend: bool,
    },
    /// Payment PENDING, and nothing waits for it, for this reason. What becomes of its money is
    /// decided when it comes.
    Watch(RefundReason),
    /// Payment FAILED; the hold lives on, and another card can be tried.
    Decline,
    /// Payment REFUND_DUE.
    Refund {
        /// Why.
        reason: RefundReason,
        /// Whether the reservation ends by it, as FAILED.
        ends: bool,
    },
    /// No money came. Payment FAILED; the reservation stays what it is, for this reason.
    Over(RefundReason),
    /// Not a payment for this reservation. If it was noted as one while the provider did not
    /// answer, it is FAILED now, so that nobody asks for it again.
    Mismatch,
}

/// Everything a decision is made upon, besides the reservation.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What the provider says.
    pub report: &'a Report,
    /// Whether the show will not take place.
    pub show_cancelled: bool,
    /// Who brings it.
    pub origin: Origin,
    /// How long holds last.
    pub terms: HoldTerms,
    /// The time.
    pub now: Timestamp,
}

impl Case<'_> {
    /// Decides what the report means for `reservation`.
    #[must_use]
    pub fn decide(&self, reservation: &Reservation) -> Decision {
        let Report { provider, reference, .. } = self.report;
        if reservation.is_booked_by(provider, reference) {
            return Decision::Done;
        }
        let obstacle = self.obstacle(reservation);
        match &self.report.outcome {
            Outcome::Unknown => Decision::Mismatch,
            Outcome::Known { reservation_id, .. }
                if reservation_id.as_ref() != Some(&reservation.id) =>
            {
                Decision::Mismatch
            }
            Outcome::Known { money, .. } if *money != reservation.amount => {
                self.wrong_amount(reservation)
            }
            Outcome::Known { progress, .. } => match (progress, obstacle) {
                // Money that went back was there before. What is decided of that comes first, so
                // that a refund which is heard of before its payment ends as any other.
                (Progress::Captured | Progress::Refunded, Some(reason)) => {
                    Decision::Refund { reason, ends: reservation.can_fail_at(self.now) }
                }
                (Progress::Captured | Progress::Refunded, None) => {
                    Decision::Book { late: reservation.status_at(self.now) != Status::Pending }
                }
                (Progress::Processing, reason) => self.wait(reservation, reason),
                (Progress::Failed, Some(reason)) => Decision::Over(reason),
                (Progress::Failed, None) => Decision::Decline,
            },
            Outcome::Away => self.wait(reservation, obstacle),
        }
    }

    /// Money that was not asked for never books, and never ends a hold that the right money may
    /// still book.
    fn wrong_amount(&self, reservation: &Reservation) -> Decision {
        let reason = match reservation.status_at(self.now) {
            Status::Confirmed => RefundReason::SecondPayment,
            Status::Cancelled => RefundReason::PaidAfterCancel,
            Status::Pending | Status::Expired | Status::Failed => RefundReason::WrongAmount,
        };
        match &self.report.outcome {
            Outcome::Known { progress: Progress::Captured | Progress::Refunded, .. } => {
                Decision::Refund { reason, ends: false }
            }
            Outcome::Known { progress: Progress::Failed, .. } => Decision::Over(reason),
            Outcome::Known { progress: Progress::Processing, .. }
            | Outcome::Unknown
            | Outcome::Away => Decision::Watch(reason),
        }
    }

    /// Why money for `reservation` would have to go back, if there is a reason.
    fn obstacle(&self, reservation: &Reservation) -> Option<RefundReason> {
        let late = match reservation.status_at(self.now) {
            Status::Confirmed => return Some(RefundReason::SecondPayment),
            // The house cancelled it, or the customer did; the show's end is the better reason.
            Status::Cancelled if self.show_cancelled => return Some(RefundReason::ShowCancelled),
            Status::Cancelled => return Some(RefundReason::PaidAfterCancel),
            Status::Pending => false,
            Status::Expired | Status::Failed => true,
        };
        if self.show_cancelled {
            return Some(RefundReason::ShowCancelled);
        }
        match self.origin {
            Origin::Customer if late => Some(RefundReason::HoldExpired),
            Origin::Provider if late && reservation.show_starts_at <= self.now => {
                Some(RefundReason::ShowBegun)
            }
            Origin::Customer | Origin::Provider => None,
        }
    }

    /// A payment that may yet come: keep it in sight, and the seats too where nothing is in its
    /// way.
    fn wait(&self, reservation: &Reservation, reason: Option<RefundReason>) -> Decision {
        let is_held = reservation.status_at(self.now) == Status::Pending;
        match (reason, self.origin) {
            (Some(reason), _) => Decision::Watch(reason),
            (None, Origin::Customer) => Decision::Wait { extend: !reservation.extended },
            (None, Origin::Provider) if is_held => Decision::Wait { extend: false },
            // It can still book if it comes, and nothing waits for it.
            (None, Origin::Provider) => Decision::Watch(RefundReason::HoldExpired),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ReservationId, UserId};
    use crate::money::Money;
    use crate::reservation::PaymentSummary;

    const END: i64 = 1_000;
    const SHOW: i64 = 5_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn inr(minor: u64) -> Money {
        Money::new(minor, "INR".parse().unwrap()).unwrap()
    }

    fn reservation(status: Status) -> Reservation {
        let user = UserId::try_from("ann".to_owned()).unwrap();
        let token = "t".parse().unwrap();
        Reservation {
            id: ReservationId::of(&user, &token),
            user_id: user,
            hold_token: token,
            show_id: "show".parse().unwrap(),
            show_starts_at: at(SHOW),
            seats: Vec::new(),
            amount: inr(500),
            status,
            expires_at: at(END),
            extended: false,
            created_at: at(END - 300),
            confirmed_at: None,
            cancelled_at: None,
            payment: None,
            email: None,
            entry: None,
        }
    }

    fn report(progress: Progress, minor: u64) -> Report {
        Report {
            provider: "sandbox".parse().unwrap(),
            reference: "p1".parse().unwrap(),
            outcome: Outcome::Known {
                reservation_id: Some(reservation(Status::Pending).id),
                money: inr(minor),
                progress,
            },
        }
    }

    fn decide(
        reservation: &Reservation,
        report: &Report,
        show_cancelled: bool,
        origin: Origin,
        now: Timestamp,
    ) -> Decision {
        let terms = HoldTerms::of_secs(300);
        Case { report, show_cancelled, origin, terms, now }.decide(reservation)
    }

    fn paid(status: Status, origin: Origin, now: i64) -> Decision {
        decide(&reservation(status), &report(Progress::Captured, 500), false, origin, at(now))
    }

    #[test]
    fn money_in_time_books_and_money_at_the_end_does_not() {
        let book = Decision::Book { late: false };
        let back = Decision::Refund { reason: RefundReason::HoldExpired, ends: true };
        assert_eq!(paid(Status::Pending, Origin::Customer, END - 1), book);
        assert_eq!(paid(Status::Pending, Origin::Customer, END), back);
        assert_eq!(paid(Status::Expired, Origin::Customer, END), back);
    }

    #[test]
    fn a_late_webhook_retakes_the_seats_until_the_show_begins() {
        let late = Decision::Book { late: true };
        for status in [Status::Pending, Status::Expired, Status::Failed] {
            assert_eq!(paid(status, Origin::Provider, END), late, "{status:?}");
            assert_eq!(paid(status, Origin::Provider, SHOW - 1), late, "{status:?}");
            let Decision::Refund { reason, .. } = paid(status, Origin::Provider, SHOW) else {
                panic!("{status:?} books a show that has begun");
            };
            assert_eq!(reason, RefundReason::ShowBegun);
        }
    }

    /// Goal: captured money always ends as a booking or on its way back. Method: everything.
    #[test]
    fn no_captured_money_is_ever_left_lying() {
        for status in
            [Status::Pending, Status::Confirmed, Status::Cancelled, Status::Expired, Status::Failed]
        {
            for (minor, cancelled) in [(500, false), (500, true), (499, false), (499, true)] {
                for origin in [Origin::Customer, Origin::Provider] {
                    for now in [END - 1, END, SHOW] {
                        let report = report(Progress::Captured, minor);
                        let reservation = reservation(status);
                        let decision = decide(&reservation, &report, cancelled, origin, at(now));
                        let books = matches!(decision, Decision::Book { .. });
                        let refunds = matches!(decision, Decision::Refund { .. });
                        assert!(books || refunds, "{status:?} {minor} {now}: {decision:?}");
                        assert!(!books || (minor == 500 && !cancelled), "{decision:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_second_payment_goes_back_and_the_first_is_done() {
        let mut booked = reservation(Status::Confirmed);
        booked.payment = Some(PaymentSummary {
            provider: "sandbox".parse().unwrap(),
            reference: "p1".parse().unwrap(),
            status: crate::payment::Status::Success,
        });
        let report = report(Progress::Captured, 500);
        assert_eq!(decide(&booked, &report, false, Origin::Customer, at(0)), Decision::Done);
        booked.payment.as_mut().unwrap().reference = "p0".parse().unwrap();
        assert_eq!(
            decide(&booked, &report, false, Origin::Customer, at(0)),
            Decision::Refund { reason: RefundReason::SecondPayment, ends: false }
        );
    }

    #[test]
    fn a_wrong_amount_goes_back_and_leaves_the_hold_alone() {
        let report = report(Progress::Captured, 1);
        for now in [END - 1, END] {
            assert_eq!(
                decide(&reservation(Status::Pending), &report, false, Origin::Customer, at(now)),
                Decision::Refund { reason: RefundReason::WrongAmount, ends: false }
            );
        }
    }

    #[test]
    fn a_payment_of_somebody_elses_is_not_touched() {
        let mut report = report(Progress::Captured, 500);
        for other in [Some("other".parse().unwrap()), None] {
            let Outcome::Known { reservation_id, .. } = &mut report.outcome else { unreachable!() };
            *reservation_id = other;
            let decision =
                decide(&reservation(Status::Pending), &report, false, Origin::Customer, at(0));
            assert_eq!(decision, Decision::Mismatch);
        }
    }

    #[test]
    fn a_slow_payment_extends_the_hold_once_and_a_dead_hold_never() {
        let mut held = reservation(Status::Pending);
        let slow = report(Progress::Processing, 500);
        let decided =
            |held: &Reservation, now| decide(held, &slow, false, Origin::Customer, at(now));
        assert_eq!(decided(&held, END - 1), Decision::Wait { extend: true });
        assert_eq!(decided(&held, END), Decision::Watch(RefundReason::HoldExpired));
        held.extended = true;
        assert_eq!(decided(&held, END - 1), Decision::Wait { extend: false });
    }

    #[test]
    fn a_silent_provider_is_waited_for_and_a_failed_payment_leaves_the_hold() {
        let held = reservation(Status::Pending);
        let mut away = report(Progress::Processing, 500);
        away.outcome = Outcome::Away;
        assert_eq!(
            decide(&held, &away, false, Origin::Customer, at(0)),
            Decision::Wait { extend: true }
        );
        let failed = report(Progress::Failed, 500);
        assert_eq!(decide(&held, &failed, false, Origin::Customer, at(0)), Decision::Decline);
        assert_eq!(
            decide(&held, &failed, false, Origin::Customer, at(END)),
            Decision::Over(RefundReason::HoldExpired)
        );
    }

    #[test]
    fn a_slow_payment_that_the_provider_tells_of_extends_no_hold() {
        let slow = report(Progress::Processing, 500);
        for (status, now, expected) in [
            (Status::Pending, END - 1, Decision::Wait { extend: false }),
            (Status::Pending, END, Decision::Watch(RefundReason::HoldExpired)),
            (Status::Expired, END, Decision::Watch(RefundReason::HoldExpired)),
            (Status::Expired, SHOW, Decision::Watch(RefundReason::ShowBegun)),
        ] {
            let found = decide(&reservation(status), &slow, false, Origin::Provider, at(now));
            assert_eq!(found, expected, "{status:?} at {now}");
        }
    }

    /// Goal: who gets money back hears the best reason. Method: each status, with the show and without.
    #[test]
    fn the_shows_end_is_the_better_reason_but_for_who_paid_twice() {
        use RefundReason as R;
        for (status, off, on) in [
            (Status::Pending, R::ShowCancelled, None),
            (Status::Confirmed, R::SecondPayment, Some(R::SecondPayment)),
            (Status::Cancelled, R::ShowCancelled, Some(R::PaidAfterCancel)),
            (Status::Expired, R::ShowCancelled, Some(R::HoldExpired)),
            (Status::Failed, R::ShowCancelled, Some(R::HoldExpired)),
        ] {
            for (show_cancelled, expected) in [(true, Some(off)), (false, on)] {
                let paid = report(Progress::Captured, 500);
                let reservation = reservation(status);
                let found =
                    decide(&reservation, &paid, show_cancelled, Origin::Customer, at(END - 1));
                let reason = match found {
                    Decision::Refund { reason, .. } => Some(reason),
                    _no_refund => None,
                };
                assert_eq!(reason, expected, "{status:?}, cancelled: {show_cancelled}");
            }
        }
    }
}
