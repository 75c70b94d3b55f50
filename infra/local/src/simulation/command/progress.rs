//! How far a run is: one line on a terminal, drawn again and again; elsewhere, in a log say, a line for
//! every tenth. All of it on stderr.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::capacity::thousands;

/// With them, the line fits into 80 columns.
const CELLS: u64 = 16;
const CLEAR_LINE: &str = "\r\x1b[2K";

/// How much is done of how much, and since when.
pub(super) struct Progress {
    operations: u64,
    done: AtomicU64,
    began: Instant,
    is_terminal: bool,
}

impl Progress {
    /// It begins now.
    pub(super) fn new(operations: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { operations, done: AtomicU64::new(0), began: Instant::now(), is_terminal }
    }

    /// So much more is done.
    pub(super) fn done(&self, more: u64) {
        let before = self.done.fetch_add(more, Ordering::Relaxed);
        let now = before + more;
        if self.is_terminal {
            eprint!("{CLEAR_LINE}[{}] {}", self.bar(now), self.line(now));
        } else if self.tenths(before) < self.tenths(now) {
            eprintln!("{}", self.line(now));
        }
    }

    /// It is over. How many milliseconds it took, at least one.
    pub(super) fn end(&self) -> u64 {
        if self.is_terminal {
            eprint!("{CLEAR_LINE}");
        }
        self.millis()
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn tenths(&self, done: u64) -> u64 {
        done * 10 / self.operations
    }

    fn bar(&self, done: u64) -> String {
        let full = done * CELLS / self.operations;
        (0..CELLS).map(|cell| if cell < full { '#' } else { '.' }).collect()
    }

    fn line(&self, done: u64) -> String {
        let rate = done * 1_000 / self.millis();
        let left_secs = (self.operations - done) / rate.max(1);
        format!(
            "{}% of {} operations, {} a second, {}:{:02} left",
            done * 100 / self.operations,
            thousands(self.operations),
            thousands(rate),
            left_secs / 60,
            left_secs % 60
        )
    }
}
