//! What Razorpay's API and webhooks tell, as they write it, and what it means in our words.

use domain::id::{PaymentReference, Provider, ReservationId};
use domain::money::Currency;
use domain::payment::{self, Outcome, Progress, Report};
use reqwest::StatusCode;
use serde::Deserialize as _;
use serde::de::Deserializer;
use serde_json::{Value, json};

use crate::payment::{ProviderError, currency};

/// What a reservation is paid by (<https://razorpay.com/docs/api/orders/entity>).
#[derive(serde::Deserialize)]
pub(super) struct Order {
    pub(super) id: PaymentReference,
    pub(super) amount: u64,
    pub(super) currency: Currency,
    pub(super) receipt: Option<String>,
    #[serde(rename = "notes", default, deserialize_with = "named_in_notes")]
    pub(super) reservation_id: Option<ReservationId>,
}

/// A try to pay (<https://razorpay.com/docs/api/payments/entity>).
#[derive(serde::Deserialize)]
pub(super) struct Payment {
    pub(super) id: PaymentReference,
    pub(super) amount: u64,
    pub(super) currency: Currency,
    pub(super) status: PaymentStatus,
    pub(super) order_id: Option<PaymentReference>,
    pub(super) amount_refunded: Option<u64>,
    pub(super) captured: Option<bool>,
    #[serde(rename = "notes", default, deserialize_with = "named_in_notes")]
    pub(super) reservation_id: Option<ReservationId>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PaymentStatus {
    Captured,
    Refunded,
    Failed,
    /// `created`, `authorized`, or one that Razorpay has added since.
    #[serde(other)]
    Undecided,
}

/// Money on its way back (<https://razorpay.com/docs/api/refunds/entity>).
#[derive(serde::Deserialize)]
pub(super) struct Refund {
    pub(super) amount: u64,
    pub(super) status: RefundStatus,
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundStatus {
    Processed,
    Failed,
    /// `pending`, or one that Razorpay has added since.
    #[serde(other)]
    Pending,
}

#[derive(serde::Deserialize)]
pub(super) struct Collection<T> {
    pub(super) items: Vec<T>,
}

/// A refusal, with its words (<https://razorpay.com/docs/errors>).
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: Words,
}

#[derive(Default, serde::Deserialize)]
pub(super) struct RefusalBody {
    pub(super) error: Words,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Words {
    pub(super) code: String,
    pub(super) description: String,
}

/// How far the refunds of one payment have come.
pub(super) struct Refunds {
    pub(super) processed: u64,
    pub(super) is_one_pending: bool,
    pub(super) failed: usize,
}

/// The reservation that notes name. Where there are none, they are an empty array; and a payer can
/// write anything into them.
pub(super) fn named_in_notes<'de, D: Deserializer<'de>>(
    notes: D,
) -> Result<Option<ReservationId>, D::Error> {
    let notes = Value::deserialize(notes)?;
    Ok(notes["reservation_id"].as_str().and_then(|id| id.parse().ok()))
}

pub(super) fn notes(reservation_id: Option<&ReservationId>) -> Value {
    reservation_id.map_or_else(|| json!({}), |id| json!({"reservation_id": id}))
}

impl Payment {
    /// How far it has come.
    ///
    /// A payment that was sent back without being captured is one that Razorpay gave up: it came
    /// late, or twice for one order. It was never ours
    /// (<https://razorpay.com/docs/payments/refunds/auto-refunds>).
    pub(super) fn progress(&self) -> Progress {
        let is_sent_back = self.amount_refunded.is_some_and(|amount| amount >= self.amount);
        match self.status {
            PaymentStatus::Undecided => Progress::Processing,
            PaymentStatus::Failed => Progress::Failed,
            PaymentStatus::Captured if !is_sent_back => Progress::Captured,
            PaymentStatus::Refunded if self.captured == Some(false) => Progress::Failed,
            PaymentStatus::Captured | PaymentStatus::Refunded => Progress::Refunded,
        }
    }

    /// The payment in our words. What its own notes do not name, something beside it may.
    pub(super) fn report(
        self,
        provider: &Provider,
        progress: Progress,
        named_beside: Option<ReservationId>,
    ) -> Result<Report, ProviderError> {
        let money = currency::from_razorpay(self.amount, self.currency)?;
        let reservation_id = self.reservation_id.or(named_beside);
        let outcome = Outcome::Known { reservation_id, money, progress };
        Ok(Report { provider: provider.clone(), reference: self.id, outcome })
    }
}

impl From<RefundStatus> for payment::Refund {
    fn from(status: RefundStatus) -> Self {
        match status {
            RefundStatus::Pending => Self::Processing,
            RefundStatus::Processed => Self::Done,
            RefundStatus::Failed => Self::Failed,
        }
    }
}

impl Refusal {
    /// There is nothing by this name, or it is somebody else's.
    pub(super) fn is_of_unknown_id(&self) -> bool {
        let words = &self.error.description;
        self.status == StatusCode::NOT_FOUND
            || words.starts_with("The id provided does not exist")
            || words.ends_with("is not a valid id")
    }

    /// Another call is making the same refund, or one that leaves nothing to send back was made a
    /// moment ago.
    pub(super) fn is_beside_another_refund(&self) -> bool {
        self.status == StatusCode::CONFLICT
            || self.error.description.starts_with("The payment has been fully refunded already")
    }
}

impl From<Refusal> for ProviderError {
    fn from(Refusal { status, error }: Refusal) -> Self {
        // Nearly every refusal has the same code; its description tells why.
        let code = format!("{}: {}", error.code, error.description);
        Self::Refused { status: status.as_u16(), code }
    }
}
