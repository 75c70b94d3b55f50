//! Instants. Whoever needs one is given it: no function here asks what time it is.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};

/// An instant in UTC, to the millisecond.
pub type Timestamp = DateTime<Utc>;

/// `instant` in RFC 3339 with milliseconds and `Z`: one width, so that texts sort as instants do.
#[must_use]
pub fn text(instant: Timestamp) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The whole second that `instant` lies in.
///
/// Holds end on whole seconds, so `expires_at <= now` says the same of `now` and of this.
#[must_use]
pub fn whole_second(instant: Timestamp) -> Timestamp {
    DateTime::from_timestamp(instant.timestamp(), 0).expect("a second of an instant is an instant")
}

/// The day that `text` is, if it is one, written `YYYY-MM-DD` and not otherwise.
#[must_use]
pub fn day(text: &str) -> Option<NaiveDate> {
    let has_four_digits_of_year = text.len() == "YYYY-MM-DD".len();
    text.parse().ok().filter(|day: &NaiveDate| has_four_digits_of_year && day.to_string() == text)
}

/// How long holds last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldTerms {
    /// From the hold to its end.
    pub ttl: TimeDelta,
    /// From the hold to its end once it was extended.
    pub extended_ttl: TimeDelta,
}

impl HoldTerms {
    /// Holds of `ttl_secs` seconds, extended by [`HOLD_EXTENDED_FACTOR`].
    ///
    /// [`HOLD_EXTENDED_FACTOR`]: crate::limits::HOLD_EXTENDED_FACTOR
    #[must_use]
    pub fn of_secs(ttl_secs: u32) -> Self {
        let secs = i64::from(ttl_secs);
        Self {
            ttl: TimeDelta::seconds(secs),
            extended_ttl: TimeDelta::seconds(secs * i64::from(crate::limits::HOLD_EXTENDED_FACTOR)),
        }
    }

    /// The first second at which a hold made at `held_at` no longer counts.
    #[must_use]
    pub fn end(&self, held_at: Timestamp) -> Timestamp {
        whole_second(held_at) + self.ttl
    }

    /// The same, once the hold was extended.
    #[must_use]
    pub fn extended_end(&self, held_at: Timestamp) -> Timestamp {
        whole_second(held_at) + self.extended_ttl
    }
}

/// An instant as [`text`] in JSON and in items.
pub mod as_text {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes [`super::text`].
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(instant: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::text(*instant))
    }

    /// Reads any RFC 3339 instant.
    ///
    /// # Errors
    ///
    /// If the text is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(from)
    }
}

/// An instant that may be missing, as [`text`].
pub mod as_text_option {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes [`super::text`], or null.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(instant: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match instant {
            Some(instant) => to.serialize_some(&super::text(*instant)),
            None => to.serialize_none(),
        }
    }

    /// Reads any RFC 3339 instant, or null.
    ///
    /// # Errors
    ///
    /// If the text is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<Timestamp>::deserialize(from)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, UnitDeserializer};
    use serde::de::{Deserializer, IntoDeserializer as _, Visitor};
    use serde::forward_to_deserialize_any;

    use super::*;

    /// A text that may be missing, and is there.
    struct There(&'static str);

    impl<'de> Deserializer<'de> for There {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_some(self.0.into_deserializer())
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
            ignored_any
        }
    }

    #[test]
    fn an_instant_is_read_from_its_text() {
        let (earlier, instant) = ("2026-11-22T23:59:59.999Z", "2026-11-23T05:30:00+05:30");
        let expected: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let read = |text: &'static str| {
            as_text::deserialize::<serde::de::value::StrDeserializer<'_, Error>>(
                text.into_deserializer(),
            )
        };
        assert_eq!(read(instant), Ok(expected));
        assert_eq!(read(earlier).map(text).as_deref(), Ok(earlier));
        assert!(read("today").is_err());
        assert_eq!(as_text_option::deserialize(There(instant)), Ok(Some(expected)));
        assert!(as_text_option::deserialize(There("today")).is_err());
        let nothing = UnitDeserializer::<Error>::new();
        assert_eq!(as_text_option::deserialize(nothing), Ok(None));
    }

    #[test]
    fn texts_sort_as_instants_do() {
        let instants = [0, 1, 500, 999, 1_000, 60_000].map(DateTime::from_timestamp_millis);
        let texts = instants.map(|instant| text(instant.unwrap()));
        assert!(texts.is_sorted());
        assert_eq!(texts[2], "1970-01-01T00:00:00.500Z");
    }

    #[test]
    fn a_day_has_one_spelling() {
        assert!(day("2026-11-23").is_some());
        for text in ["2026-1-2", " 2026-11-23", "+12345-01-01", "2025-13-40", "23-11-2026", ""] {
            assert_eq!(day(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_hold_ends_on_a_whole_second_and_an_extension_counts_from_the_hold() {
        let terms = HoldTerms::of_secs(300);
        let held_at = DateTime::from_timestamp_millis(1_999).unwrap();
        assert_eq!(terms.end(held_at), DateTime::from_timestamp(301, 0).unwrap());
        assert_eq!(terms.extended_end(held_at), DateTime::from_timestamp(901, 0).unwrap());
    }
}
