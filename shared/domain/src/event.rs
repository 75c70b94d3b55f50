//! What others are told: that a reservation or a payment has changed in a way that means something
//! to them.
//!
//! A reservation comes to a status at most once, and a payment's money goes back once. So what
//! happened and what it happened to name an event, and its id is the same however often it is told.

use std::fmt;
use std::str::FromStr;

use crate::id::{EventId, SubscriptionId};
use crate::payment::{self, Payment};
use crate::reservation::{Reservation, Status};
use crate::time::{Timestamp, as_text};

/// What happened.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub enum Type {
    /// Seats are held, money is awaited.
    ReservationHeld,
    /// They are booked.
    ReservationConfirmed,
    /// A hold or a booking was given up, by the customer or the house.
    ReservationCancelled,
    /// The hold ended and no payment came.
    ReservationExpired,
    /// It ended after a failed or refunded payment.
    ReservationFailed,
    /// The money of a payment went back.
    PaymentRefunded,
}

/// The text is no type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such type of event")]
pub struct UnknownType;

impl Type {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::ReservationHeld,
        Self::ReservationConfirmed,
        Self::ReservationCancelled,
        Self::ReservationExpired,
        Self::ReservationFailed,
        Self::PaymentRefunded,
    ];

    /// The type as others know it. Contract: one is added and never renamed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReservationHeld => "reservation.held",
            Self::ReservationConfirmed => "reservation.confirmed",
            Self::ReservationCancelled => "reservation.cancelled",
            Self::ReservationExpired => "reservation.expired",
            Self::ReservationFailed => "reservation.failed",
            Self::PaymentRefunded => "payment.refunded",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Type {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, UnknownType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownType)
    }
}

impl TryFrom<String> for Type {
    type Error = UnknownType;

    fn try_from(text: String) -> Result<Self, UnknownType> {
        text.parse()
    }
}

impl From<Type> for String {
    fn from(kind: Type) -> Self {
        kind.as_str().to_owned()
    }
}

impl EventId {
    /// The id of the one event of this type that `subject` ever has.
    ///
    /// Derived, so that whoever is told twice can see it. A version 5 UUID (RFC 9562, section 5.5).
    #[must_use]
    pub fn of(kind: Type, subject: &str) -> Self {
        /// Drawn once at random, never to be changed: others remember the ids that they were told.
        const NAMESPACE: uuid::Uuid = uuid::uuid!("e0fd0b87-f1db-4cef-8fd0-316f3ec88aeb");
        let name = format!("{kind}\n{subject}");
        let id = uuid::Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string();
        id.try_into().expect("a UUID has only characters that ids have")
    }
}

/// What an event happened to, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A reservation.
    Reservation(Box<Reservation>),
    /// A payment.
    Payment(Box<Payment>),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same however often it is told.
    pub id: EventId,
    /// What happened.
    pub kind: Type,
    /// When it did.
    pub occurred_at: Timestamp,
    /// What it happened to.
    pub subject: Subject,
}

impl Event {
    /// What it means to others that a reservation became `new`, which was `old` before or was not
    /// there, and was written `at` that time: its hold, and each status that it comes to. They need
    /// not know that a hold lasts longer, which payment is awaited, or that its ticket was scanned.
    #[must_use]
    pub fn of_reservation(
        old: Option<&Reservation>,
        new: &Reservation,
        at: Timestamp,
    ) -> Option<Self> {
        let old = old.map(|old| old.status);
        if old == Some(new.status) {
            return None;
        }
        let (kind, occurred_at) = match (old, new.status) {
            (None, Status::Pending) => (Type::ReservationHeld, Some(new.created_at)),
            (Some(_), Status::Confirmed) => (Type::ReservationConfirmed, new.confirmed_at),
            (Some(_), Status::Cancelled) => (Type::ReservationCancelled, new.cancelled_at),
            // It was over then, whenever somebody came to write it down.
            (Some(_), Status::Expired) => (Type::ReservationExpired, Some(new.expires_at)),
            (Some(_), Status::Failed) => (Type::ReservationFailed, None),
            (Some(_), Status::Pending)
            | (None, Status::Confirmed | Status::Cancelled | Status::Expired | Status::Failed) => {
                return None;
            }
        };
        Some(Self {
            id: EventId::of(kind, new.id.as_str()),
            kind,
            occurred_at: occurred_at.unwrap_or(at),
            subject: Subject::Reservation(Box::new(new.clone())),
        })
    }

    /// What it means to others that a payment became `new`, which was `old` before or was not
    /// there: that its money went back. What else becomes of it, its reservation tells.
    #[must_use]
    pub fn of_payment(old: Option<&Payment>, new: &Payment) -> Option<Self> {
        let went_back = |of: &Payment| of.status == payment::Status::Refunded;
        if !went_back(new) || old.is_some_and(went_back) {
            return None;
        }
        let kind = Type::PaymentRefunded;
        Some(Self {
            id: EventId::of(kind, &format!("{}#{}", new.provider, new.reference)),
            kind,
            occurred_at: new.changed_at,
            subject: Subject::Payment(Box::new(new.clone())),
        })
    }

    /// Whether a customer is written about it: a booking, its end, and money that went back. A hold
    /// that comes and goes is seen on the screen, and money for no reservation is nobody's.
    #[must_use]
    pub fn has_letter(&self) -> bool {
        match &self.subject {
            Subject::Payment(payment) => payment.reservation_id.is_some(),
            Subject::Reservation(reservation) => match self.kind {
                Type::ReservationConfirmed => true,
                Type::ReservationCancelled => reservation.confirmed_at.is_some(),
                Type::ReservationHeld
                | Type::ReservationExpired
                | Type::ReservationFailed
                | Type::PaymentRefunded => false,
            },
        }
    }
}

/// An event on its way to a subscriber, as it is queued.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Delivery {
    /// To whom.
    pub subscription_id: SubscriptionId,
    /// Which event.
    pub event_id: EventId,
    /// How often it was tried before.
    pub attempt: u32,
    /// When it was to be delivered at first.
    #[serde(with = "as_text")]
    pub first_at: Timestamp,
    /// From when on it is tried: a queue keeps a message back for some minutes only.
    #[serde(with = "as_text")]
    pub not_before: Timestamp,
}

/// An event that its customer is written about, as it is queued.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Letter {
    /// Which event.
    pub event_id: EventId,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::money::Money;
    use crate::reservation::tests::{COMMANDS, STATUSES, reservation};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn money() -> Money {
        Money::new(45_000, "INR".parse().unwrap()).unwrap()
    }

    fn payment(status: payment::Status) -> Payment {
        Payment {
            provider: "sandbox".parse().unwrap(),
            reference: "p-1".parse().unwrap(),
            reservation_id: Some("r-1".parse().unwrap()),
            money: money(),
            status,
            refund_reason: None,
            created_at: at(1),
            changed_at: at(7),
        }
    }

    /// Told `at(9)` that a reservation came from one status to another.
    fn told(old: Option<Status>, new: Status) -> Option<Event> {
        let event = Event::of_reservation(old.map(reservation).as_ref(), &reservation(new), at(9));
        if let Some(event) = &event {
            assert_eq!(event.subject, Subject::Reservation(Box::new(reservation(new))));
        }
        event
    }

    /// Goal: each change is one event, and nothing else is. Method: every status to every other.
    #[test]
    fn each_status_that_a_reservation_comes_to_is_an_event() {
        let [confirmed, cancelled, expired, failed] = [
            Type::ReservationConfirmed,
            Type::ReservationCancelled,
            Type::ReservationExpired,
            Type::ReservationFailed,
        ]
        .map(Some);
        let expected = [
            (None, [Some(Type::ReservationHeld), None, None, None, None]),
            (Some(Status::Pending), [None, confirmed, cancelled, expired, failed]),
            (Some(Status::Confirmed), [None, None, cancelled, expired, failed]),
            (Some(Status::Cancelled), [None, confirmed, None, expired, failed]),
            (Some(Status::Expired), [None, confirmed, cancelled, None, failed]),
            (Some(Status::Failed), [None, confirmed, cancelled, expired, None]),
        ];
        for (old, kinds) in expected {
            for (new, kind) in STATUSES.into_iter().zip(kinds) {
                assert_eq!(told(old, new).map(|event| event.kind), kind, "{old:?} to {new:?}");
            }
        }
    }

    #[test]
    fn an_event_is_of_the_time_when_it_happened() {
        assert_eq!(told(None, Status::Pending).unwrap().occurred_at, at(1));
        for (status, second) in [
            (Status::Confirmed, 2),
            (Status::Cancelled, 3),
            (Status::Expired, 4),
            (Status::Failed, 9),
        ] {
            let event = told(Some(Status::Pending), status).unwrap();
            assert_eq!(event.occurred_at, at(second), "{status:?}");
        }
    }

    /// The statuses that can follow one.
    fn after(status: Status) -> Vec<Status> {
        let (mut found, mut open) = (Vec::new(), vec![status]);
        while let Some(from) = open.pop() {
            for (command, live) in COMMANDS.into_iter().flat_map(|of| [(of, true), (of, false)]) {
                if let Ok(next) = from.apply(command, live)
                    && next != from
                    && !found.contains(&next)
                {
                    found.push(next);
                    open.push(next);
                }
            }
        }
        found
    }

    /// Goal: type and reservation name one event. Method: follow every arrow; none leads back.
    #[test]
    fn a_reservation_comes_to_a_status_once() {
        for status in STATUSES {
            assert!(!after(status).contains(&status), "{status:?} comes again");
        }
    }

    #[test]
    fn a_payment_whose_money_went_back_is_an_event() {
        use payment::Status as S;
        let all = [S::Pending, S::Success, S::Failed, S::Parked, S::RefundDue, S::Refunded];
        let told =
            |old: Option<S>, new: S| Event::of_payment(old.map(payment).as_ref(), &payment(new));
        for old in all.map(Some).into_iter().chain([None]) {
            for new in all {
                let expected = new == S::Refunded && old != Some(S::Refunded);
                let kind = told(old, new).map(|event| event.kind);
                let expected = expected.then_some(Type::PaymentRefunded);
                assert_eq!(kind, expected, "{old:?} to {new:?}");
            }
        }
        let event = told(Some(S::RefundDue), S::Refunded).unwrap();
        assert_eq!(event.occurred_at, at(7));
        assert_eq!(event.id, EventId::of(Type::PaymentRefunded, "sandbox#p-1"));
    }

    #[test]
    fn ids_are_distinct_and_never_change() {
        let ids = Type::ALL.map(|kind| ["r-1", "r-2"].map(|subject| EventId::of(kind, subject)));
        let distinct: HashSet<_> = ids.iter().flatten().collect();
        assert_eq!(distinct.len(), 2 * Type::ALL.len());
        for (kind, subject, id) in [
            (Type::ReservationHeld, "r-1", "51dc2173-10d2-5245-9d49-1586e47be76f"),
            (Type::PaymentRefunded, "sandbox#p-1", "8f86ca6d-9014-585d-99f3-8c4c13b8ee95"),
        ] {
            assert_eq!(EventId::of(kind, subject).as_str(), id, "others remember it");
        }
    }

    #[test]
    fn a_type_has_one_spelling() {
        for kind in Type::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(Type::try_from(String::from(kind)), Ok(kind));
        }
        for text in ["", "held", "Reservation.Held", "reservation.held "] {
            assert_eq!(text.parse::<Type>(), Err(UnknownType), "{text:?}");
        }
    }

    #[test]
    fn a_customer_is_written_about_bookings_and_money() {
        let letter = |old, new| told(old, new).unwrap().has_letter();
        assert!(!letter(None, Status::Pending));
        for (status, expected) in [
            (Status::Confirmed, true),
            (Status::Cancelled, true),
            (Status::Expired, false),
            (Status::Failed, false),
        ] {
            assert_eq!(letter(Some(Status::Pending), status), expected, "{status:?}");
        }
        let held = reservation(Status::Pending);
        let given_up = Reservation { confirmed_at: None, ..reservation(Status::Cancelled) };
        assert!(!Event::of_reservation(Some(&held), &given_up, at(9)).unwrap().has_letter());

        let refunded = payment(payment::Status::Refunded);
        assert!(Event::of_payment(None, &refunded).unwrap().has_letter());
        let nobodys = Payment { reservation_id: None, ..refunded };
        assert!(!Event::of_payment(None, &nobodys).unwrap().has_letter());
    }
}
