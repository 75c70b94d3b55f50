//! What an invocation is for: enough to judge its answer.

use domain::time::Timestamp;

use super::couriers::{Message, Record, Told};

/// What an invocation is for, and when it was asked.
#[derive(Debug)]
pub(in crate::simulation) struct Purpose {
    pub(super) errand: Errand,
    /// Its place among all that is done and heard.
    pub(super) asked: u64,
    /// By the true clock.
    pub(super) asked_at: Timestamp,
    /// Things could go wrong.
    pub(super) faulty: bool,
    /// The history is over, and all that is left comes to rest.
    pub(super) at_rest: bool,
}

/// What somebody wants. A hold is named by its place in the players' memory.
#[derive(Debug)]
pub(super) enum Errand {
    Hold {
        hold: usize,
        seats: Vec<&'static str>,
    },
    Checkout {
        hold: usize,
    },
    Confirm {
        hold: usize,
        payment: String,
        paid: Paid,
    },
    Cancel {
        hold: usize,
        stood: bool,
    },
    /// What must be had, since nobody has it; and that it is given back.
    Probe {
        hold: usize,
        seats: Vec<&'static str>,
    },
    ProbeCancel {
        hold: usize,
    },
    /// What somebody else must not see.
    Pry,
    Seats {
        show: &'static str,
    },
    Reservation {
        hold: usize,
    },
    Reservations {
        user: &'static str,
    },
    Prices {
        show: &'static str,
        list: usize,
    },
    Block {
        show: &'static str,
        seats: Vec<&'static str>,
        eviction: Option<usize>,
    },
    CancelShow {
        show: &'static str,
    },
    Scan {
        hold: usize,
        scan: String,
    },
    /// `alone`: nobody else was under way, and so many had been asked for something.
    Audit {
        show: &'static str,
        alone: Option<u64>,
    },
    Events,
    Webhook(Told),
    Forgery,
    Messages(Vec<Message>),
    /// What a function was told. Copies do not come again.
    Records {
        function: String,
        records: Vec<Record>,
        copies: bool,
    },
    Schedule,
}

/// A payment when it was confirmed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paid {
    /// The provider has it, and it names the reservation, with its amount and currency.
    pub(super) right: bool,
    /// As the provider says; empty if it does not know it.
    pub(super) status: String,
}

impl Errand {
    /// As the tally has it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Hold { .. } => "hold",
            Self::Checkout { .. } => "checkout",
            Self::Confirm { .. } => "confirm",
            Self::Cancel { .. } => "cancel",
            Self::Probe { .. } => "probe",
            Self::ProbeCancel { .. } => "probe cancel",
            Self::Pry => "pry",
            Self::Seats { .. } | Self::Reservation { .. } | Self::Reservations { .. } => "look",
            Self::Prices { .. } => "price",
            Self::Block { .. } => "block",
            Self::CancelShow { .. } => "cancel show",
            Self::Scan { .. } => "scan",
            Self::Audit { .. } => "audit",
            Self::Events => "events",
            Self::Webhook(_) => "webhook",
            Self::Forgery => "forgery",
            Self::Messages(_) => "messages",
            Self::Records { .. } => "records",
            Self::Schedule => "schedule",
        }
    }

    /// The statuses that a request may be answered with, besides 429 and 503.
    pub(super) fn statuses(&self) -> &'static [u16] {
        match self {
            Self::Hold { .. } => &[201, 409, 422],
            Self::Probe { .. } => &[201],
            Self::ProbeCancel { .. } => &[200],
            Self::Checkout { .. } => &[200, 404, 409],
            Self::Confirm { .. } => &[200, 202, 402, 404, 409, 422],
            Self::Cancel { .. } => &[200, 404, 409],
            Self::Pry => &[404],
            Self::Reservation { .. } => &[200, 404],
            Self::Seats { .. } | Self::Reservations { .. } | Self::Audit { .. } | Self::Events => {
                &[200]
            }
            Self::Prices { .. } => &[200, 409],
            Self::Block { .. } => &[200, 409],
            Self::CancelShow { .. } => &[202, 409],
            Self::Scan { .. } => &[200, 409, 422],
            Self::Webhook(_) => &[200],
            Self::Forgery => &[400],
            Self::Messages(_) | Self::Records { .. } | Self::Schedule => &[],
        }
    }
}
