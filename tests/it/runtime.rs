//! The Runtime API of a desk, with a real binary under it that does what its event says
//! (`shared/edge/examples/misbehave.rs`): what Lambda would say of it is said here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use edge::Function;
use lambda_http::{Context, LambdaEvent};
use local::runtime::{self, ANSWER_BYTES_MAX, Choice, EVENT_BYTES_MAX, Failure, Program, Runtime};
use local::template::{Template, Values};
use serde_json::{Value, json};

/// Long enough for a process on a busy machine to answer, and short enough to wait for.
const SHORT: Duration = Duration::from_secs(2);

/// The binary. Cargo makes it with the tests of the workspace.
fn misbehave() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples/misbehave");
    assert!(binary.is_file(), "cargo build --workspace --examples makes {}", binary.display());
    binary.canonicalize().unwrap()
}

/// Lambda, and what was logged.
struct Lambda {
    runtime: Runtime,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Lambda {
    async fn start() -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        let log = Arc::new(move |line: &str| log.lock().unwrap().push(line.to_owned()));
        let runtime = Runtime::start(edge::system_clock(), log).await.unwrap();
        Self { runtime, lines }
    }

    /// A function that misbehaves, changed like this.
    fn function(&self, change: impl FnOnce(&mut Program)) -> Function {
        let mut program = Program {
            name: "Misbehave".to_owned(),
            bootstrap: misbehave(),
            environment: BTreeMap::new(),
            memory_mb: 256,
            timeout: Duration::from_secs(10),
            init_timeout: Duration::from_secs(10),
            sandboxes_max: 2,
        };
        change(&mut program);
        self.runtime.function(program)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// How many processes were started.
    fn starts(&self) -> usize {
        self.lines().iter().filter(|line| line.contains("platform.initStart")).count()
    }
}

async fn call(function: &Function, event: Value) -> Result<Value, Failure> {
    let mut context = Context::default();
    context.request_id = "request-1".to_owned();
    let answer = function(LambdaEvent::new(event, context)).await;
    answer.map_err(|error| *error.downcast::<Failure>().unwrap())
}

/// The process that answers next.
async fn process(function: &Function) -> u64 {
    call(function, json!({})).await.unwrap()["process"].as_u64().unwrap()
}

async fn failure(function: &Function, what: &str) -> (String, String) {
    let failure = call(function, json!({"do": what})).await.unwrap_err();
    (failure.error_type, failure.message)
}

fn failed(error_type: &str, message: &str) -> (String, String) {
    (error_type.to_owned(), message.to_owned())
}

/// Waits until something is so, for as long as a busy machine may take. Asks now and then: to ask costs a
/// process, and those that are waited for need the machine.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    let mut now_and_then = tokio::time::interval(Duration::from_millis(20));
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(10), "{what}");
        now_and_then.tick().await;
    }
}

/// Sends a signal, and says whether there was somebody to get it.
fn signal(process: u64, signal: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.args([signal, &process.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

fn is_there(process: u64) -> bool {
    signal(process, "-0")
}

#[tokio::test]
async fn a_function_is_told_what_lambda_tells_it() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|program| {
        program.environment = BTreeMap::from([("OWN".to_owned(), "its own".to_owned())]);
    });
    let before = edge::system_clock()().timestamp_millis();
    let told = call(&function, json!({"do": "tell", "n": 1})).await.unwrap();
    let after = edge::system_clock()().timestamp_millis();
    assert_eq!(told["event"], json!({"do": "tell", "n": 1}));
    assert_eq!(told["requestId"], "request-1");
    assert_eq!(told["arn"], "arn:aws:lambda:us-east-1:000000000000:function:Misbehave");
    let deadline = told["deadlineMs"].as_i64().unwrap() - 10_000;
    assert!((before..=after).contains(&deadline), "{deadline}, {before} to {after}");
    let trace = told["traceId"].as_str().unwrap();
    assert!(trace.starts_with("Root=1-") && trace.ends_with(";Sampled=0"), "{trace}");

    // Nothing of this process's own environment, so nothing works on a desk that does not on Lambda.
    let environment = told["environment"].as_object().unwrap();
    let names: Vec<&str> = environment.keys().map(String::as_str).collect();
    let expected = "AWS_ACCESS_KEY_ID AWS_DEFAULT_REGION AWS_LAMBDA_FUNCTION_MEMORY_SIZE \
        AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE \
        AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_LAMBDA_RUNTIME_API AWS_REGION \
        AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT LANG \
        LD_LIBRARY_PATH OWN PATH TZ _HANDLER _X_AMZN_TRACE_ID";
    // The runtime itself sets the last one, for each event.
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(environment["OWN"], "its own");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], "Misbehave");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    assert_eq!(environment["LAMBDA_TASK_ROOT"], told["folder"]);
}

/// Goal: a sandbox works on one event at a time, and is used again. Method: three calls one after the
/// other; then three at once, where two sandboxes are allowed.
#[tokio::test]
async fn calls_share_no_sandbox_at_a_time_and_use_it_again() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|_| {});
    let first = process(&function).await;
    for _ in 0..2 {
        assert_eq!(process(&function).await, first);
    }
    assert_eq!(lambda.starts(), 1);

    let event = || call(&function, json!({}));
    let (one, two, three) = tokio::join!(event(), event(), event());
    let processes: BTreeSet<u64> =
        [&one, &two].map(|told| told.as_ref().unwrap()["process"].as_u64().unwrap()).into();
    assert_eq!(processes.len(), 2, "at the same time");
    assert!(processes.contains(&first), "one was free");
    let refused = three.unwrap_err();
    assert!(refused.is_throttled(), "{refused}");
    assert!(processes.contains(&process(&function).await));
    assert_eq!(lambda.starts(), 2, "nothing was started for the third");
}

/// Goal: a function has all of its time from when it is told of its event, however long it took to start.
/// Method: one that is late, by its own clock.
#[tokio::test]
async fn a_start_takes_nothing_of_the_functions_time() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|program| {
        program.environment = BTreeMap::from([("AT_THE_START".to_owned(), "late".to_owned())]);
    });
    let told = call(&function, json!({"do": "tell"})).await.unwrap();
    let left_ms = told["deadlineMs"].as_i64().unwrap() - told["nowMs"].as_i64().unwrap();
    // It is three seconds late.
    assert!((8_000..=10_000).contains(&left_ms), "{left_ms}");
}

/// Goal: a panic is an error of the function, and the next call is served. Method: one that is caught, as
/// panics are that unwind.
#[tokio::test]
async fn a_panic_is_an_error_and_the_next_call_is_served() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|_| {});
    let first = process(&function).await;
    let (_error_type, message) = failure(&function, "panic").await;
    assert_eq!(message, "Lambda panicked: as the event says");
    assert_eq!(process(&function).await, first, "it goes on");
}

/// Goal: the same of what is deployed, where a panic ends the process. Method: the signal that it ends by.
#[tokio::test]
async fn a_panic_that_aborts_is_an_error_and_the_next_call_is_a_cold_start() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|program| program.sandboxes_max = 1);
    let first = process(&function).await;
    let words = "RequestId: request-1 Error: Runtime exited with error: signal: aborted";
    assert_eq!(failure(&function, "abort").await, failed("Runtime.ExitError", words));
    assert_ne!(process(&function).await, first);
    assert_eq!(lambda.starts(), 2);
}

#[tokio::test]
async fn a_process_that_ends_is_an_error_and_the_next_call_is_a_cold_start() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|program| program.sandboxes_max = 1);
    let first = process(&function).await;
    let words = "RequestId: request-1 Error: Runtime exited with error: exit status 3";
    assert_eq!(failure(&function, "exit").await, failed("Runtime.ExitError", words));
    let second = process(&function).await;
    assert_ne!(second, first);
    let words = "RequestId: request-1 Error: Runtime exited without providing a reason";
    assert_eq!(failure(&function, "leave").await, failed("Runtime.ExitError", words));
    assert_ne!(process(&function).await, second);
    assert_eq!(lambda.starts(), 3);
}

#[tokio::test]
async fn who_takes_too_long_is_killed_and_the_next_call_is_a_cold_start() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|program| {
        program.timeout = SHORT;
        program.sandboxes_max = 1;
    });
    let first = process(&function).await;
    let words = "RequestId: request-1 Error: Task timed out after 2.00 seconds";
    assert_eq!(failure(&function, "hang").await, failed("Sandbox.Timedout", words));
    assert!(!is_there(first), "it is killed, and nothing is left of it");
    assert_ne!(process(&function).await, first);
}

#[tokio::test]
async fn an_error_of_the_function_is_told_as_it_is() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|_| {});
    let first = process(&function).await;
    assert_eq!(failure(&function, "fail").await, failed("Unwilling", "as the event says"));
    assert_eq!(process(&function).await, first, "it goes on");
}

/// Goal: what is too large for Lambda is too large here. Method: both sides of each limit.
#[tokio::test]
async fn what_is_too_large_is_refused() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|_| {});
    let letters = |count: usize| json!("x".repeat(count - 2));
    let refused = call(&function, letters(EVENT_BYTES_MAX + 1)).await.unwrap_err();
    assert!(refused.is_event_too_large(), "{refused}");
    assert_eq!(lambda.starts(), 0, "the function heard nothing of it");
    let told = call(&function, letters(EVENT_BYTES_MAX)).await.unwrap_err();
    assert_eq!(told.error_type, "Function.ResponseSizeTooLarge", "its answer holds the event");

    let first = process(&function).await;
    let swell = |bytes: usize| call(&function, json!({"do": "swell", "bytes": bytes}));
    assert!(swell(ANSWER_BYTES_MAX).await.is_ok());
    let refused = swell(ANSWER_BYTES_MAX + 1).await.unwrap_err();
    assert_eq!(refused.error_type, "Function.ResponseSizeTooLarge");
    let words = "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
    assert_eq!(refused.message, words);
    assert_eq!(process(&function).await, first, "it was told, and goes on");
}

/// Goal: a function that does not start says so to each call, and is not started again and again for one.
#[tokio::test]
async fn what_does_not_start_is_an_error_of_each_call() {
    let lambda = Lambda::start().await;
    let missing = lambda.function(|program| program.bootstrap = "/nowhere/bootstrap".into());
    let no_program = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let no_program = lambda.function(|program| program.bootstrap = no_program);
    for function in [missing, no_program] {
        let (error_type, message) = failure(&function, "tell").await;
        assert_eq!(error_type, "Runtime.InvalidEntrypoint");
        assert!(message.contains("does not start"), "{message}");
    }
    assert_eq!(lambda.starts(), 0);

    let at_the_start = |what: &str| BTreeMap::from([("AT_THE_START".to_owned(), what.to_owned())]);
    let exits = lambda.function(|program| {
        program.environment = at_the_start("exit");
        program.sandboxes_max = 1;
    });
    let words = "RequestId: request-1 Error: Runtime exited with error: exit status 4";
    for _ in 0..2 {
        assert_eq!(failure(&exits, "tell").await, failed("Runtime.ExitError", words));
    }
    assert_eq!(lambda.starts(), 2, "once for each call");

    let hangs = lambda.function(|program| {
        program.environment = at_the_start("hang");
        program.init_timeout = SHORT;
    });
    let words = "RequestId: request-1 Error: Task timed out after 2.00 seconds";
    assert_eq!(failure(&hangs, "tell").await, failed("Sandbox.Timedout", words));
}

/// Goal: nobody meets a sandbox that died while it was idle. Method: one that is killed from outside.
#[tokio::test]
async fn an_idle_sandbox_that_dies_is_replaced() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|program| program.sandboxes_max = 1);
    let first = process(&function).await;
    assert!(signal(first, "-KILL"));
    until("it is dead, and buried", || !is_there(first)).await;
    assert_ne!(process(&function).await, first);
}

/// Goal: no process outlives the desk. Method: one that is idle and one that hangs, at a stop and at a
/// drop.
#[tokio::test]
async fn no_process_outlives_the_desk() {
    for is_stopped in [true, false] {
        let lambda = Lambda::start().await;
        let idle = lambda.function(|_| {});
        let idle_process = process(&idle).await;
        let busy = lambda.function(|_| {});
        let busy_process = process(&busy).await;
        let hanging = tokio::spawn(async move { failure(&busy, "hang").await });
        // The event is on its way once the call waits for its answer.
        tokio::task::yield_now().await;
        if is_stopped {
            lambda.runtime.stop().await;
        } else {
            drop(lambda);
        }
        let (error_type, _message) = hanging.await.unwrap();
        assert_eq!(error_type, "Runtime.ExitError", "who waits is told");
        until("both end", || !is_there(idle_process) && !is_there(busy_process)).await;
        assert!(call(&idle, json!({})).await.is_err(), "nothing is started any more");
    }
}

#[tokio::test]
async fn what_a_function_writes_is_its_log() {
    let lambda = Lambda::start().await;
    let function = lambda.function(|_| {});
    let process = call(&function, json!({"do": "write"})).await.unwrap();
    until("the line comes", || lambda.lines().contains(&"a line of the log".to_owned())).await;
    let start: Value = serde_json::from_str(&lambda.lines()[0]).unwrap();
    assert_eq!(start["record"]["functionName"], "Misbehave");
    assert_eq!(start["record"]["bootstrap"], json!(misbehave()));
    assert_eq!(start["record"]["processId"], process);
}

/// Goal: folders that are named count in their order, and without an order what was built last: an old build
/// does not win. Method: the same function in two folders, older in the first.
#[test]
fn the_first_folder_counts_or_else_the_newest_binary() {
    let root = std::env::temp_dir().join(format!("marquee-built-{}", std::process::id()));
    let folders = ["lambda/hold-seats/bootstrap", "debug/hold-seats"].map(|file| {
        std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        std::fs::write(root.join(file), "").unwrap();
        root.join(file.split('/').next().unwrap())
    });
    let written = |file: &str, secs: u64| {
        let file = std::fs::File::options().write(true).open(root.join(file)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
    };
    let found = |choice| runtime::find("HoldSeats", "hold-seats", &folders, choice).unwrap().folder;
    for (lambda_secs, debug_secs, newest) in [(1_000, 2_000, 1), (2_000, 1_000, 0)] {
        written("lambda/hold-seats/bootstrap", lambda_secs);
        written("debug/hold-seats", debug_secs);
        assert_eq!(found(Choice::First), folders[0]);
        assert_eq!(found(Choice::Newest), folders[newest]);
    }
    assert_eq!(runtime::folders(&folders), (folders.to_vec(), Choice::First));
    assert_eq!(runtime::folders(&[]).1, Choice::Newest);
    std::fs::remove_dir_all(&root).unwrap();
}

/// Goal: a wrong flag, or a template that a desk cannot follow, is told and not guessed at.
#[test]
fn what_the_template_does_not_know_is_an_error() {
    let template = Template::read().unwrap();
    let mut values = Values::default();
    let tables = template.tables().unwrap().into_iter().map(|table| table.id);
    let queues = template.queues().unwrap().into_iter().map(|(id, _)| id);
    for id in tables.chain(queues).chain(template.event_buses()) {
        values.references.insert(id.clone(), format!("the {id}"));
    }
    // With neither issuer nor secret the stack makes a user pool, and a desk has none.
    let error = template.environment("HoldSeats", &values).unwrap_err().to_string();
    assert!(error.contains("HoldSeats") && error.contains("Identity.Outputs"), "{error}");
    values.parameters.insert("JwtSecrets".to_owned(), String::new());
    let error = template.environment("HoldSeats", &values).unwrap_err().to_string();
    assert_eq!(error, "JwtSecrets is no parameter of the template");
}

/// Goal: expressions come to what CloudFormation makes of them. Method: a template with all that a desk
/// knows, and with what it does not.
#[test]
fn expressions_are_what_cloudformation_makes_of_them() {
    let evaluate = |expression: &str| {
        let text = format!(
            "Parameters: {{ Stage: {{ Default: dev }}, Count: {{ Default: 3 }}, Key: {{}} }}
Conditions:
  Dev: !Equals [!Ref Stage, dev]
  Three: !Equals [!Ref Count, \"3\"]
  Both: !And [!Condition Dev, Condition: Three]
  Prod: !Not [!Condition Dev]
  Either: !Or [!Condition Prod, !Condition Three]
Resources:
  F:
    Properties: {{ Environment: {{ Variables: {{ X: {expression} }} }} }}
"
        );
        let mut values = Values::default();
        values.references.insert("Seats".to_owned(), "desk-Seats".to_owned());
        values.attributes.insert("Seats.Arn".to_owned(), "arn:seats".to_owned());
        let template = Template::parse(&text).unwrap();
        template.environment("F", &values).map(|found| found["X"].clone())
    };
    for (expression, expected) in [
        ("plain", "plain"),
        ("5", "5"),
        ("true", "true"),
        ("!Ref Stage", "dev"),
        ("!Ref Count", "3"),
        ("!Ref Seats", "desk-Seats"),
        ("{ Ref: Seats }", "desk-Seats"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!GetAtt Seats.Arn", "arn:seats"),
        ("{ Fn::GetAtt: [Seats, Arn] }", "arn:seats"),
        (
            "!Sub \"${Stage}/${Seats.Arn}/${!Literal}/${AWS::Partition}\"",
            "dev/arn:seats/${Literal}/aws",
        ),
        ("!If [Both, yes it is, !Ref Nowhere]", "yes it is"),
        ("!If [Prod, !Ref Nowhere, !If [Either, inner, !Ref Nowhere]]", "inner"),
        ("{ Fn::If: [Dev, short, long] }", "short"),
    ] {
        assert_eq!(evaluate(expression).unwrap(), expected, "{expression}");
    }
    for (expression, why) in [
        ("!Ref Nowhere", "Nowhere"),
        ("!Ref Key", "Key"),
        ("!GetAtt Seats.StreamArn", "Seats.StreamArn"),
        ("!Sub \"${Nowhere}\"", "Nowhere"),
        ("!Sub \"${Stage\"", "${"),
        ("!If [Nowhere, a, b]", "Nowhere"),
        ("!If [Dev, a]", "3 parts"),
        ("!ImportValue a", "ImportValue"),
    ] {
        let error = evaluate(expression).unwrap_err().to_string();
        assert!(error.starts_with("F, X: ") && error.contains(why), "{expression}: {error}");
    }
}
