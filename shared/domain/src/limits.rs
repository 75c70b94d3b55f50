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

/// Seconds after which a refund that is still owed is told to be overdue. By then six tries of the stream
/// and five of the schedule were in vain, and what a bank is merely slow with is mostly through.
pub const REFUND_OVERDUE_AFTER_SECS: i64 = 24 * 60 * 60;

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

/// Of a show's seats, in percent, that cannot be had any more when it is told to fill fast: there is
/// still a choice, and good seats go while one thinks.
pub const FILLING_FAST_PERCENT: u64 = 70;

/// Ends of holds that the count of a section tells apart. With them it stays below the 1 KB that one
/// write unit writes; a hall has fewer holds at once, and near ends are put together where there are more.
pub const HOLD_ENDS_COUNTED_MAX: usize = 32;

/// Languages of a film, and genres of one: more than any list of films shows.
pub const MOVIE_TAGS_MAX: usize = 20;

/// Minutes of a film: 10 hours. What is longer is shown in parts.
pub const RUNTIME_MINUTES_MAX: u16 = 600;

/// Shows ahead in one auditorium: ten a day for half a year. At 128 characters of id and two times each
/// they fit the 400 KB of one item.
pub const SCHEDULE_SHOWS_MAX: usize = 2_000;

/// Hours from the beginning of a show to its end: a marathon.
pub const SHOW_HOURS_MAX: i64 = 24;

/// Days from now until a show begins: who sells earlier has mistyped the year.
pub const SHOWS_AHEAD_DAYS_MAX: i64 = 2 * 366;

/// Shows in one upload of a schedule: a week of a chain of fifty auditoriums.
pub const SCHEDULE_UPLOAD_SHOWS_MAX: usize = 5_000;

/// Mistakes of a schedule that are told at once: more than anybody mends before trying again.
pub const LINE_ERRORS_MAX: usize = 100;

/// Prices of a show, each of one type of seat: more than a price list at any box office has, and a show
/// stays so small that many of them are read and written at once.
pub const PRICES_PER_SHOW_MAX: usize = 50;

/// Bytes of a show as it is stored, at most: ids, names in UTF-8, prices, and some for the rest.
const SHOW_BYTES_MAX: usize = 8 * ID_CHARS_MAX
    + 5 * 4 * NAME_CHARS_MAX
    + PRICES_PER_SHOW_MAX * (SEAT_TYPE_CHARS_MAX + 24)
    + 1_000;

/// Bytes of a full schedule: an id and two times each.
const SCHEDULE_BYTES_MAX: usize = SCHEDULE_SHOWS_MAX * (ID_CHARS_MAX + 30);

/// Shows written in one transaction, besides their schedule and the look at their auditorium.
pub const SHOWS_PER_TRANSACTION: usize = 96;

/// House seats of a show that change at once: what one transaction takes besides the show.
pub const HOUSE_SEATS_CHANGED_MAX: usize = TRANSACTION_STEPS_MAX - 1;

/// Partitions of the index of a show's payments. One takes 1,000 write units a second, and all that
/// is paid in an on-sale may be for one show.
pub const PAYMENT_SHOW_SHARDS: u8 = 8;

/// Findings that one audit tells: at 3 KB each they fit the 6 MB that Lambda answers at most. Who has
/// more mends these and audits again.
pub const AUDIT_FINDINGS_MAX: usize = 1_000;

/// Seats of one show that one user holds at most at the same time, if nothing else is configured: a hold
/// of the largest size. Who wants more pays for these first.
pub const HELD_SEATS_MAX: u32 = 10;

/// Holds of one user, over all shows, that are kept in mind: some 90 bytes each, in an item that each of
/// their holds writes. A user who has so many at once is no customer.
pub const HOLDS_PER_USER_MAX: usize = 100;

/// Holds of one user at once, if nothing else is configured, and as many confirmations, cancellations and
/// checkouts: far more than a person with a bad connection makes, and no load at all.
pub const RATE_WRITES: u32 = 60;

/// Seconds in which as many more are allowed.
pub const RATE_WRITES_SECS: u32 = 60;

/// Holds that one user may try in a warm function for each that they may make. A hold that is refused
/// takes nothing of what its user may make, and is still a transaction, in the way of others who want
/// these seats. In an on-sale one loses a few times before one wins, and a bad connection repeats each;
/// who loses more than that picks no seats.
pub const HOLD_TRIES_PER_HOLD: u32 = 5;

/// Reads from one address at once, if nothing else is configured: an office or a mobile network behind
/// one address, on the morning of a sale.
pub const RATE_READS: u32 = 3_000;

/// Seconds in which as many more are allowed.
pub const RATE_READS_SECS: u32 = 60;

/// The most that a policy may allow at once.
pub const RATE_BURST_MAX: u32 = 100_000;

/// The longest time in seconds that a policy may take to allow as much again: a day.
pub const RATE_SECS_MAX: u32 = 24 * 60 * 60;

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
/// A refund is tried again before it is told to be overdue.
const _: () = assert!(REFUND_CHECK_AFTER_SECS < REFUND_OVERDUE_AFTER_SECS);
/// A payment is asked for when no hold can need it any more.
const _: () =
    assert!(PAYMENT_CHECK_AFTER_SECS >= HOLD_TTL_SECS as i64 * HOLD_EXTENDED_FACTOR as i64);
/// A default page is a legal page.
const _: () = assert!(PAGE_ITEMS_DEFAULT <= PAGE_ITEMS_MAX);
/// An event that is still being delivered is kept.
const _: () =
    assert!(DELIVERY_GIVEN_UP_AFTER_SECS + DELIVERY_PAUSE_SECS_MAX as i64 <= EVENT_KEPT_SECS);
/// A show can fill fast before it is sold out.
const _: () = assert!(FILLING_FAST_PERCENT < 100);
/// Who may hold may try to.
const _: () = assert!(HOLD_TRIES_PER_HOLD >= 1);
/// The largest hold is within the cap.
const _: () = assert!(SEATS_PER_HOLD_MAX <= HELD_SEATS_MAX as usize);
/// Shows, their schedule and the look at their auditorium fit one transaction.
const _: () = assert!(SHOWS_PER_TRANSACTION + 2 <= TRANSACTION_STEPS_MAX);
/// A full schedule fits one item.
const _: () = assert!(SCHEDULE_BYTES_MAX < 400_000);
/// The largest shows and a full schedule, as it was and as it will be, fit the 4 MB of one transaction.
const _: () = assert!(SHOWS_PER_TRANSACTION * SHOW_BYTES_MAX + 2 * SCHEDULE_BYTES_MAX < 4_000_000);
/// As many house seats as change at once, and their show, are one transaction.
const _: () = assert!(HOUSE_SEATS_CHANGED_MAX + 1 == TRANSACTION_STEPS_MAX);

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::catalog::Name;
    use crate::schedule::{Schedule, Slot};
    use crate::show::{AuditoriumRef, MovieRef, PriceList, Show, TheatreRef};
    use crate::time::Timestamp;

    /// Goal: times are as long as the words about them say. Method: the same in another's units.
    #[test]
    fn times_are_as_long_as_they_are_said_to_be() {
        let (minutes, hours, days) = (TimeDelta::minutes, TimeDelta::hours, TimeDelta::days);
        for (secs, expected) in [
            (HOLD_TTL_SECS.into(), minutes(5)),
            (PAYMENT_CHECK_AFTER_SECS, minutes(15)),
            (REFUND_CHECK_AFTER_SECS, hours(1)),
            (REFUND_OVERDUE_AFTER_SECS, days(1)),
            (PAYMENT_GIVEN_UP_AFTER_SECS, days(7)),
            (FAILED_PAYMENT_GIVEN_UP_AFTER_SECS, days(1)),
            (PAYMENT_CHECK_EVERY_SECS_MAX, days(1)),
            (SWEEP_SETTLES_AFTER_SECS, minutes(5)),
            (SWEEP_AGAIN_SECS_MAX, minutes(15)),
            (EVENT_KEPT_SECS, days(30)),
            (i64::try_from(DELIVERY_PAUSE_SECS_MAX).unwrap(), hours(12)),
            (DELIVERY_GIVEN_UP_AFTER_SECS, days(5)),
            (SIGNING_SECRET_OVERLAP_SECS, days(1)),
            (RATE_SECS_MAX.into(), days(1)),
        ] {
            assert_eq!(TimeDelta::seconds(secs), expected);
        }
        let two_years_from = |year: i32| {
            let day = |year| chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            (day(year + 2) - day(year)).num_days()
        };
        let longest = (2026..2034).map(two_years_from).max().unwrap();
        assert!((longest..longest + 2).contains(&SHOWS_AHEAD_DAYS_MAX), "{longest}");
    }

    /// The longest text of so many characters.
    fn name() -> Name {
        "\u{1f3ac}".repeat(NAME_CHARS_MAX).try_into().unwrap()
    }

    /// Goal: no show is larger than is counted for one, nor much smaller. Method: the largest, printed
    /// with the names of all it has; three of its ids stand in its keys again.
    #[test]
    fn a_show_is_as_large_as_is_counted_for_it() {
        let id = "x".repeat(ID_CHARS_MAX);
        let seat_type = |number| format!("{number:T>SEAT_TYPE_CHARS_MAX$}").parse().unwrap();
        let prices = (0..PRICES_PER_SHOW_MAX).map(|of| (seat_type(of), AMOUNT_MINOR_MAX));
        let show = Show {
            id: id.parse().unwrap(),
            movie: MovieRef { id: id.parse().unwrap(), title: name() },
            theatre: TheatreRef { id: id.parse().unwrap(), name: name() },
            auditorium: AuditoriumRef {
                id: id.parse().unwrap(),
                name: name(),
                layout_version: u32::MAX,
            },
            city_id: id.parse().unwrap(),
            language: name().into(),
            screen_type: name().into(),
            prices: PriceList::new("INR".parse().unwrap(), prices.collect()).unwrap(),
            ..crate::show::tests::show()
        };
        let bytes = format!("{show:?}").len() + 3 * ID_CHARS_MAX;
        assert!((SHOW_BYTES_MAX - 1_000..=SHOW_BYTES_MAX).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_full_schedule_is_as_large_as_is_counted_for_it() {
        let mut schedule = Schedule::default();
        for number in 0..SCHEDULE_SHOWS_MAX {
            let second = 1_800_000_000 + i64::try_from(number).unwrap();
            let at = |second| Timestamp::from_timestamp(second, 0).unwrap();
            let show_id = format!("{number:s>ID_CHARS_MAX$}").parse().unwrap();
            let slot = Slot { show_id, starts_at: at(second), ends_at: at(second + 1) };
            schedule.insert(slot).unwrap();
        }
        let bytes = schedule.to_string().len();
        let least = SCHEDULE_BYTES_MAX - 2 * SCHEDULE_SHOWS_MAX;
        assert!((least..=SCHEDULE_BYTES_MAX).contains(&bytes), "{bytes}");
    }
}
