//! Refund: money that was owed back, or went back by itself, is gone from the books.

use domain::id::{PaymentReference, Provider};
use domain::payment::{self, Payment, RefundReason};
use domain::reservation::Reservation;
use domain::time::Timestamp;

use crate::cancel::CancelError;
use crate::item::{string, value};
use crate::txn::{Aborted, If, Txn, corrupt};
use crate::{Fault, Store, payment as payments, reservation as reservations};

/// Tries, each upon what became of the payment and its reservation in between.
const DECISIONS_MAX: u32 = 6;

const SET_SHOWN: &str = "SET payment_status = :payment_status";

/// The reservation shows this payment.
const IF_SHOWN: &str = "payment_provider = :provider AND payment_reference = :reference";

impl Store {
    /// Writes that all money of a payment went back: payment REFUNDED, and its reservation shows
    /// it. A booking that it paid for is cancelled first, since nothing pays for it any more. Says
    /// whether this is news.
    ///
    /// Safe to repeat, and safe beside a settlement or cancellation. Costs two reads and one
    /// transaction (2 write units for the payment, 2 for the reservation, 2 for the cancellation of
    /// a show that counts it); a booking costs its cancellation too.
    ///
    /// # Errors
    ///
    /// [`Fault`]; repeat it. [`Fault::Corrupt`] for a payment whose money never came.
    pub async fn refunded(
        &self,
        provider: &Provider,
        reference: &PaymentReference,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        for _ in 0..DECISIONS_MAX {
            let payment = self.payment(provider, reference).await?;
            let payment = payment.ok_or_else(|| corrupt("a refund of an unknown payment"))?;
            let reservation = match &payment.reservation_id {
                Some(id) => self.reservation(id).await?,
                None => None,
            };
            match (payment.status, reservation) {
                (payment::Status::Refunded, _) => return Ok(false),
                (payment::Status::Success, Some(reservation)) => {
                    self.unbook(reservation, now).await?;
                }
                (payment::Status::RefundDue | payment::Status::Parked, reservation) => {
                    match self.close(&payment, reservation.as_ref(), now).await {
                        Ok(()) => return Ok(true),
                        Err(Aborted::Refused(_changed)) => {}
                        Err(Aborted::Fault(fault)) => return Err(fault),
                    }
                }
                (
                    payment::Status::Pending | payment::Status::Failed | payment::Status::Success,
                    _,
                ) => return Err(corrupt(format!("a refund of {payment:?}"))),
            }
        }
        Err(Fault::Contended)
    }

    async fn unbook(&self, reservation: Reservation, now: Timestamp) -> Result<(), Fault> {
        let id = reservation.id.clone();
        match self.cancel(reservation, RefundReason::ReturnedByProvider, now).await {
            Ok(_) => Ok(()),
            Err(CancelError::Fault(fault)) => Err(fault),
            Err(CancelError::Refused(refusal)) => {
                Err(corrupt(format!("{id} is paid for, and refuses to end: {refusal:?}")))
            }
        }
    }

    async fn close(
        &self,
        payment: &Payment,
        reservation: Option<&Reservation>,
        now: Timestamp,
    ) -> Result<(), Aborted<()>> {
        let Payment { provider, reference, .. } = payment;
        let mut txn = Txn::new(self).update(
            &self.tables.payments,
            payments::key(provider, reference),
            payments::SET_REFUNDED,
            payments::if_refundable(reference, now),
            |_| Ok(()),
        );
        if let Some(reservation) = reservation.filter(|of| of.has_heard_of(provider, reference)) {
            let shown = If::new(
                IF_SHOWN,
                [
                    (":provider", string(provider.as_str())),
                    (":reference", string(reference.as_str())),
                    (":payment_status", value(&payment::Status::Refunded)),
                ],
            );
            let key = reservations::key(&reservation.id);
            txn = txn.update(&self.tables.reservations, key, SET_SHOWN, shown, |_| Ok(()));
            // Only the sweep ends bookings for this reason.
            if payment.refund_reason == Some(RefundReason::ShowCancelled)
                && reservation.confirmed_at.is_some()
            {
                txn = txn.counted_refund(reservation, payment.money);
            }
        }
        txn.commit().await
    }
}
