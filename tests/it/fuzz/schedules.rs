//! Schedules: tables in CSV, and lists in JSON.
//!
//! An input has its content type in the first line, and the file behind it. `@NEW@` begins the id of a
//! show that nobody used yet, and `@DAY@` is a day on which nothing is planned.

use chrono::{NaiveDate, TimeDelta};

use super::{Seen, Target, as_admin, call, filled, header_value, split_line};
use crate::world::World;

const SCHEDULES: &str = "/api/admin/schedules";

pub(super) struct Schedules {
    world: World,
    sent: i64,
}

impl Target for Schedules {
    const NAME: &'static str = "schedules";
    const CASES: usize = 700;
    // A room takes a day of shows for each, and nobody plans more than two years ahead.
    const CASES_PER_WORLD: usize = 500;
    const REACHES: &'static [&'static str] =
        &["csv 201", "csv 422 invalid_schedule", "json 201", "json 400 invalid_request", "loaded"];

    async fn open() -> Self {
        Self { world: World::with_films().await, sent: 0 }
    }

    fn world(&self) -> &World {
        &self.world
    }

    async fn send(&mut self, input: &[u8], seen: &mut Seen) {
        let (first, rest) = split_line(input);
        self.sent += 1;
        let first_day = NaiveDate::from_ymd_opt(2026, 11, 25).unwrap();
        let day = (first_day + TimeDelta::days(self.sent)).to_string();
        let new = format!("s{}", self.sent);
        let file = filled(rest, &[("@NEW@", &new), ("@DAY@", &day)]);
        let authorization = as_admin(&self.world);
        let content_type = header_value(first);
        let headers =
            [("authorization", authorization.as_str()), ("content-type", content_type.as_str())];
        let answer = call(&self.world, "POST", SCHEDULES, &headers, &file).await;
        let is_csv = content_type.trim_ascii_start().to_ascii_lowercase().starts_with("text/csv");
        seen.answer(if is_csv { "csv" } else { "json" }, &answer);
        if answer.status == 201 && answer.body["created"].as_u64() > Some(0) {
            seen.count("loaded");
            // What was loaded is found again, and loading it again changes nothing.
            let again = call(&self.world, "POST", SCHEDULES, &headers, &file).await.expect(201);
            let all = answer.body["created"].as_u64().zip(answer.body["unchanged"].as_u64());
            let (created, unchanged) = all.unwrap();
            assert_eq!(again["created"], 0);
            assert_eq!(again["unchanged"], created + unchanged);
            let list = format!("/api/shows?city=delhi&date={day}&limit=100");
            self.world.get(&list).await.expect(200);
        }
    }
}

/// Goal: what is told of a mistake is no larger than Lambda's answers may be, however large the mistake
/// is. Method: the largest uploads, in which everything is one name; of letters that are told in six.
#[tokio::test]
async fn a_huge_mistake_is_told_in_few_words() {
    let world = World::with_films().await;
    let authorization = as_admin(&world);
    let marks = "\u{301}".repeat(2_600_000);
    let twice = "x".repeat(2_600_000);
    let files = [
        ("text/csv", format!("{}\n", "\u{1}".repeat(5_200_000))),
        ("text/csv", format!("{twice},{twice}\n")),
        ("application/json", format!("{{\"shows\": \"{marks}\"}}")),
        ("application/json", format!("{{\"shows\": [\"{marks}\"]}}")),
        ("application/json", format!("{{\"shows\": [{{\"showId\": \"{marks}\"}}]}}")),
    ];
    for (content_type, file) in files {
        let headers = [("authorization", authorization.as_str()), ("content-type", content_type)];
        let answer = call(&world, "POST", SCHEDULES, &headers, file.as_bytes()).await;
        assert!([400, 422].contains(&answer.status), "{}", answer.status);
    }
    let layouts = "/api/admin/auditoriums/screen-1/layouts";
    let headers = [("authorization", authorization.as_str()), ("if-match", "*")];
    for body in [format!("{{\"sections\": \"{marks}\"}}"), format!("{{\"{marks}\": 1}}")] {
        let answer = call(&world, "POST", layouts, &headers, body.as_bytes()).await;
        assert_eq!(answer.body["code"], "invalid_request");
    }
}
