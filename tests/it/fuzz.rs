//! Fuzzing of everything that strangers send: whatever it is, no handler panics, none answers 5xx, and
//! each answer is one that `openapi.yaml` has.
//!
//! Method: each [`Target`] has a folder of inputs, its corpus (`fuzz/corpus/<target>`). First each of
//! them is used as it is; then they are mutated ([`mutator`]), byte by byte, word by word, and within
//! their JSON. A target reads an input as text of lines, so that signing, Base64 and the like come
//! *after* the mutation, and what is behind a signature is reached as often as the signature itself.
//! Everything goes through the real handlers, with the events that API Gateway makes.
//!
//! `MARQUEE_FUZZ_CASES=100000` says how many mutated inputs each target gets; `MARQUEE_SEED`, which is
//! printed, gives the same ones again. An input that breaks something is written to
//! `target/fuzz/<target>`. It is sent once more to a world of its own: what breaks there can be put into
//! the corpus as it is, and what does not takes those before it, which the seed gives.
//!
//! Why no crate does this: `proptest` makes values from strategies and shrinks them, but mutates no
//! corpus, and each case of ours waits for handlers, which its closures cannot. `bolero` mutates a
//! corpus only under a fuzzing engine (libFuzzer and the like, by a toolchain of its own); in a plain
//! test run it replays the corpus and draws bytes at random, which do not come past the first parser
//! of JSON. It would cost a dozen crates.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fastrand::Rng;
use local::runtime::ANSWER_BYTES_MAX;
use local::template::Route;
use serde_json::{Value, json};

use crate::contract;
use crate::world::{Answer, World};

mod cursors;
mod layouts;
mod mutator;
mod requests;
mod schedules;
mod subscribers;
mod tokens;
mod webhooks;

/// Of the answers of a target, one in so many must come from behind its first parser.
const DEEP_ONE_IN: u32 = 40;

/// Bytes of a URL and its headers that API Gateway takes.
const LINE_BYTES_MAX: usize = 10_240;

/// Limits that nobody comes to: one user sends most of what is sent.
const NO_LIMITS: &str = "hold=100000/100,confirm=100000/100,cancel=100000/100,\
    checkout=100000/100,read=100000/100,held_seats=1000";

/// What each problem is called. Clients branch on it, so nobody is told anything else.
const CODES: &[&str] = &[
    "accessible_seats",
    "already_cancelled",
    "already_confirmed",
    "already_entered",
    "already_exists",
    "cancellation_closed",
    "duplicate_seats",
    "forbidden",
    "forbidden_target",
    "hold_expired",
    "hold_token_reused",
    "in_use",
    "invalid_layout",
    "invalid_request",
    "invalid_schedule",
    "invalid_show",
    "invalid_signature",
    "invalid_ticket",
    "not_found",
    "orphan_seats",
    "payload_too_large",
    "payment_failed",
    "payment_mismatch",
    "precondition_failed",
    "precondition_required",
    "rate_limited",
    "seats_unavailable",
    "show_cancelled",
    "show_not_on_sale",
    "show_overlaps",
    "too_many_seats",
    "too_many_subscriptions",
    "unauthenticated",
    "unknown_reference",
    "unknown_seats",
    "wrong_show",
];

/// Something that strangers send, and a world that gets it.
trait Target: Sized {
    /// What its corpus is called.
    const NAME: &'static str;

    /// Mutated inputs, if nobody says how many.
    const CASES: usize;

    /// Inputs that one world gets. Then comes a new one: what is taken is free again.
    const CASES_PER_WORLD: usize;

    /// What must be seen, or the target does not reach what it is for. The corpus alone must do it, so
    /// that no draw of inputs can miss it.
    const REACHES: &'static [&'static str];

    async fn open() -> Self;

    fn world(&self) -> &World;

    /// Inputs besides those of the corpus.
    fn seeds(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// Sends what an input says.
    async fn send(&mut self, input: &[u8], seen: &mut Seen);
}

/// What came of a target's inputs.
#[derive(Debug, Default)]
struct Seen {
    times: BTreeMap<String, u32>,
    answers: u32,
    /// Answers from behind the door and the first parser: to somebody who may, of what is there.
    deep: u32,
}

impl Seen {
    fn count(&mut self, what: impl Into<String>) {
        *self.times.entry(what.into()).or_default() += 1;
    }

    /// Counts an answer to `what`, as in `hold 409 seats_unavailable`.
    fn answer(&mut self, what: &str, answer: &Answer) {
        self.answers += 1;
        self.deep += u32::from(!matches!(answer.status, 400 | 401 | 403 | 404));
        let code = answer.body["code"].as_str().filter(|_| answer.status >= 400);
        let code = code.map(|code| format!(" {code}")).unwrap_or_default();
        self.count(format!("{what} {}{code}", answer.status));
    }
}

/// Gives a target its corpus, and as many mutated inputs as are asked for.
async fn fuzz<T: Target>() {
    let seed = number_of("MARQUEE_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("MARQUEE_SEED={seed}");
    let cases = number_of("MARQUEE_FUZZ_CASES").and_then(|cases| usize::try_from(cases).ok());
    let cases = cases.unwrap_or(T::CASES);
    let mut rng = Rng::with_seed(seed ^ fingerprint(T::NAME.as_bytes()));
    let mut target = T::open().await;
    let mut corpus = corpus(T::NAME);
    corpus.extend(target.seeds());
    let mut seen = Seen::default();
    for number in 0..corpus.len() + cases {
        if number > 0 && number % T::CASES_PER_WORLD == 0 {
            target = T::open().await;
        }
        let input = match corpus.get(number) {
            Some(whole) => whole.clone(),
            None => mutator::mutated(&mut rng, &corpus),
        };
        if let Err(panic) = caught(target.send(&input, &mut seen)).await {
            let file = kept(T::NAME, &input);
            let alone = alone::<T>(&input).await;
            panic!(
                "{} breaks at input {number} (MARQUEE_SEED={seed}), kept in {}, {alone}: {panic}",
                T::NAME,
                file.display()
            );
        }
        if number + 1 == corpus.len() {
            let missed = |what: &&&str| !seen.times.contains_key(**what);
            let missed: Vec<_> = T::REACHES.iter().filter(missed).collect();
            assert!(missed.is_empty(), "the corpus of {} never came to {missed:?}", T::NAME);
        }
        // What it called nobody asks about, and in a long run it would fill the memory.
        target.world().wire.take_calls();
    }
    println!("{}, {cases} mutated inputs: {seen:#?}", T::NAME);
    assert!(seen.deep * DEEP_ONE_IN >= seen.answers, "{} stays at the door", T::NAME);
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// The inputs in a target's folder, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{} has hardly anything to begin with", folder.display());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Whether an input that broke something breaks it in a new world, too, in words.
async fn alone<T: Target>(input: &[u8]) -> &'static str {
    let mut target = T::open().await;
    match caught(target.send(input, &mut Seen::default())).await {
        Ok(()) => "which breaks only after those before it",
        Err(_) => "which breaks alone, too",
    }
}

/// Writes an input down that broke something. Says where.
fn kept(target: &str, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz").join(target);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.canonicalize().unwrap().join(format!("{:016x}", fingerprint(input)));
    std::fs::write(&file, input).unwrap();
    file
}

/// A number for some bytes, the same in every run (FNV-1a).
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// One of `all`, chosen by what an input says.
fn chosen<'a, T>(all: &'a [T], by: &[u8]) -> &'a T {
    let count = u64::try_from(all.len()).unwrap();
    &all[usize::try_from(fingerprint(by) % count).unwrap()]
}

/// What `work` comes to, or what it panics with.
async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(panic) => Poll::Ready(Err(words_of(&*panic))),
    })
    .await
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// The first line of an input, and what follows it.
fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[]),
    }
}

/// `input` with each name in it replaced by what it stands for in this world.
fn filled(input: &[u8], names: &[(&str, &str)]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some(first) = rest.first() {
        match names.iter().find(|(name, _)| rest.starts_with(name.as_bytes())) {
            Some((name, text)) => {
                filled.extend_from_slice(text.as_bytes());
                rest = &rest[name.len()..];
            }
            None => {
                filled.push(*first);
                rest = &rest[1..];
            }
        }
    }
    filled
}

/// What can be the value of a header: HTTP allows no control characters in one, and nobody gets them
/// past API Gateway.
fn header_value(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|letter| !letter.is_ascii_control() || *letter == '\t').collect()
}

/// Whether HTTP lets a header be called so (RFC 9110, section 5.1).
fn is_header_name(text: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_legal)
}

/// Text as a value in a query: all but letters and digits percent-encoded.
fn in_query(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Puts a body into an event as API Gateway does: what is no text comes in Base64.
fn put_body(event: &mut Value, body: &[u8]) {
    let text = std::str::from_utf8(body);
    event["isBase64Encoded"] = json!(text.is_err());
    event["body"] = text.map_or_else(|_| json!(BASE64.encode(body)), |text| json!(text));
}

/// Calls the function behind a path with a body of any bytes.
async fn call(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let (route, mut event) = world.event(method, path, headers, "");
    put_body(&mut event, body);
    invoke(world, &route, event).await
}

/// Calls a route's function with an event, and checks what it answers.
async fn invoke(world: &World, route: &Route, event: Value) -> Answer {
    let answer = world.invoke(route, event).await;
    contract::check(&route.method, &route.path, &answer);
    check(route, &answer);
    answer
}

/// Panics unless an answer is one that a stranger may get.
fn check(route: &Route, answer: &Answer) {
    let what = format!("{} {}", route.method, route.path);
    let Answer { status, body, .. } = answer;
    assert!(*status < 500, "{what} answers {status}: {body}");
    // Lambda's answer has the body as a text in JSON.
    let bytes = Value::String(body.to_string()).to_string().len();
    assert!(bytes < ANSWER_BYTES_MAX, "{what} answers {bytes} bytes, which Lambda takes for 502");
    if *status >= 400 {
        assert_eq!(body["status"], *status, "{what}");
        let code = body["code"].as_str().unwrap_or_default();
        assert!(CODES.contains(&code), "{what} answers {status} `{code}`, which nobody knows");
    }
}

/// What an admin's `Authorization` says.
fn as_admin(world: &World) -> String {
    let token = local::token::mint(&world.tokens, "boss", edge::Role::Admin, world.now());
    format!("Bearer {token}")
}

/// A seat of the arena, another one for each number up to 6,000.
fn arena_seat(number: usize) -> String {
    let section = ["NORTH", "SOUTH", "EAST"][number / 2_000 % 3];
    let row = char::from(b'A' + u8::try_from(number / 100 % 20).unwrap());
    format!("{section}-{row}{}", number % 100 + 1)
}

#[tokio::test]
async fn whoever_comes_with_any_token_is_told_who_they_are_or_are_not() {
    fuzz::<tokens::Tokens>().await;
}

#[tokio::test]
async fn whatever_a_provider_tells_can_be_settled() {
    fuzz::<webhooks::Webhooks>().await;
}

#[tokio::test]
async fn any_cursor_leads_to_a_page_or_nowhere() {
    fuzz::<cursors::Cursors>().await;
}

#[tokio::test]
async fn any_layout_is_one_or_is_told_why_not() {
    fuzz::<layouts::Layouts>().await;
}

#[tokio::test]
async fn any_schedule_is_loaded_or_is_told_why_not() {
    fuzz::<schedules::Schedules>().await;
}

#[tokio::test]
async fn any_request_to_any_operation_is_answered_as_documented() {
    fuzz::<requests::Requests>().await;
}

#[tokio::test]
async fn any_address_ticket_or_version_is_taken_or_refused() {
    fuzz::<subscribers::Subscribers>().await;
}

/// Goal: the harness finds what it is for. Method: a panic in the middle of a case, and mutations until
/// one undoes a JSON document and one keeps it.
#[tokio::test]
async fn a_panic_is_caught_with_its_words_and_mutations_keep_and_break() {
    let broken = caught::<()>(async {
        tokio::task::yield_now().await;
        panic!("a bug")
    });
    assert!(broken.await.unwrap_err().contains("a bug"));
    assert_eq!(caught(async { 7 }).await, Ok(7));

    let corpus = [br#"{"a": [1, "two", {"three": null}], "b": "2026-11-25"}"#.to_vec()];
    let mut rng = Rng::with_seed(1);
    let mutated: Vec<_> = (0..200).map(|_| mutator::mutated(&mut rng, &corpus)).collect();
    let whole = mutated.iter().filter(|text| serde_json::from_slice::<Value>(text).is_ok()).count();
    assert!((40..180).contains(&whole), "{whole} of 200 are JSON");
    let changed = mutated.iter().filter(|text| **text != corpus[0]).count();
    assert!(changed > 150, "{changed} of 200 are changed");
    let mut rng = Rng::with_seed(1);
    assert_eq!(mutator::mutated(&mut rng, &corpus), mutated[0], "the same seed, the same input");
}
