//! A film, as far as it can be wrong.

use crate::catalog::{Movie, Name};
use crate::id::MovieId;
use crate::limits::{MOVIE_TAGS_MAX, RUNTIME_MINUTES_MAX};

/// Why something is not a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMovie {
    /// In no language, or in more than anybody lists.
    #[error("a movie has 1 to {MOVIE_TAGS_MAX} languages")]
    Languages,
    /// Of no kind, or of more than anybody lists.
    #[error("a movie has 1 to {MOVIE_TAGS_MAX} genres")]
    Genres,
    /// Over before it begins, or never.
    #[error("a movie runs for 1 to {RUNTIME_MINUTES_MAX} minutes")]
    Runtime,
}

impl Movie {
    /// The film of this id.
    ///
    /// # Errors
    ///
    /// [`InvalidMovie`].
    pub fn new(
        id: MovieId,
        title: Name,
        languages: Vec<Name>,
        genres: Vec<Name>,
        runtime_minutes: u16,
        certificate: Name,
    ) -> Result<Self, InvalidMovie> {
        if !(1..=MOVIE_TAGS_MAX).contains(&languages.len()) {
            return Err(InvalidMovie::Languages);
        }
        if !(1..=MOVIE_TAGS_MAX).contains(&genres.len()) {
            return Err(InvalidMovie::Genres);
        }
        if !(1..=RUNTIME_MINUTES_MAX).contains(&runtime_minutes) {
            return Err(InvalidMovie::Runtime);
        }
        Ok(Self {
            id,
            title,
            languages: languages.into_iter().map(String::from).collect(),
            genres: genres.into_iter().map(String::from).collect(),
            runtime_minutes,
            certificate: certificate.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<Name> {
        (0..count).map(|number| Name::try_from(format!("name {number}")).unwrap()).collect()
    }

    fn movie(languages: usize, genres: usize, minutes: u16) -> Result<Movie, InvalidMovie> {
        let name = |text: &str| Name::try_from(text.to_owned()).unwrap();
        let id = "inception".parse().unwrap();
        Movie::new(id, name("Inception"), names(languages), names(genres), minutes, name("UA"))
    }

    #[test]
    fn a_movie_has_languages_genres_and_an_end() {
        let (most, longest) = (MOVIE_TAGS_MAX, RUNTIME_MINUTES_MAX);
        for (languages, genres, minutes, expected) in [
            (1, 1, 1, None),
            (most, most, longest, None),
            (0, 1, 1, Some(InvalidMovie::Languages)),
            (most + 1, 1, 1, Some(InvalidMovie::Languages)),
            (1, 0, 1, Some(InvalidMovie::Genres)),
            (1, most + 1, 1, Some(InvalidMovie::Genres)),
            (1, 1, 0, Some(InvalidMovie::Runtime)),
            (1, 1, longest + 1, Some(InvalidMovie::Runtime)),
        ] {
            assert_eq!(movie(languages, genres, minutes).err(), expected, "{languages} {genres}");
        }
    }
}
