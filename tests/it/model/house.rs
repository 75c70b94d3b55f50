//! What the model keeps small, as the domain's own values: the decisions are made upon these.

use domain::audit::{Books, Claim as Claimed};
use domain::id::{HoldToken, Provider, ReservationId, SeatId, SectionId, ShowId, UserId};
use domain::layout::{Feature, Layout, RawLayout, Row, Run, Section};
use domain::money::Money;
use domain::payment::{Outcome, Payment, Progress, RefundReason, Report, Status};
use domain::reservation::{self, PaymentSummary, PricedSeat, Reservation};
use domain::seat::Seat;
use domain::time::{HoldTerms, Timestamp};

use super::tables::{Claim, Stored, Tables, Tick};

/// Which seats each of the two users wants: Ann both, Bob the second one. So what Bob has is half of
/// what Ann's late money pays for, and the other half stays free.
pub(super) const SEATS_OF: [&[usize]; 2] = [&[0, 1], &[1]];

const USERS: [&str; 2] = ["ann", "bob"];
const SEATS: [&str; 2] = ["A1", "A2"];
const REFERENCES: [&str; 2] = ["p0", "p1"];
const PRICE: u64 = 500;

/// A payment that somebody may make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    /// For whose reservation.
    pub(super) of: usize,
    /// Whether it is of the right amount.
    pub(super) is_right: bool,
    /// Whether it is decided later than it is made, and may fail before it succeeds.
    pub(super) is_slow: bool,
}

/// The show, its seats, who wants them, and who pays how much.
pub(super) struct House {
    pub(super) show: ShowId,
    pub(super) layout: Layout,
    pub(super) terms: HoldTerms,
    reservations: [Reservation; 2],
    payments: [Payment; 2],
}

/// A tick as an instant. One tick is one second, and a hold lasts one.
pub(super) fn instant(tick: Tick) -> Timestamp {
    Timestamp::from_timestamp(i64::from(tick), 0).unwrap()
}

pub(super) fn tick(instant: Timestamp) -> Tick {
    instant.timestamp().try_into().unwrap()
}

fn inr(minor: u64) -> Money {
    Money::new(minor, "INR".parse().unwrap()).unwrap()
}

fn section() -> SectionId {
    "MAIN".parse().unwrap()
}

fn seat_id(seat: usize) -> SeatId {
    SEATS[seat].parse().unwrap()
}

fn show() -> ShowId {
    "show-1".parse().unwrap()
}

fn provider() -> Provider {
    "sandbox".parse().unwrap()
}

impl House {
    pub(super) fn new(orders: &[Order; 2]) -> Self {
        let row = Row {
            label: "A".to_owned(),
            runs: vec![Run {
                first: 1,
                last: 2,
                seat_type: "REGULAR".parse().unwrap(),
                feature: Feature::Standard,
            }],
            aisles_after: Vec::new(),
        };
        let sections = vec![Section { id: section(), rows: vec![row] }];
        let reservations = [0, 1].map(reservation_of);
        let payments = [0, 1].map(|payment| {
            let Order { of, is_right, .. } = orders[payment];
            let owner: &Reservation = &reservations[of];
            Payment {
                provider: provider(),
                reference: REFERENCES[payment].parse().unwrap(),
                reservation_id: Some(owner.id.clone()),
                money: if is_right { owner.amount } else { inr(1) },
                status: Status::Pending,
                refund_reason: None,
                created_at: instant(0),
                changed_at: instant(0),
            }
        });
        Self {
            show: show(),
            layout: RawLayout { sections }.try_into().unwrap(),
            terms: HoldTerms::of_secs(1),
            reservations,
            payments,
        }
    }

    /// The reservation that a user's hold makes.
    pub(super) fn id(&self, user: usize) -> ReservationId {
        self.reservations[user].id.clone()
    }

    pub(super) fn reservation(&self, user: usize, stored: &Stored) -> Reservation {
        let payment = stored.shown.map(|(payment, status)| PaymentSummary {
            provider: provider(),
            reference: self.payments[payment].reference.clone(),
            status,
        });
        Reservation {
            status: stored.status,
            expires_at: instant(stored.end),
            extended: stored.extended,
            created_at: instant(stored.held_at),
            payment,
            ..self.reservations[user].clone()
        }
    }

    pub(super) fn seat(&self, claim: Claim) -> Seat {
        match claim {
            Claim::Free => Seat::Available,
            Claim::Held { by, end } => {
                Seat::Held { reservation: self.id(by), expires_at: instant(end) }
            }
            Claim::Booked { by } => Seat::Booked { reservation: self.id(by) },
        }
    }

    /// What a provider tells of a payment; that it is silent, if it tells nothing.
    pub(super) fn report(&self, payment: usize, told: Option<Progress>) -> Report {
        let Payment { provider, reference, reservation_id, money, .. } = &self.payments[payment];
        let outcome = match told {
            None => Outcome::Away,
            Some(progress) => {
                Outcome::Known { reservation_id: reservation_id.clone(), money: *money, progress }
            }
        };
        Report { provider: provider.clone(), reference: reference.clone(), outcome }
    }

    /// What the audit reads.
    pub(super) fn books(&self, tables: &Tables) -> Books {
        let claims = [0, 1].into_iter().filter(|seat| tables.seats[*seat] != Claim::Free);
        let claims = claims.map(|seat| Claimed {
            section_id: section(),
            seat_id: seat_id(seat),
            seat: self.seat(tables.seats[seat]),
        });
        let reservations = tables.reservations.iter().enumerate();
        let reservations = reservations
            .filter_map(|(user, stored)| Some(self.reservation(user, stored.as_ref()?)));
        let payments = tables.payments.iter().zip(&self.payments);
        let payments = payments.filter_map(|(status, payment)| {
            let refund_reason = Some(RefundReason::SecondPayment);
            Some(Payment { status: (*status)?, refund_reason, ..payment.clone() })
        });
        Books {
            claims: claims.collect(),
            reservations: reservations.collect(),
            payments: payments.collect(),
            unreadable: Vec::new(),
        }
    }
}

/// A user's reservation as a hold at tick 0 makes it. The show begins long after everything here.
fn reservation_of(user: usize) -> Reservation {
    let user_id: UserId = USERS[user].to_owned().try_into().unwrap();
    let hold_token: HoldToken = "t".parse().unwrap();
    let seats: Vec<PricedSeat> = SEATS_OF[user]
        .iter()
        .map(|seat| PricedSeat {
            seat_id: seat_id(*seat),
            section_id: section(),
            seat_type: "REGULAR".parse().unwrap(),
            price: inr(PRICE),
        })
        .collect();
    let minor: u64 = seats.iter().map(|seat| seat.price.minor()).sum();
    Reservation {
        id: ReservationId::of(&user_id, &hold_token),
        user_id,
        email: None,
        hold_token,
        show_id: show(),
        show_starts_at: instant(Tick::MAX),
        seats,
        amount: inr(minor),
        status: reservation::Status::Pending,
        expires_at: instant(1),
        extended: false,
        created_at: instant(0),
        confirmed_at: None,
        cancelled_at: None,
        payment: None,
        entry: None,
    }
}
