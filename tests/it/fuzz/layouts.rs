//! Layouts: the bodies that make an auditorium, or rebuild one.
//!
//! An input says `create`, or `add` with an `If-Match`, in its first line; behind it is the body. `@NEW@`
//! is an auditorium's id that nobody used yet.

use serde_json::{Value, json};

use super::{Seen, Target, as_admin, call, filled, header_value, split_line};
use crate::create_auditorium::{AUDITORIUMS, studio};
use crate::world::World;

pub(super) struct Layouts {
    world: World,
    made: usize,
}

impl Target for Layouts {
    const NAME: &'static str = "layouts";
    const CASES: usize = 600;
    const CASES_PER_WORLD: usize = 400;
    const REACHES: &'static [&'static str] = &[
        "create 201",
        "create 400 invalid_request",
        "create 409 already_exists",
        "create 422 invalid_layout",
        "create 422 unknown_reference",
        "add 201",
        "add 400 invalid_request",
        "add 412 precondition_failed",
        "add 422 invalid_layout",
        "add 428 precondition_required",
        "sold",
    ];

    async fn open() -> Self {
        let world = World::new().await;
        world.admin("POST", AUDITORIUMS, studio("studio", "regal")).await.expect(201);
        Self { world, made: 0 }
    }

    fn world(&self) -> &World {
        &self.world
    }

    async fn send(&mut self, input: &[u8], seen: &mut Seen) {
        let (first, rest) = split_line(input);
        self.made += 1;
        let body = filled(rest, &[("@NEW@", &format!("room-{}", self.made))]);
        let authorization = as_admin(&self.world);
        let tag = first.strip_prefix(b"add").map(<[u8]>::trim_ascii);
        let if_match = tag.map(header_value).unwrap_or_default();
        let mut headers = vec![("authorization", authorization.as_str())];
        if !if_match.is_empty() {
            headers.push(("if-match", if_match.as_str()));
        }
        let (what, path) = match tag {
            Some(_) => ("add", format!("{AUDITORIUMS}/studio/layouts")),
            None => ("create", AUDITORIUMS.to_owned()),
        };
        let answer = call(&self.world, "POST", &path, &headers, &body).await;
        seen.answer(what, &answer);
        if answer.status == 201 {
            let auditorium = answer.body["auditoriumId"].as_str().unwrap();
            self.sell(auditorium, &answer.body["layoutVersion"], seen).await;
        }
    }
}

impl Layouts {
    /// What was taken can be read as it was sent, and the first seat of it sold.
    async fn sell(&self, auditorium: &str, version: &Value, seen: &mut Seen) {
        let path = format!("{AUDITORIUMS}/{auditorium}/layouts/{version}");
        let read = self.world.admin("GET", &path, Value::Null).await.expect(200);
        assert!(read["seatCount"].as_u64() > Some(0), "no seats: {read}");
        let show = format!("show-of-{}", self.made);
        let row = &read["layout"]["sections"][0]["rows"][0];
        let price = json!({"amount": 1, "currency": "INR"});
        let plan = json!({
            "showId": show, "movieId": "inception", "auditoriumId": auditorium,
            "startsAt": self.time(), "language": "English", "screenType": "2D",
            "prices": {(row["runs"][0]["seatType"].as_str().unwrap()): price}, "status": "ON_SALE",
            "accessibleReleased": true,
        });
        self.world.admin("POST", "/api/admin/shows", plan).await.expect(201);
        // The first section's seats are all told by name, however many others there are.
        let section = read["layout"]["sections"][0]["section"].as_str().unwrap();
        let map = self.world.get(&format!("/api/shows/{show}/seats?section={section}")).await;
        let map = map.expect(200);
        let seat = map["items"][0]["seatId"].as_str().unwrap();
        let body = json!({"showId": show, "seatIds": [seat], "holdToken": show});
        let user = format!("user-{}", self.made);
        self.world.call(&user, "POST", "/api/reservations/hold", body).await.expect(201);
        seen.count("sold");
    }

    /// When the next show is: one after the other, so that none is in another's way.
    fn time(&self) -> String {
        let hours = i64::try_from(self.made).unwrap() * 4;
        let begin = self.world.now() + chrono::TimeDelta::hours(24 + hours);
        domain::time::text(begin)
    }
}
