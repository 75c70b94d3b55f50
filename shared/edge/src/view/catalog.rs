//! Theatres, auditoriums and their layouts.

use domain::catalog::{Auditorium, Theatre};
use domain::id::{SeatType, SectionId};
use domain::layout::{Feature, InvalidLayout, Layout, RawLayout, Row, Run, Section};
use domain::limits::ID_CHARS_MAX;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Mistakes of a layout that are told at once. Nobody reads more, and an upload can have millions.
const MISTAKES_TOLD_MAX: usize = 100;

/// A theatre.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TheatreView<'a> {
    theatre_id: &'a str,
    name: &'a str,
    city: &'a str,
}

/// A theatre as it looks.
#[must_use]
pub fn theatre(theatre: &Theatre) -> TheatreView<'_> {
    TheatreView {
        theatre_id: theatre.id.as_str(),
        name: theatre.name.as_str(),
        city: theatre.city_id.as_str(),
    }
}

/// An auditorium.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditoriumView<'a> {
    auditorium_id: &'a str,
    name: &'a str,
    theatre_id: &'a str,
    layout_version: u32,
}

/// An auditorium as it looks.
#[must_use]
pub fn auditorium(auditorium: &Auditorium) -> AuditoriumView<'_> {
    AuditoriumView {
        auditorium_id: auditorium.id.as_str(),
        name: auditorium.name.as_str(),
        theatre_id: auditorium.theatre_id.as_str(),
        layout_version: auditorium.layout_version,
    }
}

/// Which layout an auditorium got.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AddedLayoutView<'a> {
    auditorium_id: &'a str,
    layout_version: u32,
}

/// The layout that an auditorium just got.
#[must_use]
pub fn added_layout(auditorium: &Auditorium) -> AddedLayoutView<'_> {
    AddedLayoutView {
        auditorium_id: auditorium.id.as_str(),
        layout_version: auditorium.layout_version,
    }
}

/// A version of an auditorium's layout.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionedLayoutView<'a> {
    auditorium_id: &'a str,
    layout_version: u32,
    seat_count: usize,
    layout: LayoutView<'a>,
}

#[derive(Serialize)]
struct LayoutView<'a> {
    sections: Vec<SectionView<'a>>,
}

#[derive(Serialize)]
struct SectionView<'a> {
    section: &'a str,
    rows: Vec<RowView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowView<'a> {
    row: &'a str,
    runs: Vec<RunView<'a>>,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    aisles_after: &'a [u16],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunView<'a> {
    first: u16,
    last: u16,
    seat_type: &'a str,
    #[serde(skip_serializing_if = "Feature::is_standard")]
    feature: Feature,
}

/// A version of an auditorium's layout as it looks: as it was sent.
#[must_use]
pub fn layout<'a>(
    auditorium_id: &'a str,
    layout_version: u32,
    layout: &'a Layout,
) -> VersionedLayoutView<'a> {
    VersionedLayoutView {
        auditorium_id,
        layout_version,
        seat_count: layout.seat_count(),
        layout: LayoutView { sections: layout.sections().iter().map(section).collect() },
    }
}

fn section(section: &Section) -> SectionView<'_> {
    SectionView { section: section.id.as_str(), rows: section.rows.iter().map(row).collect() }
}

fn row(row: &Row) -> RowView<'_> {
    let runs = row.runs.iter().map(|run| RunView {
        first: run.first,
        last: run.last,
        seat_type: run.seat_type.as_str(),
        feature: run.feature,
    });
    RowView { row: &row.label, runs: runs.collect(), aisles_after: &row.aisles_after }
}

/// A layout as it is sent, with whatever is wrong with it.
///
/// Names and numbers are read as any text and any number, so that all mistakes are told together
/// and by the names of rows, not one by one by their place in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayoutDraft {
    sections: Vec<SectionDraft>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SectionDraft {
    section: String,
    rows: Vec<RowDraft>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RowDraft {
    row: String,
    runs: Vec<RunDraft>,
    #[serde(default)]
    aisles_after: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RunDraft {
    first: i64,
    last: i64,
    seat_type: String,
    #[serde(default)]
    feature: Feature,
}

impl LayoutDraft {
    /// The layout, if it is one.
    ///
    /// # Errors
    ///
    /// [`Problem::InvalidLayout`] with everything that is wrong with it.
    pub fn into_layout(self) -> Result<Layout, Problem> {
        let (raw, mut mistakes) = self.read();
        mistakes.extend(raw.mistakes());
        if mistakes.is_empty() {
            return Layout::try_from(raw).map_err(|mistake| Problem::InvalidLayout(vec![mistake]));
        }
        mistakes.truncate(MISTAKES_TOLD_MAX);
        Err(Problem::InvalidLayout(mistakes))
    }

    /// The parts in the domain's types, and what does not fit them. What does not is replaced by
    /// something that does and that no other mistake comes of.
    fn read(self) -> (RawLayout, Vec<InvalidLayout>) {
        let mut mistakes = Vec::new();
        let sections = self.sections.into_iter().zip(1_usize..).map(|(draft, position)| {
            let id: SectionId = draft.section.parse().unwrap_or_else(|_| {
                mistakes.push(InvalidLayout::SectionId(told(&draft.section)));
                format!("section.{position}").parse().expect("letters, a dot and digits")
            });
            let rows = draft.rows.into_iter().map(|row| row.read(&mut mistakes)).collect();
            Section { id, rows }
        });
        let sections = sections.collect();
        (RawLayout { sections }, mistakes)
    }
}

impl RowDraft {
    fn read(self, mistakes: &mut Vec<InvalidLayout>) -> Row {
        let runs = self.runs.into_iter().map(|run| {
            let seat_type: SeatType = run.seat_type.parse().unwrap_or_else(|_| {
                mistakes.push(InvalidLayout::SeatType(told(&run.seat_type)));
                "UNKNOWN".parse().expect("it has only letters")
            });
            let (first, last) = (seat_number(run.first), seat_number(run.last));
            Run { first, last, seat_type, feature: run.feature }
        });
        Row {
            label: told(&self.row),
            runs: runs.collect(),
            aisles_after: self.aisles_after.into_iter().map(seat_number).collect(),
        }
    }
}

/// As much of a name as is told: one that is longer is none, and may be as long as an upload.
fn told(name: &str) -> String {
    name.chars().take(ID_CHARS_MAX).collect()
}

/// The number, or the nearest one that fits: that is no seat's number, either.
fn seat_number(number: i64) -> u16 {
    let fitting = number.clamp(0, i64::from(u16::MAX));
    u16::try_from(fitting).expect("it was clamped to what fits")
}
