//! Lambda on a desk: functions as processes of their own, the binaries that are deployed, under a
//! Runtime API (AWS, "Using the Lambda runtime API for custom runtimes").
//!
//! A sandbox is a process that works on one event at a time. A call gets one that is free, or a new one,
//! or is refused if the function has as many as it may have. A sandbox that took too long is killed, and
//! whoever calls next meets a cold start, as they do after a panic. `failure` is how such a call fails,
//! `sandbox` is the life of a process, `api` is what it asks, and [`find`] where its binary is.
//!
//! What Lambda does and a desk does not: it freezes what has nothing to do, ends it after some minutes,
//! starts a second time what did not start, and limits memory and CPU.

mod api;
mod binaries;
mod failure;
mod sandbox;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use edge::{Clock, Function, Log};
use lambda_http::LambdaEvent;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use self::api::Line;
use self::sandbox::{Sandbox, Served};
use crate::template::Error;

pub use self::binaries::{Binary, Choice, find, folders};
pub use self::failure::Failure;

/// Bytes of an event that Lambda takes (AWS, "Lambda quotas").
pub const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Bytes of an answer that Lambda passes on: the same, and a little for what is around it.
pub const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;

/// How long a function may take to start.
pub const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A function that runs in processes.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is called: its logical id.
    pub name: String,
    /// Its binary, by its whole path.
    pub bootstrap: PathBuf,
    /// What its environment has besides what Lambda puts there.
    pub environment: BTreeMap<String, String>,
    /// Megabytes that it is told it has.
    pub memory_mb: u32,
    /// How long an event may take.
    pub timeout: Duration,
    /// How long its start may take.
    pub init_timeout: Duration,
    /// How many events it may work on at the same time.
    pub sandboxes_max: usize,
}

impl Program {
    /// Its environment, but for where the API is: what Lambda puts there (AWS, "Defined runtime
    /// environment variables"), and its own.
    fn variables(&self) -> BTreeMap<String, String> {
        let folder = self.bootstrap.parent().unwrap_or(&self.bootstrap).display();
        let mut variables: BTreeMap<String, String> = [
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mb.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "desk/[$LATEST]".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
            ("LAMBDA_TASK_ROOT", folder.to_string()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("LD_LIBRARY_PATH", "/lib64:/usr/lib64".to_owned()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        variables.extend(self.environment.clone());
        variables
    }
}

/// Lambda, while it runs. Kills its processes when it is dropped.
pub struct Runtime {
    shared: Arc<Shared>,
    api: JoinHandle<()>,
}

struct Shared {
    /// Where the API is; the paths of sandboxes follow.
    url: String,
    clock: Clock,
    log: Log,
    /// The lines to sandboxes, by their keys.
    lines: Mutex<BTreeMap<String, Arc<Line>>>,
    /// The keepers of sandboxes; none once all is over.
    keepers: Mutex<Option<JoinSet<()>>>,
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, key: &str) -> Option<Arc<Line>> {
        self.lines().get(key).cloned()
    }

    fn keepers(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime {
    /// Lambda without functions. `log` takes each line that a function writes to its standard output,
    /// and one of each start; what it writes to its standard error goes to this one's, with its name.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn start(clock: Clock, log: Log) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        // With the scheme: there is a path behind it, and a function would take all of it for the host.
        let url = format!("http://{}", listener.local_addr()?);
        let (lines, keepers) = (Mutex::default(), Mutex::new(Some(JoinSet::new())));
        let shared = Arc::new(Shared { url, clock, log, lines, keepers });
        let router = api::router(Arc::clone(&shared));
        let api = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the Runtime API stopped: {error}");
            }
        });
        Ok(Self { shared, api })
    }

    /// The function that this program is. Its first process starts with the first event. Errors are
    /// [`Failure`]s.
    #[must_use]
    pub fn function(&self, program: Program) -> Function {
        let (shared, state) = (Arc::clone(&self.shared), Mutex::default());
        let pool = Arc::new(Pool { program, shared, state });
        Arc::new(move |event: LambdaEvent<Value>| {
            let pool = Arc::clone(&pool);
            Box::pin(async move { Ok(pool.invoke(event).await?) })
        })
    }

    /// Kills all processes. Calls that go on fail.
    pub async fn stop(self) {
        let keepers = self.shared.keepers().take();
        if let Some(mut keepers) = keepers {
            keepers.shutdown().await;
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.api.abort();
        drop(self.shared.keepers().take());
    }
}

/// A function's sandboxes.
struct Pool {
    program: Program,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The ways to sandboxes without an event.
    idle: Vec<mpsc::Sender<Job>>,
    /// How many there are, with and without.
    sandboxes: usize,
}

/// An event, and who waits for its answer.
struct Job {
    request_id: String,
    payload: Bytes,
    reply: oneshot::Sender<Result<Bytes, Failure>>,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the function. It works on even if the caller stops waiting.
    async fn invoke(self: &Arc<Self>, event: LambdaEvent<Value>) -> Result<Value, Failure> {
        let payload = event.payload.to_string();
        if payload.len() > EVENT_BYTES_MAX {
            return Err(Failure::event_too_large());
        }
        let (reply, answer) = oneshot::channel();
        let request_id = event.context.request_id;
        self.hand_over(Job { request_id, payload: payload.into(), reply });
        let ended = |_| Err(Failure::new("Runtime.ExitError", "the desk ends"));
        let answer = answer.await.unwrap_or_else(ended)?;
        serde_json::from_slice(&answer).map_err(|error| Failure::new("InvalidAnswer", error))
    }

    /// Gives a job to a sandbox that is free, or else to a new one, if there can be one more.
    fn hand_over(self: &Arc<Self>, mut job: Job) {
        let place = {
            let mut state = self.state();
            while let Some(sandbox) = state.idle.pop() {
                match sandbox.try_send(job) {
                    Ok(()) => return,
                    // It has ended meanwhile.
                    Err(error) => job = error.into_inner(),
                }
            }
            let has_room = state.sandboxes < self.program.sandboxes_max;
            has_room.then(|| {
                state.sandboxes += 1;
                Place(Arc::clone(self))
            })
        };
        match (place, self.shared.keepers().as_mut()) {
            (Some(place), Some(keepers)) => {
                while keepers.try_join_next().is_some() {}
                keepers.spawn(keep(place, job));
            }
            // Who waits hears that nobody answers.
            (_, None) => {}
            (None, Some(_)) => {
                // As above, they may not wait any more.
                let _ = job.reply.send(Err(Failure::throttled()));
            }
        }
    }
}

/// The place of a sandbox among those of its function. It is free again when it is dropped.
struct Place(Arc<Pool>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().sandboxes -= 1;
    }
}

/// Keeps a sandbox, from its first job until it ends.
async fn keep(place: Place, first: Job) {
    let pool = Arc::clone(&place.0);
    let start = Sandbox::start(&pool.program, &pool.shared, &first.request_id).await;
    let mut sandbox = match start {
        Ok(sandbox) => sandbox,
        Err(failure) => {
            drop(place);
            let _ = first.reply.send(Err(failure));
            return;
        }
    };
    let (hands, mut jobs) = mpsc::channel(1);
    let mut job = first;
    loop {
        let Served { answer, is_alive } = sandbox.serve(&pool.program, &job).await;
        // Before the answer, so that whoever calls next finds it free, or its place.
        if !is_alive {
            drop(place);
            let _ = job.reply.send(answer);
            return;
        }
        pool.state().idle.push(hands.clone());
        let _ = job.reply.send(answer);
        job = tokio::select! {
            biased;
            () = sandbox.ended() => break,
            Some(next) = jobs.recv() => next,
        };
    }
    // It ended while nobody called it, or somebody did just then.
    jobs.close();
    drop(place);
    if let Ok(job) = jobs.try_recv() {
        pool.hand_over(job);
    }
}
