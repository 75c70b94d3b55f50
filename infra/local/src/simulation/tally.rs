//! What happened in a history, and how often. A fault that never fired proves nothing, so what should
//! have happened can be asked for by name.

use std::collections::BTreeMap;

/// How often what happened. A name is `group: what`, as `answer: hold 201`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// It happened, once more.
    pub fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    /// Adds what happened elsewhere. The order in which tallies are added makes no difference.
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            if let Some(known) = self.0.get_mut(what) {
                *known += times;
            } else {
                self.0.insert(what.clone(), *times);
            }
        }
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// All that happened, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, times)| (what.as_str(), *times))
    }

    /// What happened of one group, without the group's name.
    pub fn group(&self, group: &str) -> impl Iterator<Item = (&str, u64)> {
        self.iter().filter_map(move |(name, times)| {
            let (of, what) = parts(name);
            (of == group).then_some((what, times))
        })
    }

    /// The groups of which anything happened, by name.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.iter().map(|(name, _)| parts(name).0).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// How often anything of a group happened.
    #[must_use]
    pub fn sum(&self, group: &str) -> u64 {
        self.group(group).map(|(_, times)| times).sum()
    }

    /// What of `expected` never happened.
    #[must_use]
    pub fn missing<'a, S: AsRef<str>>(&self, expected: &'a [S]) -> Vec<&'a str> {
        expected.iter().map(S::as_ref).filter(|what| self.of(what) == 0).collect()
    }
}

/// Group and what. A name without a group is of the group "other".
fn parts(name: &str) -> (&str, &str) {
    name.split_once(": ").unwrap_or(("other", name))
}
