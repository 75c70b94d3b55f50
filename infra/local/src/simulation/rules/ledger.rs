//! The books of one show, kept in memory. What changes is changed in its place, so that the domain's
//! audit can go through all of them after each write.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use domain::audit::{Books, Claim};
use domain::cancellation::Cancellation;
use domain::id::{PaymentReference, Provider, ReservationId, SeatId, SectionId, ShowId};
use domain::layout::Layout;
use domain::payment::Payment;
use domain::reservation::Reservation;
use domain::seat::Seat;

/// Where a seat is stored.
type Place = (SectionId, SeatId);

/// What a payment is called.
pub(super) type PaymentName = (Provider, PaymentReference);

/// What the tables say of one show.
pub(super) struct Ledger {
    pub(super) show_id: ShowId,
    pub(super) layout: Arc<Layout>,
    /// All that there is. Unlike what is read off the tables, it has every reservation of the show.
    pub(super) books: Books,
    pub(super) cancellation: Option<Cancellation>,
    /// Whether something changed since the books were looked through.
    pub(super) is_touched: bool,
    claims: HashMap<Place, usize>,
    reservations: HashMap<ReservationId, usize>,
    payments: HashMap<PaymentName, usize>,
}

impl Ledger {
    pub(super) fn new(show_id: ShowId, layout: Arc<Layout>) -> Self {
        Self {
            show_id,
            layout,
            books: Books::default(),
            cancellation: None,
            is_touched: false,
            claims: HashMap::new(),
            reservations: HashMap::new(),
            payments: HashMap::new(),
        }
    }

    /// Writes down a claim; one that is free is none.
    pub(super) fn claim(&mut self, claim: Claim) {
        self.is_touched = true;
        let place = place_of(&claim);
        if claim.seat == Seat::Available {
            take(&mut self.books.claims, &mut self.claims, &place, place_of);
        } else {
            put(&mut self.books.claims, &mut self.claims, place, claim);
        }
    }

    /// Writes down a reservation as it is now.
    pub(super) fn reserve(&mut self, reservation: Reservation) {
        self.is_touched = true;
        let id = reservation.id.clone();
        put(&mut self.books.reservations, &mut self.reservations, id, reservation);
    }

    /// Writes down a payment as it is now.
    pub(super) fn pay(&mut self, payment: Payment) {
        self.is_touched = true;
        let name = name_of(&payment);
        put(&mut self.books.payments, &mut self.payments, name, payment);
    }

    /// Strikes out a payment that is another show's now.
    pub(super) fn forget(&mut self, name: &PaymentName) {
        self.is_touched = true;
        take(&mut self.books.payments, &mut self.payments, name, name_of);
    }

    /// What there is of a seat.
    pub(super) fn seat(&self, section: &SectionId, seat: &SeatId) -> &Seat {
        static FREE: Seat = Seat::Available;
        let place = self.claims.get(&(section.clone(), seat.clone()));
        place.map_or(&FREE, |place| &self.books.claims[*place].seat)
    }

    /// The reservation of this id, if it is of this show.
    pub(super) fn reservation(&self, id: &ReservationId) -> Option<&Reservation> {
        Some(&self.books.reservations[*self.reservations.get(id)?])
    }

    /// The payment of this name, if it is listed for this show.
    pub(super) fn payment(&self, name: &PaymentName) -> Option<&Payment> {
        Some(&self.books.payments[*self.payments.get(name)?])
    }

    /// The payment that a reservation shows, if it is for that reservation. While its provider is away,
    /// a payment can be shown that is another's.
    pub(super) fn own_payment(&self, reservation: &Reservation) -> Option<&Payment> {
        let shown = reservation.payment.as_ref()?;
        let payment = self.payment(&(shown.provider.clone(), shown.reference.clone()))?;
        (payment.reservation_id.as_ref() == Some(&reservation.id)).then_some(payment)
    }
}

/// What a payment is called.
pub(super) fn name_of(payment: &Payment) -> PaymentName {
    (payment.provider.clone(), payment.reference.clone())
}

fn place_of(claim: &Claim) -> Place {
    (claim.section_id.clone(), claim.seat_id.clone())
}

/// Puts `value` into `list`, in the place of what `key` was before; `index` knows the places.
fn put<K: Eq + Hash, V>(list: &mut Vec<V>, index: &mut HashMap<K, usize>, key: K, value: V) {
    match index.entry(key) {
        Entry::Occupied(place) => list[*place.get()] = value,
        Entry::Vacant(place) => {
            place.insert(list.len());
            list.push(value);
        }
    }
}

/// Takes what `key` is out of `list`, if it is there. The last one moves to its place.
fn take<K: Eq + Hash, V>(
    list: &mut Vec<V>,
    index: &mut HashMap<K, usize>,
    key: &K,
    key_of: impl Fn(&V) -> K,
) {
    let Some(place) = index.remove(key) else { return };
    list.swap_remove(place);
    if let Some(moved) = list.get(place) {
        index.insert(key_of(moved), place);
    }
}
