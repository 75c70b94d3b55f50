//! The books: what the tables say of seats and money at any time. Every test of money ends here.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::audit::Finding;
use domain::id::ShowId;
use serde_json::Value;
use store::Store;

use crate::world::World;

/// Money by what became of it, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Money {
    /// It stands for bookings.
    pub(crate) confirmed: u64,
    /// It must go back.
    pub(crate) refund_due: u64,
    /// It went back.
    pub(crate) refunded: u64,
    /// It came for nothing that we know.
    pub(crate) parked: u64,
}

impl Money {
    /// All that came.
    pub(crate) fn captured(self) -> u64 {
        self.confirmed + self.refund_due + self.refunded + self.parked
    }
}

/// Panics unless the captured money is all accounted for, and everything else is as it must be; and
/// unless an audit says so too.
#[track_caller]
pub(crate) fn balance(world: &World, captured: u64) -> Money {
    let money = audit(world, "at the end");
    assert_eq!(findings(world), [], "an audit finds more");
    assert_eq!(money.captured(), captured, "{money:?}");
    money
}

/// What audits of all shows find, made as functions make them: but beside the world's wire, where
/// nobody counts their calls and no fault waits for them.
fn findings(world: &World) -> Vec<Finding> {
    let seats = world.items(&world.tables.seats);
    let of_seats = seats.iter().filter_map(|item| text(item, "pk").split('#').nth(1));
    let reservations = world.items(&world.tables.reservations);
    let of_reservations = reservations.iter().map(|item| text(item, "show_id"));
    let shows: BTreeSet<ShowId> =
        of_seats.chain(of_reservations).filter_map(|id| id.parse().ok()).collect();
    let (engine, tables, now) = (world.db.whole(), world.tables.clone(), world.now());
    // The world's own runtime waits for this very function.
    let audited = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let store = Store::new(engine.client(), tables);
            let mut findings = Vec::new();
            for id in shows {
                let Some(show) = store.show(&id).await.unwrap() else { continue };
                let room = &show.auditorium;
                let layout = store.layout(&room.id, room.layout_version).await.unwrap().unwrap();
                let sections = layout.sections().iter().map(|section| &section.id);
                let books = store.books_of(&id, sections).await.unwrap();
                findings.extend(domain::audit::audit(&books, &id, &layout, now));
            }
            findings
        })
    });
    audited.join().expect("an audit does not panic")
}

/// An attribute that is text.
pub(crate) fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["S"].as_str().unwrap_or_default()
}

/// The names of a reservation's seats.
fn seats_of(reservation: &Value) -> HashSet<&str> {
    let groups = reservation["seats"]["L"].as_array().unwrap().iter();
    let ids = groups.flat_map(|group| group["M"]["seat_ids"]["L"].as_array().unwrap());
    ids.map(|id| id["S"].as_str().unwrap()).collect()
}

/// Reads the invariants of the design off the tables: each seat has at most one claim that counts,
/// each booking its seats and one payment of its amount. Returns what the books say of money.
///
/// Of claims and bookings `domain::audit` says the same. This is a second opinion, on the tables and on
/// that audit: it reads raw items by their attributes' names, and shares no code with the store or the
/// domain, so a mistake in those cannot hide itself here.
pub(crate) fn audit(world: &World, when: &str) -> Money {
    let mut reservations = world.items(&world.tables.reservations);
    reservations.retain(|item| text(item, "pk").starts_with("RESERVATION#"));
    let seats = world.items(&world.tables.seats);
    let payments = world.items(&world.tables.payments);
    let now = world.now().timestamp();
    let end = |item: &Value| item["expires_at"]["N"].as_str().unwrap().parse::<i64>().unwrap();
    let claims: HashMap<&str, &Value> = seats
        .iter()
        // The house's own seats are nobody's claim.
        .filter(|seat| text(seat, "seat_status") != "BLOCKED")
        .filter(|seat| text(seat, "seat_status") != "HELD" || end(seat) > now)
        .map(|seat| (text(seat, "sk").trim_start_matches("SEAT#"), seat))
        .collect();

    let mut claimed = 0;
    for reservation in &reservations {
        let id = text(reservation, "pk").trim_start_matches("RESERVATION#");
        let live = match text(reservation, "reservation_status") {
            "CONFIRMED" => Some("BOOKED"),
            "PENDING" if end(reservation) > now => Some("HELD"),
            // Its show was cancelled while it was held, and the sweep may not have come by.
            "FAILED" if end(reservation) > now => Some("HELD"),
            _ => None,
        };
        let Some(expected) = live else { continue };
        for seat in seats_of(reservation) {
            let is_over = text(reservation, "reservation_status") == "FAILED";
            if is_over && !claims.contains_key(seat) {
                continue;
            }
            let claim =
                claims.get(seat).unwrap_or_else(|| panic!("{when}: {seat} of {id} is free"));
            assert_eq!(text(claim, "reservation_id"), id, "{when}: {seat} is another's");
            assert_eq!(text(claim, "seat_status"), expected, "{when}: {seat} of {id}");
            let same_end = expected == "BOOKED" || end(claim) == end(reservation);
            assert!(same_end, "{when}: {seat} ends at another second than {id}");
            claimed += 1;
        }
    }
    assert_eq!(claims.len(), claimed, "{when}: a claim that no reservation lists: {claims:?}");

    let minor = |item: &Value| item["amount_minor"]["N"].as_str().unwrap().parse::<u64>().unwrap();
    let confirmed: Vec<&Value> = reservations
        .iter()
        .filter(|reservation| text(reservation, "reservation_status") == "CONFIRMED")
        .collect();
    let success: Vec<&Value> =
        payments.iter().filter(|payment| text(payment, "payment_status") == "SUCCESS").collect();
    assert_eq!(success.len(), confirmed.len(), "{when}: a booking is one payment");
    let sum = |items: &[&Value]| items.iter().map(|item| minor(item)).sum::<u64>();
    assert_eq!(sum(&success), sum(&confirmed), "{when}: the money of bookings");
    audit_payments(&reservations, &payments, when);
    let of = |status: &str| {
        let payments = payments.iter().filter(|payment| text(payment, "payment_status") == status);
        payments.map(minor).sum()
    };
    Money {
        confirmed: sum(&success),
        refund_due: of("REFUND_DUE"),
        refunded: of("REFUNDED"),
        parked: of("PARKED"),
    }
}

/// What a reservation shows of its payment is what the payment is, and somebody comes back to each
/// payment that is open, and to no other.
fn audit_payments(reservations: &[Value], payments: &[Value], when: &str) {
    let statuses: HashMap<&str, &str> = payments
        .iter()
        .map(|payment| {
            let reference = text(payment, "pk").rsplit('#').next().unwrap();
            (reference, text(payment, "payment_status"))
        })
        .collect();
    for reservation in reservations {
        let reference = text(reservation, "payment_reference");
        let shown = Some(text(reservation, "payment_status")).filter(|status| !status.is_empty());
        assert_eq!(statuses.get(reference).copied(), shown, "{when}: {reference} as it is shown");
    }
    for payment in payments {
        let (status, shard) = (text(payment, "payment_status"), text(payment, "check_shard"));
        let listed_as = shard.split('#').next().unwrap();
        match status {
            "SUCCESS" | "REFUNDED" => assert_eq!(listed_as, "", "{when}: {payment}"),
            // In the end nobody comes back to it any more.
            "FAILED" => assert!(["FAILED", ""].contains(&listed_as), "{when}: {payment}"),
            _open => assert_eq!(listed_as, status, "{when}: {payment}"),
        }
    }
}
