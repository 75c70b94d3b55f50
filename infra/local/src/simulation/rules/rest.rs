//! What holds when everything was delivered, every schedule ran and nobody does anything any more:
//! nothing is open, and the provider and the books say the same of every payment.

use std::collections::BTreeMap;

use domain::cancellation::{self, Cancellation};
use domain::id::{Provider, ReservationId};
use domain::payment::{self, Payment};
use domain::reservation::{Reservation, Status};
use domain::seat::Seat;
use domain::time::Timestamp;

use super::ledger::{Ledger, PaymentName, name_of};
use super::moves::amount;
use super::{Broken, Rules, broken};

/// What the provider calls itself.
const PROVIDER: &str = "sandbox";

/// A payment as the provider has it: what it answers to `GET /sandbox/payments/{reference}`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::simulation) struct ProviderPayment {
    pub(in crate::simulation) payment_reference: String,
    pub(in crate::simulation) reservation_id: String,
    pub(in crate::simulation) amount: u64,
    pub(in crate::simulation) currency: String,
    pub(in crate::simulation) status: ProviderStatus,
    pub(in crate::simulation) refunded_amount: u64,
    pub(in crate::simulation) refunds: Vec<ProviderRefund>,
}

/// How far a payment is at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::simulation) enum ProviderStatus {
    Pending,
    Succeeded,
    Failed,
    Refunded,
}

/// A refund as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(in crate::simulation) struct ProviderRefund {
    pub(in crate::simulation) amount: u64,
    pub(in crate::simulation) status: RefundStatus,
}

/// How a refund went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::simulation) enum RefundStatus {
    Succeeded,
    Failed,
}

impl ProviderPayment {
    /// What went back by refunds that worked, and how many these are.
    fn refunded(&self) -> (u64, usize) {
        let worked = self.refunds.iter().filter(|of| of.status == RefundStatus::Succeeded);
        worked.fold((0, 0), |(sum, count), of| (sum + of.amount, count + 1))
    }

    fn is_captured(&self) -> bool {
        matches!(self.status, ProviderStatus::Succeeded | ProviderStatus::Refunded)
    }
}

/// Money by what became of it, in minor units of one currency.
#[derive(Debug, Default)]
struct Sums {
    captured: u64,
    confirmed: u64,
    refund_due: u64,
    refunded: u64,
    parked: u64,
}

/// What holds of one show at rest.
pub(super) fn check(ledger: &Ledger, latest: Timestamp) -> Result<(), Broken> {
    for reservation in &ledger.books.reservations {
        if reservation.status == Status::Pending {
            return Err(broken("NothingIsPendingAtRest", format!("{reservation:?}")));
        }
        as_it_is_shown(ledger, reservation)?;
    }
    for claim in &ledger.books.claims {
        if matches!(claim.seat, Seat::Held { expires_at, .. } if expires_at > latest) {
            return Err(broken("NothingIsHeldAtRest", format!("{claim:?} at {latest}")));
        }
    }
    ledger.cancellation.as_ref().map_or(Ok(()), |of| ended(ledger, of))
}

/// What a reservation shows of its payment is what the payment is. Money that was parked is not shown:
/// it came for something else.
fn as_it_is_shown(ledger: &Ledger, reservation: &Reservation) -> Result<(), Broken> {
    let Some((shown, payment)) = reservation.payment.as_ref().zip(ledger.own_payment(reservation))
    else {
        return Ok(());
    };
    let was_parked = payment.refund_reason.is_none()
        && matches!(payment.status, payment::Status::Parked | payment::Status::Refunded);
    if shown.status == payment.status || was_parked {
        return Ok(());
    }
    let detail = format!("{} shows {shown:?}, of {payment:?}", reservation.id);
    Err(broken("ReservationsShowTheirPayment", detail))
}

/// The sweep of a cancelled show is at its end: nothing stands, and all money went back.
fn ended(ledger: &Ledger, cancellation: &Cancellation) -> Result<(), Broken> {
    let is_booked = |of: &&Reservation| of.status == Status::Confirmed;
    if let Some(booking) = ledger.books.reservations.iter().find(is_booked) {
        let detail = format!("{booking:?} of {cancellation:?}");
        return Err(broken("NoBookingOfACancelledShow", detail));
    }
    let is_ended = cancellation.status == cancellation::Status::Completed
        && cancellation.refunds_done == cancellation.bookings_cancelled
        && cancellation.refunded_minor == cancellation.refund_minor;
    if is_ended {
        Ok(())
    } else {
        Err(broken("CancellationsComeToTheirEnd", format!("{cancellation:?}")))
    }
}

impl Rules {
    /// Whether the provider and the books say the same of all money.
    pub(super) fn money_at_rest(&self, provider: &[ProviderPayment]) -> Result<(), Broken> {
        let name: Provider = PROVIDER.parse().expect("it is a name");
        let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
        let mut theirs: BTreeMap<PaymentName, &ProviderPayment> = BTreeMap::new();
        for payment in provider {
            let reference = payment.payment_reference.parse().ok();
            let ours = reference.and_then(|reference| {
                let name = (name.clone(), reference);
                theirs.insert(name.clone(), payment);
                self.payment(&name)
            });
            self.says_the_same(ours, payment)?;
            refunded_once(payment)?;
            if payment.is_captured() {
                sums.entry(payment.currency.clone()).or_default().captured += payment.amount;
            }
        }
        for payment in self.payments() {
            let minor = payment.money.minor();
            let sums = sums.entry(payment.money.currency().into()).or_default();
            match payment.status {
                payment::Status::Pending => {
                    return Err(broken("NoPaymentIsOpenAtRest", format!("{payment:?}")));
                }
                payment::Status::RefundDue => sums.refund_due += minor,
                payment::Status::Refunded => sums.refunded += minor,
                payment::Status::Parked => sums.parked += minor,
                // The booking that it stands for counts, and a payment of no money does not.
                payment::Status::Success | payment::Status::Failed => {}
            }
            let has_come = !matches!(payment.status, payment::Status::Failed);
            if has_come && !theirs.contains_key(&name_of(payment)) {
                let detail = format!("the provider has no {payment:?}");
                return Err(broken("MoneyIsAtTheProvider", detail));
            }
        }
        for booking in self.bookings() {
            let sums = sums.entry(booking.amount.currency().into()).or_default();
            sums.confirmed += booking.amount.minor();
        }
        let is_off =
            |of: &Sums| of.refund_due != 0 || of.captured != of.confirmed + of.refunded + of.parked;
        match sums.iter().find(|(_, of)| is_off(of)) {
            None => Ok(()),
            Some((currency, of)) => Err(broken("TheMoneyBalances", format!("{currency}: {of:?}"))),
        }
    }

    /// Whether a payment is to us what it is at the provider.
    fn says_the_same(
        &self,
        ours: Option<&Payment>,
        theirs: &ProviderPayment,
    ) -> Result<(), Broken> {
        use payment::Status;
        let status = ours.map(|ours| ours.status);
        let is_the_same = match theirs.status {
            ProviderStatus::Succeeded => {
                let is_for_nothing = || !self.knows(&theirs.reservation_id);
                status == Some(Status::Success)
                    || (status == Some(Status::Parked) && is_for_nothing())
            }
            ProviderStatus::Refunded => status == Some(Status::Refunded),
            ProviderStatus::Pending | ProviderStatus::Failed => {
                status.is_none_or(|status| status == Status::Failed)
            }
        };
        let is_as_much = !theirs.is_captured()
            || ours.is_some_and(|ours| {
                let money = (ours.money.minor(), ours.money.currency());
                money.0 == theirs.amount && money.1.as_str() == theirs.currency
            });
        if is_the_same && is_as_much {
            return Ok(());
        }
        let of = ours.map_or("nothing".to_owned(), |ours| {
            format!("{:?} of {} for {:?}", ours.status, amount(ours.money), ours.reservation_id)
        });
        Err(broken("TheProviderSaysTheSame", format!("ours is {of}, theirs {theirs:?}")))
    }

    /// Whether a reservation of this id was ever made.
    fn knows(&self, id: &str) -> bool {
        let id: Option<ReservationId> = id.parse().ok();
        id.is_some_and(|id| self.ledgers.values().any(|of| of.reservation(&id).is_some()))
    }

    fn payment(&self, name: &PaymentName) -> Option<&Payment> {
        let listed = self.ledgers.values().find_map(|ledger| ledger.payment(name));
        listed.or_else(|| self.unlisted.get(name))
    }

    fn payments(&self) -> impl Iterator<Item = &Payment> {
        let listed = self.ledgers.values().flat_map(|ledger| &ledger.books.payments);
        listed.chain(self.unlisted.values())
    }

    fn bookings(&self) -> impl Iterator<Item = &Reservation> {
        let all = self.ledgers.values().flat_map(|ledger| &ledger.books.reservations);
        all.filter(|reservation| reservation.status == Status::Confirmed)
    }
}

/// All of a payment went back, at once and once, or nothing did.
fn refunded_once(theirs: &ProviderPayment) -> Result<(), Broken> {
    let (sum, count) = theirs.refunded();
    let is_all = sum == theirs.amount;
    let most = usize::from(theirs.status == ProviderStatus::Refunded);
    let is_told_well =
        sum == theirs.refunded_amount && is_all == (theirs.status == ProviderStatus::Refunded);
    if count <= most && is_told_well {
        return Ok(());
    }
    Err(broken("MoneyGoesBackOnce", format!("{theirs:?}")))
}
