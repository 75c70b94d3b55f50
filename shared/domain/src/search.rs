//! Finding films the way people type: any case, no accents, the beginning of any word.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::id::MovieId;
use crate::show::Show;

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

/// Whether every word of `query` begins some word of `title`. Both are folded.
fn begins_words_of(query: &[String], title: &[String]) -> bool {
    query.iter().all(|word| title.iter().any(|other| other.starts_with(word.as_str())))
}

/// What a search asks of a show, besides its city and day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShowFilter {
    movie: Option<MovieQuery>,
    language: Option<Vec<String>>,
    screen_type: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct MovieQuery {
    id: Option<MovieId>,
    words: Vec<String>,
}

impl ShowFilter {
    /// A filter by film (its id, or the beginnings of words of its title), language and screen
    /// type. What is `None` asks nothing.
    #[must_use]
    pub fn new(movie: Option<&str>, language: Option<&str>, screen_type: Option<&str>) -> Self {
        Self {
            movie: movie.map(|text| MovieQuery { id: text.parse().ok(), words: fold(text) }),
            language: language.map(fold),
            screen_type: screen_type.map(fold),
        }
    }

    /// Whether `show` is what was asked for.
    #[must_use]
    pub fn matches(&self, show: &Show) -> bool {
        let same = |asked: &Option<Vec<String>>, text: &str| {
            asked.as_ref().is_none_or(|words| *words == fold(text))
        };
        same(&self.language, &show.language)
            && same(&self.screen_type, &show.screen_type)
            && self.movie.as_ref().is_none_or(|query| {
                query.id.as_ref() == Some(&show.movie.id)
                    || (!query.words.is_empty()
                        && begins_words_of(&query.words, &fold(show.movie.title.as_str())))
            })
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
    }

    #[test]
    fn folding_drops_what_people_do_not_type() {
        assert_eq!(
            fold("  Spider-Man: Across the Spider-Verse "),
            ["spider", "man", "across", "the", "spider", "verse"]
        );
        assert!(fold("---").is_empty());
    }
}
