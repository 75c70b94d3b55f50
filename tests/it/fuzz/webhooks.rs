//! Webhooks of every provider: their headers and signatures, what they say, and what becomes of that
//! behind the queue.
//!
//! An input has its envelope in the first line, in JSON, and the body behind it. The body is signed after
//! it was mutated, unless the envelope says `"sign": false`; `ageSecs` is how long ago, and `headers` are
//! put over those of the signature. `@RESERVATION@` is one that is held.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::payment::{Event, Refund};
use ring::hmac;
use serde_json::{Value, json};

use super::{
    Seen, Target, chosen, filled, fingerprint, header_value, invoke, is_header_name, put_body,
    split_line,
};
use crate::world::{Answer, WEBHOOK_SECRETS, World};

/// The providers that sign.
const PROVIDERS: [&str; 3] = ["sandbox", "stripe", "razorpay"];

/// Holds that payments can be for.
const HOLDS: usize = 12;

/// Events that are settled between two audits.
const SETTLED_PER_AUDIT: usize = 10;

pub(super) struct Webhooks {
    world: World,
    reservations: Vec<String>,
    /// Events on the queue that wait for their payment.
    waiting: usize,
    settled: usize,
}

/// What is around a body.
struct Envelope {
    provider: String,
    is_signed: bool,
    age_secs: i64,
    headers: Vec<(String, String)>,
}

impl Envelope {
    /// What a line says, and where it says nothing, what reaches furthest.
    fn of(line: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(line).unwrap_or_default();
        let provider = said["provider"].as_str().unwrap_or_else(|| *chosen(&PROVIDERS, line));
        let headers = said["headers"].as_object().into_iter().flatten();
        let header = |(name, value): (&String, &Value)| {
            let value = header_value(value.as_str().unwrap_or_default().as_bytes());
            is_header_name(name).then(|| (name.clone(), value))
        };
        Self {
            provider: provider.to_owned(),
            is_signed: said["sign"] != false,
            age_secs: said["ageSecs"].as_i64().unwrap_or_default(),
            headers: headers.filter_map(header).collect(),
        }
    }
}

impl Target for Webhooks {
    const NAME: &'static str = "webhooks";
    const CASES: usize = 700;
    const CASES_PER_WORLD: usize = 120;
    const REACHES: &'static [&'static str] = &[
        "sandbox 200 queued",
        "stripe 200 queued",
        "razorpay 200 queued",
        "stripe 200 not queued",
        "sandbox 400 invalid_signature",
        "stripe 400 invalid_signature",
        "razorpay 400 invalid_signature",
        "stripe 400 invalid_request",
        "another 404 not_found",
        "booked",
        "parked",
        "out of turn",
        "audited",
    ];

    async fn open() -> Self {
        let world = World::new().await;
        let mut reservations = Vec::new();
        for number in 1..=HOLDS {
            let (user, seat) = (format!("user-{number}"), format!("A{number}"));
            let held = world.hold(&user, &[&seat], "t").await.expect(201);
            reservations.push(held["reservationId"].as_str().unwrap().to_owned());
        }
        Self { world, reservations, waiting: 0, settled: 0 }
    }

    fn world(&self) -> &World {
        &self.world
    }

    async fn send(&mut self, input: &[u8], seen: &mut Seen) {
        let (first, rest) = split_line(input);
        let envelope = Envelope::of(first);
        let reservation = chosen(&self.reservations, input);
        let body = filled(rest, &[("@RESERVATION@", reservation)]);
        let answer = self.post(&envelope, &body).await;
        let known = PROVIDERS.iter().find(|known| **known == envelope.provider);
        let name = known.copied().unwrap_or("another");
        if answer.status != 200 {
            seen.answer(name, &answer);
            return;
        }
        let is_queued = answer.body["queued"] == true;
        seen.answer("any", &answer);
        seen.count(format!("{name} 200 {}", if is_queued { "queued" } else { "not queued" }));
        if is_queued {
            self.settle(seen).await;
        }
    }
}

impl Webhooks {
    async fn post(&self, envelope: &Envelope, body: &[u8]) -> Answer {
        let mut headers = if envelope.is_signed { self.signature(envelope, body) } else { vec![] };
        headers.extend(envelope.headers.iter().cloned());
        let (route, mut event) = self.world.event("POST", "/api/payments/webhooks/stripe", &[], "");
        event["pathParameters"]["provider"] = json!(envelope.provider);
        for (name, value) in headers {
            event["headers"][name.to_ascii_lowercase()] = json!(value);
        }
        put_body(&mut event, body);
        invoke(&self.world, &route, event).await
    }

    /// The headers by which a provider signs.
    fn signature(&self, envelope: &Envelope, body: &[u8]) -> Vec<(String, String)> {
        let secret_of = |provider: &str| {
            let of_it = WEBHOOK_SECRETS.iter().find(|(of, _)| *of == provider);
            of_it.map_or("", |(_, secret)| *secret)
        };
        let second = self.world.now().timestamp().saturating_sub(envelope.age_secs);
        let owned = |name: &str, value: String| (name.to_owned(), value);
        match envelope.provider.as_str() {
            "stripe" => {
                let before = format!("{second}.");
                let signed = [before.as_bytes(), body].concat();
                let signature = hex(&tag(secret_of("stripe").as_bytes(), &signed));
                vec![owned("stripe-signature", format!("t={second},v1={signature}"))]
            }
            "razorpay" => {
                let signature = hex(&tag(secret_of("razorpay").as_bytes(), body));
                vec![owned("x-razorpay-signature", signature)]
            }
            _sandbox => {
                let key = secret_of("sandbox").trim_start_matches("whsec_");
                let key = BASE64.decode(key).unwrap();
                let id = format!("msg_{:016x}", fingerprint(body));
                let before = format!("{id}.{second}.");
                let signed = [before.as_bytes(), body].concat();
                let signature = BASE64.encode(tag(&key, &signed));
                vec![
                    owned("webhook-id", id),
                    owned("webhook-timestamp", second.to_string()),
                    owned("webhook-signature", format!("v1,{signature}")),
                ]
            }
        }
    }

    /// Has what is on the queue settled. All of it must be, but what waits for a payment that nobody
    /// told of yet.
    async fn settle(&mut self, seen: &mut Seen) {
        self.world.process().await;
        let left = self.world.queues.bodies("PaymentEvents");
        for body in &left[self.waiting..] {
            assert!(self.is_out_of_turn(body).await, "an event fails: {body}");
            seen.count("out of turn");
        }
        self.waiting = left.len();
        assert_eq!(self.world.queues.depth("PaymentEventsFailed"), 0, "an event is given up");
        for (status, _) in self.world.payments() {
            match status.as_str() {
                "SUCCESS" => seen.count("booked"),
                "PARKED" => seen.count("parked"),
                _another => {}
            }
        }
        self.settled += 1;
        if self.settled.is_multiple_of(SETTLED_PER_AUDIT) {
            let path = "/api/admin/shows/show-1/audit";
            let audit = self.world.admin("GET", path, Value::Null).await.expect(200);
            assert_eq!(audit["findings"], json!([]), "the books are not sound any more");
            seen.count("audited");
        }
    }

    /// Whether an event tells of money that went back of a payment that nobody told of: it comes again
    /// later, which is as it must be.
    async fn is_out_of_turn(&self, body: &str) -> bool {
        let event: Event = serde_json::from_str(body).unwrap();
        let Event::Refund { provider, reference, refund: Refund::Done, .. } = event else {
            return false;
        };
        self.world.store.payment(&provider, &reference).await.unwrap().is_none()
    }
}

fn tag(key: &[u8], signed: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
