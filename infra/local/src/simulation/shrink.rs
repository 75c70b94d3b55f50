//! Cuts a history that breaks a rule down to the steps that it takes.
//!
//! This is delta debugging, as in Andreas Zeller and Ralf Hildebrandt, "Simplifying and Isolating
//! Failure-Inducing Input", IEEE Transactions on Software Engineering 28(2), 2002. What comes after the
//! violation goes first. Then pieces are left out, half of the history and ever smaller ones, as long
//! as the rest breaks the same rule; at last single steps, until none can go.
//!
//! It knows nothing of what a step does. The same history and the same answers give the same result.

use std::ops::Range;

use super::{Step, Violation};

/// What is left of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The steps that still break the rule.
    pub steps: Vec<Step>,
    /// Where they are in the whole history, from 0.
    pub positions: Vec<usize>,
    /// How they break it.
    pub violation: Violation,
    /// How often histories were played to find them.
    pub plays: usize,
    /// Without any one of the steps the rule holds. If not so, the search was given up before.
    pub is_minimal: bool,
}

/// Looks for few of `steps` that break the same rule as all of them, in at most `plays_max` plays.
///
/// `play` plays a history and says which rule it breaks. It must say the same each time.
pub fn shrink(
    steps: &[Step],
    violation: &Violation,
    plays_max: usize,
    play: impl FnMut(&[Step]) -> Option<Violation>,
) -> Shrunk {
    let (positions, violation) = ((0..steps.len()).collect(), violation.clone());
    let mut search = Search { all: steps, positions, violation, plays: 0, plays_max, play };
    search.cut();
    let mut size = search.positions.len().div_ceil(2).max(1);
    let mut is_minimal = false;
    while !is_minimal && search.plays < plays_max {
        let removed = search.leave_out(size);
        is_minimal = size == 1 && removed == Some(false);
        size = (size / 2).max(1);
    }
    let steps = search.steps(&search.positions);
    let Search { positions, violation, plays, .. } = search;
    Shrunk { steps, positions, violation, plays, is_minimal }
}

/// The least that was found so far.
struct Search<'a, P> {
    all: &'a [Step],
    positions: Vec<usize>,
    violation: Violation,
    plays: usize,
    plays_max: usize,
    play: P,
}

impl<P: FnMut(&[Step]) -> Option<Violation>> Search<'_, P> {
    fn steps(&self, positions: &[usize]) -> Vec<Step> {
        positions.iter().map(|position| self.all[*position].clone()).collect()
    }

    /// Leaves out what comes after the violation.
    fn cut(&mut self) {
        let needed = self.violation.step.saturating_add(1);
        if needed < self.positions.len() {
            self.try_without(needed..self.positions.len());
        }
    }

    /// Leaves out pieces of this size wherever one can go, the last ones first: what comes early is
    /// what the rest builds upon. Whether any could go; `None` if the plays were used up before.
    fn leave_out(&mut self, size: usize) -> Option<bool> {
        let mut removed = false;
        let mut end = self.positions.len();
        while end > 0 {
            if self.plays >= self.plays_max {
                return None;
            }
            let start = end.saturating_sub(size);
            if self.try_without(start..end) {
                removed = true;
                self.cut();
            }
            end = start.min(self.positions.len());
        }
        Some(removed)
    }

    /// Plays the steps without some of them, and keeps it so if the same rule is broken.
    fn try_without(&mut self, piece: Range<usize>) -> bool {
        if self.plays >= self.plays_max {
            return false;
        }
        self.plays += 1;
        let fewer = [&self.positions[..piece.start], &self.positions[piece.end..]].concat();
        let steps = self.steps(&fewer);
        match (self.play)(&steps) {
            Some(violation) if violation.rule == self.violation.rule => {
                self.positions = fewer;
                self.violation = violation;
                true
            }
            _another_rule_or_none => false,
        }
    }
}
