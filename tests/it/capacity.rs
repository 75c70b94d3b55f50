//! The calculator of `docs/capacity.md`: whether its figures are those of the real thing, and what it
//! makes of them.

use chrono::TimeDelta;
use local::capacity::costs::{self, Cost};
use local::capacity::{self, Arguments, Waits, deployed, report};
use serde_json::Value;

use crate::cinema::movie;
use crate::cost::write_units_asked;
use crate::create_subscription::subscribe;
use crate::deliver_events::Receiver;
use crate::deployment::plain;
use crate::engine::only_embedded;
use crate::world::{HOLD_SECS, World};

/// Names of usual length: units go by started KB.
const ANN: &str = "5f1b3c1e-8a52-4c8e-9d2b-0f6f6f3d2a11";
const BOB: &str = "c0a1f6de-2b7a-4d0c-8d35-6a1f1f0e7b42";
const SHOW: &str = "regal-delhi-2026-11-23-1130";
const DAY: &str = "/api/shows?city=delhi&date=2026-11-23";

/// A world whose functions remember what they read, and how many lines they have logged.
struct Warm {
    world: World,
    seen: usize,
}

impl Warm {
    async fn new() -> Self {
        let world = World::new().await;
        let listed = movie("inception", "Inception");
        world.put_show(&listed, |show| show.id = SHOW.parse().unwrap()).await;
        subscribe(&world, &Receiver::start().await.url, &[]).await;
        let mut warm = Self { world, seen: 0 };
        warm.up("C1").await;
        warm
    }

    /// Has somebody else hold a seat, so that everybody remembers what all need.
    async fn up(&mut self, seat: &str) {
        self.world.get("/api/cities").await.expect(200);
        self.world.get(&format!("/api/shows/{SHOW}/seats")).await.expect(200);
        self.world.hold_of("zoe", SHOW, &[seat], seat).await.expect(201);
        self.world.publish().await;
        self.world.deliver().await;
        self.world.count().await;
        self.world.release().await;
        self.world.wire.take_calls();
        self.lines();
    }

    /// The lines that were logged since they were last asked for.
    fn lines(&mut self) -> Vec<Value> {
        let lines = self.world.lines().split_off(self.seen);
        self.seen += lines.len();
        lines
    }

    /// The only one.
    #[track_caller]
    fn line(&mut self) -> Value {
        let lines = self.lines();
        let [line] = &lines[..] else { panic!("{lines:#?}") };
        line.clone()
    }
}

/// A number of units, in halves.
fn halves(units: &Value) -> u64 {
    let text = units.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    assert!(["0", "5"].contains(&part), "{units}");
    2 * whole.parse::<u64>().unwrap() + u64::from(part == "5")
}

/// Checks that a line is of this function and says what the calculator counts with.
#[track_caller]
fn assert_costs(line: &Value, function: &str, cost: &Cost, seats: u64) {
    assert_eq!(line["function"], function);
    assert_eq!(line["round_trips"], cost.round_trips, "{function}, {seats} seats: {line}");
    if !only_embedded("others count units in their own way") {
        return;
    }
    let units = ["write_units", "index_write_units", "read_units"].map(|name| halves(&line[name]));
    let (writes, index_writes) = (cost.write_units.of(seats), cost.index_write_units.of(seats));
    let said = [2 * writes, 2 * index_writes, cost.read_half_units];
    assert_eq!(units, said, "{function}, {seats} seats: {line}");
}

/// Names of seats of a row.
fn row(label: char, seats: u64) -> Vec<String> {
    (1..=seats).map(|number| format!("{label}{number}")).collect()
}

/// A booking from the hold to the ticket, with what follows from it: all that the calculator counts
/// with, but for what lapses.
async fn assert_a_booking_costs_what_is_said(warm: &mut Warm, seats: u64) {
    let names = row('A', seats);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    warm.world.hold_of(ANN, SHOW, &names, "t1").await.expect(201);
    assert_costs(&warm.line(), "hold-seats", &costs::HOLD_WON, seats);
    warm.world.wire.take_calls();
    warm.world.hold_of(BOB, SHOW, &names, "t2").await.expect(409);
    let lost = warm.world.wire.take_calls();
    let charged = u32::try_from(costs::HOLD_LOST.write_units.of(seats)).unwrap();
    assert_eq!(write_units_asked(&lost[0].request), f64::from(charged), "{seats} seats, lost");
    assert_eq!(u64::try_from(lost.len()), Ok(costs::HOLD_LOST.round_trips));
    warm.lines();
    warm.world.publish().await;
    assert_costs(&warm.line(), "publish-events", &costs::PUBLISH_HOLD, seats);

    let checkout = warm.world.checkout(ANN, "t1").await.expect(200);
    assert_costs(&warm.line(), "checkout-reservation", &costs::CHECKOUT, seats);
    let payment = checkout["paymentReference"].as_str().unwrap();
    warm.world.publish().await;
    assert_costs(&warm.line(), "publish-events", &costs::NOTHING, seats);
    warm.world.payer_pays(payment, "succeed").await;
    warm.world.confirm(ANN, "t1", payment).await.expect(200);
    assert_costs(&warm.line(), "confirm-reservation", &costs::CONFIRM, seats);
    warm.world.publish().await;
    assert_costs(&warm.line(), "publish-events", &costs::PUBLISH_BOOKING, seats);

    warm.world.mail().await;
    assert_costs(&warm.line(), "send-emails", &costs::MAIL, seats);
    warm.world.deliver().await;
    let told = warm.lines();
    assert_eq!(told.len(), 2, "that it was held, and that it was booked");
    for line in &told {
        assert_costs(line, "deliver-events", &costs::DELIVER, seats);
    }
    for told in warm.world.take_deliveries() {
        warm.world.tell(&told).await.expect(200);
    }
    assert_eq!(warm.lines().len(), 2, "it began, and it succeeded");
    warm.world.process().await;
    let settled = warm.lines();
    assert_eq!(settled.len(), 2);
    for line in &settled {
        assert_costs(line, "process-payment-events", &costs::SETTLE_KNOWN, seats);
    }

    warm.world.release().await;
    let changes = warm.lines();
    assert_eq!(u64::try_from(changes.len()), Ok(2 * seats), "lengthened, and booked");
    for line in &changes {
        assert_costs(line, "release-expired-holds", &costs::NOTHING, seats);
    }
    warm.world.count().await;
    assert_costs(&warm.line(), "count-available-seats", &costs::COUNT, seats);
}

/// A hold that nobody pays.
async fn assert_a_lapse_costs_what_is_said(warm: &mut Warm, seats: u64) {
    let names = row('B', seats);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let held = warm.world.hold_of(BOB, SHOW, &names, "t3").await.expect(201);
    warm.world.advance(TimeDelta::seconds(HOLD_SECS + 1));
    warm.up("C2").await;
    warm.world.db.sweep_ttl();
    warm.world.release().await;
    let (ended, others): (Vec<Value>, Vec<Value>) =
        warm.lines().into_iter().partition(|line| line["round_trips"] != 0);
    assert_eq!(ended.len(), 2, "the one that warmed up lapsed, too");
    for line in &ended {
        assert_costs(line, "release-expired-holds", &costs::RELEASE, seats);
    }
    assert_eq!(u64::try_from(others.len()), Ok(seats - 1));
    for line in &others {
        assert_costs(line, "release-expired-holds", &costs::NOTHING, seats);
    }
    warm.world.publish().await;
    let mut told = warm.lines();
    told.retain(|line| line["reservation_id"] == held["reservationId"]);
    let [told] = &told[..] else { panic!("{told:#?}") };
    assert_costs(told, "publish-events", &costs::PUBLISH_HOLD, seats);
}

/// Goal: what the calculator counts with is what it costs. Method: each step that it knows, done by warm
/// functions with names of usual length, and the line that each of them logs.
#[tokio::test]
async fn each_step_costs_what_the_calculator_counts_with() {
    for seats in [1, 2, 5, 10] {
        let mut warm = Warm::new().await;
        assert_a_booking_costs_what_is_said(&mut warm, seats).await;
        assert_a_lapse_costs_what_is_said(&mut warm, seats).await;
    }
}

#[tokio::test]
async fn a_look_costs_what_the_calculator_counts_with() {
    let mut warm = Warm::new().await;
    warm.world.get(&format!("/api/shows/{SHOW}/seats")).await.expect(200);
    assert_costs(&warm.line(), "get-seat-map", &costs::LOOK, 2);
    warm.world.get(DAY).await.expect(200);
    assert_costs(&warm.line(), "search-shows", &costs::LOOK, 2);
}

/// Goal: what a warm function remembers it remembers for as long as the calculator thinks.
#[tokio::test]
async fn functions_remember_for_as_long_as_the_calculator_thinks() {
    let mut warm = Warm::new().await;
    let show = format!("/api/shows/{SHOW}");
    for (path, secs) in
        [(DAY, costs::SEARCH_REMEMBERED_SECS), (show.as_str(), costs::SHOW_REMEMBERED_SECS)]
    {
        let secs = i64::try_from(secs).unwrap();
        warm.world.get(path).await.expect(200);
        warm.world.advance(TimeDelta::milliseconds(secs * 1_000 - 1));
        warm.lines();
        warm.world.get(path).await.expect(200);
        assert_eq!(warm.line()["round_trips"], 0, "{path}");
        warm.world.advance(TimeDelta::milliseconds(1));
        warm.world.get(path).await.expect(200);
        assert_eq!(warm.line()["round_trips"], 1, "{path}");
    }
}

/// Checks that what was measured is no more than was said, and that what was said is not far off.
#[track_caller]
fn assert_near(measured: u64, said: u64, what: &str) {
    assert!(measured <= said && said <= 2 * measured, "{what}: {measured} bytes, and not {said}");
}

fn bytes(value: &Value) -> u64 {
    value.to_string().len().try_into().unwrap()
}

/// Bytes of an item as DynamoDB counts them, of the types that these have (AWS, "DynamoDB item sizes and
/// formats").
fn stored_bytes(item: &Value) -> u64 {
    fn of(value: &Value) -> usize {
        let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "S" => value.as_str().unwrap().len(),
            "N" => value.as_str().unwrap().len().div_ceil(2) + 1,
            "L" => 3 + value.as_array().unwrap().iter().map(|value| of(value) + 1).sum::<usize>(),
            "M" => 3 + members(value) + value.as_object().unwrap().len(),
            _bool_or_null => 1,
        }
    }
    fn members(of_item: &Value) -> usize {
        let members = of_item.as_object().unwrap().iter();
        members.map(|(name, value)| name.len() + of(value)).sum()
    }
    members(item).try_into().unwrap()
}

/// Goal: items, answers and lines are as long as the calculator thinks, or a bit shorter.
#[tokio::test]
async fn things_are_as_long_as_the_calculator_thinks() {
    let warm = Warm::new().await;
    let world = &warm.world;
    let names = row('A', 10);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let held = world.hold_of(ANN, SHOW, &names, "t1").await.expect(201);
    let largest = |items: Vec<Value>| items.iter().map(stored_bytes).max().unwrap();
    assert_near(largest(world.items(&world.tables.seats)), costs::CLAIM_BYTES, "a claim");
    world.count().await;
    let of_catalog = |what: &str| {
        let mut items = world.items(&world.tables.catalog);
        items.retain(|item| item["sk"]["S"].as_str().unwrap().starts_with(what));
        largest(items)
    };
    assert_near(of_catalog("SHOW"), costs::SHOW_ITEM_BYTES, "a show");
    assert_near(of_catalog("AVAILABILITY#"), costs::COUNT_ITEM_BYTES, "a count");

    assert_near(bytes(&held), costs::ANSWER_BYTES, "an answer");
    let map = world.get(&format!("/api/shows/{SHOW}/seats")).await.expect(200);
    assert_near(bytes(&map) / 36, costs::SEAT_BYTES, "a seat");
    let map = world.get("/api/shows/arena-show/seats").await.expect(200);
    assert_near(bytes(&map["sections"]) / 3, costs::SECTION_BYTES, "a section");
    let found = world.get(DAY).await.expect(200);
    let shows = u64::try_from(found["items"].as_array().unwrap().len()).unwrap();
    assert_near(bytes(&found["items"]) / shows, costs::SHOW_BYTES, "a show in a list");

    let mut warm = Warm::new().await;
    assert_a_booking_costs_what_is_said(&mut warm, 2).await;
    let lines = warm.world.lines();
    let all: u64 = lines.iter().map(bytes).sum();
    let lines = u64::try_from(lines.len()).unwrap();
    assert_near(all / lines, costs::LOG_LINE_BYTES, "a line");
}

#[test]
fn the_calculator_counts_with_what_is_deployed() {
    let template = plain(local::template::TEXT);
    let setting = |at: &str| template.pointer(at).and_then(Value::as_u64);
    for (at, counted) in [
        ("Globals/Function/MemorySize", deployed::MEMORY),
        ("Resources/SearchShows/Properties/MemorySize", deployed::MORE_MEMORY),
        ("Resources/GetSeatMap/Properties/MemorySize", deployed::MORE_MEMORY),
        ("Resources/CountAvailableSeats/Properties/MemorySize", deployed::MORE_MEMORY),
        ("Parameters/ClientRateLimit/Default", deployed::CLIENT_RATE),
        ("Parameters/WebhookRateLimit/Default", deployed::WEBHOOK_RATE),
    ] {
        assert_eq!(setting(&format!("/{at}")), Some(counted), "{at}");
    }
    for (function, event, name, counted) in [
        ("ReleaseExpiredHolds", "Seats", "BatchSize", deployed::RELEASE_BATCH),
        ("CountAvailableSeats", "Seats", "BatchSize", deployed::COUNT_BATCH),
        (
            "CountAvailableSeats",
            "Seats",
            "MaximumBatchingWindowInSeconds",
            deployed::COUNT_WINDOW_SECS,
        ),
        ("PublishEvents", "Reservations", "BatchSize", deployed::PUBLISH_BATCH),
        ("PublishEvents", "Reservations", "ParallelizationFactor", deployed::PUBLISH_AT_ONCE),
        (
            "DeliverEvents",
            "Queue",
            "ScalingConfig/MaximumConcurrency",
            deployed::DELIVERIES_AT_ONCE,
        ),
        ("SendEmails", "Queue", "ScalingConfig/MaximumConcurrency", deployed::LETTERS_AT_ONCE),
    ] {
        let at = format!("/Resources/{function}/Properties/Events/{event}/Properties/{name}");
        assert_eq!(setting(&at), Some(counted), "{at}");
    }
}

/// The fullest part that somebody or nobody waits for, and how full it is, in tenths of a percent.
fn fullest(house: &str, waits: Waits) -> (&'static str, u64) {
    let parts = capacity::parts(&Arguments::of(house).unwrap());
    let first = parts.into_iter().find(|part| part.waits == waits).unwrap();
    (first.name, first.permille())
}

/// A stadium that sells 50,000 seats in ten minutes.
const STADIUM: &str = "--shows 1 --rate 90 --sections 25 --seats-per-section 2000 \
     --lost-share 40 --searches-per-booking 2 --seat-maps-per-booking 5";

/// Goal: the parts are what one finds by hand.
#[test]
fn the_fullest_parts_are_those_that_a_pencil_finds() {
    let house = "--shows 250 --rate 5";
    let hall = "--shows 1 --rate 100 --lost-share 0 --lapsed-share 0 --seat-maps-per-booking 1";
    for (of, waits, name, permille) in [
        // 3.6 bookings with ten searches each, of 1,000 requests.
        (house, Waits::Customer, "API Gateway, the busiest route: requests", 36),
        // 3.6 letters, two at once, 145 ms each.
        (house, Waits::Nobody, "send-emails: letters", 261),
        // 100 times two seats, each written thrice at two units: 1,200 of 1,000.
        (hall, Waits::Customer, "Seats, the hottest section: write units", 1_200),
        // 43.2 bookings with five looks each, at 25 sections and one, of 69 half units; and the counts.
        (STADIUM, Waits::Customer, "Seats, the whole table: read units", 16_227),
        // 43.2 letters.
        (STADIUM, Waits::Nobody, "send-emails: letters", 3_137),
    ] {
        assert_eq!(fullest(of, waits), (name, permille), "{of}");
    }
}

/// Goal: at the rate at which a part is said to be full it is, and a bit below it is not. Method: the two
/// partitions, whose load grows with the rate and nothing else.
#[test]
fn a_part_is_full_at_the_rate_that_is_told() {
    let hall = "--lost-share 0 --lapsed-share 0 --seat-maps-per-booking 1 --shows 1";
    let writes = |rate: u64| {
        let parts = capacity::parts(&Arguments::of(&format!("{hall} --rate {rate}")).unwrap());
        let mut parts = parts.into_iter();
        parts.find(|part| part.name == "Seats, the hottest section: write units").unwrap()
    };
    let full_at = writes(10).full_at(10);
    assert_eq!(full_at, 83, "1,000 units by 12 for each");
    assert!(writes(full_at).load <= writes(full_at).takes);
    assert!(writes(full_at + 1).load > writes(full_at + 1).takes);
}

/// Goal: the document does not say what the calculator does not. Method: each block of it that begins
/// with a call.
#[test]
fn the_document_shows_what_the_calculator_says() {
    let document = include_str!("../../docs/capacity.md");
    let mut shown = 0;
    for block in document.split("```text\n$ cargo run -p local -- capacity ").skip(1) {
        let (block, _) = block.split_once("```").expect("a block ends");
        let (house, says) = block.split_once("\n\n").expect("the call, a blank line, the report");
        let house = house.replace("\\\n", " ");
        assert_eq!(says, report(&Arguments::of(&house).unwrap()), "{house}");
        shown += 1;
    }
    assert_eq!(shown, 2, "a house, and a stadium");
}

/// Goal: whatever is asked, there is an answer. Method: everything as small and as large as it may be.
#[test]
fn the_smallest_and_the_largest_house_have_a_report() {
    let nobody = "--shows 1 --rate 1 --hot-share 0 --lost-share 95 --lapsed-share 95 \
         --searches-per-booking 0 --seat-maps-per-booking 0 --subscriptions 0 \
         --provider-ms 0 --subscriber-ms 0 --ses-ms 0 --call-ms 1";
    let everybody = "--shows 10000 --rate 100000 --hot-share 100 --sections 200 \
         --seats-per-section 25000 --seats-per-booking 10 --lost-share 0 --lapsed-share 0 \
         --searches-per-booking 1000 --seat-maps-per-booking 1000 --subscriptions 20 \
         --provider-ms 20000 --subscriber-ms 10000 --ses-ms 10000 --call-ms 1000";
    for house in [nobody, everybody] {
        let said = report(&Arguments::of(house).unwrap());
        assert!(said.contains("Together"), "{said}");
    }
    for wrong in ["--shows 1", "--shows 0 --rate 1", "--shows 1 --rate 1 --lost-share 100", ""] {
        assert!(Arguments::of(wrong).is_err(), "{wrong:?}");
    }
}
