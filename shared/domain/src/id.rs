//! Names: one type per kind, parsed where they enter, trusted from there on.
//!
//! No id can hold a `#`, so ids can be joined with it into keys without any escaping; and none is
//! `.` or `..`, so they can be put into paths.

use std::fmt;
use std::str::FromStr;

use crate::limits::{ID_CHARS_MAX, USER_ID_CHARS_MAX};

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Empty, or longer than the limit.
    #[error("an id has 1 to {ID_CHARS_MAX} characters")]
    Length,
    /// A character that ids do not have.
    #[error("an id has only letters, digits and the characters . _ : ~ -")]
    Character,
}

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() || text.len() > ID_CHARS_MAX {
        return Err(InvalidId::Length);
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte);
    let is_path = text.bytes().all(|byte| byte == b'.');
    if text.bytes().all(legal) && !is_path { Ok(()) } else { Err(InvalidId::Character) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                check(&text)?;
                Ok(Self(text.into_boxed_str()))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A city's name in URLs: its folded name, `new-delhi`.
    CityId
}
id! {
    /// A film.
    MovieId
}
id! {
    /// A building with auditoriums.
    TheatreId
}
id! {
    /// A room with seats.
    AuditoriumId
}
id! {
    /// One screening: a film in an auditorium at a time.
    ShowId
}
id! {
    /// A part of an auditorium that is sold and stored together. A cinema hall has one.
    SectionId
}
id! {
    /// A seat of one auditorium: `A7`, or `N12-A7` where there are several sections.
    SeatId
}
id! {
    /// What a seat is sold as: `REGULAR`, `RECLINER`. Prices go by it.
    SeatType
}
id! {
    /// The idempotency key of a hold, chosen by the client, unique per user.
    HoldToken
}
id! {
    /// One reservation.
    ReservationId
}
id! {
    /// A payment, as its provider names it.
    PaymentReference
}
id! {
    /// A payment provider: `sandbox`, `stripe`, `razorpay`.
    Provider
}
id! {
    /// Something that happened, as other systems are told of it.
    EventId
}
id! {
    /// Somebody who is told of events.
    SubscriptionId
}
id! {
    /// The idempotency key of a scan, chosen by the scanner.
    ScanId
}

/// Who is asking: the token's `sub`. Any text, so it must stand last in a key or alone.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Box<str>);

/// The text is empty or longer than [`USER_ID_CHARS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user id has 1 to {USER_ID_CHARS_MAX} characters")]
pub struct InvalidUserId;

impl UserId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidUserId;

    fn try_from(text: String) -> Result<Self, InvalidUserId> {
        match text.chars().count() {
            1..=USER_ID_CHARS_MAX => Ok(Self(text.into_boxed_str())),
            _ => Err(InvalidUserId),
        }
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0.into_string()
    }
}

impl ReservationId {
    /// The reservation that `token` stands for when `user` sends it.
    ///
    /// Derived, so that a repeated hold finds the first one by key, and scoped to the user, so
    /// that nobody can read or block another's by guessing a token. A version 5 UUID (RFC 9562,
    /// section 5.5). A hold token holds no line break, so the two parts cannot run together.
    #[must_use]
    pub fn of(user: &UserId, token: &HoldToken) -> Self {
        /// Drawn once at random, never to be changed: every reservation id depends on it.
        const NAMESPACE: uuid::Uuid = uuid::uuid!("8b2f9a1c-5d0e-4c55-9f3e-2a6d7c41b0e7");
        let name = format!("{token}\n{}", user.as_str());
        let id = uuid::Uuid::new_v5(&NAMESPACE, name.as_bytes());
        Self(id.to_string().into_boxed_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> UserId {
        text.to_owned().try_into().unwrap()
    }

    #[test]
    fn an_id_cannot_break_out_of_its_key() {
        for text in ["", ".", "..", "a#b", "a b", "a/b", "ä", "a\nb", &"x".repeat(129)] {
            assert!(text.parse::<ShowId>().is_err(), "{text:?}");
        }
        for text in ["abc", "uuid-1234", "N12-A7", "a.b_c:d~e", &"x".repeat(128)] {
            assert_eq!(text.parse::<ShowId>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_user_id_is_any_text_up_to_its_limit() {
        assert!(UserId::try_from(String::new()).is_err());
        assert!(UserId::try_from("é".repeat(129)).is_err());
        assert_eq!(user(&"é".repeat(128)).as_str().chars().count(), 128);
        assert_eq!(String::from(user("ann")), "ann");
    }

    #[test]
    fn a_reservation_id_is_its_users_alone() {
        let token: HoldToken = "uuid-1234".parse().unwrap();
        let id = ReservationId::of(&user("ann"), &token);
        assert_eq!(id, ReservationId::of(&user("ann"), &token));
        assert_ne!(id, ReservationId::of(&user("bob"), &token));
        assert_ne!(
            ReservationId::of(&user("1\nann"), &"t".parse().unwrap()),
            ReservationId::of(&user("ann"), &"t1".parse().unwrap()),
        );
    }
}
