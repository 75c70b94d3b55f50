//! The only crate that speaks `DynamoDB`: keys, conditions, transactions, readers.
//!
//! An entity has one file (`seat`, `reservation`, `payment`, `show`, `catalog`, `event`,
//! `subscription`) with its key, its attributes, its conditions and its reader. A use case has one
//! file (`hold`, `settle`, `cancel`, `expire`, `refund`, `show_cancellation`, `ticket`, `block`,
//! `seat_map`) and says in its doc comment what it costs. `image` reads what streams tell.
//! Everything that writes goes through `txn`, where a step and the reading of its refusal are
//! added together.
//!
//! The condition guards, the domain explains: a refused write hands back the item it saw, and
//! `domain` says why that item refuses. Where the two disagree, the answer is [`Fault::Corrupt`].
//!
//! The crate knows no HTTP, no Lambda and no clock.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity::Total;

mod fault;
mod item;
mod meter;
mod txn;

mod catalog;
mod payment;
mod reservation;
mod seat;
mod show;

mod event;
mod image;
mod subscription;

mod audit;
mod availability;
mod batch;
mod block;
mod cancel;
mod expire;
mod hold;
mod limit;
mod refund;
mod schedule;
mod seat_map;
mod settle;
mod show_cancellation;
mod ticket;

pub use audit::{Line, ListedPayment};
pub use block::{Claim, HouseSeatsError};
pub use cancel::{CancelError, Cancelled};
pub use catalog::{CreateError, Entry, RemoveError, ReplaceError, Standalone};
pub use event::{EventPosition, RecordedEvent};
pub use expire::Expiry;
pub use fault::Fault;
pub use hold::{Held, HoldError, HoldLimit};
pub use image::Image;
pub use limit::TakeError;
pub use meter::Meter;
pub use reservation::{Page, Position};
pub use schedule::{Reschedule, ScheduleError};
pub use seat_map::TakenSeat;
pub use settle::Settled;
pub use show_cancellation::ClaimsPage;
pub use subscription::SubscribeError;
pub use ticket::EnterError;

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Cities, films, theatres, auditoriums, layouts, shows.
    pub catalog: String,
    /// Claims on seats.
    pub seats: String,
    /// Reservations.
    pub reservations: String,
    /// Payments.
    pub payments: String,
    /// What happened, and who is told.
    pub events: String,
    /// What users have left of what they may do.
    pub limits: String,
}

/// The tables, and a count of what using them costs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    tables: Arc<Tables>,
    meter: Arc<Meter>,
}

impl Store {
    /// A store over `tables`.
    #[must_use]
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables: Arc::new(tables), meter: Arc::default() }
    }

    /// Opens the connection, so that the first use need not: one read of an item that is not there
    /// (half a unit). Whether it succeeds does not matter.
    pub async fn connect(&self) {
        let key = item::item([("pk", item::string("NOTHING")), ("sk", item::string("NOTHING"))]);
        let read = self.client.get_item().table_name(&self.tables.catalog).set_key(Some(key));
        if let Err(error) = read.send().await {
            tracing::warn!(%error, "no connection at the start");
        }
    }

    /// One item as it is now, if there is one: a consistent read (1 unit per 4 KB).
    async fn get(&self, table: &str, key: item::Item) -> Result<Option<item::Item>, Fault> {
        self.meter.called();
        let found = self
            .client
            .get_item()
            .table_name(table)
            .set_key(Some(key))
            .consistent_read(true)
            .return_consumed_capacity(Total)
            .send()
            .await?;
        self.meter.read(found.consumed_capacity());
        Ok(found.item)
    }

    /// The same store with a count of its own, for one invocation.
    #[must_use]
    pub fn metered(&self) -> Self {
        Self { meter: Arc::default(), ..self.clone() }
    }

    /// What was used so far.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }
}
