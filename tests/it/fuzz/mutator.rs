//! Mutations: inputs that are nearly those of a corpus. Bytes are changed anywhere, words are replaced
//! by ones that break something somewhere, and JSON is changed so that it stays JSON.

use std::ops::Range;

use fastrand::Rng;
use serde_json::{Value, json};

/// Bytes of an input, at most. What is larger takes its time and finds nothing that this does not;
/// largest bodies have tests of their own.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Lists and objects that stand in each other: more than any parser follows.
const DEPTH: usize = 200;

/// What breaks something somewhere.
const WORDS: &[&str] = &[
    "",
    " ",
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\"",
    "'",
    "\\",
    "/",
    "//",
    "..",
    "../",
    "%",
    "%00",
    "%2e%2e",
    "%ff",
    "+",
    "&",
    "=",
    "?",
    "#",
    "#MAIN",
    ",",
    ";",
    ":",
    ".",
    "..",
    "*",
    "$",
    "@",
    "=?utf-8?q?a?=",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[",
    "null",
    "true",
    "false",
    "NaN",
    "Infinity",
    "0",
    "-0",
    "00",
    "+1",
    "-1",
    "1e1",
    "1.5",
    "1e308",
    "1e400",
    "0x10",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "1000000000000",
    "1000000000001",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "0000-01-01",
    "0001-01-01T00:00:00Z",
    "9999-12-31",
    "9999-12-31T23:59",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:60-23:59",
    "+10000-01-01T00:00:00Z",
    "+262142-12-31T23:59:59Z",
    "-262143-01-01T00:00:00Z",
    "2026-02-29",
    "2026-03-29T01:30",
    "2026-11-25T24:00",
    "Europe/London",
    "\u{feff}",
    "\u{7f}",
    "\u{80}",
    "\u{a0}",
    "é",
    "e\u{301}",
    "ß",
    "İ",
    "ﷺ",
    "नमस्ते",
    "\u{202e}",
    "\u{2028}",
    "\u{fffd}",
    "\u{10ffff}",
    "👩‍👩‍👧‍👦",
    "\u{301}\u{301}\u{301}\u{301}",
    "' OR '1'='1",
    "attribute_not_exists(pk)",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "=cmd|'/c calc'!A1",
    "Bearer ",
    "none",
    "HS256",
    "crit",
    "__proto__",
    "show-1",
    "screen-1",
    "A1",
    "ann",
    "INR",
    "JPY",
    "KWD",
    "UGX",
    "ON_SALE",
    "CANCELLED",
    "localhost",
    "127.0.0.1",
    "[::1]",
];

/// Numbers at limits, and beyond.
const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    10,
    11,
    99,
    100,
    101,
    255,
    999,
    1_000,
    5_000,
    45_000,
    45_001,
    65_535,
    65_536,
    1_000_000_000_000,
    1_000_000_000_001,
    i64::MAX,
    i64::MIN,
];

/// An input that is one of the corpus, changed here and there.
pub(super) fn mutated(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus[rng.usize(..corpus.len())].clone();
    loop {
        match rng.u8(..16) {
            0 => flip(rng, &mut input),
            1 => {
                let bytes: Vec<u8> = (0..rng.usize(1..5)).map(|_| rng.u8(..)).collect();
                insert(rng, &mut input, bytes);
            }
            2 => drop(input.drain(some(rng, input.len()))),
            3 => {
                let bytes = input[some(rng, input.len())].to_vec();
                let times = rng.usize(1..9);
                insert(rng, &mut input, bytes.repeat(times));
            }
            4 => {
                let other = &corpus[rng.usize(..corpus.len())];
                let end = other[rng.usize(..=other.len())..].to_vec();
                input.truncate(rng.usize(..=input.len()));
                input.extend(end);
            }
            5 => {
                let word = word(rng);
                insert(rng, &mut input, word);
            }
            6..=9 => replace_token(rng, &mut input),
            _ => {
                if !change_json(rng, &mut input) {
                    replace_token(rng, &mut input);
                }
            }
        }
        // Mostly one thing is wrong with what comes, sometimes many.
        if rng.u8(..5) < 3 {
            break;
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn flip(rng: &mut Rng, input: &mut [u8]) {
    if !input.is_empty() {
        let place = rng.usize(..input.len());
        input[place] ^= 1 << rng.u8(..8);
    }
}

fn insert(rng: &mut Rng, input: &mut Vec<u8>, bytes: Vec<u8>) {
    let place = rng.usize(..=input.len());
    drop(input.splice(place..place, bytes));
}

/// A few places beside each other, of so many.
fn some(rng: &mut Rng, of: usize) -> Range<usize> {
    let start = rng.usize(..=of);
    start..start + rng.usize(..=(of - start).min(24))
}

fn word(rng: &mut Rng) -> Vec<u8> {
    let word = WORDS[rng.usize(..WORDS.len())];
    match rng.u8(..24) {
        0 => word.repeat(rng.usize(1..2_000)).into_bytes(),
        1 => rng.i64(..).to_string().into_bytes(),
        2 => "x".repeat([128, 129, 200, 201, 254, 255, 2_049][rng.usize(..7)]).into_bytes(),
        _as_it_is => word.as_bytes().to_vec(),
    }
}

/// Puts a word in the place of another one: of a name, a number, a time.
fn replace_token(rng: &mut Rng, input: &mut Vec<u8>) {
    if input.is_empty() {
        return;
    }
    let is_of_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:+@".contains(byte);
    let place = rng.usize(..input.len());
    let before = input[..place].iter().rev().take_while(|byte| is_of_one(byte)).count();
    let after = input[place..].iter().take_while(|byte| is_of_one(byte)).count();
    let word = word(rng);
    drop(input.splice(place - before..place + after, word));
}

/// Changes something in a line, or in all from a line on, that is an object or a list in JSON. Says
/// whether there was any.
fn change_json(rng: &mut Rng, input: &mut Vec<u8>) -> bool {
    let ends = input.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let mut starts: Vec<usize> = ends.map(|(place, _)| place + 1).collect();
    starts.push(0);
    rng.shuffle(&mut starts);
    for start in starts {
        let line = input[start..].iter().position(|byte| *byte == b'\n');
        let line_end = line.map_or(input.len(), |length| start + length);
        for end in [input.len(), line_end] {
            let Ok(mut value) = serde_json::from_slice::<Value>(&input[start..end]) else {
                continue;
            };
            if value.is_object() || value.is_array() {
                change(rng, &mut value);
                drop(input.splice(start..end, value.to_string().into_bytes()));
                return true;
            }
        }
    }
    false
}

/// Changes one thing somewhere in a document.
fn change(rng: &mut Rng, value: &mut Value) {
    if rng.u8(..5) == 0 {
        *value = anything(rng);
        return;
    }
    match value {
        Value::Object(members) if !members.is_empty() => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = &names[rng.usize(..names.len())];
            match rng.u8(..8) {
                0 => drop(members.remove(name)),
                1 => {
                    let other = names[rng.usize(..names.len())].clone();
                    let copy = members[name].clone();
                    members.insert(other, copy);
                }
                2 => {
                    let (added, with) = (text(rng), anything(rng));
                    members.insert(added, with);
                }
                _deeper => change(rng, members.get_mut(name).expect("it is one of its names")),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let place = rng.usize(..items.len());
            match rng.u8(..8) {
                0 => drop(items.remove(place)),
                1 => {
                    let item = items[place].clone();
                    items.extend(std::iter::repeat_n(item, rng.usize(1..12)));
                }
                2 => items.push(anything(rng)),
                _deeper => change(rng, &mut items[place]),
            }
        }
        Value::String(now) => {
            let word = text(rng);
            *now = match rng.u8(..3) {
                0 => word,
                1 => format!("{now}{word}"),
                _ => format!("{word}{now}"),
            };
        }
        Value::Number(number) => {
            let now = number.as_i64().unwrap_or_default();
            *value = match rng.u8(..4) {
                0 => json!(now.wrapping_add(1)),
                1 => json!(now.wrapping_sub(1)),
                2 => json!(now.wrapping_mul(10)),
                _ => json!(NUMBERS[rng.usize(..NUMBERS.len())]),
            };
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => *value = anything(rng),
    }
}

fn text(rng: &mut Rng) -> String {
    String::from_utf8_lossy(&word(rng)).into_owned()
}

/// Any value of JSON.
fn anything(rng: &mut Rng) -> Value {
    match rng.u8(..12) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!({}),
        3 => json!([]),
        4 => json!([text(rng)]),
        5 => json!({text(rng): NUMBERS[rng.usize(..NUMBERS.len())]}),
        6 => json!(u64::MAX),
        7 => json!(1.5),
        8 => (0..DEPTH).fold(json!(1), |inner, _| json!([inner])),
        9 | 10 => json!(NUMBERS[rng.usize(..NUMBERS.len())]),
        _text => json!(text(rng)),
    }
}
