//! How the seats of an auditorium stand: sections, rows, runs of one seat type, aisles.
//!
//! A layout is written once and never changed; shows point to a version of it. It is stored as
//! runs, not as seats, so that a stadium fits one item, and a seat is found in it by name without
//! listing the others.

use std::collections::BTreeSet;

use crate::id::{SeatId, SeatType, SectionId};
use crate::limits::{
    AISLES_PER_ROW_MAX, LAYOUT_ROWS_MAX, LAYOUT_RUNS_MAX, LAYOUT_SEATS_MAX, SEAT_NUMBER_MAX,
    SEAT_TYPE_CHARS_MAX, SECTION_ID_CHARS_MAX, SECTION_SEATS_MAX, SECTIONS_MAX,
};

/// The seats of an auditorium. Checked: every seat has one name, and every name one seat.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "RawLayout", into = "RawLayout")]
pub struct Layout {
    sections: Vec<Section>,
}

/// A layout as it is stored and sent, before it is checked.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLayout {
    /// The sections, as a house names them from the front.
    pub sections: Vec<Section>,
}

/// A part of an auditorium that is sold and stored together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its name, and the first part of its seats' names where there are several sections.
    pub id: SectionId,
    /// Its rows, front to back.
    pub rows: Vec<Row>,
}

/// A row of seats.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// One to three letters.
    pub label: String,
    /// Its seats by ascending number.
    pub runs: Vec<Run>,
    /// The numbers of the seats that have an aisle behind them, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aisles_after: Vec<u16>,
}

/// Neighbouring seats of one type.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The first seat's number.
    pub first: u16,
    /// The last seat's number.
    pub last: u16,
    /// What they are sold as.
    pub seat_type: SeatType,
}

/// Where a seat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// In which section.
    pub section: &'a Section,
    /// In which row.
    pub row: &'a Row,
    /// Its number in the row.
    pub number: u16,
    /// What it is sold as.
    pub seat_type: &'a SeatType,
}

/// Why something is not a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLayout {
    /// No seats at all, or a part with none.
    #[error("{0} has no seats")]
    Empty(String),
    /// More of something than the limit.
    #[error("at most {limit} {of}")]
    TooMany {
        /// Of what.
        of: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Two of the same name.
    #[error("{0} is there twice")]
    Repeated(String),
    /// A row's name.
    #[error("row `{0}`: a row's label is one to three letters")]
    Label(String),
    /// A section's name.
    #[error(
        "section `{0}`: a section's id has no dash and at most {SECTION_ID_CHARS_MAX} characters"
    )]
    SectionId(String),
    /// A seat type's name.
    #[error("seat type `{0}`: a seat type has at most {SEAT_TYPE_CHARS_MAX} characters")]
    SeatType(String),
    /// A row's seats.
    #[error("row {0}: seat numbers run from 1 to {SEAT_NUMBER_MAX} and ascend")]
    Numbers(String),
    /// A row's aisles.
    #[error("row {0}: aisles stand behind seats of the row, in ascending order")]
    Aisles(String),
}

impl Layout {
    /// The sections.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of this name.
    #[must_use]
    pub fn section(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.id.as_str() == id)
    }

    /// How many seats there are.
    #[must_use]
    pub fn seat_count(&self) -> usize {
        self.sections.iter().map(Section::seat_count).sum()
    }

    /// Where the seat of this name stands, if there is one.
    #[must_use]
    pub fn find(&self, seat_id: &SeatId) -> Option<Place<'_>> {
        let (section, name) = match (&self.sections[..], seat_id.as_str().rsplit_once('-')) {
            ([only], None) => (only, seat_id.as_str()),
            ([_], Some(_)) | (_, None) => return None,
            (_several, Some((section, name))) => (self.section(section)?, name),
        };
        let digits = name.find(|character: char| character.is_ascii_digit())?;
        let (label, number) = name.split_at(digits);
        if number.starts_with('0') {
            return None;
        }
        let number: u16 = number.parse().ok()?;
        let row = section.rows.iter().find(|row| row.label == label)?;
        let run = row.runs.iter().find(|run| (run.first..=run.last).contains(&number))?;
        Some(Place { section, row, number, seat_type: &run.seat_type })
    }

    /// The name of the seat at `place`.
    #[must_use]
    pub fn seat_id(&self, place: &Place<'_>) -> SeatId {
        let Place { section, row, number, .. } = place;
        let text = match &self.sections[..] {
            [_only] => format!("{}{number}", row.label),
            _several => format!("{}-{}{number}", section.id, row.label),
        };
        text.parse().expect("labels and section ids are letters of an id, and short")
    }
}

impl Section {
    /// How many seats it has.
    #[must_use]
    pub fn seat_count(&self) -> usize {
        self.seat_count_of(|_| true)
    }

    /// How many seats it has of the types that `sold` says yes to.
    pub fn seat_count_of(&self, sold: impl Fn(&SeatType) -> bool) -> usize {
        let runs = self.rows.iter().flat_map(|row| &row.runs);
        runs.filter(|run| sold(&run.seat_type)).map(Run::seat_count).sum()
    }

    /// Its seats, front to back, by ascending number.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.rows.iter().flat_map(move |row| {
            row.runs.iter().flat_map(move |run| {
                (run.first..=run.last).map(move |number| Place {
                    section: self,
                    row,
                    number,
                    seat_type: &run.seat_type,
                })
            })
        })
    }
}

impl Run {
    fn seat_count(&self) -> usize {
        usize::from(self.last).saturating_sub(usize::from(self.first)) + 1
    }
}

impl From<Layout> for RawLayout {
    fn from(layout: Layout) -> Self {
        Self { sections: layout.sections }
    }
}

impl TryFrom<RawLayout> for Layout {
    type Error = InvalidLayout;

    fn try_from(raw: RawLayout) -> Result<Self, InvalidLayout> {
        let RawLayout { sections } = raw;
        let rows: usize = sections.iter().map(|section| section.rows.len()).sum();
        let runs = sections.iter().flat_map(|section| &section.rows).map(|row| row.runs.len());
        at_most(sections.len(), "sections", SECTIONS_MAX)?;
        at_most(rows, "rows", LAYOUT_ROWS_MAX)?;
        at_most(runs.sum(), "runs of seats", LAYOUT_RUNS_MAX)?;
        if sections.is_empty() {
            return Err(InvalidLayout::Empty("the layout".to_owned()));
        }
        let mut ids = BTreeSet::new();
        for section in &sections {
            let id = section.id.as_str();
            if id.contains('-') || id.len() > SECTION_ID_CHARS_MAX {
                return Err(InvalidLayout::SectionId(id.to_owned()));
            }
            if !ids.insert(&section.id) {
                return Err(InvalidLayout::Repeated(format!("section {}", section.id)));
            }
            check_rows(section)?;
            at_most(section.seat_count(), "seats in a section", SECTION_SEATS_MAX)?;
        }
        let layout = Self { sections };
        at_most(layout.seat_count(), "seats", LAYOUT_SEATS_MAX)?;
        Ok(layout)
    }
}

fn at_most(count: usize, of: &'static str, limit: usize) -> Result<(), InvalidLayout> {
    if count > limit { Err(InvalidLayout::TooMany { of, limit }) } else { Ok(()) }
}

fn check_rows(section: &Section) -> Result<(), InvalidLayout> {
    if section.rows.is_empty() {
        return Err(InvalidLayout::Empty(format!("section {}", section.id)));
    }
    let mut labels = BTreeSet::new();
    for row in &section.rows {
        let is_letters = row.label.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_letters || !(1..=3).contains(&row.label.len()) {
            return Err(InvalidLayout::Label(row.label.clone()));
        }
        let name = format!("{} of section {}", row.label, section.id);
        if !labels.insert(&row.label) {
            return Err(InvalidLayout::Repeated(format!("row {name}")));
        }
        if row.runs.is_empty() {
            return Err(InvalidLayout::Empty(format!("row {name}")));
        }
        let mut before = 0;
        for run in &row.runs {
            if run.first <= before || run.last < run.first || run.last > SEAT_NUMBER_MAX {
                return Err(InvalidLayout::Numbers(name));
            }
            before = run.last;
            if run.seat_type.as_str().len() > SEAT_TYPE_CHARS_MAX {
                return Err(InvalidLayout::SeatType(run.seat_type.to_string()));
            }
        }
        at_most(row.aisles_after.len(), "aisles in a row", AISLES_PER_ROW_MAX)?;
        let of_the_row =
            |seat: &u16| row.runs.iter().any(|run| (run.first..=run.last).contains(seat));
        let ascending = row.aisles_after.is_sorted_by(|left, right| left < right);
        if !ascending || !row.aisles_after.iter().all(of_the_row) {
            return Err(InvalidLayout::Aisles(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u16, last: u16) -> Run {
        Run { first, last, seat_type: "REGULAR".parse().unwrap() }
    }

    fn row(label: &str, runs: Vec<Run>) -> Row {
        Row { label: label.to_owned(), runs, aisles_after: Vec::new() }
    }

    fn section(id: &str, rows: Vec<Row>) -> Section {
        Section { id: id.parse().unwrap(), rows }
    }

    fn layout(sections: Vec<Section>) -> Result<Layout, InvalidLayout> {
        RawLayout { sections }.try_into()
    }

    #[test]
    fn every_seat_is_found_by_its_name_and_nothing_else_is() {
        let one = layout(vec![section(
            "MAIN",
            vec![row("A", vec![run(1, 4), run(7, 12)]), row("AA", vec![run(1, 2)])],
        )])
        .unwrap();
        let two = layout(vec![
            section("N1", vec![row("A", vec![run(1, 3)])]),
            section("N2", vec![row("A", vec![run(1, 3)])]),
        ])
        .unwrap();
        for (layout, seats) in [(&one, 12), (&two, 6)] {
            let mut names = BTreeSet::new();
            for place in layout.sections().iter().flat_map(Section::places) {
                let name = layout.seat_id(&place);
                assert_eq!(layout.find(&name), Some(place), "{name}");
                assert!(names.insert(name));
            }
            assert_eq!((names.len(), layout.seat_count()), (seats, seats));
        }
        for name in ["A0", "A01", "A5", "A13", "B1", "a1", "A", "1", "MAIN-A1", "AA3", "A1x", "A+1"]
        {
            if let Ok(name) = name.parse() {
                assert_eq!(one.find(&name), None, "{name}");
            }
        }
        assert_eq!(two.find(&"A1".parse().unwrap()), None);
        assert_eq!(two.find(&"N3-A1".parse().unwrap()), None);
    }

    #[test]
    fn a_stadium_fits() {
        let rows = |_| (b'A'..=b'Z').map(|l| row(&char::from(l).to_string(), vec![run(1, 50)]));
        let sections = (0..90).map(|n| section(&format!("S{n}"), rows(n).collect())).collect();
        assert_eq!(layout(sections).unwrap().seat_count(), 90 * 26 * 50);
    }

    #[test]
    fn a_bad_layout_is_told_what_is_wrong_with_it() {
        let good = || row("A", vec![run(1, 4)]);
        let cases = [
            (layout(vec![]), "the layout has no seats"),
            (layout(vec![section("S", vec![])]), "section S has no seats"),
            (
                layout(vec![section("S-1", vec![good()])]),
                "section `S-1`: a section's id has no dash and at most 24 characters",
            ),
            (layout(vec![section("S", vec![good(), good()])]), "row A of section S is there twice"),
            (
                layout(vec![section("S", vec![row("A1", vec![run(1, 2)])])]),
                "row `A1`: a row's label is one to three letters",
            ),
            (
                layout(vec![section("S", vec![row("A", vec![run(1, 4), run(4, 5)])])]),
                "row A of section S: seat numbers run from 1 to 999 and ascend",
            ),
            (
                layout(vec![section("S", vec![row("A", vec![run(0, 4)])])]),
                "row A of section S: seat numbers run from 1 to 999 and ascend",
            ),
            (
                layout(vec![section("S", vec![Row { aisles_after: vec![5], ..good() }])]),
                "row A of section S: aisles stand behind seats of the row, in ascending order",
            ),
        ];
        for (result, expected) in cases {
            let message = result.unwrap_err().to_string();
            assert!(message.ends_with(expected), "{message:?} is not {expected:?}");
        }
    }
}
