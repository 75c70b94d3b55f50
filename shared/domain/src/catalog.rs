//! Cities, films and theatres: what a cinema puts in its catalogue before it sells anything.

use chrono::{NaiveDate, TimeZone as _};

use crate::id::{AuditoriumId, CityId, MovieId, TheatreId};
use crate::limits::{ID_CHARS_MAX, NAME_CHARS_MAX};
use crate::search::fold;
use crate::time::Timestamp;

mod movie;

pub use movie::InvalidMovie;

/// A name or title: 1 to [`NAME_CHARS_MAX`] characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

/// The text is empty, too long, or holds control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {NAME_CHARS_MAX} characters and no control characters")]
pub struct InvalidName;

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let length_is_legal = (1..=NAME_CHARS_MAX).contains(&text.chars().count());
        if !length_is_legal || text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(InvalidName);
        }
        Ok(Self(text.into_boxed_str()))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into_string()
    }
}

/// A city with at least one theatre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct City {
    /// Its folded name.
    pub id: CityId,
    /// As people write it.
    pub name: Name,
    /// Its zone in the IANA database. `date=` in a search means a day in it.
    pub time_zone: String,
}

/// Why something is not a city.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCity {
    /// The name has no letter that an id can be made of.
    #[error("the name has no letters or digits")]
    Name,
    /// Not in the IANA database.
    #[error("`{0}` is not a time zone")]
    TimeZone(String),
}

impl City {
    /// The city of this name.
    ///
    /// # Errors
    ///
    /// [`InvalidCity`].
    pub fn new(name: Name, time_zone: String) -> Result<Self, InvalidCity> {
        if time_zone.parse::<chrono_tz::Tz>().is_err() {
            return Err(InvalidCity::TimeZone(time_zone));
        }
        let id = city_id(name.as_str()).ok_or(InvalidCity::Name)?;
        Ok(Self { id, name, time_zone })
    }

    /// The day in this city at `instant`.
    ///
    /// # Errors
    ///
    /// [`InvalidCity::TimeZone`] if the zone is not known to this build.
    pub fn date_at(&self, instant: Timestamp) -> Result<NaiveDate, InvalidCity> {
        let zone: chrono_tz::Tz =
            self.time_zone.parse().map_err(|_| InvalidCity::TimeZone(self.time_zone.clone()))?;
        Ok(zone.from_utc_datetime(&instant.naive_utc()).date_naive())
    }
}

/// The id of the city that `text` names, be it an id or a name in any case, if it can name one.
///
/// An id is its name folded, so both fold to the same and no lookup is needed.
#[must_use]
pub fn city_id(text: &str) -> Option<CityId> {
    let mut id = fold(text).join("-");
    id.retain(|character| character.is_ascii_alphanumeric() || character == '-');
    // A word that is written in other letters leaves nothing, and so no dash either.
    let words: Vec<&str> = id.split('-').filter(|word| !word.is_empty()).collect();
    let mut id = words.join("-");
    id.truncate(ID_CHARS_MAX);
    id.trim_end_matches('-').parse().ok()
}

/// A film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movie {
    /// Its id.
    pub id: MovieId,
    /// Its title.
    pub title: Name,
    /// The languages it can be seen in.
    pub languages: Vec<String>,
    /// What kind of film it is.
    pub genres: Vec<String>,
    /// How long it is, in minutes.
    pub runtime_minutes: u16,
    /// Who may see it, as the country's board says: `UA`, `A`, `PG-13`.
    pub certificate: String,
}

/// A building with auditoriums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theatre {
    /// Its id.
    pub id: TheatreId,
    /// Its name.
    pub name: Name,
    /// Where it is.
    pub city_id: CityId,
}

/// A room with seats. Its seats stand in its layouts, one per version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auditorium {
    /// Its id.
    pub id: AuditoriumId,
    /// Its name: `Screen 1`.
    pub name: Name,
    /// In which theatre it is.
    pub theatre_id: TheatreId,
    /// Its newest layout, which new shows are sold under.
    pub layout_version: u32,
}

/// Something in the catalogue, with how often it was written: 1 at first, and one more with each change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// What it is.
    pub entry: T,
    /// Its version.
    pub version: u32,
}

/// As what somebody who changes an entry knows it (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// However it is now.
    Any,
    /// As it was at this version.
    Version(u32),
}

impl Expected {
    /// Whether an entry at `version` is what they know.
    #[must_use]
    pub fn matches(self, version: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Version(seen) => seen == version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn city(name: &str, zone: &str) -> Result<City, InvalidCity> {
        City::new(name.to_owned().try_into().unwrap(), zone.to_owned())
    }

    #[test]
    fn a_city_is_found_by_name_or_id_in_any_case() {
        let id = city("São Paulo", "America/Sao_Paulo").unwrap().id;
        for text in ["São Paulo", "sao-paulo", "SAO PAULO", " sAo  pãulo "] {
            assert_eq!(city_id(text).as_ref(), Some(&id), "{text:?}");
        }
        assert_eq!(id.as_str(), "sao-paulo");
        assert_eq!(city_id(" - "), None);
    }

    #[test]
    fn a_word_in_other_letters_leaves_no_dash_in_an_id() {
        let long = format!("{} b", "a".repeat(ID_CHARS_MAX - 1));
        let of = [("Y9 Zwa 東京 U 大阪", "y9-zwa-u"), ("東京 Nord", "nord"), ("a--b-", "a-b")];
        for (text, id) in of {
            assert_eq!(city_id(text).as_ref().map(CityId::as_str), Some(id), "{text:?}");
        }
        assert_eq!(city_id("東京 大阪"), None);
        // Cut right behind a dash.
        assert_eq!(city_id(&long).as_ref().map(CityId::as_str), long.split(' ').next());
    }

    #[test]
    fn a_show_late_at_night_is_on_its_own_citys_day() {
        let delhi = city("Delhi", "Asia/Kolkata").unwrap();
        let instant: Timestamp = "2026-11-22T18:30:00Z".parse().unwrap();
        assert_eq!(delhi.date_at(instant).unwrap().to_string(), "2026-11-23");
        let just_before = instant - chrono::TimeDelta::milliseconds(1);
        assert_eq!(delhi.date_at(just_before).unwrap().to_string(), "2026-11-22");
    }

    #[test]
    fn a_city_needs_a_name_and_a_zone_that_exist() {
        assert!(matches!(city("Delhi", "Asia/Dehli"), Err(InvalidCity::TimeZone(_))));
        assert_eq!(city("!!", "Asia/Kolkata"), Err(InvalidCity::Name));
    }

    #[test]
    fn a_name_is_one_line_of_text() {
        for text in ["", " ", "a\nb", "a\u{7}", &"x".repeat(NAME_CHARS_MAX + 1)] {
            assert_eq!(Name::try_from(text.to_owned()), Err(InvalidName), "{text:?}");
        }
        for text in ["A", "Screen 1", &"é".repeat(NAME_CHARS_MAX)] {
            assert_eq!(String::from(Name::try_from(text.to_owned()).unwrap()), text);
        }
    }

    #[test]
    fn who_knows_a_version_knows_that_one_only() {
        for (expected, seen) in [
            (Expected::Any, [true, true]),
            (Expected::Version(1), [true, false]),
            (Expected::Version(2), [false, true]),
            (Expected::Version(3), [false, false]),
        ] {
            assert_eq!([1, 2].map(|version| expected.matches(version)), seen, "{expected:?}");
        }
    }
}
