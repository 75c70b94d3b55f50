//! Every limit, with its reason. Relations between limits are checked when this compiles.

/// Seconds a hold lasts: long enough to type a card number, short enough that a seat somebody
/// walked away from is back before the next buyer gives up.
pub const HOLD_TTL_SECS: u32 = 5 * 60;

/// Holds last at most this many times their first length, counted from the hold: 15 minutes in
/// all while a provider is still working on a payment (bank redirects and UPI take that long).
pub const HOLD_EXTENDED_FACTOR: u32 = 3;

/// Seats in one hold. More is a group sale, which a person handles; and a settlement of this many
/// seats must fit one transaction.
pub const SEATS_PER_HOLD_MAX: usize = 10;

/// Actions in one `TransactWriteItems` (AWS, "`DynamoDB` quotas": 100).
pub const TRANSACTION_STEPS_MAX: usize = 100;

/// Characters of any id that a client sends. Ids stand in keys, which `DynamoDB` limits to 1,024
/// bytes for a sort key.
pub const ID_CHARS_MAX: usize = 128;

/// Characters of a token's `sub`.
pub const USER_ID_CHARS_MAX: usize = 128;

/// Characters of a name or title in the catalogue.
pub const NAME_CHARS_MAX: usize = 200;

/// The dearest seat and the dearest reservation, in minor units. Far above any real one, and low
/// enough that every sum stays exact in a JSON number (2^53).
pub const AMOUNT_MINOR_MAX: u64 = 1_000_000_000_000;

/// Rows in a layout. With the next three it keeps the layout below the 400 KB of one item, which
/// `tests/it/limits.rs` tries with the largest there is.
pub const LAYOUT_ROWS_MAX: usize = 2_500;

/// Runs of one seat type in a layout.
pub const LAYOUT_RUNS_MAX: usize = 3_000;

/// Characters of a seat type in a layout.
pub const SEAT_TYPE_CHARS_MAX: usize = 24;

/// Characters of a section's id.
pub const SECTION_ID_CHARS_MAX: usize = 24;

/// Aisles in one row.
pub const AISLES_PER_ROW_MAX: usize = 8;

/// Seats in a layout: the largest stadium there is, and some.
pub const LAYOUT_SEATS_MAX: usize = 150_000;

/// Sections in a layout. Each costs one query when a whole seat map is asked for.
pub const SECTIONS_MAX: usize = 200;

/// Seats in a section. A seat is some 200 bytes of JSON at most, and Lambda answers at most 6 MB.
pub const SECTION_SEATS_MAX: usize = 25_000;

/// The highest seat number in a row.
pub const SEAT_NUMBER_MAX: u16 = 999;

/// Seats that one seat map answer lists without being asked for a section. More is slow to send and
/// more than anybody looks at; beyond this a client asks section by section.
pub const SEAT_MAP_SEATS_MAX: usize = 5_000;

/// Items in one page of a list, if the client does not say.
pub const PAGE_ITEMS_DEFAULT: usize = 50;

/// Items in one page of a list, at most.
pub const PAGE_ITEMS_MAX: usize = 100;

/// Seconds after which a payment in progress is asked for: a hold's longest life. By then its webhook
/// or its customer has told of it, or never will.
pub const PAYMENT_CHECK_AFTER_SECS: i64 = 15 * 60;

/// Seconds after which a refund that is owed is tried again: the stream's own tries are over, and a
/// provider that was away is back.
pub const REFUND_CHECK_AFTER_SECS: i64 = 60 * 60;

/// Seconds after which a payment that is still in progress at its provider counts as failed. No
/// provider lets a payer take a week for a card or UPI; if the money comes all the same, its
/// webhook is heard.
pub const PAYMENT_GIVEN_UP_AFTER_SECS: i64 = 7 * 24 * 60 * 60;

/// Seconds after which nobody asks for a failed payment any more. Until then its payer may have tried
/// another card on it, and its webhook may have been lost.
pub const FAILED_PAYMENT_GIVEN_UP_AFTER_SECS: i64 = 24 * 60 * 60;

/// Seconds between two looks at a payment that somebody must come back to, at most.
pub const PAYMENT_CHECK_EVERY_SECS_MAX: i64 = 24 * 60 * 60;

/// Partitions of the index of payments that somebody must come back to. One takes 1,000 write units a
/// second, and an on-sale makes thousands of payments a second.
pub const PAYMENT_CHECK_SHARDS: u8 = 16;

/// Seconds after a show was cancelled from which no function sells it any more: a function's copy of
/// the show is 5 seconds old at most, and the longest of those that book ends within 240.
pub const SWEEP_SETTLES_AFTER_SECS: i64 = 5 * 60;

/// Seconds between two passes of a sweep that leaves something over, at most: what SQS delays.
pub const SWEEP_AGAIN_SECS_MAX: i64 = 15 * 60;

/// Claims on seats that a sweep reads at once. Each costs it two calls at most, so that a page takes
/// some seconds.
pub const SWEEP_PAGE_CLAIMS: usize = 100;

/// Characters of an e-mail address (RFC 5321, section 4.5.3.1.3: a path of 256 has two brackets).
pub const EMAIL_CHARS_MAX: usize = 254;

/// Characters of an e-mail address before its `@` (RFC 5321, section 4.5.3.1.1).
pub const EMAIL_NAME_CHARS_MAX: usize = 64;

/// Characters of a gate's name: what fits on a sign.
pub const GATE_CHARS_MAX: usize = 64;

/// Seconds after an entry in which its scan counts as told again: as long as a scanner tries whose
/// answer was lost. Later it is another one, by a scanner that counts from 1 again.
pub const SCAN_RETRY_SECS: i64 = 120;

/// Characters of an address that events are sent to. Longer ones are refused by many servers.
pub const SUBSCRIBER_URL_CHARS_MAX: usize = 2_048;

/// Subscriptions at once. Every event is put on the queue once for each.
pub const SUBSCRIPTIONS_MAX: usize = 20;

/// Seconds for which an event is kept, to be told again: long enough to mend a system that was away
/// over the holidays.
pub const EVENT_KEPT_SECS: i64 = 30 * 24 * 60 * 60;

/// Seconds after which the log of events lists what was recorded. A write that is throttled at each
/// try takes 18, clocks differ by 2, and the index may lag: what appeared before a place that was
/// given out, its reader would never see.
pub const EVENT_LOG_SETTLES_AFTER_SECS: i64 = 30;

/// Partitions of the log of events. One takes 1,000 write units a second.
pub const EVENT_LOG_SHARDS: u8 = 8;

/// The longest pauses before the second try of a delivery, the third and so on, in seconds: soon for a
/// restart, later for a day off (Standard Webhooks, "Deliverability and reliability").
pub const DELIVERY_PAUSES_SECS: [u64; 6] = [5, 300, 1_800, 7_200, 18_000, 36_000];

/// The longest pause of all.
pub const DELIVERY_PAUSE_SECS_MAX: u64 = 12 * 60 * 60;

/// Seconds of failure after which a subscriber is told of nothing any more, and of trying after which
/// an event is given up: a long weekend, and a day to notice.
pub const DELIVERY_GIVEN_UP_AFTER_SECS: i64 = 5 * 24 * 60 * 60;

/// Seconds for which a secret that was replaced still signs, so that its subscriber can change over.
pub const SIGNING_SECRET_OVERLAP_SECS: i64 = 24 * 60 * 60;

/// A settlement writes the payment, the reservation and every seat in one transaction; the end of a
/// booking whose show is cancelled counts itself, besides.
const _: () = assert!(SEATS_PER_HOLD_MAX + 3 <= TRANSACTION_STEPS_MAX);
/// An extension never shortens a hold.
const _: () = assert!(HOLD_EXTENDED_FACTOR >= 1);
/// A whole hold at the dearest price does not overflow.
const _: () = assert!(AMOUNT_MINOR_MAX <= u64::MAX / SEATS_PER_HOLD_MAX as u64);
/// A section's seat map fits one answer.
const _: () = assert!(SECTION_SEATS_MAX * 200 < 6_000_000);
/// A payment is asked for once before it is given up.
const _: () = assert!(PAYMENT_CHECK_AFTER_SECS < PAYMENT_GIVEN_UP_AFTER_SECS);
/// A payment is asked for when no hold can need it any more.
const _: () =
    assert!(PAYMENT_CHECK_AFTER_SECS >= HOLD_TTL_SECS as i64 * HOLD_EXTENDED_FACTOR as i64);
/// A default page is a legal page.
const _: () = assert!(PAGE_ITEMS_DEFAULT <= PAGE_ITEMS_MAX);
/// An event that is still being delivered is kept.
const _: () =
    assert!(DELIVERY_GIVEN_UP_AFTER_SECS + DELIVERY_PAUSE_SECS_MAX as i64 <= EVENT_KEPT_SECS);
