//! Single texts that end up in places where a text can do harm: the address that events are sent to, a
//! ticket, `If-Match`, and the address that a letter is sent to.
//!
//! An input says in its first line what it is: `url`, `ticket`, `if-match`, or `email`; the text follows.
//! `@TICKET@` is a good ticket. Behind `email` stand claims, in JSON, over those of a good token.

use std::net::IpAddr;

use domain::email::EmailAddress;
use edge::Keys;
use serde_json::{Value, json};

use super::{
    NO_LIMITS, Seen, Target, arena_seat, as_admin, call, chosen, filled, header_value, split_line,
};
use crate::create_subscription::SUBSCRIPTIONS;
use crate::issuer::{Key, claims};
use crate::world::{Answer, World};

const KINDS: [&str; 4] = ["url", "ticket", "if-match", "email"];

/// What changes only if the client knows it: the path, and a body that it takes.
const CHANGES: [(&str, &str); 3] = [
    ("/api/admin/cities/delhi", r#"{"name":"Delhi","timeZone":"Asia/Kolkata"}"#),
    ("/api/admin/shows/show-1/blocked-seats", r#"{"seatIds":["C1"]}"#),
    (
        "/api/admin/shows/show-2/prices",
        r#"{"prices":{"REGULAR":{"amount":5,"currency":"INR"},"PREMIUM":{"amount":6,"currency":"INR"}}}"#,
    ),
];

pub(super) struct Subscribers {
    world: World,
    key: Key,
    ticket: String,
    bookings: usize,
}

impl Target for Subscribers {
    const NAME: &'static str = "subscribers";
    const CASES: usize = 500;
    const CASES_PER_WORLD: usize = 1_000;
    const REACHES: &'static [&'static str] = &[
        "url 201",
        "url 400 invalid_request",
        "url 422 forbidden_target",
        "ticket 200",
        "ticket 400 invalid_ticket",
        "ticket 409 already_entered",
        "if-match 200",
        "if-match 412 precondition_failed",
        "if-match 428 precondition_required",
        "email 201",
        "email 401 unauthenticated",
        "a letter",
        "no letter",
    ];

    async fn open() -> Self {
        let world = World::new().await.with_limits(NO_LIMITS);
        let booked = world.book("ann", &["A1"], "t1").await;
        let id = booked["reservationId"].as_str().unwrap().parse().unwrap();
        let booking = world.store.reservation(&id).await.unwrap().unwrap();
        let ticket = world.app.ticket(&booking).unwrap();
        let Keys::Secret(secret) = world.tokens.keys.clone() else { panic!("a desk's secret") };
        let subscribers = Self { world, key: Key::secret(&secret), ticket, bookings: 0 };
        // Ann's own letter is out of the way.
        subscribers.letters().await;
        subscribers
    }

    fn world(&self) -> &World {
        &self.world
    }

    async fn send(&mut self, input: &[u8], seen: &mut Seen) {
        let (first, text) = split_line(input);
        let known = KINDS.iter().find(|kind| kind.as_bytes() == first);
        let kind = *known.unwrap_or_else(|| chosen(&KINDS, first));
        match kind {
            "url" => self.subscribe(text, seen).await,
            "ticket" => self.scan(text, seen).await,
            "if-match" => self.change(text, seen).await,
            _email => self.book(text, seen).await,
        }
    }
}

impl Subscribers {
    async fn as_admin(&self, method: &str, path: &str, body: &Value) -> Answer {
        let authorization = as_admin(&self.world);
        let headers = [("authorization", authorization.as_str())];
        call(&self.world, method, path, &headers, body.to_string().as_bytes()).await
    }

    /// Has events sent to a URL, and takes it back at once: there may be only so many.
    async fn subscribe(&self, text: &[u8], seen: &mut Seen) {
        let url = String::from_utf8_lossy(text);
        let answer = self.as_admin("POST", SUBSCRIPTIONS, &json!({"url": url})).await;
        seen.answer("url", &answer);
        if answer.status == 201 {
            let taken = reqwest::Url::parse(answer.body["url"].as_str().unwrap()).unwrap();
            assert!(is_public_or_here(&taken), "events would go to {taken}");
            let id = answer.body["subscriptionId"].as_str().unwrap();
            let path = format!("{SUBSCRIPTIONS}/{id}");
            assert_eq!(self.as_admin("DELETE", &path, &json!({})).await.status, 204);
        }
    }

    async fn scan(&self, text: &[u8], seen: &mut Seen) {
        let ticket = filled(text, &[("@TICKET@", &self.ticket)]);
        let ticket = String::from_utf8_lossy(&ticket);
        let scan_id = format!("s{:x}", super::fingerprint(text));
        let body = json!({"ticket": ticket, "gate": "Gate 1", "scanId": scan_id});
        let answer = self.as_admin("POST", "/api/admin/tickets/scan", &body).await;
        seen.answer("ticket", &answer);
    }

    async fn change(&self, text: &[u8], seen: &mut Seen) {
        let authorization = as_admin(&self.world);
        let if_match = header_value(text);
        let mut headers = vec![("authorization", authorization.as_str())];
        if !if_match.is_empty() {
            headers.push(("if-match", if_match.as_str()));
        }
        for (path, body) in CHANGES {
            let answer = call(&self.world, "PUT", path, &headers, body.as_bytes()).await;
            seen.answer("if-match", &answer);
        }
    }

    /// Books with a token of these claims. If that writes to somebody, it is to one address, and to the
    /// one that the claims say.
    async fn book(&mut self, text: &[u8], seen: &mut Seen) {
        let said: Value = serde_json::from_slice(text).unwrap_or_default();
        let mut claims = claims(&self.world);
        for (name, value) in said.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let authorization = format!("Bearer {}", self.key.token(&claims));
        let headers = [("authorization", authorization.as_str())];
        let (seat, token) = (arena_seat(self.bookings), format!("b{}", self.bookings));
        self.bookings += 1;
        let hold = json!({"showId": "arena-show", "seatIds": [seat], "holdToken": token});
        let path = "/api/reservations/hold";
        let held = call(&self.world, "POST", path, &headers, hold.to_string().as_bytes()).await;
        seen.answer("email", &held);
        if held.status != 201 {
            return;
        }
        let payment = self.world.pay(&held.body, "succeed").await;
        let confirm = json!({"holdToken": token, "paymentReference": payment}).to_string();
        let path = "/api/reservations/confirm";
        let booked = call(&self.world, "POST", path, &headers, confirm.as_bytes()).await;
        self.world.take_deliveries();
        assert_eq!(booked.status, 200, "{}", booked.body);
        let told = self.letters().await;
        assert!(told.len() <= 1, "{told:?}");
        seen.count(if told.is_empty() { "no letter" } else { "a letter" });
        for to in told {
            let [to] = &to[..] else { panic!("a letter to {to:?}") };
            assert!(to.parse::<EmailAddress>().is_ok(), "a letter to {to}");
            let is_said = [&claims["email"], &claims["sub"]].into_iter().any(|said| said == to);
            assert!(is_said, "a letter to {to}, whom nobody named");
        }
    }

    /// Tells what happened, and takes the letters about it: to whom they are. None may fail.
    async fn letters(&self) -> Vec<Vec<String>> {
        let before = self.world.mailbox.letters().len();
        self.world.publish().await;
        self.world.mail().await;
        for queue in ["Emails", "EmailsFailed", "RecordsFailed"] {
            assert_eq!(self.world.queues.depth(queue), 0, "something is left on {queue}");
        }
        let letters = self.world.mailbox.letters();
        letters.into_iter().skip(before).map(|letter| letter.to).collect()
    }
}

/// Whether a URL is by HTTPS and leads to no address inside, as far as its spelling says; or leads to
/// this very machine, which a desk allows.
fn is_public_or_here(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_public = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => return true,
        Ok(IpAddr::V4(address)) => {
            let is_inside = address.is_private() || address.is_link_local();
            !is_inside && !address.is_unspecified() && !address.is_multicast()
        }
        Ok(IpAddr::V6(address)) => address.segments()[0] >> 13 == 1,
        Err(_) => {
            let end = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
            if end == "localhost" {
                return true;
            }
            !["internal", "local"].contains(&end)
        }
    };
    is_public && url.scheme() == "https"
}
