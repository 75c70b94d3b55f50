//! Times as a house writes them down.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, MappedLocalTime, NaiveDateTime};
use chrono::{SubsecRound as _, TimeZone as _, Timelike as _};
use chrono_tz::Tz;

use super::InvalidShow;
use crate::time::Timestamp;

/// When something is: an instant, or what the clocks of a theatre show then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum When {
    /// An instant, as in `2026-11-23T19:00:00+05:30`.
    Instant(Timestamp),
    /// A time on the theatre's own clocks, as in `2026-11-23T19:00`.
    Local(NaiveDateTime),
}

/// The text is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written as in 2026-11-23T19:00:00Z, or as in 2026-11-23T19:00 if it is local")]
pub struct InvalidWhen;

impl FromStr for When {
    type Err = InvalidWhen;

    fn from_str(text: &str) -> Result<Self, InvalidWhen> {
        let when = match DateTime::parse_from_rfc3339(text) {
            Ok(instant) => Self::Instant(instant.to_utc().trunc_subsecs(3)),
            Err(_no_offset) => Self::Local(local(text).ok_or(InvalidWhen)?),
        };
        let naive = match when {
            Self::Instant(instant) => instant.naive_utc(),
            Self::Local(local) => local,
        };
        // A leap second is on no cinema's clock. Years of one width sort as texts.
        let is_usual = (1970..=9999).contains(&naive.year()) && naive.nanosecond() < 1_000_000_000;
        if is_usual { Ok(when) } else { Err(InvalidWhen) }
    }
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

impl TryFrom<String> for When {
    type Error = InvalidWhen;

    fn try_from(text: String) -> Result<Self, InvalidWhen> {
        text.parse()
    }
}

impl When {
    /// The instant, where local times are those of `zone`.
    ///
    /// # Errors
    ///
    /// [`InvalidShow::NoSuchTime`], [`InvalidShow::Twice`]: when clocks are changed, an hour is missing
    /// or comes again.
    pub fn at(self, zone: Tz) -> Result<Timestamp, InvalidShow> {
        let local = match self {
            Self::Instant(instant) => return Ok(instant),
            Self::Local(local) => local,
        };
        match zone.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) => Ok(instant.to_utc()),
            MappedLocalTime::None => Err(InvalidShow::NoSuchTime { local, zone }),
            MappedLocalTime::Ambiguous(..) => Err(InvalidShow::Twice { local, zone }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONDON: Tz = Tz::Europe__London;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let instant = text.parse::<When>().unwrap().at(LONDON).unwrap();
        assert_eq!(crate::time::text(instant), expected, "{text}");
    }

    #[test]
    fn a_time_without_an_offset_is_on_the_theatres_clocks() {
        check("2026-07-01T19:00", "2026-07-01T18:00:00.000Z");
        check("2026-12-01 19:00:30", "2026-12-01T19:00:30.000Z");
        check("2026-07-01T19:00:00Z", "2026-07-01T19:00:00.000Z");
        check("2026-07-01T19:00:00.1239+05:30", "2026-07-01T13:30:00.123Z");
    }

    #[test]
    fn an_hour_that_is_skipped_or_comes_twice_is_no_time() {
        let at = |text: &str| text.parse::<When>().unwrap().at(LONDON);
        assert!(matches!(at("2026-03-29T01:30"), Err(InvalidShow::NoSuchTime { .. })));
        assert!(matches!(at("2026-10-25T01:30"), Err(InvalidShow::Twice { .. })));
        check("2026-10-25T01:30:00+01:00", "2026-10-25T00:30:00.000Z");
        check("2026-10-25T02:00", "2026-10-25T02:00:00.000Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-11-23",
            "19:00",
            "2026-02-30T19:00",
            "2026-11-23T24:00",
            "2026-12-31T23:59:60Z",
            "12026-11-23T19:00",
            "1969-11-23T19:00",
            "23.11.2026 19:00",
        ] {
            assert_eq!(text.parse::<When>(), Err(InvalidWhen), "{text:?}");
        }
    }
}
