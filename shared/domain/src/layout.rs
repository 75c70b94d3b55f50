//! How the seats of an auditorium stand: sections, rows, runs of one kind of seat, aisles.
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

/// Neighbouring seats of one type and for the same people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The first seat's number.
    pub first: u16,
    /// The last seat's number.
    pub last: u16,
    /// What they are sold as.
    pub seat_type: SeatType,
    /// Whom they are for.
    #[serde(default, skip_serializing_if = "Feature::is_standard")]
    pub feature: Feature,
}

/// Whom a seat is for. What is not for anybody is kept until the house releases it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Feature {
    /// For anybody.
    #[default]
    Standard,
    /// A space for a wheelchair, or a seat that can be reached without steps.
    Accessible,
    /// For who comes with somebody who needs an accessible one.
    Companion,
}

impl Feature {
    /// Whether the seat is for anybody.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
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
    /// Whom it is for.
    pub feature: Feature,
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
        let SeatName { section, label, number } = SeatName::of(seat_id)?;
        let section = match (&self.sections[..], section) {
            ([only], None) => only,
            ([_], Some(_)) | (_, None) => return None,
            (_several, Some(section)) => self.section(section)?,
        };
        let row = section.rows.iter().find(|row| row.label == label)?;
        Place::at(section, row, number)
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

impl<'a> Place<'a> {
    /// The seat of this number in a row of a section, if there is one.
    pub(crate) fn at(section: &'a Section, row: &'a Row, number: u16) -> Option<Self> {
        let run = row.runs.iter().find(|run| (run.first..=run.last).contains(&number))?;
        Some(Self { section, row, number, seat_type: &run.seat_type, feature: run.feature })
    }
}

/// A seat's name, taken apart: `N12-A7` is seat 7 of row `A` in section `N12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SeatName<'a> {
    /// None where there is one section only.
    pub(crate) section: Option<&'a str>,
    pub(crate) label: &'a str,
    pub(crate) number: u16,
}

impl<'a> SeatName<'a> {
    pub(crate) fn of(seat_id: &'a SeatId) -> Option<Self> {
        let text = seat_id.as_str();
        let (section, name) = match text.rsplit_once('-') {
            Some((section, name)) => (Some(section), name),
            None => (None, text),
        };
        let (label, number) = name.split_at(name.bytes().position(|byte| byte.is_ascii_digit())?);
        if number.starts_with('0') {
            return None;
        }
        Some(Self { section, label, number: number.parse().ok()? })
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
                    feature: run.feature,
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

    /// # Errors
    ///
    /// The first of [`RawLayout::mistakes`].
    fn try_from(raw: RawLayout) -> Result<Self, InvalidLayout> {
        match raw.mistakes().into_iter().next() {
            Some(mistake) => Err(mistake),
            None => Ok(Self { sections: raw.sections }),
        }
    }
}

impl RawLayout {
    /// Everything that is wrong with it, from the front; nothing, if it is a layout.
    #[must_use]
    pub fn mistakes(&self) -> Vec<InvalidLayout> {
        let sections = &self.sections;
        let rows = sections.iter().flat_map(|section| &section.rows);
        let runs: usize = rows.clone().map(|row| row.runs.len()).sum();
        let mut mistakes = Vec::new();
        mistakes.extend(more_than(SECTIONS_MAX, "sections", sections.len()));
        mistakes.extend(more_than(LAYOUT_ROWS_MAX, "rows", rows.count()));
        mistakes.extend(more_than(LAYOUT_RUNS_MAX, "runs of seats", runs));
        if sections.is_empty() {
            mistakes.push(InvalidLayout::Empty("the layout".to_owned()));
        }
        let mut ids = BTreeSet::new();
        for section in sections {
            let id = section.id.as_str();
            if id.contains('-') || id.len() > SECTION_ID_CHARS_MAX {
                mistakes.push(InvalidLayout::SectionId(id.to_owned()));
            }
            if !ids.insert(id) {
                mistakes.push(InvalidLayout::Repeated(format!("section {id}")));
            }
            rows_mistakes(section, &mut mistakes);
            mistakes.extend(more_than(
                SECTION_SEATS_MAX,
                "seats in a section",
                section.seat_count(),
            ));
        }
        let seats = sections.iter().map(Section::seat_count).sum();
        mistakes.extend(more_than(LAYOUT_SEATS_MAX, "seats", seats));
        mistakes
    }
}

fn more_than(limit: usize, of: &'static str, count: usize) -> Option<InvalidLayout> {
    (count > limit).then_some(InvalidLayout::TooMany { of, limit })
}

fn rows_mistakes(section: &Section, mistakes: &mut Vec<InvalidLayout>) {
    if section.rows.is_empty() {
        mistakes.push(InvalidLayout::Empty(format!("section {}", section.id)));
    }
    let mut labels = BTreeSet::new();
    for row in &section.rows {
        let is_letters = row.label.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_letters || !(1..=3).contains(&row.label.len()) {
            mistakes.push(InvalidLayout::Label(row.label.clone()));
        }
        let name = || format!("{} of section {}", row.label, section.id);
        if !labels.insert(&row.label) {
            mistakes.push(InvalidLayout::Repeated(format!("row {}", name())));
        }
        if row.runs.is_empty() {
            mistakes.push(InvalidLayout::Empty(format!("row {}", name())));
        }
        if !row.numbers_ascend() {
            mistakes.push(InvalidLayout::Numbers(name()));
        }
        let types: BTreeSet<&str> = row.runs.iter().map(|run| run.seat_type.as_str()).collect();
        let too_long = types.into_iter().filter(|text| text.len() > SEAT_TYPE_CHARS_MAX);
        mistakes.extend(too_long.map(|text| InvalidLayout::SeatType(text.to_owned())));
        // Each aisle is looked for in each run, so too many are not looked for at all.
        let too_many = more_than(AISLES_PER_ROW_MAX, "aisles in a row", row.aisles_after.len());
        if too_many.is_none() && !row.aisles_stand_behind_seats() {
            mistakes.push(InvalidLayout::Aisles(name()));
        }
        mistakes.extend(too_many);
    }
}

impl Row {
    fn numbers_ascend(&self) -> bool {
        let mut before = 0;
        self.runs.iter().all(|run| {
            let ascends = run.first > before && run.last >= run.first;
            before = run.last;
            ascends && run.last <= SEAT_NUMBER_MAX
        })
    }

    fn aisles_stand_behind_seats(&self) -> bool {
        let of_the_row =
            |seat: &u16| self.runs.iter().any(|run| (run.first..=run.last).contains(seat));
        let ascending = self.aisles_after.is_sorted_by(|left, right| left < right);
        ascending && self.aisles_after.iter().all(of_the_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u16, last: u16) -> Run {
        let seat_type = "REGULAR".parse().unwrap();
        Run { first, last, seat_type, feature: Feature::Standard }
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
            (
                layout(vec![section("S", vec![Row { aisles_after: vec![2, 2], ..good() }])]),
                "row A of section S: aisles stand behind seats of the row, in ascending order",
            ),
        ];
        for (result, expected) in cases {
            let message = result.unwrap_err().to_string();
            assert!(message.ends_with(expected), "{message:?} is not {expected:?}");
        }
    }

    #[test]
    fn every_mistake_is_told_and_the_first_of_them_first() {
        let long = "T".repeat(SEAT_TYPE_CHARS_MAX + 1);
        let of_long_type = Run { seat_type: long.parse().unwrap(), ..run(5, 6) };
        let bad = Row { aisles_after: vec![3, 3], ..row("B2", vec![run(2, 1), of_long_type]) };
        let raw = RawLayout {
            sections: vec![
                section("S-1", vec![row("A", vec![run(1, 4)]), row("A", vec![])]),
                section("S", vec![bad]),
                section("S", vec![]),
            ],
        };
        let told: Vec<String> = raw.mistakes().iter().map(ToString::to_string).collect();
        let expected = [
            "section `S-1`: a section's id has no dash and at most 24 characters".to_owned(),
            "row A of section S-1 is there twice".to_owned(),
            "row A of section S-1 has no seats".to_owned(),
            "row `B2`: a row's label is one to three letters".to_owned(),
            "row B2 of section S: seat numbers run from 1 to 999 and ascend".to_owned(),
            format!("seat type `{long}`: a seat type has at most 24 characters"),
            "row B2 of section S: aisles stand behind seats of the row, in ascending order"
                .to_owned(),
            "section S is there twice".to_owned(),
            "section S has no seats".to_owned(),
        ];
        assert_eq!(told, expected);
        assert_eq!(Layout::try_from(raw.clone()).unwrap_err(), raw.mistakes()[0]);
    }

    #[test]
    fn a_seat_is_found_with_whom_it_is_for() {
        let wheelchair = Run { feature: Feature::Accessible, ..run(5, 5) };
        let hall = layout(vec![section("S", vec![row("A", vec![run(1, 4), wheelchair])])]).unwrap();
        let feature = |seat: &str| hall.find(&seat.parse().unwrap()).map(|place| place.feature);
        assert_eq!(feature("A4"), Some(Feature::Standard));
        assert_eq!(feature("A5"), Some(Feature::Accessible));
        let listed = hall.sections()[0].places().find(|place| place.number == 5);
        assert_eq!(listed.map(|place| place.feature), Some(Feature::Accessible));
    }

    /// Goal: each limit is the most there may be. Method: so many, and one more.
    #[test]
    fn a_layout_has_so_much_and_no_more() {
        let hall = |row| layout(vec![section("S", vec![row])]).is_ok();
        let letters = |count| "T".repeat(count);
        let number = |number: usize| u16::try_from(number).unwrap();
        let named = |chars| layout(vec![section(&letters(chars), vec![row("A", vec![run(1, 1)])])]);
        let typed = |chars| Run { seat_type: letters(chars).parse().unwrap(), ..run(1, 1) };
        let divided = |aisles| {
            let aisles_after = (1..=number(aisles)).collect();
            Row { aisles_after, ..row("A", vec![run(1, 20)]) }
        };
        let limits: [(usize, &dyn Fn(usize) -> bool); 5] = [
            (SECTION_ID_CHARS_MAX, &|chars| named(chars).is_ok()),
            (SEAT_TYPE_CHARS_MAX, &|chars| hall(row("A", vec![typed(chars)]))),
            (AISLES_PER_ROW_MAX, &|aisles| hall(divided(aisles))),
            (SEAT_NUMBER_MAX.into(), &|last| hall(row("A", vec![run(1, number(last))]))),
            (3, &|chars| hall(row(&letters(chars), vec![run(1, 1)]))),
        ];
        for (which, (limit, fits)) in limits.into_iter().enumerate() {
            assert_eq!((fits(limit), fits(limit + 1)), (true, false), "limit {which}: {limit}");
        }
    }
}
