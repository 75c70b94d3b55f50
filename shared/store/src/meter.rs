//! What an invocation used: round trips, capacity, retries.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// Counts what passes through one [`crate::Store`].
#[derive(Debug, Default)]
pub struct Meter {
    round_trips: AtomicU64,
    write_half_units: AtomicU64,
    index_write_half_units: AtomicU64,
    read_half_units: AtomicU64,
    conflicts: AtomicU64,
    lock_failures: AtomicU64,
}

/// `DynamoDB` counts in halves: an eventually consistent read of up to 4 KB is half a unit.
fn half_units(units: Option<f64>) -> u64 {
    #[expect(clippy::float_arithmetic, reason = "the SDK has capacity as f64, in exact halves")]
    let halves = units.unwrap_or_default() * 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, positive")]
    let whole = halves.round() as u64;
    whole
}

impl Meter {
    /// Calls of `DynamoDB`, without the SDK's own retries.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Relaxed)
    }

    /// Write units of the tables themselves, in halves.
    pub fn write_half_units(&self) -> u64 {
        self.write_half_units.load(Relaxed)
    }

    /// Write units of their indexes, in halves.
    pub fn index_write_half_units(&self) -> u64 {
        self.index_write_half_units.load(Relaxed)
    }

    /// Read units, in halves.
    pub fn read_half_units(&self) -> u64 {
        self.read_half_units.load(Relaxed)
    }

    /// Transactions that met another one and were tried again.
    pub fn conflicts(&self) -> u64 {
        self.conflicts.load(Relaxed)
    }

    /// Transactions that lost every try, or got no answer.
    pub fn lock_failures(&self) -> u64 {
        self.lock_failures.load(Relaxed)
    }

    pub(crate) fn lock_failed(&self) {
        self.lock_failures.fetch_add(1, Relaxed);
    }

    pub(crate) fn called(&self) {
        self.round_trips.fetch_add(1, Relaxed);
    }

    pub(crate) fn conflicted(&self) {
        self.conflicts.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self, used: Option<&ConsumedCapacity>) {
        let units = used.and_then(ConsumedCapacity::capacity_units);
        self.read_half_units.fetch_add(half_units(units), Relaxed);
    }

    pub(crate) fn wrote(&self, used: &[ConsumedCapacity]) {
        for used in used {
            let table = used.table().and_then(|table| table.capacity_units());
            let all = half_units(used.capacity_units());
            let own = table.map_or(all, |units| half_units(Some(units)));
            self.write_half_units.fetch_add(own, Relaxed);
            self.index_write_half_units.fetch_add(all.saturating_sub(own), Relaxed);
        }
    }
}
