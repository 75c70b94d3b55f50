//! Finding films the way people type: any case, no accents, the beginning of any word. And shows, by
//! what people ask of an evening.

use std::str::FromStr;

use chrono::Timelike as _;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::availability::Availability;
use crate::catalog::Movie;
use crate::id::MovieId;
use crate::show::Show;
use crate::time::Timestamp;

/// The words of `text` without case, accents and punctuation.
#[must_use]
pub fn fold(text: &str) -> Vec<String> {
    let plain: String = text
        .nfkd()
        .filter(|character| !is_combining_mark(*character) && !matches!(character, '\'' | '’'))
        .flat_map(char::to_lowercase)
        .collect();
    plain
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether every word of `query` begins some word of `title`. Both are folded. No words begin none.
fn begins_words_of(query: &[String], title: &[String]) -> bool {
    let begins_one = |word: &String| title.iter().any(|other| other.starts_with(word.as_str()));
    !query.is_empty() && query.iter().all(begins_one)
}

/// A part of the day, on the clocks of the theatre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeOfDay {
    /// From 5 to 12.
    Morning,
    /// From 12 to 17.
    Afternoon,
    /// From 17 to 21.
    Evening,
    /// From 21 to 5.
    Night,
}

impl TimeOfDay {
    /// When `instant` is in this zone, if this build knows the zone.
    fn of(instant: Timestamp, time_zone: &str) -> Option<Self> {
        let zone: chrono_tz::Tz = time_zone.parse().ok()?;
        Some(match instant.with_timezone(&zone).hour() {
            5..12 => Self::Morning,
            12..17 => Self::Afternoon,
            17..21 => Self::Evening,
            _late_or_early => Self::Night,
        })
    }
}

impl FromStr for TimeOfDay {
    type Err = InvalidQuery;

    fn from_str(text: &str) -> Result<Self, InvalidQuery> {
        let names = [
            ("MORNING", Self::Morning),
            ("AFTERNOON", Self::Afternoon),
            ("EVENING", Self::Evening),
            ("NIGHT", Self::Night),
        ];
        let found = names.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        found.map(|(_, time)| time).ok_or(InvalidQuery::TimeOfDay)
    }
}

/// What a search says of a show, word for word, besides its city and day. What is `None` asks nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShowQuery<'a> {
    /// A film: its id, or the beginnings of words of its title.
    pub movie: Option<&'a str>,
    /// A language, in any case.
    pub language: Option<&'a str>,
    /// A type of screen, in any case.
    pub screen_type: Option<&'a str>,
    /// A [`TimeOfDay`], in any case.
    pub time_of_day: Option<&'a str>,
    /// What a seat costs at least, in minor units.
    pub price_min: Option<&'a str>,
    /// What a seat costs at most, in minor units.
    pub price_max: Option<&'a str>,
    /// `true` if there must be seats left.
    pub available: Option<&'a str>,
}

/// Why something is no search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// Not a time of day.
    #[error("a time of day is MORNING, AFTERNOON, EVENING or NIGHT")]
    TimeOfDay,
    /// Not a price.
    #[error("a price is a whole number of minor units")]
    Price,
    /// No price is between them.
    #[error("the lowest price is above the highest")]
    PriceRange,
    /// Neither yes nor no.
    #[error("whether seats must be available is `true` or `false`")]
    Available,
}

/// What a search asks of a show, besides its city and day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShowFilter {
    movie: Option<MovieQuery>,
    language: Option<Vec<String>>,
    screen_type: Option<Vec<String>>,
    time_of_day: Option<TimeOfDay>,
    price_min: Option<u64>,
    price_max: Option<u64>,
    must_be_available: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct MovieQuery {
    id: Option<MovieId>,
    words: Vec<String>,
}

impl TryFrom<ShowQuery<'_>> for ShowFilter {
    type Error = InvalidQuery;

    fn try_from(query: ShowQuery<'_>) -> Result<Self, InvalidQuery> {
        let price = |text: Option<&str>| {
            text.map(|text| text.parse::<u64>().map_err(|_| InvalidQuery::Price)).transpose()
        };
        let (price_min, price_max) = (price(query.price_min)?, price(query.price_max)?);
        if price_min.zip(price_max).is_some_and(|(min, max)| min > max) {
            return Err(InvalidQuery::PriceRange);
        }
        Ok(Self {
            movie: query.movie.map(|text| MovieQuery { id: text.parse().ok(), words: fold(text) }),
            language: query.language.map(fold),
            screen_type: query.screen_type.map(fold),
            time_of_day: query.time_of_day.map(str::parse).transpose()?,
            price_min,
            price_max,
            must_be_available: match query.available {
                Some("true") => true,
                Some("false") | None => false,
                Some(_neither) => return Err(InvalidQuery::Available),
            },
        })
    }
}

impl ShowFilter {
    /// Whether `show` is what was asked for, where `availability` is how much of it is left.
    #[must_use]
    pub fn matches(&self, show: &Show, availability: Option<&Availability>) -> bool {
        let is_then = |time| TimeOfDay::of(show.starts_at, &show.time_zone) == Some(time);
        let has_seats = || availability.is_some_and(|availability| availability.available > 0);
        (!self.must_be_available || has_seats())
            && self.fits_price_of(show)
            && self.time_of_day.is_none_or(is_then)
            && is_same(self.language.as_ref(), &show.language)
            && is_same(self.screen_type.as_ref(), &show.screen_type)
            && self.movie.as_ref().is_none_or(|query| {
                query.id.as_ref() == Some(&show.movie.id)
                    || begins_words_of(&query.words, &fold(show.movie.title.as_str()))
            })
    }

    /// Whether some type of its seats has a price in the range.
    fn fits_price_of(&self, show: &Show) -> bool {
        if self.price_min.is_none() && self.price_max.is_none() {
            return true;
        }
        show.prices.iter().any(|(_, price)| {
            self.price_min.is_none_or(|min| min <= price.minor())
                && self.price_max.is_none_or(|max| price.minor() <= max)
        })
    }
}

/// Whether `text` is what was asked for, if anything was.
fn is_same(asked: Option<&Vec<String>>, text: &str) -> bool {
    asked.is_none_or(|words| *words == fold(text))
}

/// What somebody asks of a film.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MovieFilter {
    title: Option<Vec<String>>,
    language: Option<Vec<String>>,
}

impl MovieFilter {
    /// A filter by the beginnings of words of the title, and by a language that it can be seen in. What is
    /// `None` asks nothing.
    #[must_use]
    pub fn new(title: Option<&str>, language: Option<&str>) -> Self {
        Self { title: title.map(fold), language: language.map(fold) }
    }

    /// Whether `movie` is what was asked for.
    #[must_use]
    pub fn matches(&self, movie: &Movie) -> bool {
        let speaks =
            |language: &Vec<String>| movie.languages.iter().any(|spoken| fold(spoken) == *language);
        let is_called = |title: &Vec<String>| begins_words_of(title, &fold(movie.title.as_str()));
        self.title.as_ref().is_none_or(is_called) && self.language.as_ref().is_none_or(speaks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, title: &str, expected: bool) {
        let (query, words) = (fold(query), fold(title));
        assert_eq!(begins_words_of(&query, &words), expected, "{query:?} in {title:?}");
    }

    #[test]
    fn a_title_is_found_by_the_beginning_of_any_word() {
        check("inception", "Inception", true);
        check("INCEP", "Inception", true);
        check("ception", "Inception", false);
        check("knight", "The Dark Knight", true);
        check("knight dark", "The Dark Knight", true);
        check("amelie", "Amélie", true);
        check("Amélie", "AMELIE", true);
        check("oceans", "Ocean's Eleven", true);
        check("दंगल", "दंगल", true);
        check("dark x", "The Dark Knight", false);
        check("!", "The Dark Knight", false);
    }

    #[test]
    fn folding_drops_what_people_do_not_type() {
        assert_eq!(
            fold("  Spider-Man: Across the Spider-Verse "),
            ["spider", "man", "across", "the", "spider", "verse"]
        );
        assert!(fold("---").is_empty());
    }

    /// Goal: each minute of the day has one name, by the clocks on the theatre's wall. Method: all of them.
    #[test]
    fn every_minute_is_some_time_of_day() {
        let midnight: Timestamp = "2026-11-22T18:30:00Z".parse().unwrap();
        for minute in 0..24 * 60 {
            let instant = midnight + chrono::TimeDelta::minutes(minute);
            let expected = match minute / 60 {
                5..=11 => TimeOfDay::Morning,
                12..=16 => TimeOfDay::Afternoon,
                17..=20 => TimeOfDay::Evening,
                _night => TimeOfDay::Night,
            };
            assert_eq!(TimeOfDay::of(instant, "Asia/Kolkata"), Some(expected), "{minute}");
        }
        assert_eq!(TimeOfDay::of(midnight, "Asia/Dehli"), None);
    }

    #[test]
    fn a_summers_morning_comes_earlier() {
        let zone = "Europe/Berlin";
        let winter: Timestamp = "2027-03-27T03:30:00Z".parse().unwrap();
        let summer: Timestamp = "2027-03-28T03:30:00Z".parse().unwrap();
        assert_eq!(TimeOfDay::of(winter, zone), Some(TimeOfDay::Night));
        assert_eq!(TimeOfDay::of(summer, zone), Some(TimeOfDay::Morning));
    }

    #[test]
    fn what_makes_no_sense_is_told_apart() {
        let none = ShowQuery::default();
        let read = |query: ShowQuery<'static>| ShowFilter::try_from(query).map(drop);
        assert_eq!(ShowFilter::try_from(none), Ok(ShowFilter::default()));
        for time in ["morning", "Afternoon", "EVENING", "nighT"] {
            assert_eq!(read(ShowQuery { time_of_day: Some(time), ..none }), Ok(()));
        }
        let noon = read(ShowQuery { time_of_day: Some("noon"), ..none });
        assert_eq!(noon, Err(InvalidQuery::TimeOfDay));
        for price in ["-1", "4.5", "a", "99999999999999999999"] {
            let read = read(ShowQuery { price_min: Some(price), ..none });
            assert_eq!(read, Err(InvalidQuery::Price), "{price}");
        }
        let range =
            |min, max| read(ShowQuery { price_min: Some(min), price_max: Some(max), ..none });
        assert_eq!((range("1", "1"), range("2", "1")), (Ok(()), Err(InvalidQuery::PriceRange)));
        let yes = read(ShowQuery { available: Some("yes"), ..none });
        assert_eq!(yes, Err(InvalidQuery::Available));
    }

    /// Tonight at seven, in English, in 2D, for 450 or 600 rupees.
    fn show() -> Show {
        let prices = [("REGULAR", 45_000), ("PREMIUM", 60_000)];
        let prices = prices.map(|(of, minor)| (of.parse().unwrap(), minor)).into();
        Show {
            starts_at: "2026-11-22T13:30:00Z".parse().unwrap(),
            prices: crate::show::PriceList::new("INR".parse().unwrap(), prices).unwrap(),
            ..crate::show::tests::show()
        }
    }

    /// Goal: what is asked must all be so, and what is not asked may be anything. Method: nothing, each
    /// question alone, and two of which one is not so.
    #[test]
    fn a_show_is_found_if_it_is_all_that_is_asked() {
        let none = ShowQuery::default();
        let movie = |text| ShowQuery { movie: Some(text), ..none };
        let language = |text| ShowQuery { language: Some(text), ..none };
        let screen_type = |text| ShowQuery { screen_type: Some(text), ..none };
        let time_of_day = |text| ShowQuery { time_of_day: Some(text), ..none };
        let price = |price_min, price_max| ShowQuery { price_min, price_max, ..none };
        for (query, expected) in [
            (none, true),
            (movie("incep"), true),
            (movie("m-1"), true),
            (movie("m-2"), false),
            (language("ENGLISH"), true),
            (language("Hindi"), false),
            (screen_type("2d"), true),
            (screen_type("IMAX"), false),
            (time_of_day("evening"), true),
            (time_of_day("night"), false),
            (price(Some("60000"), None), true),
            (price(Some("60001"), None), false),
            (price(None, Some("45000")), true),
            (price(None, Some("44999")), false),
            (price(Some("50000"), Some("60000")), true),
            (price(Some("45001"), Some("59999")), false),
            (ShowQuery { language: Some("english"), ..movie("m-2") }, false),
        ] {
            let filter = ShowFilter::try_from(query).unwrap();
            assert_eq!(filter.matches(&show(), None), expected, "{query:?}");
        }
    }

    #[test]
    fn a_show_without_seats_is_not_found_by_who_needs_some() {
        let left = |available| Availability {
            status: crate::availability::Status::Available,
            available,
            total: 4,
        };
        for (asked, left, expected) in [
            (None, None, true),
            (Some("false"), Some(left(0)), true),
            (Some("true"), None, false),
            (Some("true"), Some(left(0)), false),
            (Some("true"), Some(left(1)), true),
        ] {
            let query = ShowQuery { available: asked, ..ShowQuery::default() };
            let filter = ShowFilter::try_from(query).unwrap();
            assert_eq!(filter.matches(&show(), left.as_ref()), expected, "{asked:?} {left:?}");
        }
    }

    #[test]
    fn a_film_is_found_by_its_title_and_a_language_of_its_own() {
        let movie = Movie {
            id: "m-1".parse().unwrap(),
            title: "The Dark Knight".to_owned().try_into().unwrap(),
            languages: vec!["English".to_owned(), "Hindi".to_owned()],
            genres: vec!["Action".to_owned()],
            runtime_minutes: 152,
            certificate: "UA".to_owned(),
        };
        for (title, language, expected) in [
            (None, None, true),
            (Some("dark"), None, true),
            (Some("inception"), None, false),
            (None, Some("HINDI"), true),
            (None, Some("Tamil"), false),
            (Some("dark"), Some("hindi"), true),
            (Some("dark"), Some("Tamil"), false),
            (Some("inception"), Some("hindi"), false),
        ] {
            let filter = MovieFilter::new(title, language);
            assert_eq!(filter.matches(&movie), expected, "{title:?} {language:?}");
        }
    }
}
