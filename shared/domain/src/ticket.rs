//! Going in: a booking's ticket lets its seats in once, at one gate.

use chrono::TimeDelta;

use crate::id::{ScanId, ShowId, UserId};
use crate::limits::{GATE_CHARS_MAX, SCAN_RETRY_SECS};
use crate::reservation::{Reservation, Status};
use crate::time::Timestamp;

/// Where tickets are scanned, in the house's words: 1 to [`GATE_CHARS_MAX`] characters, no control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Gate(Box<str>);

/// The text is empty, too long, or holds control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a gate has 1 to {GATE_CHARS_MAX} characters and no control characters")]
pub struct InvalidGate;

impl Gate {
    /// The gate as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Gate {
    type Error = InvalidGate;

    fn try_from(text: String) -> Result<Self, InvalidGate> {
        let length_is_legal = (1..=GATE_CHARS_MAX).contains(&text.chars().count());
        if !length_is_legal || text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(InvalidGate);
        }
        Ok(Self(text.into_boxed_str()))
    }
}

impl From<Gate> for String {
    fn from(gate: Gate) -> Self {
        gate.0.into_string()
    }
}

/// The scan of a ticket by which its seats went in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub gate: Gate,
    /// The scanner's idempotency key.
    pub scan_id: ScanId,
    /// Who scanned.
    pub by: UserId,
}

impl Entry {
    /// Whether `scan` is the one of this entry, told again within [`SCAN_RETRY_SECS`]. A scanner's
    /// ids are its own: two of them may both count from 1, and one may do so anew.
    #[must_use]
    pub fn is_repeated_by(&self, scan: &Self) -> bool {
        let is_soon = scan.at - self.at < TimeDelta::seconds(SCAN_RETRY_SECS);
        is_soon && self.scan_id == scan.scan_id && self.gate == scan.gate && self.by == scan.by
    }
}

/// What becomes of a scan that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Admission {
    /// They go in now.
    Enter,
    /// They went in by this very scan, whose answer was lost.
    EnteredBefore,
}

/// Why nobody goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdmitRefusal {
    /// The ticket is for another show than the gate.
    WrongShow,
    /// They went in by another scan, or by this one too long ago.
    AlreadyEntered(Entry),
    /// The booking was cancelled.
    AlreadyCancelled,
    /// There is no booking.
    NotBooked,
}

/// Whether the seats of `reservation` go in by `scan` at a gate for `show`, or for any show.
///
/// Not a question of time: the people at the door decide who is early or late.
///
/// # Errors
///
/// An [`AdmitRefusal`].
pub fn admit(
    reservation: &Reservation,
    show: Option<&ShowId>,
    scan: &Entry,
) -> Result<Admission, AdmitRefusal> {
    if show.is_some_and(|show| *show != reservation.show_id) {
        return Err(AdmitRefusal::WrongShow);
    }
    match (reservation.status, &reservation.entry) {
        (Status::Confirmed, None) => Ok(Admission::Enter),
        (Status::Confirmed, Some(entry)) if entry.is_repeated_by(scan) => {
            Ok(Admission::EnteredBefore)
        }
        (Status::Confirmed, Some(entry)) => Err(AdmitRefusal::AlreadyEntered(entry.clone())),
        (Status::Cancelled, _) => Err(AdmitRefusal::AlreadyCancelled),
        (Status::Pending | Status::Expired | Status::Failed, _) => Err(AdmitRefusal::NotBooked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation::tests::{STATUSES, reservation as sample};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn gate(text: &str) -> Result<Gate, InvalidGate> {
        text.to_owned().try_into()
    }

    fn scan(second: i64, at_gate: &str, id: &str, by: &str) -> Entry {
        Entry {
            at: at(second),
            gate: gate(at_gate).unwrap(),
            scan_id: id.parse().unwrap(),
            by: by.to_owned().try_into().unwrap(),
        }
    }

    fn reservation(status: Status, entry: Option<Entry>) -> Reservation {
        Reservation { entry, ..sample(status) }
    }

    /// Goal: one scan of a booking lets in, told as often as one likes for some time, and no other
    /// does. Method: every status, outside and inside, met by the same scan again, up to the instant
    /// at which it is another one, and by others.
    #[test]
    fn a_booking_goes_in_by_one_scan() {
        let first = scan(10, "Gate 1", "1", "usher");
        let told_at = |at| Entry { at, ..first.clone() };
        let over = at(10 + SCAN_RETRY_SECS);
        // The clocks of two machines differ.
        let again = [told_at(at(9)), told_at(at(10)), told_at(over - TimeDelta::milliseconds(1))];
        let others = [
            told_at(over),
            scan(20, "Gate 1", "2", "usher"),
            scan(20, "Gate 2", "1", "usher"),
            scan(20, "Gate 1", "1", "another"),
        ];
        for status in STATUSES {
            let (outside, inside) =
                (reservation(status, None), reservation(status, Some(first.clone())));
            let refusal = match status {
                Status::Confirmed => None,
                Status::Cancelled => Some(AdmitRefusal::AlreadyCancelled),
                Status::Pending | Status::Expired | Status::Failed => Some(AdmitRefusal::NotBooked),
            };
            let enters = refusal.clone().map_or(Ok(Admission::Enter), Err);
            assert_eq!(admit(&outside, None, &first), enters, "{status:?}");
            let entered = refusal.clone().map_or(Ok(Admission::EnteredBefore), Err);
            for again in &again {
                assert_eq!(admit(&inside, None, again), entered, "{status:?} {again:?}");
            }
            let refusal = refusal.unwrap_or_else(|| AdmitRefusal::AlreadyEntered(first.clone()));
            for other in &others {
                assert_eq!(admit(&inside, None, other), Err(refusal.clone()), "{status:?}");
            }
        }
    }

    #[test]
    fn a_gate_lets_in_its_own_show_or_any() {
        let booked = reservation(Status::Confirmed, None);
        let scan = scan(10, "Gate 1", "1", "usher");
        let (ours, other): (ShowId, ShowId) = ("s-1".parse().unwrap(), "s-2".parse().unwrap());
        assert_eq!(admit(&booked, Some(&ours), &scan), Ok(Admission::Enter));
        assert_eq!(admit(&booked, Some(&other), &scan), Err(AdmitRefusal::WrongShow));
        let inside = reservation(Status::Confirmed, Some(scan.clone()));
        assert_eq!(admit(&inside, Some(&other), &scan), Err(AdmitRefusal::WrongShow));
    }

    #[test]
    fn a_gate_is_one_line_of_text() {
        for text in ["", " ", "a\nb", "a\u{7}", &"x".repeat(65)] {
            assert_eq!(gate(text), Err(InvalidGate), "{text:?}");
        }
        for text in ["A", "Gate 1, north", &"ü".repeat(64)] {
            assert_eq!(gate(text).unwrap().as_str(), text);
            assert_eq!(String::from(gate(text).unwrap()), text);
        }
    }
}
