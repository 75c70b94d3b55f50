//! Who is under way: invocations of functions, polled one at a time by nobody but us, so that who goes
//! on first is up to the seed.
//!
//! A runtime's own executor would do, but for two things: it cannot say that all tasks wait, and it may
//! poll them in another order tomorrow.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use domain::time::Timestamp;
use serde_json::Value;

use super::players::Purpose;
use super::world::Done;

/// Names an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TaskId(u64);

/// As the trace has it.
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invocation {}", self.0)
    }
}

/// What an invocation comes to: a function's answer, or its error.
pub(super) type Work = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// An invocation under way.
pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) purpose: Purpose,
    /// Lambda ends it then, by the time that is true.
    pub(super) deadline: Timestamp,
    /// How its answer is to be read.
    pub(super) read: fn(Result<Value, String>) -> Done,
    work: Work,
    awake: Arc<Awake>,
}

/// Whether a task has something to go on with.
struct Awake(AtomicBool);

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// The invocations under way, in the order in which they began.
#[derive(Default)]
pub(super) struct Tasks {
    begun: u64,
    running: Vec<Task>,
}

impl Tasks {
    /// Begins an invocation. It does nothing before it is polled.
    pub(super) fn begin(
        &mut self,
        work: Work,
        read: fn(Result<Value, String>) -> Done,
        deadline: Timestamp,
        purpose: Purpose,
    ) {
        self.begun += 1;
        // What waits for a timer would else be told to yield to a runtime that has nothing else to do.
        let work = Box::pin(tokio::task::unconstrained(work));
        let awake = Arc::new(Awake(AtomicBool::new(true)));
        let id = TaskId(self.begun);
        self.running.push(Task { id, purpose, deadline, read, work, awake });
    }

    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// Polls the first task that has something to go on with; `before` is told which one it is. Says
    /// what it came to, if it is done; nothing at all if all of them wait.
    pub(super) fn poll(&mut self, before: impl FnOnce(TaskId)) -> Option<Option<(Task, Done)>> {
        let position = self.running.iter().position(|task| task.awake.0.load(Relaxed))?;
        let task = &mut self.running[position];
        task.awake.0.store(false, Relaxed);
        before(task.id);
        let waker = Waker::from(Arc::clone(&task.awake));
        let work = task.work.as_mut();
        let polled = || work.poll(&mut Context::from_waker(&waker));
        // A panic is a function's failure like any other; where panics abort, this history is the last.
        let polled = catch_unwind(AssertUnwindSafe(polled));
        match polled.unwrap_or_else(|_| Poll::Ready(Err("it panicked".to_owned()))) {
            Poll::Pending => Some(None),
            Poll::Ready(answer) => {
                let task = self.running.remove(position);
                let done = (task.read)(answer);
                Some(Some((task, done)))
            }
        }
    }

    /// Ends a task where it is.
    pub(super) fn kill(&mut self, id: TaskId) -> Option<Task> {
        let position = self.running.iter().position(|task| task.id == id)?;
        Some(self.running.remove(position))
    }

    /// The first task whose time is up.
    pub(super) fn overdue(&self, now: Timestamp) -> Option<TaskId> {
        self.running.iter().find(|task| task.deadline <= now).map(|task| task.id)
    }
}
