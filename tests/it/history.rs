//! Random histories: whatever users, the house, the provider and the machines do, no rule is broken.
//!
//! Method: the simulation (`local::simulation`), which `cargo run -p local --release -- simulate` plays
//! for a million operations; here it is a short run with other seeds each time. A history that breaks a
//! rule is told with its seed and the few steps that it takes, and `MARQUEE_SEED` gives it back. What it
//! is worth depends on three things. The same seed is the same history, and one that is broken is found
//! and cut down: that is tested here. What should happen in histories does: a long run of the command
//! fails if it does not.

use local::simulation::{
    Arguments, Bug, Report, Step, Violation, history, play, play_with, shrink, simulate,
};

/// Histories with seeds that are drawn, and how long they are.
const HISTORIES: u64 = 6;
const OPERATIONS: u64 = 150;

/// Whether the first of so many histories finds a planted bug, or the last, is up to the seeds.
const PLANTED_HISTORIES: u64 = 12;
const PLANTED_OPERATIONS: u64 = 100;

/// So many histories from a seed on.
fn run_of(first: u64, histories: u64, operations_per_seed: u64) -> Arguments {
    Arguments {
        seed: Some(first),
        operations: histories * operations_per_seed,
        operations_per_seed,
        jobs: Some(1),
        trace: false,
        only: Vec::new(),
        plant: None,
    }
}

/// One history, which must break no rule.
#[track_caller]
fn check(seed: u64) {
    println!("MARQUEE_SEED={seed}");
    let Report { text, held, .. } = simulate(&run_of(seed, 1, OPERATIONS));
    assert!(held, "{text}");
}

#[test]
fn no_history_breaks_an_invariant() {
    if let Ok(seed) = std::env::var("MARQUEE_SEED") {
        check(seed.parse().unwrap());
        return;
    }
    let first = fastrand::u64(..);
    for number in 0..HISTORIES {
        check(first.wrapping_add(number));
    }
}

#[test]
fn the_same_seed_is_the_same_history_on_any_thread() {
    let steps = history(7, 100);
    assert_eq!(steps, history(7, 100));
    assert_ne!(steps, history(8, 100));
    let (here, elsewhere) = std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| play(7, &steps, true));
        (play(7, &steps, true), elsewhere.join().unwrap())
    });
    assert!(here.trace.len() > steps.len(), "there is something to compare");
    assert_eq!(here, elsewhere);

    let untold = play(7, &steps, false);
    assert_eq!((untold.digest, &untold.tally), (here.digest, &here.tally), "telling changes it");
    assert_eq!(untold.trace, [""; 0]);
    assert_ne!(here.digest, play(8, &steps, false).digest, "the same steps in other weather");
    assert_ne!(here.digest, play(7, &steps[1..], false).digest, "other steps");
}

#[test]
fn how_many_play_makes_no_difference() {
    // The last history is a short one.
    let alone = Arguments { operations: 230, ..run_of(20, 6, 40) };
    let together = Arguments { jobs: Some(3), ..alone.clone() };
    let [alone, together] = [alone, together].map(|arguments| simulate(&arguments));
    assert!(alone.held, "{}", alone.text);
    assert_eq!((alone.digest, alone.tally), (together.digest, together.tally));
}

/// The numbers of the steps in the command that plays them again.
fn only(text: &str) -> Vec<usize> {
    let (_, numbers) = text.split_once(" --only ").unwrap();
    let (numbers, _) = numbers.split_once(" --trace").unwrap();
    numbers.split(',').map(|number| number.parse().unwrap()).collect()
}

/// Goal: the rules see a bug, people see why, and see it again. Method: plant one in a condition, where
/// the call waits before `DynamoDB` sees it: seats are given to whoever asks for them.
#[test]
fn a_planted_bug_is_found_and_told_in_few_steps() {
    let bug = Bug { from: "AND expires_at <= :now".into(), to: String::new() };
    let (seed, violation) = (0..PLANTED_HISTORIES)
        .find_map(|seed| {
            let steps = history(seed, usize::try_from(PLANTED_OPERATIONS).unwrap());
            Some((seed, play_with(seed, &steps, false, Some(&bug)).violation?))
        })
        .expect("somebody notices");

    // However many play, the first one is told.
    let run = run_of(0, PLANTED_HISTORIES, PLANTED_OPERATIONS);
    let run = Arguments { jobs: Some(3), plant: Some(bug), ..run };
    let Report { text, held, .. } = simulate(&run);
    assert!(!held, "{text}");
    for part in [
        format!("BROKEN: {}\nby the history of seed {seed}, ", violation.rule).as_str(),
        format!("Histories before it that held: {seed}\n").as_str(),
        "without any one of them this does not happen",
        "--operations 100 --operations-per-seed 100 --plant 'AND expires_at <= :now => '",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }

    let only = only(&text);
    assert!((2..=4).contains(&only.len()), "two holds, and what lies between: {text}");
    let again = Arguments { seed: Some(seed), trace: true, only, ..run };
    let told = simulate(&again);
    assert!(!told.held, "{}", told.text);
    let (trace, _) = told.text.split_once("\nBROKEN: ").unwrap();
    assert!(text.contains(trace), "{trace}\nis not in:\n{text}");
    let without = simulate(&Arguments { plant: None, ..again });
    assert!(without.held, "it is the bug: {}", without.text);
}

#[test]
fn a_bug_that_is_planted_nowhere_is_no_proof() {
    let bug = Bug { from: "no condition says this".into(), to: String::new() };
    let report = simulate(&Arguments { plant: Some(bug), ..run_of(0, 1, 5) });
    assert!(!report.held);
    assert!(report.text.contains("part of no condition"), "{}", report.text);
}

#[test]
fn a_step_that_the_history_does_not_have_is_not_played() {
    for unknown in [0, 21] {
        let report = simulate(&Arguments { only: vec![20, unknown], ..run_of(0, 1, 20) });
        assert!(!report.held);
        assert_eq!(report.text, format!("The history has 20 steps, and no step {unknown}."));
    }
}

/// Some steps, of which no two are the same.
fn steps() -> Vec<Step> {
    let steps = history(1, 200);
    let is_distinct = |step: &Step| steps.iter().filter(|other| *other == step).count() == 1;
    assert!(steps.iter().all(is_distinct));
    steps
}

fn broken(step: usize, rule: &str) -> Violation {
    Violation { step, rule: rule.to_owned(), detail: String::new() }
}

/// Breaks a rule with the last of the needed steps, if all are there.
fn breaks(steps: &[Step], needed: &[&Step]) -> Option<Violation> {
    let positions = needed.iter().map(|step| steps.iter().position(|other| other == *step));
    let last = positions.collect::<Option<Vec<usize>>>()?.into_iter().max()?;
    Some(broken(last, "the rule"))
}

#[test]
fn two_needed_steps_are_found_among_two_hundred() {
    let steps = steps();
    for (first, second) in [(37, 161), (0, 199), (0, 1), (198, 199), (99, 100)] {
        let needed = [&steps[first], &steps[second]];
        let mut plays = 0;
        let shrunk = shrink(&steps, &broken(second, "the rule"), 600, |fewer| {
            plays += 1;
            breaks(fewer, &needed)
        });
        assert_eq!(shrunk.steps.iter().collect::<Vec<_>>(), needed);
        assert_eq!(shrunk.positions, [first, second]);
        assert_eq!(shrunk.violation, broken(1, "the rule"));
        assert!(shrunk.is_minimal);
        assert_eq!(shrunk.plays, plays);
        assert!(plays < 60, "{plays} plays for {first} and {second}");
    }
}

#[test]
fn another_rule_is_not_the_one_that_was_broken() {
    let steps = steps();
    let needed = [&steps[10], &steps[20], &steps[30]];
    let shrunk = shrink(&steps, &broken(30, "the rule"), 600, |fewer| {
        // With two of the three, something else is wrong.
        breaks(fewer, &needed).or_else(|| {
            let other = breaks(fewer, &needed[..2])?;
            Some(Violation { rule: "another rule".into(), ..other })
        })
    });
    assert_eq!(shrunk.steps.iter().collect::<Vec<_>>(), needed);
    assert_eq!(shrunk.violation.rule, "the rule");
}

#[test]
fn what_is_broken_at_rest_is_cut_down_too() {
    let steps = steps();
    let needed = [&steps[3], &steps[50]];
    let at_rest = |fewer: &[Step]| {
        breaks(fewer, &needed).map(|violation| Violation { step: fewer.len(), ..violation })
    };
    let shrunk = shrink(&steps, &broken(steps.len(), "the rule"), 600, at_rest);
    assert_eq!(shrunk.steps.iter().collect::<Vec<_>>(), needed);
    assert_eq!(shrunk.violation.step, 2);
}

#[test]
fn a_search_ends_and_what_it_found_still_breaks_the_rule() {
    let steps = steps();
    let needed: Vec<&Step> = steps.iter().step_by(2).collect();
    for plays_max in [0, 1, 10, 50] {
        let shrunk =
            shrink(&steps, &broken(198, "the rule"), plays_max, |fewer| breaks(fewer, &needed));
        assert!(shrunk.plays <= plays_max);
        assert!(!shrunk.is_minimal);
        assert!(plays_max == 0 || shrunk.steps.len() < steps.len(), "the end went at least");
        assert!(breaks(&shrunk.steps, &needed).is_some());
    }
    let whole = shrink(&steps, &broken(198, "the rule"), 600, |fewer| breaks(fewer, &needed));
    assert!(whole.is_minimal);
    assert_eq!(whole.steps.len(), needed.len());
}
