//! A choice of seats that is worth trying.

use crate::id::SeatId;
use crate::limits::SEATS_PER_HOLD_MAX;

/// 1 to [`SEATS_PER_HOLD_MAX`] distinct seats of one show, sorted.
///
/// Sorted and distinct by construction: two requests for the same seats in another order are the
/// same request, and no transaction names an item twice, which `DynamoDB` refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats(Vec<SeatId>);

/// Why some seats are not a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeats {
    /// No seat was named.
    #[error("at least one seat must be named")]
    None,
    /// More than [`SEATS_PER_HOLD_MAX`] seats were named.
    #[error("at most {SEATS_PER_HOLD_MAX} seats can be held at once, not {count}")]
    TooMany {
        /// How many were.
        count: usize,
    },
    /// One seat was named twice.
    #[error("each seat can be named once")]
    Repeated,
}

impl Seats {
    /// The seats, in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SeatId> {
        self.0.iter()
    }
}

impl TryFrom<Vec<SeatId>> for Seats {
    type Error = InvalidSeats;

    fn try_from(mut seats: Vec<SeatId>) -> Result<Self, InvalidSeats> {
        seats.sort_unstable();
        match seats.len() {
            0 => Err(InvalidSeats::None),
            1..=SEATS_PER_HOLD_MAX if seats.is_sorted_by(|left, right| left < right) => {
                Ok(Self(seats))
            }
            1..=SEATS_PER_HOLD_MAX => Err(InvalidSeats::Repeated),
            count => Err(InvalidSeats::TooMany { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(ids: &[&str]) -> Result<Seats, InvalidSeats> {
        ids.iter().map(|id| id.parse().unwrap()).collect::<Vec<SeatId>>().try_into()
    }

    #[test]
    fn a_choice_is_one_to_ten_distinct_seats_in_any_order() {
        let ten: Vec<String> = (1..=10).map(|number| format!("A{number}")).collect();
        let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
        assert!(choice(&ten).is_ok());
        assert_eq!(choice(&["A2", "A1"]), choice(&["A1", "A2"]));
        assert_eq!(choice(&[]), Err(InvalidSeats::None));
        assert_eq!(choice(&["A1", "A2", "A1"]), Err(InvalidSeats::Repeated));
        let eleven = [&ten[..], &["B1"]].concat();
        assert_eq!(choice(&eleven), Err(InvalidSeats::TooMany { count: 11 }));
    }
}
