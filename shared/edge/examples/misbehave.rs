//! A function that does what its event says, and mostly that is wrong: what the Runtime API of a desk is
//! tried with.

use std::time::Duration;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::var("AT_THE_START").as_deref() {
        Ok("exit") => std::process::exit(4),
        Ok("hang") => std::future::pending().await,
        Ok("late") => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            lambda_runtime::run(service_fn(answer)).await
        }
        _as_it_should => lambda_runtime::run(service_fn(answer)).await,
    }
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let wanted = &event.payload;
    match wanted["do"].as_str() {
        Some("panic") => panic!("as the event says"),
        Some("abort") => std::process::abort(),
        Some("exit") => std::process::exit(3),
        Some("leave") => std::process::exit(0),
        Some("hang") => std::future::pending().await,
        Some("swell") => {
            // As JSON it has two quotes more.
            let letters = wanted["bytes"].as_u64().unwrap_or_default().saturating_sub(2);
            Ok(json!("x".repeat(usize::try_from(letters).unwrap_or_default())))
        }
        Some("fail") => Err(Diagnostic {
            error_type: "Unwilling".to_owned(),
            error_message: "as the event says".to_owned(),
        }),
        Some("write") => {
            println!("a line of the log");
            eprintln!("a line for whoever looks");
            Ok(json!(std::process::id()))
        }
        _tell => Ok(json!({
            "event": event.payload,
            "requestId": event.context.request_id,
            "deadlineMs": event.context.deadline,
            "nowMs": edge::system_clock()().timestamp_millis(),
            "arn": event.context.invoked_function_arn,
            "traceId": event.context.xray_trace_id,
            "process": std::process::id(),
            "folder": std::env::current_dir().ok(),
            "environment": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
        })),
    }
}
