//! What `template.yaml` says, as far as the calculator counts with it. `tests/it/capacity.rs` compares the
//! two.

/// Megabytes of most functions.
pub const MEMORY: u64 = 256;
/// Megabytes of those that read much or write much JSON: search, seat maps, counts.
pub const MORE_MEMORY: u64 = 512;
/// Requests a second that a route takes.
pub const CLIENT_RATE: u64 = 1_000;
/// Requests a second that the route of webhooks takes.
pub const WEBHOOK_RATE: u64 = 4_000;
/// Records of seats that end holds, in a batch.
pub const RELEASE_BATCH: u64 = 100;
/// Records of seats that are counted, in a batch.
pub const COUNT_BATCH: u64 = 500;
/// Seconds for which such a batch is gathered.
pub const COUNT_WINDOW_SECS: u64 = 2;
/// Records of reservations in a batch.
pub const PUBLISH_BATCH: u64 = 10;
/// Batches of reservations at once, of each shard.
pub const PUBLISH_AT_ONCE: u64 = 10;
/// Deliveries at once.
pub const DELIVERIES_AT_ONCE: u64 = 20;
/// Letters at once.
pub const LETTERS_AT_ONCE: u64 = 2;
