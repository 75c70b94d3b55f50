//! A sandbox: a process that answers one event at a time, from its start to its end.

use std::process::Stdio;
use std::sync::Arc;

use axum::body::Bytes;
use chrono::TimeDelta;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::api::{Invocation, Line, Said};
use super::failure::Failure;
use super::{Job, Program, Shared};

/// A process, and the line to it. Whoever drops it kills the process.
pub(super) struct Sandbox {
    /// By which the API knows it.
    key: String,
    process: Child,
    events: mpsc::Sender<Invocation>,
    heard: mpsc::UnboundedReceiver<Said>,
    shared: Arc<Shared>,
}

/// What came of an event.
pub(super) struct Served {
    /// What the function answers, or why it does not.
    pub(super) answer: Result<Bytes, Failure>,
    /// Whether the sandbox can take another event.
    pub(super) is_alive: bool,
}

impl Sandbox {
    /// Starts a process of `program`, and waits until it asks for an event. `request_id` is of the one
    /// that it is started for.
    pub(super) async fn start(
        program: &Program,
        shared: &Arc<Shared>,
        request_id: &str,
    ) -> Result<Self, Failure> {
        let mut sandbox = Self::spawn(program, shared, request_id)?;
        let limit = program.init_timeout;
        let ready = timeout(limit, sandbox.ready(request_id)).await;
        let ready = ready.unwrap_or_else(|_elapsed| Err(Failure::timed_out(request_id, limit)));
        if let Err(failure) = ready {
            sandbox.kill().await;
            return Err(failure);
        }
        Ok(sandbox)
    }

    fn spawn(program: &Program, shared: &Arc<Shared>, request_id: &str) -> Result<Self, Failure> {
        let key = drawn();
        let folder = program.bootstrap.parent();
        let folder = folder.ok_or_else(|| Failure::not_started(request_id, "it is no file"))?;
        let (events, received) = mpsc::channel(1);
        let (said, heard) = mpsc::unbounded_channel();
        shared.lines().insert(key.clone(), Arc::new(Line::new(received, said)));
        let spawned = Command::new(&program.bootstrap)
            .env_clear()
            .envs(program.variables())
            .env("AWS_LAMBDA_RUNTIME_API", format!("{}/{key}", shared.url))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut process = spawned.map_err(|error| {
            shared.lines().remove(&key);
            let bootstrap = program.bootstrap.display();
            Failure::not_started(request_id, format!("{bootstrap} does not start: {error}"))
        })?;
        let start = json!({
            "type": "platform.initStart",
            "record": {
                "functionName": program.name,
                "bootstrap": program.bootstrap,
                "processId": process.id(),
            },
        });
        (shared.log)(&start.to_string());
        let log = Arc::clone(&shared.log);
        tokio::spawn(each_line(process.stdout.take(), move |line| log(line)));
        let name = program.name.clone();
        let complain = move |line: &str| eprintln!("{name}: {line}");
        tokio::spawn(each_line(process.stderr.take(), complain));
        Ok(Self { key, process, events, heard, shared: Arc::clone(shared) })
    }

    /// Waits until it asks for its first event.
    async fn ready(&mut self, request_id: &str) -> Result<(), Failure> {
        loop {
            tokio::select! {
                biased;
                Some(said) = self.heard.recv() => match said {
                    Said::Next => return Ok(()),
                    Said::Failed(failure) => return Err(failure),
                    Said::Answer(_to_nothing) => {}
                },
                failure = exit(&mut self.process, request_id) => return Err(failure),
            }
        }
    }

    /// Has it work on an event. It is done when it asks for the next one; when it takes too long, or
    /// ends, it is done for.
    pub(super) async fn serve(&mut self, program: &Program, job: &Job) -> Served {
        let (request_id, limit) = (&job.request_id, program.timeout);
        // There is room for one, and none is there.
        let _ = self.events.send(self.invocation(program, job)).await;
        let mut answer = None;
        let failure = match timeout(limit, self.work(request_id, &mut answer)).await {
            Ok(failure) => failure,
            Err(_elapsed) => {
                self.kill().await;
                Some(Failure::timed_out(request_id, limit))
            }
        };
        let is_alive = failure.is_none();
        let answer = answer.or(failure.map(Err)).expect("either it answered or it failed");
        Served { answer, is_alive }
    }

    /// What it is told of a job. All of the function's time is ahead: its start took none of it.
    fn invocation(&self, program: &Program, job: &Job) -> Invocation {
        let now = (self.shared.clock)();
        let limit = TimeDelta::from_std(program.timeout).expect("a timeout is short");
        Invocation {
            request_id: job.request_id.clone(),
            deadline_ms: (now + limit).timestamp_millis(),
            function_arn: format!(
                "arn:aws:lambda:us-east-1:000000000000:function:{}",
                program.name
            ),
            trace_id: trace_id(now.timestamp(), &job.request_id),
            payload: job.payload.clone(),
        }
    }

    /// Waits until it has answered and asks for the next event, or else says why it never will.
    async fn work(
        &mut self,
        request_id: &str,
        answer: &mut Option<Result<Bytes, Failure>>,
    ) -> Option<Failure> {
        loop {
            tokio::select! {
                biased;
                Some(said) = self.heard.recv() => match said {
                    Said::Answer(bytes) => *answer = Some(Ok(bytes)),
                    Said::Failed(failure) => *answer = Some(Err(failure)),
                    Said::Next if answer.is_some() => return None,
                    Said::Next => {}
                },
                failure = exit(&mut self.process, request_id) => return Some(failure),
            }
        }
    }

    /// Waits until the process ends while it has no event.
    pub(super) async fn ended(&mut self) {
        // What cannot be waited for is as good as gone.
        let _ = self.process.wait().await;
    }

    async fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.lines().remove(&self.key);
    }
}

/// Waits until a process ends that should not.
async fn exit(process: &mut Child, request_id: &str) -> Failure {
    match process.wait().await {
        Ok(status) => Failure::exited(request_id, status),
        Err(error) => Failure::new("Runtime.ExitError", error),
    }
}

/// An id for X-Ray, which is not asked to keep anything.
fn trace_id(now_secs: i64, request_id: &str) -> String {
    let digits = request_id.chars().filter(char::is_ascii_hexdigit);
    let digits: String = digits.chain(std::iter::repeat('0')).take(24).collect();
    format!("Root=1-{now_secs:08x}-{};Sampled=0", digits.to_ascii_lowercase())
}

#[expect(clippy::disallowed_methods, reason = "Lambda knows its sandboxes, and this is Lambda")]
fn drawn() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Passes on what a process writes, line by line, until it ends.
async fn each_line(from: Option<impl AsyncRead + Unpin>, take: impl Fn(&str)) {
    let Some(from) = from else { return };
    let mut lines = BufReader::new(from).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        take(&String::from_utf8_lossy(&line));
    }
}
