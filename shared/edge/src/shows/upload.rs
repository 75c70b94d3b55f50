//! A schedule as it is sent: a list in JSON, or a table in CSV (RFC 4180).

use std::collections::BTreeMap;

use csv::{Reader, ReaderBuilder, StringRecord, Trim};
use domain::id::{SeatType, ShowId};
use domain::limits::SCHEDULE_UPLOAD_SHOWS_MAX;
use domain::money::{Currency, Money};
use domain::schedule::{Draft, LineError, Plan};
use domain::show::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::problem::Problem;
use crate::request::Request;

/// What the column of a seat type's price begins with.
const PRICE: &str = "price.";

/// Columns that a table must have. Of prices there must be one for each seat type that is sold.
const REQUIRED: [&str; 7] =
    ["showId", "movieId", "auditoriumId", "startsAt", "language", "screenType", "currency"];

/// Columns that it may have.
const OPTIONAL: [&str; 4] = ["endsAt", "status", "orphanRule", "accessibleReleased"];

/// The shows of a schedule, each with its line, and what was no show.
#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) drafts: Vec<(u32, Draft)>,
    pub(super) mistakes: Vec<LineError>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    shows: Vec<Box<RawValue>>,
}

/// What of a show is read that is none.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    show_id: ShowId,
}

/// Reads a schedule: CSV if it says so, else JSON.
pub(super) fn read(request: &Request) -> Result<Upload, Problem> {
    if request.is_of_type("text/csv") {
        return Ok(from_csv(request.upload()?));
    }
    Ok(from_json(&request.json_upload::<Body>()?.shows))
}

impl Upload {
    fn add(&mut self, line: usize, show_id: Option<ShowId>, draft: Result<Draft, String>) {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        match draft {
            Ok(draft) => self.drafts.push((line, draft)),
            Err(detail) => self.mistakes.push(LineError { line, show_id, detail }),
        }
    }

    fn too_many(&mut self, line: usize) {
        let detail = format!("a schedule has at most {SCHEDULE_UPLOAD_SHOWS_MAX} shows");
        self.add(line, None, Err(detail));
    }
}

fn from_json(shows: &[Box<RawValue>]) -> Upload {
    let mut upload = Upload::default();
    for (index, show) in shows.iter().enumerate() {
        let line = index + 1;
        if line > SCHEDULE_UPLOAD_SHOWS_MAX {
            upload.too_many(line);
            break;
        }
        // A list would do for an object whose fields come in this order.
        if show.get().starts_with('[') {
            upload.add(line, None, Err("a show is an object, and no list".to_owned()));
            continue;
        }
        let draft = serde_json::from_str(show.get()).map_err(|error| error.to_string());
        let named = || serde_json::from_str(show.get()).map(|named: Named| named.show_id);
        let show_id = if draft.is_err() { named().ok() } else { None };
        upload.add(line, show_id, draft);
    }
    upload
}

fn from_csv(file: &[u8]) -> Upload {
    // Spreadsheets begin their files with it.
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut table = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(file);
    let mut upload = Upload::default();
    let columns = match columns(&mut table) {
        Ok(columns) => columns,
        Err(details) => {
            for detail in details {
                upload.add(1, None, Err(detail));
            }
            return upload;
        }
    };
    let mut row = StringRecord::new();
    let mut rows = 0;
    loop {
        let begin = table.position().clone();
        let line = line_at(file, begin.byte(), begin.line());
        match table.read_record(&mut row) {
            Ok(false) => return upload,
            Ok(true) if rows == SCHEDULE_UPLOAD_SHOWS_MAX => {
                upload.too_many(line);
                return upload;
            }
            Ok(true) => {
                let fields = Fields { columns: &columns, row: &row };
                let show_id = fields.text("showId").and_then(|text| text.parse().ok());
                upload.add(line, show_id, fields.draft());
            }
            Err(error) => upload.add(line, None, Err(no_text(&error))),
        }
        rows += 1;
    }
}

/// The line of the row that begins at `byte`, which is in `line`, or behind it if empty lines are there.
fn line_at(file: &[u8], byte: u64, line: u64) -> usize {
    let rest = usize::try_from(byte).ok().and_then(|byte| file.get(byte..)).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let skipped = empty.filter(|byte| **byte == b'\n').count();
    usize::try_from(line).unwrap_or(usize::MAX).saturating_add(skipped)
}

fn no_text(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "the line is not in UTF-8".to_owned(),
        _other => format!("the line cannot be read: {error}"),
    }
}

/// The place of each column, or what is wrong with the header.
fn columns(table: &mut Reader<&[u8]>) -> Result<BTreeMap<String, usize>, Vec<String>> {
    let header = table.headers().map_err(|error| vec![no_text(&error)])?;
    let mut columns = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (place, name) in header.iter().enumerate() {
        let is_price = name.strip_prefix(PRICE).is_some_and(|of| of.parse::<SeatType>().is_ok());
        if !is_price && !REQUIRED.contains(&name) && !OPTIONAL.contains(&name) {
            mistakes.push(format!("there is no column `{name}`"));
        }
        if columns.insert(name.to_owned(), place).is_some() {
            mistakes.push(format!("the column `{name}` is there twice"));
        }
    }
    for name in REQUIRED {
        if !columns.contains_key(name) {
            mistakes.push(format!("the column `{name}` is missing"));
        }
    }
    if mistakes.is_empty() { Ok(columns) } else { Err(mistakes) }
}

/// A row of a table, by the names of its columns. What is empty is not there.
struct Fields<'a> {
    columns: &'a BTreeMap<String, usize>,
    row: &'a StringRecord,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        let place = *self.columns.get(name)?;
        self.row.get(place).filter(|text| !text.is_empty())
    }

    fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        self.text(name).map(|text| value(name, text)).transpose()
    }

    fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        self.optional(name)?.ok_or_else(|| format!("`{name}` is empty"))
    }

    fn draft(&self) -> Result<Draft, String> {
        let (fields, columns) = (self.row.len(), self.columns.len());
        if fields != columns {
            return Err(format!("the line has {fields} fields, and the header {columns}"));
        }
        Ok(Draft {
            show_id: self.required("showId")?,
            plan: Plan {
                movie_id: self.required("movieId")?,
                auditorium_id: self.required("auditoriumId")?,
                starts_at: self.required("startsAt")?,
                ends_at: self.optional("endsAt")?,
                language: self.required("language")?,
                screen_type: self.required("screenType")?,
                status: self.optional("status")?.unwrap_or(Status::Scheduled),
                orphan_rule: self.optional("orphanRule")?.unwrap_or_default(),
                accessible_released: self.is_true("accessibleReleased")?,
            },
            prices: self.prices()?,
        })
    }

    fn is_true(&self, name: &str) -> Result<bool, String> {
        match self.text(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) => Err(format!("`{name}` is true or false, and not `{text}`")),
        }
    }

    fn prices(&self) -> Result<BTreeMap<SeatType, Money>, String> {
        let currency: Currency = self.required("currency")?;
        let mut prices = BTreeMap::new();
        for name in self.columns.keys() {
            let (Some(seat_type), Some(text)) = (name.strip_prefix(PRICE), self.text(name)) else {
                continue;
            };
            let no_price = |why: String| format!("`{name}`: {why}");
            let minor = text.parse::<u64>();
            let minor = minor.map_err(|_| no_price(format!("`{text}` is no whole number")))?;
            let price = Money::new(minor, currency).map_err(|error| no_price(error.to_string()))?;
            prices.insert(value(name, seat_type)?, price);
        }
        Ok(prices)
    }
}

/// A field as what it stands for, by the same readers as in JSON.
fn value<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(text.to_owned()))
        .map_err(|error| format!("`{name}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "showId,movieId,auditoriumId,startsAt,endsAt,language,screenType,status,\
        orphanRule,currency,price.REGULAR,price.SOFA";

    fn told(upload: &Upload) -> Vec<(u32, Option<&str>, &str)> {
        upload
            .mistakes
            .iter()
            .map(|of| (of.line, of.show_id.as_ref().map(ShowId::as_str), of.detail.as_str()))
            .collect()
    }

    fn csv(rows: &str) -> Upload {
        from_csv(format!("{HEADER}\n{rows}").as_bytes())
    }

    #[test]
    fn a_row_and_an_object_say_the_same() {
        let table =
            csv("s1,inception,regal-1,2026-11-23T19:00,,English,2D,ON_SALE,WARN,INR,45000,\n");
        assert!(table.mistakes.is_empty(), "{table:?}");
        let object = r#"{
            "showId": "s1", "movieId": "inception", "auditoriumId": "regal-1",
            "startsAt": "2026-11-23T19:00", "language": "English", "screenType": "2D",
            "prices": {"REGULAR": {"amount": 45000, "currency": "INR"}},
            "status": "ON_SALE", "orphanRule": "WARN"
        }"#;
        let list = from_json(&[RawValue::from_string(object.to_owned()).unwrap()]);
        let (line, from_table) = &table.drafts[0];
        assert_eq!((*line, list.drafts[0].0), (2, 1), "the header is a line");
        assert_eq!(*from_table, list.drafts[0].1);
    }

    #[test]
    fn quotes_marks_and_ends_of_lines_are_as_spreadsheets_write_them() {
        let rows = "s1,inception,regal-1,2026-11-23T19:00,,\"English, \"\"OV\"\"\",2D,,,INR,1,2";
        let file = format!("\u{feff}{HEADER}\n{rows}\n").replace('\n', "\r\n");
        let upload = from_csv(file.as_bytes());
        assert!(upload.mistakes.is_empty(), "{upload:?}");
        let draft = &upload.drafts[0].1;
        assert_eq!(draft.plan.language.as_str(), "English, \"OV\"");
        assert_eq!(draft.plan.status, Status::Scheduled);
        assert_eq!(draft.prices.len(), 2);
    }

    #[test]
    fn each_mistake_has_its_line() {
        let good = "s1,inception,regal-1,2026-11-23T19:00,,English,2D,,,INR,1,";
        let upload = csv(&format!(
            "{good}\n\n\ns2,inception,regal-1,later,,English,2D,,,INR,1,\n\"s3\",x\n\
             s4,inception,regal-1,2026-11-23T19:00,,\"two\nlines\",2D,,,INR,1,\n\
             s5,inception,regal-1,2026-11-23T19:00,,English,2D,,,INR,1.5,\n\
             ,inception,regal-1,2026-11-23T19:00,,English,2D,,,INR,1,\n\
             s7,inception,regal-1,2026-11-23T19:00,,English,2D,SOLD,,INR,1,\n"
        ));
        let lines: Vec<_> = told(&upload).into_iter().map(|(line, id, _)| (line, id)).collect();
        assert_eq!(
            lines,
            [
                (5, Some("s2")),
                (6, Some("s3")),
                (7, Some("s4")),
                (9, Some("s5")),
                (10, None),
                (11, Some("s7")),
            ]
        );
        let details: Vec<_> = told(&upload).into_iter().map(|(_, _, detail)| detail).collect();
        assert!(details[0].starts_with("`startsAt`: a time is written"), "{}", details[0]);
        assert_eq!(details[1], "the line has 2 fields, and the header 12");
        assert!(details[2].starts_with("`language`"), "no line break in a name: {}", details[2]);
        assert_eq!(details[3], "`price.REGULAR`: `1.5` is no whole number");
        assert_eq!(details[4], "`showId` is empty");
        assert_eq!(upload.drafts.len(), 1);
    }

    #[test]
    fn a_header_says_what_there_is() {
        let upload =
            from_csv(b"showId,movieId,auditoriumId,startsAt,language,screenType,hall,price.\n");
        let details: Vec<_> = told(&upload).into_iter().map(|(line, _, of)| (line, of)).collect();
        assert_eq!(
            details,
            [
                (1, "there is no column `hall`"),
                (1, "there is no column `price.`"),
                (1, "the column `currency` is missing"),
            ]
        );
        assert_eq!(told(&from_csv(b"")).len(), REQUIRED.len());
        let twice = from_csv(format!("{HEADER},showId\n").as_bytes());
        assert_eq!(told(&twice), [(1, None, "the column `showId` is there twice")]);
    }

    #[test]
    fn what_is_no_utf_8_is_a_mistake_of_its_line() {
        let mut file = format!("{HEADER}\n").into_bytes();
        file.extend_from_slice(b"s1,inception,regal-1,2026-11-23T19:00,,Fran\xe7ais,2D,,,INR,1,\n");
        assert_eq!(told(&from_csv(&file)), [(2, None, "the line is not in UTF-8")]);
    }

    #[test]
    fn an_item_that_is_no_show_is_named_as_far_as_it_names_itself() {
        let items = [r#"{"showId": "s1", "seats": 3}"#, "[]", "7", r#"{"showId": "a b"}"#];
        let items = items.map(|item| RawValue::from_string(item.to_owned()).unwrap());
        let upload = from_json(&items);
        let named: Vec<_> = told(&upload).into_iter().map(|(line, id, _)| (line, id)).collect();
        assert_eq!(named, [(1, Some("s1")), (2, None), (3, None), (4, None)]);
    }
}
