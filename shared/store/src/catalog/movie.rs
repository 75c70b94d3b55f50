//! A film: key, attributes, conditions, reader. Shows have copies of its title and keep them.

use domain::catalog::{Movie, Name};
use domain::id::MovieId;

use crate::Fault;
use crate::catalog::{Entry, Standalone, Stored, Values};
use crate::item::{Item, from_item, string, to_item, value};

#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    movie_id: MovieId,
    title: Name,
    spoken_languages: Vec<String>,
    genres: Vec<String>,
    runtime_minutes: u16,
    certificate: String,
}

impl Entry for Movie {}

impl Standalone for Movie {}

impl Stored for Movie {
    type Id = MovieId;

    const NAME: &'static str = "movie";
    const PARTITION: &'static str = "MOVIES";
    const PREFIX: &'static str = "MOVIE#";
    const SET_CHANGED: &'static str = "SET title = :title, spoken_languages = :spoken_languages, \
        genres = :genres, runtime_minutes = :runtime_minutes, certificate = :certificate, \
        version = :next";
    const IF_REMOVABLE: &'static str = "version = :version";

    fn id(&self) -> &MovieId {
        &self.id
    }

    fn parent_key(&self) -> Option<Item> {
        None
    }

    fn attributes(&self) -> Item {
        let movie = self.clone();
        to_item(&Record {
            movie_id: movie.id,
            title: movie.title,
            spoken_languages: movie.languages,
            genres: movie.genres,
            runtime_minutes: movie.runtime_minutes,
            certificate: movie.certificate,
        })
    }

    fn changed_values(&self) -> Values {
        vec![
            (":title", value(&self.title)),
            (":spoken_languages", value(&self.languages)),
            (":genres", value(&self.genres)),
            (":runtime_minutes", value(&self.runtime_minutes)),
            (":certificate", string(&self.certificate)),
        ]
    }

    fn removable_values(&self) -> Values {
        Vec::new()
    }

    fn read(found: Item) -> Result<Self, Fault> {
        let record: Record = from_item(Self::NAME, found)?;
        Ok(Self {
            id: record.movie_id,
            title: record.title,
            languages: record.spoken_languages,
            genres: record.genres,
            runtime_minutes: record.runtime_minutes,
            certificate: record.certificate,
        })
    }
}
