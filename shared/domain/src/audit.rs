//! What the tables say of a show, held against itself; and what was sold of it.
//!
//! The invariants are those that hold whatever happened to a show, in whatever order. Each is told
//! under a name of its own, so that who finds one broken knows where to look.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::id::{ReservationId, SeatId, SeatType, SectionId, ShowId};
use crate::layout::{Layout, Section};
use crate::money::{Currency, Money};
use crate::payment::{self, Payment};
use crate::reservation::{self, Reservation};
use crate::seat::Seat;
use crate::show::Show;
use crate::time::Timestamp;

/// Everything that the tables say of a show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    /// Every claim on a seat of it, also holds that are over.
    pub claims: Vec<Claim>,
    /// The reservations that claims and payments name, as far as there are such.
    pub reservations: Vec<Reservation>,
    /// The payments for its reservations.
    pub payments: Vec<Payment>,
    /// What was found and cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// A claim on a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where it is stored.
    pub section_id: SectionId,
    /// On which seat.
    pub seat_id: SeatId,
    /// What it says.
    pub seat: Seat,
}

/// An item that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The end of its key.
    pub subject: String,
    /// Which attribute is broken.
    pub why: String,
}

/// What holds of every show at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Invariant {
    /// Everything that is stored can be read.
    ItemsAreReadable,
    /// Whatever is claimed, the layout has.
    SeatsAreInTheLayout,
    /// A BOOKED seat belongs to a CONFIRMED reservation of this show that lists it.
    BookedSeatsAreConfirmed,
    /// A CONFIRMED reservation has all its seats BOOKED.
    ConfirmedSeatsAreBooked,
    /// A seat whose hold counts belongs to a PENDING reservation of this show that lists it, and
    /// lasts as long as that.
    HeldSeatsArePending,
    /// A CONFIRMED reservation has one SUCCESS payment, of its amount.
    BookingsArePaidOnce,
    /// Only a CONFIRMED reservation has a SUCCESS payment.
    PaidReservationsAreConfirmed,
    /// The money that came for a reservation stands for its booking, is owed back or went back.
    MoneyIsAccountedFor,
    /// A payment is for a reservation that there is.
    PaymentsHaveReservations,
}

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Which one.
    pub invariant: Invariant,
    /// Of what: a seat, a reservation, a payment.
    pub subject: String,
    /// What is wrong with it.
    pub detail: String,
}

/// What came of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Of which show.
    pub show_id: ShowId,
    /// When.
    pub audited_at: Timestamp,
    /// Claims that were looked at.
    pub claims: usize,
    /// Reservations that were looked at.
    pub reservations: usize,
    /// Payments that were looked at.
    pub payments: usize,
    /// What does not hold, ordered by invariant and subject.
    pub findings: Vec<Finding>,
}

/// What does not hold of the books of `show`, ordered by invariant and subject.
///
/// That the money of the whole show balances need not be looked at: the money of each of its
/// reservations does.
#[must_use]
pub fn audit(books: &Books, show: &ShowId, layout: &Layout, now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for item in &books.unreadable {
        findings.push(finding(Invariant::ItemsAreReadable, &item.subject, item.why.clone()));
    }
    let reservations: HashMap<&ReservationId, &Reservation> =
        books.reservations.iter().map(|reservation| (&reservation.id, reservation)).collect();
    for claim in &books.claims {
        let place = layout.find(&claim.seat_id);
        if place.is_none_or(|place| place.section.id != claim.section_id) {
            let detail = format!("section {} of the layout has no such seat", claim.section_id);
            findings.push(finding(Invariant::SeatsAreInTheLayout, &claim.seat_id, detail));
        }
        findings.extend(wrong_claim(claim, &reservations, show, now));
    }
    let claims: HashMap<(&SectionId, &SeatId), &Seat> =
        books.claims.iter().map(|of| ((&of.section_id, &of.seat_id), &of.seat)).collect();
    let mut payments: HashMap<&ReservationId, Vec<&Payment>> = HashMap::new();
    for payment in &books.payments {
        let Some(id) = &payment.reservation_id else { continue };
        if reservations.contains_key(id) {
            payments.entry(id).or_default().push(payment);
        } else {
            findings.extend(without_reservation(payment, id));
        }
    }
    for reservation in books.reservations.iter().filter(|of| of.show_id == *show) {
        let payments = payments.get(&reservation.id).map(Vec::as_slice).unwrap_or_default();
        findings.extend(unbooked_seats(reservation, &claims));
        findings.extend(wrong_payment(reservation, payments));
        findings.extend(money_astray(reservation, payments));
    }
    findings.sort_unstable();
    findings
}

/// What an audit found that another one had found before it: `later`, as far as `before` says the same
/// of the same subject. What was only on its way when the books were read, while a sale goes on, is
/// elsewhere by the time they are read again.
#[must_use]
pub fn found_again(before: &[Finding], later: Vec<Finding>) -> Vec<Finding> {
    let before: HashSet<(Invariant, &str)> =
        before.iter().map(|finding| (finding.invariant, finding.subject.as_str())).collect();
    let is_known =
        |finding: &Finding| before.contains(&(finding.invariant, finding.subject.as_str()));
    later.into_iter().filter(is_known).collect()
}

fn finding(invariant: Invariant, subject: &(impl ToString + ?Sized), detail: String) -> Finding {
    Finding { invariant, subject: subject.to_string(), detail }
}

/// What is wrong with whose claim it is.
fn wrong_claim(
    claim: &Claim,
    reservations: &HashMap<&ReservationId, &Reservation>,
    show: &ShowId,
    now: Timestamp,
) -> Option<Finding> {
    let (invariant, id) = match &claim.seat {
        Seat::Booked { reservation } => (Invariant::BookedSeatsAreConfirmed, reservation),
        Seat::Held { reservation, expires_at } if *expires_at > now => {
            (Invariant::HeldSeatsArePending, reservation)
        }
        // A hold that is over claims nothing.
        Seat::Held { .. } | Seat::Blocked | Seat::Available => return None,
    };
    let wrong = match reservations.get(id) {
        None => "is not there, or cannot be read".to_owned(),
        Some(owner) if owner.show_id != *show => format!("is of show {}", owner.show_id),
        Some(owner) if !lists(owner, claim) => "does not list it".to_owned(),
        Some(owner) => wrong_owner(&claim.seat, owner)?,
    };
    Some(finding(invariant, &claim.seat_id, format!("its claim is of {id}, which {wrong}")))
}

fn lists(reservation: &Reservation, claim: &Claim) -> bool {
    let is = |seat: &reservation::PricedSeat| {
        seat.seat_id == claim.seat_id && seat.section_id == claim.section_id
    };
    reservation.seats.iter().any(is)
}

/// Why a reservation that lists a seat cannot have this claim on it.
fn wrong_owner(seat: &Seat, owner: &Reservation) -> Option<String> {
    use reservation::Status;
    let is = || Some(format!("is {}", name(owner.status)));
    match seat {
        Seat::Available | Seat::Blocked => None,
        Seat::Booked { .. } => match owner.status {
            Status::Confirmed => None,
            Status::Pending | Status::Cancelled | Status::Expired | Status::Failed => is(),
        },
        Seat::Held { expires_at, .. } => match owner.status {
            // One that a payment ended while it was held leaves its seats to lapse, or to the sweep
            // of its cancelled show.
            Status::Pending | Status::Failed if *expires_at == owner.expires_at => None,
            Status::Pending | Status::Failed => Some("ends at another second".to_owned()),
            Status::Confirmed | Status::Cancelled | Status::Expired => is(),
        },
    }
}

/// A status as it is stored.
fn name(status: reservation::Status) -> String {
    format!("{status:?}").to_uppercase()
}

fn without_reservation(payment: &Payment, id: &ReservationId) -> Option<Finding> {
    use payment::Status;
    match payment.status {
        // Money for no reservation that we know; it may have gone back since.
        Status::Parked | Status::Refunded => None,
        Status::Pending | Status::Success | Status::Failed | Status::RefundDue => {
            let detail = format!("it is for {id}, which is not there, or cannot be read");
            Some(finding(Invariant::PaymentsHaveReservations, &payment.reference, detail))
        }
    }
}

fn unbooked_seats(
    reservation: &Reservation,
    claims: &HashMap<(&SectionId, &SeatId), &Seat>,
) -> Option<Finding> {
    if reservation.status != reservation::Status::Confirmed {
        return None;
    }
    let wrong = reservation.seats.iter().filter_map(|seat| {
        let what = match claims.get(&(&seat.section_id, &seat.seat_id)) {
            None | Some(Seat::Available) => "free".to_owned(),
            Some(Seat::Booked { reservation: id }) if *id == reservation.id => return None,
            Some(Seat::Booked { reservation: id }) => format!("booked for {id}"),
            Some(Seat::Held { reservation: id, .. }) => format!("held by {id}"),
            Some(Seat::Blocked) => "blocked".to_owned(),
        };
        Some(format!("{} is {what}", seat.seat_id))
    });
    let wrong: Vec<String> = wrong.collect();
    let is_wrong = !wrong.is_empty();
    is_wrong.then(|| finding(Invariant::ConfirmedSeatsAreBooked, &reservation.id, wrong.join(", ")))
}

/// What is wrong with the payment that stands for a booking, or stands for none.
fn wrong_payment(reservation: &Reservation, payments: &[&Payment]) -> Option<Finding> {
    let paid: Vec<&&Payment> =
        payments.iter().filter(|payment| payment.status == payment::Status::Success).collect();
    if reservation.status == reservation::Status::Confirmed {
        let detail = match paid[..] {
            [payment] if payment.money == reservation.amount => return None,
            [payment] => format!(
                "it costs {}, and {} is {}",
                amount(reservation.amount),
                payment.reference,
                amount(payment.money)
            ),
            [] => "no payment stands for it".to_owned(),
            [..] => format!("{} payments stand for it", paid.len()),
        };
        return Some(finding(Invariant::BookingsArePaidOnce, &reservation.id, detail));
    }
    let first = paid.first()?;
    let detail =
        format!("it is {}, and {} stands for it", name(reservation.status), first.reference);
    Some(finding(Invariant::PaidReservationsAreConfirmed, &reservation.id, detail))
}

/// The money of a reservation that came and is nowhere, or that is somewhere and never came.
fn money_astray(reservation: &Reservation, payments: &[&Payment]) -> Option<Finding> {
    // What came, and what is accounted for, by currency.
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for payment in payments {
        let minor = payment.money.minor();
        let (came, accounted) = sums.entry(payment.money.currency().into()).or_default();
        match payment.status {
            payment::Status::Success => *came += minor,
            payment::Status::RefundDue | payment::Status::Refunded => {
                *came += minor;
                *accounted += minor;
            }
            // Nothing came; or it was set aside, where somebody is told of it.
            payment::Status::Pending | payment::Status::Failed | payment::Status::Parked => {}
        }
    }
    if reservation.status == reservation::Status::Confirmed {
        let (_, accounted) = sums.entry(reservation.amount.currency().into()).or_default();
        *accounted += reservation.amount.minor();
    }
    let astray = sums.iter().filter(|(_, (came, accounted))| came != accounted);
    let astray: Vec<String> = astray
        .map(|(of, (came, accounted))| {
            format!("{came} {of} came, and {accounted} {of} is booked, owed back or went back")
        })
        .collect();
    let is_astray = !astray.is_empty();
    is_astray.then(|| finding(Invariant::MoneyIsAccountedFor, &reservation.id, astray.join("; ")))
}

fn amount(money: Money) -> String {
    format!("{} {}", money.minor(), money.currency().as_str())
}

/// What was sold of a show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sales {
    /// What it is sold in. Money of another currency, which was paid by mistake, is in no sum.
    pub currency: Currency,
    /// By type of seat, in the order of their names.
    pub by_type: Vec<TypeSales>,
    /// What its bookings cost, in minor units. All of a stadium can be more than any one amount of
    /// money here may be.
    pub revenue_minor: u64,
    /// What is owed back.
    pub refund_due_minor: u64,
    /// What went back.
    pub refunded_minor: u64,
}

/// What was sold of one type of seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeSales {
    /// Which type.
    pub seat_type: SeatType,
    /// How many seats there are.
    pub total: u64,
    /// How many nobody has. None, where the show does not sell this type any more.
    pub available: u64,
    /// How many somebody is about to pay for.
    pub held: u64,
    /// How many are sold.
    pub booked: u64,
    /// How many the house keeps.
    pub blocked: u64,
    /// For how much they were sold, in minor units.
    pub revenue_minor: u64,
}

impl TypeSales {
    fn none(seat_type: &SeatType) -> Self {
        let seat_type = seat_type.clone();
        let (total, available, held, booked, blocked, revenue_minor) = (0, 0, 0, 0, 0, 0);
        Self { seat_type, total, available, held, booked, blocked, revenue_minor }
    }

    fn taken(&self) -> u64 {
        self.held + self.booked + self.blocked
    }
}

/// What was sold of `show`, as its books say. A type of seats that it does not sell is left out, unless
/// somebody has one.
#[must_use]
pub fn sales(books: &Books, show: &Show, layout: &Layout, now: Timestamp) -> Sales {
    let currency = show.prices.currency();
    let mut by_type: BTreeMap<&SeatType, TypeSales> = BTreeMap::new();
    for place in layout.sections().iter().flat_map(Section::places) {
        let of = by_type.entry(place.seat_type);
        of.or_insert_with(|| TypeSales::none(place.seat_type)).total += 1;
    }
    for claim in &books.claims {
        let Some(place) = layout.find(&claim.seat_id) else { continue };
        let Some(sales) = by_type.get_mut(place.seat_type) else { continue };
        match claim.seat.at(now) {
            Seat::Available => {}
            Seat::Held { .. } => sales.held += 1,
            Seat::Booked { .. } => sales.booked += 1,
            Seat::Blocked => sales.blocked += 1,
        }
    }
    let ours: HashMap<&ReservationId, &Reservation> = books
        .reservations
        .iter()
        .filter(|reservation| reservation.show_id == show.id)
        .map(|reservation| (&reservation.id, reservation))
        .collect();
    let mut revenue_minor = 0;
    for booking in ours.values().filter(|of| of.status == reservation::Status::Confirmed) {
        revenue_minor += minor_in(booking.amount, currency);
        for seat in &booking.seats {
            let of = by_type.entry(&seat.seat_type);
            let of = of.or_insert_with(|| TypeSales::none(&seat.seat_type));
            of.revenue_minor += minor_in(seat.price, currency);
        }
    }
    let back = |status: payment::Status| -> u64 {
        let is_ours = |payment: &&Payment| {
            payment.status == status
                && payment.reservation_id.as_ref().is_some_and(|id| ours.contains_key(id))
        };
        let payments = books.payments.iter().filter(is_ours);
        payments.map(|payment| minor_in(payment.money, currency)).sum()
    };
    let by_type = by_type.into_values().filter_map(|mut sales| {
        let is_sold = show.prices.of(&sales.seat_type).is_some();
        if is_sold {
            sales.available = sales.total.saturating_sub(sales.taken());
        }
        (is_sold || sales.taken() > 0 || sales.revenue_minor > 0).then_some(sales)
    });
    Sales {
        currency,
        by_type: by_type.collect(),
        revenue_minor,
        refund_due_minor: back(payment::Status::RefundDue),
        refunded_minor: back(payment::Status::Refunded),
    }
}

fn minor_in(money: Money, currency: Currency) -> u64 {
    if money.currency() == currency { money.minor() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payment::RefundReason;
    use crate::reservation::PricedSeat;
    use crate::reservation::tests::{STATUSES, reservation};
    use crate::show::tests::{layout, show as sold};

    const NOW: i64 = 2;
    /// When the hold of `reservation` ends.
    const END: i64 = 4;
    const PRICE: u64 = 45_000;
    const PAYMENTS: [payment::Status; 6] = [
        payment::Status::Pending,
        payment::Status::Success,
        payment::Status::Failed,
        payment::Status::Parked,
        payment::Status::RefundDue,
        payment::Status::Refunded,
    ];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn money(minor: u64, currency: &str) -> Money {
        Money::new(minor, currency.parse().unwrap()).unwrap()
    }

    fn seat(name: &str) -> PricedSeat {
        PricedSeat {
            seat_id: name.parse().unwrap(),
            section_id: "MAIN".parse().unwrap(),
            seat_type: "REGULAR".parse().unwrap(),
            price: money(PRICE, "INR"),
        }
    }

    fn claim(seat: &str, claim: Seat) -> Claim {
        let (section_id, seat_id) = ("MAIN".parse().unwrap(), seat.parse().unwrap());
        Claim { section_id, seat_id, seat: claim }
    }

    fn held(by: &str, end: i64) -> Seat {
        Seat::Held { reservation: by.parse().unwrap(), expires_at: at(end) }
    }

    fn booked(by: &str) -> Seat {
        Seat::Booked { reservation: by.parse().unwrap() }
    }

    fn payment(reference: &str, status: payment::Status) -> Payment {
        Payment {
            provider: "sandbox".parse().unwrap(),
            reference: reference.parse().unwrap(),
            reservation_id: Some("r-1".parse().unwrap()),
            money: money(PRICE, "INR"),
            status,
            refund_reason: Some(RefundReason::SecondPayment),
            created_at: at(1),
            changed_at: at(1),
        }
    }

    fn show() -> ShowId {
        "s-1".parse().unwrap()
    }

    fn invariants(books: &Books) -> Vec<Invariant> {
        let findings = audit(books, &show(), &layout(), at(NOW));
        findings.iter().map(|finding| finding.invariant).collect()
    }

    /// The books of r-1, which is of seat A1.
    fn books(status: reservation::Status, claims: Vec<Claim>, payments: Vec<Payment>) -> Books {
        let mut reservation = reservation(status);
        reservation.seats = vec![seat("A1")];
        Books { claims, reservations: vec![reservation], payments, unreadable: Vec::new() }
    }

    /// A booking of A1 that is paid for.
    fn booking() -> Books {
        let paid = payment("p1", payment::Status::Success);
        books(reservation::Status::Confirmed, vec![claim("A1", booked("r-1"))], vec![paid])
    }

    /// Goal: exactly what can be counts as sound. Method: each status of a reservation, with each claim
    /// on its seat and each payment of its amount, against what the design says of it.
    #[test]
    fn a_reservation_is_sound_if_its_seat_and_its_money_say_the_same() {
        let claims = [
            None,
            Some(held("r-1", END)),
            Some(held("r-1", NOW)),
            Some(held("r-1", END + 1)),
            Some(booked("r-1")),
            Some(Seat::Blocked),
        ];
        let payments: Vec<Option<payment::Status>> =
            PAYMENTS.into_iter().map(Some).chain([None]).collect();
        for status in STATUSES {
            for on_seat in &claims {
                for paid in &payments {
                    let claims = on_seat.iter().map(|seat| claim("A1", seat.clone())).collect();
                    let paid = paid.iter().map(|status| payment("p1", *status)).collect();
                    let books = books(status, claims, paid);
                    let is_booked = *on_seat == Some(booked("r-1"));
                    let is_paid = books.payments.first().map(|payment| payment.status)
                        == Some(payment::Status::Success);
                    let claim_fits = match on_seat {
                        None | Some(Seat::Blocked | Seat::Available) => true,
                        Some(Seat::Held { expires_at, .. }) => {
                            let owns = [reservation::Status::Pending, reservation::Status::Failed];
                            *expires_at == at(NOW)
                                || (*expires_at == at(END) && owns.contains(&status))
                        }
                        Some(Seat::Booked { .. }) => status == reservation::Status::Confirmed,
                    };
                    let is_booking = status == reservation::Status::Confirmed;
                    let sound =
                        claim_fits && if is_booking { is_booked && is_paid } else { !is_paid };
                    assert_eq!(invariants(&books).is_empty(), sound, "{books:#?}");
                }
            }
        }
    }

    /// Goal: if each reservation is sound, the money of all is: what came = what is booked + what is owed
    /// back + what went back. Method: every pair of payments of right and wrong amounts and currencies.
    #[test]
    fn where_nothing_is_found_the_money_of_the_show_balances() {
        let amounts = [money(PRICE, "INR"), money(1, "INR"), money(PRICE, "USD")];
        let sorts = PAYMENTS
            .into_iter()
            .flat_map(|status| amounts.map(|money| Payment { money, ..payment("p", status) }));
        let sorts: Vec<Payment> = sorts.collect();
        let mut sound = 0;
        for status in STATUSES {
            for one in &sorts {
                for two in &sorts {
                    let claims = match status {
                        reservation::Status::Confirmed => vec![claim("A1", booked("r-1"))],
                        _other => Vec::new(),
                    };
                    let books = books(status, claims, vec![one.clone(), two.clone()]);
                    if !invariants(&books).is_empty() {
                        continue;
                    }
                    sound += 1;
                    for currency in ["INR", "USD"] {
                        let currency: Currency = currency.parse().unwrap();
                        let sum = |of: &[payment::Status]| -> u64 {
                            let paid = books.payments.iter().filter(|p| of.contains(&p.status));
                            paid.map(|payment| minor_in(payment.money, currency)).sum()
                        };
                        let back = [payment::Status::RefundDue, payment::Status::Refunded];
                        let came = sum(&[payment::Status::Success]) + sum(&back);
                        let booked = match status {
                            reservation::Status::Confirmed => {
                                minor_in(books.reservations[0].amount, currency)
                            }
                            _other => 0,
                        };
                        assert_eq!(came, booked + sum(&back), "{books:#?}");
                    }
                }
            }
        }
        assert!(sound > 100, "{sound}");
    }

    #[test]
    fn each_damage_is_found_under_its_name() {
        use Invariant as I;
        type Damage = fn(&mut Books);
        let cases: [(Damage, &[Invariant]); 14] = [
            (|_| {}, &[]),
            (|books| books.claims.push(claim("C1", Seat::Blocked)), &[I::SeatsAreInTheLayout]),
            (
                |books| {
                    let section_id = "BALCONY".parse().unwrap();
                    let seat_id = "A3".parse().unwrap();
                    books.claims.push(Claim { section_id, seat_id, seat: Seat::Blocked });
                },
                &[I::SeatsAreInTheLayout],
            ),
            (|books| books.claims.push(claim("A2", booked("r-1"))), &[I::BookedSeatsAreConfirmed]),
            (|books| books.claims.push(claim("A2", booked("r-2"))), &[I::BookedSeatsAreConfirmed]),
            (
                |books| {
                    let mut elsewhere = reservation(reservation::Status::Confirmed);
                    elsewhere.id = "r-2".parse().unwrap();
                    elsewhere.show_id = "s-2".parse().unwrap();
                    elsewhere.seats = vec![seat("A2")];
                    books.reservations.push(elsewhere);
                    books.claims.push(claim("A2", booked("r-2")));
                },
                &[I::BookedSeatsAreConfirmed],
            ),
            (|books| books.claims.clear(), &[I::ConfirmedSeatsAreBooked]),
            (
                |books| books.claims[0].seat = booked("r-2"),
                &[I::BookedSeatsAreConfirmed, I::ConfirmedSeatsAreBooked],
            ),
            (|books| books.claims.push(claim("A2", held("r-1", END))), &[I::HeldSeatsArePending]),
            (|books| books.claims.push(claim("A2", held("r-2", END))), &[I::HeldSeatsArePending]),
            (|books| books.payments.clear(), &[I::BookingsArePaidOnce, I::MoneyIsAccountedFor]),
            (
                |books| books.payments.push(payment("p2", payment::Status::Success)),
                &[I::BookingsArePaidOnce, I::MoneyIsAccountedFor],
            ),
            (
                |books| {
                    let mut stray = payment("p2", payment::Status::RefundDue);
                    stray.reservation_id = Some("r-2".parse().unwrap());
                    books.payments.push(stray);
                },
                &[I::PaymentsHaveReservations],
            ),
            (
                |books| {
                    let (subject, why) = ("r-9".to_owned(), "`amount_minor`".to_owned());
                    books.unreadable.push(Unreadable { subject, why });
                },
                &[I::ItemsAreReadable],
            ),
        ];
        for (number, (damage, expected)) in cases.into_iter().enumerate() {
            let mut books = booking();
            damage(&mut books);
            assert_eq!(invariants(&books), expected, "case {number}: {books:#?}");
        }
    }

    #[test]
    fn money_in_halves_or_of_another_currency_is_no_payment_of_a_booking() {
        let mut halves = booking();
        halves.payments = vec![
            Payment { money: money(PRICE / 2, "INR"), ..payment("p1", payment::Status::Success) },
            Payment { money: money(PRICE / 2, "INR"), ..payment("p2", payment::Status::Success) },
        ];
        assert_eq!(invariants(&halves), [Invariant::BookingsArePaidOnce], "the sum is right");
        let mut dollars = booking();
        dollars.payments[0].money = money(PRICE, "USD");
        let both = [Invariant::BookingsArePaidOnce, Invariant::MoneyIsAccountedFor];
        assert_eq!(invariants(&dollars), both);
        let findings = audit(&dollars, &show(), &layout(), at(NOW));
        assert_eq!(findings[0].subject, "r-1");
        assert_eq!(findings[0].detail, "it costs 45000 INR, and p1 is 45000 USD");
    }

    #[test]
    fn a_finding_says_how_it_is_instead() {
        let mut books = booking();
        books.reservations[0].status = reservation::Status::Expired;
        let told = audit(&books, &show(), &layout(), at(NOW));
        let told: Vec<(&str, &str)> =
            told.iter().map(|of| (of.subject.as_str(), of.detail.as_str())).collect();
        let money = "45000 INR came, and 0 INR is booked, owed back or went back";
        let expected = [
            ("A1", "its claim is of r-1, which is EXPIRED"),
            ("r-1", "it is EXPIRED, and p1 stands for it"),
            ("r-1", money),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn parked_money_is_nobodys_and_not_told() {
        let mut books = booking();
        for (reservation, status) in [
            (Some("r-1"), payment::Status::Parked),
            (Some("gone"), payment::Status::Parked),
            (None, payment::Status::Parked),
            (None, payment::Status::Refunded),
            (Some("gone"), payment::Status::Refunded),
        ] {
            let mut parked = payment("p2", status);
            parked.reservation_id = reservation.map(|id| id.parse().unwrap());
            books.payments.push(parked);
        }
        assert_eq!(invariants(&books), []);
    }

    #[test]
    fn only_what_is_found_twice_is_told() {
        let broken =
            |invariant, subject, detail: &str| finding(invariant, subject, detail.to_owned());
        let first = [
            broken(Invariant::HeldSeatsArePending, "A1", "at first"),
            broken(Invariant::HeldSeatsArePending, "A2", "at first"),
        ];
        let second = vec![
            broken(Invariant::BookedSeatsAreConfirmed, "A2", "later"),
            broken(Invariant::HeldSeatsArePending, "A2", "later"),
            broken(Invariant::HeldSeatsArePending, "A3", "later"),
        ];
        let told = found_again(&first, second);
        assert_eq!(told, [broken(Invariant::HeldSeatsArePending, "A2", "later")]);
    }

    #[test]
    fn sales_count_seats_by_type_and_money_in_the_shows_currency() {
        let mut books = booking();
        books.claims.push(claim("A2", held("r-2", END)));
        books.claims.push(claim("A3", held("r-3", NOW)));
        books.payments.push(payment("p2", payment::Status::RefundDue));
        books.payments.push(payment("p3", payment::Status::Refunded));
        let dollars =
            Payment { money: money(7, "USD"), ..payment("p4", payment::Status::Refunded) };
        books.payments.push(dollars);
        let found = sales(&books, &sold(), &layout(), at(NOW));
        let regular = TypeSales {
            seat_type: "REGULAR".parse().unwrap(),
            total: 4,
            available: 2,
            held: 1,
            booked: 1,
            blocked: 0,
            revenue_minor: PRICE,
        };
        assert_eq!(found.by_type, std::slice::from_ref(&regular), "PREMIUM is not sold");
        let sums = (found.revenue_minor, found.refund_due_minor, found.refunded_minor);
        assert_eq!(sums, (PRICE, PRICE, PRICE));

        books.claims.push(claim("B1", Seat::Blocked));
        let found = sales(&books, &sold(), &layout(), at(NOW));
        let premium = TypeSales {
            seat_type: "PREMIUM".parse().unwrap(),
            total: 2,
            available: 0,
            held: 0,
            booked: 0,
            blocked: 1,
            revenue_minor: 0,
        };
        assert_eq!(found.by_type, [premium, regular]);
    }

    #[test]
    fn what_was_booked_is_sold_also_where_its_seats_are_not() {
        let mut books = booking();
        books.claims.clear();
        books.reservations[0].seats[0].seat_type = "PREMIUM".parse().unwrap();
        let found = sales(&books, &sold(), &layout(), at(NOW));
        let of = |of: &TypeSales| (of.seat_type.to_string(), of.taken(), of.revenue_minor);
        let by_type: Vec<_> = found.by_type.iter().map(of).collect();
        assert_eq!(by_type, [("PREMIUM".to_owned(), 0, PRICE), ("REGULAR".to_owned(), 0, 0)]);
    }
}
