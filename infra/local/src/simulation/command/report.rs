//! What a run has to say in the end.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::{Histories, Played, Report};
use crate::capacity::thousands;
use crate::simulation::{Shrunk, Step, Tally, Violation, expected, shrink};

/// So many histories, of so many operations together, should have everything in them that is expected.
const ENOUGH_HISTORIES: u64 = 100;
const ENOUGH_OPERATIONS: u64 = 100_000;

/// How often a history is played again to find a shorter one.
const PLAYS_MAX: usize = 600;

/// Groups of the tally, in the order in which they are read, and their titles.
const GROUPS: [(&str, &str); 5] = [
    ("answer", "How requests were answered"),
    ("state", "What became of seats, reservations and payments"),
    ("money", "What became of money"),
    ("fault", "What went wrong"),
    ("delivery", "How news came"),
];

/// Calls of `DynamoDB`, by operation.
const CALLS: &str = "call";

/// How often the rules were asked, and after what.
const CHECKS: &str = "check";
const WRITE: &str = "check: a write";

/// How often a planted bug changed a condition.
const PLANTED: &str = "fault: a planted bug";

/// Texts are written into strings, which take everything.
fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("a string takes everything");
    text
}

/// Of a run that is over after so many milliseconds.
pub(super) fn of(histories: &Histories<'_>, mut played: Played, millis: u64) -> Report {
    let digest = played.digest();
    let Played { tally, digests, broken } = played;
    if let Some((number, violation)) = broken {
        let text = broken_by(histories, number, &violation);
        return Report { text, held: false, tally, digest };
    }
    let (held, holes) = holes(histories, &tally);
    let text = written(|text| {
        let (count, operations) = (digests.len(), histories.operations);
        let last = histories.seed(histories.count() - 1);
        let rate = thousands(operations.saturating_mul(1_000) / millis);
        let [operations, seconds] = [operations, millis / 1_000].map(thousands);
        let [calls, writes] = [tally.sum(CALLS), tally.of(WRITE)].map(thousands);
        writeln!(text, "Histories: {count}, of the seeds {} to {last}", histories.first)?;
        writeln!(text, "Operations: {operations}, in {seconds} s: {rate} a second")?;
        writeln!(text, "Calls of DynamoDB: {calls}\n")?;
        text.push_str(&table(&tally));
        writeln!(text, "Digest: {digest:016x}. The same seeds end the same.")?;
        writeln!(text, "{holes}")?;
        writeln!(text, "All invariants held after each of {writes} writes, and at rest.")
    });
    Report { text, held, tally, digest }
}

/// Whether what should have happened did, and what to say of it.
fn holes(histories: &Histories<'_>, tally: &Tally) -> (bool, String) {
    if histories.bug.is_some() && tally.of(PLANTED) == 0 {
        return (false, "The planted bug is part of no condition that was checked.".to_owned());
    }
    let expected = expected();
    let missing = tally.missing(&expected);
    if missing.is_empty() {
        let count = expected.len();
        return (true, format!("What never happened: nothing, of {count} things that should."));
    }
    let is_hole =
        histories.count() >= ENOUGH_HISTORIES && histories.operations >= ENOUGH_OPERATIONS;
    let why = if is_hole { "this is a hole" } else { "in a run as short as this it may be so" };
    (!is_hole, format!("What never happened, and {why}:\n  {}", missing.join("\n  ")))
}

/// What happened and how often, group by group.
fn table(tally: &Tally) -> String {
    let others = tally.groups().into_iter().filter(|group| {
        let is_known = GROUPS.iter().any(|(known, _)| known == group);
        !is_known && ![CALLS, CHECKS].contains(group)
    });
    let others = others.map(|group| (group, group));
    let counts = [(CALLS, "Calls of DynamoDB"), (CHECKS, "What was checked, after what")];
    written(|text| {
        for (group, title) in GROUPS.into_iter().chain(others).chain(counts) {
            if tally.sum(group) == 0 {
                continue;
            }
            writeln!(text, "{title}")?;
            for (what, times) in tally.group(group) {
                writeln!(text, "  {what:<60}{:>16}", thousands(times))?;
            }
            text.push('\n');
        }
        Ok(())
    })
}

/// The first history, or only those of its steps that have these numbers, and whatever happened in it if
/// that is to be told.
pub(super) fn of_one(histories: &Histories<'_>, only: &[usize], keeps_trace: bool) -> Report {
    let all = histories.steps(0);
    // Numbers begin with 1, and steps are played in the order of the history, each of them once.
    let numbers: BTreeSet<usize> =
        if only.is_empty() { (1..=all.len()).collect() } else { only.iter().copied().collect() };
    let unknown = numbers.iter().find(|number| !(1..=all.len()).contains(*number));
    if let Some(unknown) = unknown {
        let text = format!("The history has {} steps, and no step {unknown}.", all.len());
        return Report { text, held: false, tally: Tally::default(), digest: 0 };
    }
    let numbers: Vec<usize> = numbers.into_iter().collect();
    let steps: Vec<Step> = numbers.iter().map(|number| all[number - 1].clone()).collect();
    let outcome = histories.play(0, &steps, keeps_trace);
    let text = written(|text| {
        if keeps_trace {
            writeln!(text, "{}", by_steps(&outcome.trace, &numbers))?;
        }
        match &outcome.violation {
            Some(violation) => text.write_str(&headline(histories, 0, violation, &numbers)),
            None => writeln!(text, "All invariants held. Digest: {:016x}", outcome.digest),
        }
    });
    let held = outcome.violation.is_none();
    Report { text, held, tally: outcome.tally, digest: outcome.digest }
}

/// What a history broke that consists of the steps with these numbers.
fn headline(
    histories: &Histories<'_>,
    number: u64,
    violation: &Violation,
    numbers: &[usize],
) -> String {
    let Violation { step, rule, detail } = violation;
    let (seed, length) = (histories.seed(number), histories.length(number));
    let at = numbers.get(*step).map_or_else(
        || "at rest, after its last step".to_owned(),
        |step| format!("in step {step} of {length}"),
    );
    format!("BROKEN: {rule}\nby the history of seed {seed}, {at}\n{detail}\n")
}

/// What a history broke, and the least of it that breaks the same.
fn broken_by(histories: &Histories<'_>, number: u64, violation: &Violation) -> String {
    let steps = histories.steps(number);
    let numbers: Vec<usize> = (1..=steps.len()).collect();
    let headline = headline(histories, number, violation, &numbers);
    eprintln!("{headline}Looking for the shortest history that breaks this rule …");
    let play = |steps: &[Step]| histories.play(number, steps, false).violation;
    let shrunk = shrink(&steps, violation, PLAYS_MAX, play);
    let trace = histories.play(number, &shrunk.steps, true).trace;
    let numbers: Vec<usize> = shrunk.positions.iter().map(|position| position + 1).collect();
    let (explained, again) = (explained(&shrunk, &numbers, &trace), histories.command_of(number));
    written(|text| {
        // Had one of them broken a rule, it would be told instead, so they are all that came before.
        writeln!(text, "{headline}Histories before it that held: {}", thousands(number))?;
        writeln!(text, "\n{explained}")?;
        let only: Vec<String> = numbers.iter().map(usize::to_string).collect();
        writeln!(text, "These steps again:\n  {again} --only {} --trace", only.join(","))?;
        writeln!(text, "The whole history again:\n  {again}")
    })
}

/// Says what the steps are that a violation takes, and what happens in them.
fn explained(shrunk: &Shrunk, numbers: &[usize], trace: &[String]) -> String {
    let Shrunk { steps, violation, plays, is_minimal, .. } = shrunk;
    written(|text| {
        let (count, plays) = (steps.len(), thousands(u64::try_from(*plays).unwrap_or(u64::MAX)));
        let end = if *is_minimal {
            "without any one of them this does not happen"
        } else {
            "perhaps fewer would do"
        };
        writeln!(text, "It takes {count} steps; {end} ({plays} histories played to find them):")?;
        for (number, Step { action, .. }) in numbers.iter().zip(steps) {
            writeln!(text, "  {number:>6} {action}")?;
        }
        writeln!(text, "What happens in them:")?;
        text.push_str(&by_steps(trace, numbers));
        writeln!(text, "  {}: {}", violation.rule, violation.detail)
    })
}

/// What happened, below the step in which it did. Steps have the numbers of the whole history.
fn by_steps(trace: &[String], numbers: &[usize]) -> String {
    written(|text| {
        trace.iter().try_for_each(|line| match border(line, numbers) {
            Some(border) => writeln!(text, "{border}"),
            None => writeln!(text, "  {line}"),
        })
    })
}

/// The line with which a step begins, if it is one: behind the time it says `-- 2 hold`, where 2 counts
/// the steps that were played. One without a number stays as it is.
fn border(line: &str, numbers: &[usize]) -> Option<String> {
    let border = line.splitn(3, ' ').nth(2)?.strip_prefix("-- ")?;
    let numbered = border.split_once(' ').and_then(|(played, action)| {
        let position = played.parse::<usize>().ok()?.checked_sub(1)?;
        Some(format!("-- {} {action}", numbers.get(position)?))
    });
    Some(numbered.unwrap_or_else(|| format!("-- {border}")))
}
