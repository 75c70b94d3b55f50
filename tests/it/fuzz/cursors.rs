//! Cursors of every list: opaque to clients, so a stranger's is any text at all.
//!
//! An input has in its first line, in JSON, which list (`list`), whose (`as`), and the `limit`; then the
//! place, which becomes the cursor in Base64. Behind `=` stands a cursor as it is; behind `@`, the number
//! of one that a list really gave, to somebody, when the world was made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use chrono::TimeDelta;
use domain::limits::EVENT_LOG_SETTLES_AFTER_SECS;
use serde_json::Value;

use super::{
    LINE_BYTES_MAX, Seen, Target, as_admin, call, chosen, fingerprint, in_query, split_line,
};
use crate::world::{Answer, World};

/// The lists that have cursors, with what they need besides.
const LISTS: [(&str, &str); 8] = [
    ("/api/cities", ""),
    ("/api/movies", "city=delhi&"),
    ("/api/shows", "city=delhi&date=2026-11-23&"),
    ("/api/reservations", ""),
    ("/api/admin/movies", ""),
    ("/api/admin/theatres", ""),
    ("/api/admin/auditoriums", ""),
    ("/api/admin/events", ""),
];

/// Who has reservations.
const USERS: [&str; 2] = ["ann", "bob"];

/// Pages that are read on from one that a cursor led to.
const PAGES: usize = 3;

pub(super) struct Cursors {
    world: World,
    /// Cursors that lists gave.
    given: Vec<String>,
}

impl Target for Cursors {
    const NAME: &'static str = "cursors";
    const CASES: usize = 600;
    const CASES_PER_WORLD: usize = 5_000;
    const REACHES: &'static [&'static str] = &[
        "/api/cities 200",
        "/api/movies 200",
        "/api/shows 200",
        "/api/reservations 200",
        "/api/admin/movies 200",
        "/api/admin/theatres 200",
        "/api/admin/auditoriums 200",
        "/api/admin/events 200",
        "/api/cities 400 invalid_request",
        "/api/reservations 400 invalid_request",
        "/api/admin/events 400 invalid_request",
        "a second page",
    ];

    async fn open() -> Self {
        let world = World::new().await;
        for (user, row) in USERS.into_iter().zip(["A", "B"]) {
            for number in 1..=3 {
                let (seat, token) = (format!("{row}{number}"), format!("{user}-{number}"));
                world.hold(user, &[&seat], &token).await.expect(201);
                world.advance(TimeDelta::milliseconds(1));
            }
        }
        world.publish().await;
        world.advance(TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS));
        let mut cursors = Self { world, given: Vec::new() };
        for list in LISTS {
            for user in USERS {
                let page = cursors.page(list, user, "limit=1").await.expect(200);
                cursors.given.extend(page["nextCursor"].as_str().map(str::to_owned));
            }
        }
        assert!(cursors.given.len() > LISTS.len(), "nearly every list gave cursors");
        cursors
    }

    fn world(&self) -> &World {
        &self.world
    }

    async fn send(&mut self, input: &[u8], seen: &mut Seen) {
        let (first, place) = split_line(input);
        let said: Value = serde_json::from_slice(first).unwrap_or_default();
        let list = LISTS.iter().find(|(path, _)| said["list"] == *path);
        let list = *list.unwrap_or_else(|| chosen(&LISTS, first));
        let user = said["as"].as_str().filter(|user| USERS.contains(user));
        let user = user.unwrap_or_else(|| *chosen(&USERS, first));
        let limit = match &said["limit"] {
            Value::Null => String::new(),
            Value::String(text) => format!("&limit={}", in_query(text.as_bytes())),
            other => format!("&limit={}", in_query(other.to_string().as_bytes())),
        };
        let cursor = match place {
            [b'=', raw @ ..] => in_query(raw),
            [b'@', number @ ..] => in_query(chosen_of(&self.given, number).as_bytes()),
            json => BASE64URL.encode(json),
        };
        let mut page = self.page(list, user, &format!("cursor={cursor}{limit}")).await;
        seen.answer(list.0, &page);
        self.check(list, user, &page);
        // API Gateway passes no such query on. From whoever invokes the function by itself it counts as
        // none, and each of its pages is the first one.
        let pages = if limit.len() > LINE_BYTES_MAX / 2 { 0 } else { PAGES };
        for _ in 0..pages {
            let Some(next) = page.body["nextCursor"].as_str().map(str::to_owned) else { return };
            let following = self.page(list, user, &format!("cursor={next}{limit}")).await;
            assert_eq!(following.status, 200, "a cursor that the list gave is refused");
            let shown = |of: &Answer| of.body["items"].as_array().cloned().unwrap_or_default();
            let before = shown(&page);
            let again = shown(&following).into_iter().find(|item| before.contains(item));
            assert_eq!(again, None, "an item is on two pages");
            seen.count("a second page");
            page = following;
            self.check(list, user, &page);
        }
    }
}

/// The cursor of this number; or of any text.
fn chosen_of<'a>(given: &'a [String], number: &[u8]) -> &'a str {
    let said = std::str::from_utf8(number).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let number = said.unwrap_or_else(|| fingerprint(number));
    let place = number % u64::try_from(given.len()).unwrap();
    &given[usize::try_from(place).unwrap()]
}

impl Cursors {
    async fn page(&self, (path, needs): (&str, &str), user: &str, query: &str) -> Answer {
        let authorization = match path {
            "/api/reservations" => format!("Bearer {}", self.world.token(user)),
            _another => as_admin(&self.world),
        };
        let headers = [("authorization", authorization.as_str())];
        call(&self.world, "GET", &format!("{path}?{needs}{query}"), &headers, b"").await
    }

    /// Nobody sees by any cursor what is not theirs, or more than they asked for at most.
    fn check(&self, (path, _): (&str, &str), user: &str, page: &Answer) {
        let items = page.body["items"].as_array().into_iter().flatten();
        assert!(items.clone().count() <= 100, "a page of {} items", items.count());
        if path == "/api/reservations" {
            for item in items {
                let token = item["holdToken"].as_str().unwrap();
                assert!(token.starts_with(user), "{user} sees {token}");
            }
        }
    }
}
