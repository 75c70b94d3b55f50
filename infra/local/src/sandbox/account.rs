//! A payment at the sandbox: what it is, what can happen to it, and what there is to tell of it.

use std::collections::HashMap;

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::webhooks::{Delivery, Flags, Kind};

/// A payment, with what is not shown of it.
pub(super) struct Account {
    pub(super) payment: Payment,
    pub(super) flags: Flags,
    /// Events that wait to be sent.
    unsent: Vec<Delivery>,
    /// The refunds that were made under an idempotency key.
    refunds: HashMap<String, Refund>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment {
    pub(super) payment_reference: String,
    pub(super) reservation_id: String,
    pub(super) amount: u64,
    pub(super) currency: String,
    pub(super) status: Status,
    pub(super) pay_url: String,
    pub(super) refunded_amount: u64,
    pub(super) refunds: Vec<Refund>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Pending,
    Succeeded,
    Failed,
    Refunded,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refund {
    refund_id: String,
    amount: u64,
    status: RefundStatus,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum RefundStatus {
    Succeeded,
    Failed,
}

/// How a payment is to end.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    #[default]
    Succeed,
    Fail,
    StayPending,
}

impl Account {
    /// An account of a payment that was just made.
    pub(super) fn new(payment: Payment, flags: Flags, now: Timestamp) -> Self {
        let mut account = Self { payment, flags, unsent: Vec::new(), refunds: HashMap::new() };
        account.tell(Kind::Processing, now);
        account
    }

    /// Takes the events that are to be sent now.
    pub(super) fn due(&mut self) -> Vec<Delivery> {
        self.flags.due(&mut self.unsent)
    }

    /// Ends the payment.
    pub(super) fn end(&mut self, outcome: Outcome, now: Timestamp) {
        let (status, kind) = match outcome {
            Outcome::Succeed => (Status::Succeeded, Kind::Succeeded),
            Outcome::Fail => (Status::Failed, Kind::Failed),
            Outcome::StayPending => return,
        };
        self.payment.status = status;
        self.tell(kind, now);
    }

    /// What the payer does. Nothing if it is paid already; a payer whose card was declined may try
    /// another.
    pub(super) fn pay(&mut self, outcome: Outcome, now: Timestamp) {
        match self.payment.status {
            Status::Pending | Status::Failed => self.end(outcome, now),
            Status::Succeeded | Status::Refunded => {}
        }
    }

    /// Sends `amount` back, or all that is left. Under the same key it is the same refund.
    pub(super) fn refund(
        &mut self,
        key: Option<String>,
        amount: Option<u64>,
        now: Timestamp,
    ) -> Result<Refund, &'static str> {
        if let Some(refund) = key.as_ref().and_then(|key| self.refunds.get(key)) {
            return Ok(refund.clone());
        }
        let left = match self.payment.status {
            Status::Succeeded => self.payment.amount - self.payment.refunded_amount,
            Status::Pending | Status::Failed => return Err("nothing was captured"),
            Status::Refunded => return Err("all of it was refunded"),
        };
        let amount = amount.unwrap_or(left);
        if amount == 0 || amount > left {
            return Err("the amount is zero, or more than is left");
        }
        let status = if self.flags.fail_refunds() {
            self.tell(Kind::RefundFailed, now);
            RefundStatus::Failed
        } else {
            self.payment.refunded_amount += amount;
            // Of a part that goes back there is nothing to tell.
            if amount == left {
                self.payment.status = Status::Refunded;
                self.tell(Kind::Refunded, now);
            }
            RefundStatus::Succeeded
        };
        let refund = Refund { refund_id: drawn("re"), amount, status };
        self.payment.refunds.push(refund.clone());
        if let Some(key) = key {
            self.refunds.insert(key, refund.clone());
        }
        Ok(refund)
    }

    fn tell(&mut self, kind: Kind, now: Timestamp) {
        self.unsent.push(self.flags.event(kind, &self.payment, now));
    }
}

/// A fresh name: `pay_…`, `re_…`, `msg_…`.
pub(super) fn drawn(prefix: &str) -> String {
    format!("{prefix}_{:032x}", fastrand::u128(..))
}
