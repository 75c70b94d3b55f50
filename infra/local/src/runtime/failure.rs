//! How a call of a function fails, as Lambda puts it.

use std::error::Error;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use super::{ANSWER_BYTES_MAX, EVENT_BYTES_MAX};

/// What Lambda calls it when a function has all the sandboxes that it may have, and all are busy.
const THROTTLED: &str = "TooManyRequestsException";

/// What Lambda calls it when an event is too large for it.
const EVENT_TOO_LARGE: &str = "RequestTooLargeException";

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind: Lambda's, as `Sandbox.Timedout`, or the function's own.
    pub error_type: String,
    /// What it says.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

impl Error for Failure {}

impl Failure {
    /// A failure of this kind.
    pub(super) fn new(error_type: &str, message: impl ToString) -> Self {
        Self { error_type: error_type.to_owned(), message: message.to_string() }
    }

    /// Every sandbox that the function may have is busy.
    #[must_use]
    pub fn throttled() -> Self {
        Self::new(THROTTLED, "Rate Exceeded.")
    }

    /// The event is larger than Lambda takes.
    #[must_use]
    pub fn event_too_large() -> Self {
        let message = format!(
            "Request must be smaller than {EVENT_BYTES_MAX} bytes for the InvokeFunction operation"
        );
        Self::new(EVENT_TOO_LARGE, message)
    }

    /// Whether the function was not called because it had no sandbox free.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.error_type == THROTTLED
    }

    /// Whether the function was not called because the event was too large.
    #[must_use]
    pub fn is_event_too_large(&self) -> bool {
        self.error_type == EVENT_TOO_LARGE
    }

    /// The answer is larger than Lambda passes on.
    pub(super) fn answer_too_large() -> Self {
        let message = format!(
            "Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes)."
        );
        Self::new("Function.ResponseSizeTooLarge", message)
    }

    /// It took longer than it may.
    pub(super) fn timed_out(request_id: &str, timeout: Duration) -> Self {
        let secs = timeout.as_secs_f64();
        let message =
            format!("RequestId: {request_id} Error: Task timed out after {secs:.2} seconds");
        Self::new("Sandbox.Timedout", message)
    }

    /// The process ended where it should have answered.
    pub(super) fn exited(request_id: &str, status: ExitStatus) -> Self {
        let how = match (status.code(), status.signal()) {
            (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
            (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
            (None, Some(number)) => {
                format!("Runtime exited with error: signal: {}", signal(number))
            }
            (None, None) => "Runtime exited".to_owned(),
        };
        Self::new("Runtime.ExitError", format!("RequestId: {request_id} Error: {how}"))
    }

    /// There is no process: the binary is none that this machine can run.
    pub(super) fn not_started(request_id: &str, why: impl fmt::Display) -> Self {
        Self::new("Runtime.InvalidEntrypoint", format!("RequestId: {request_id} Error: {why}"))
    }
}

/// A signal as Lambda names it.
fn signal(number: i32) -> String {
    let name = match number {
        4 => "illegal instruction",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        15 => "terminated",
        other => return other.to_string(),
    };
    name.to_owned()
}
