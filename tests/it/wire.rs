//! The wire between the SDK and DynamoDB: what passes is written down, with the tables' names as in
//! the template, and faults can be put on it. Everything above it is real, retries included.
//! [`conditions`] puts bugs on it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use local::dynamodb::operation_of;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::engine::Engine;

mod conditions;

/// A fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The call is carried out, and its answer is lost.
    LoseAnswer,
    /// Another transaction is on the same items.
    TransactionConflict,
    /// Another transaction is on what the user has left, which only their own requests are on.
    OwnConflict,
    /// The first item of the transaction is busy, and the others are judged.
    ThrottledStep,
    /// Of the transaction's steps, the one after the first meets a seat that somebody else holds.
    SeatOfAnother,
    /// The policy does not allow it.
    AccessDenied,
    /// Too many calls.
    Throttle,
    /// Nobody answers, nothing is carried out.
    Down,
}

/// A call that passed.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) request: Value,
    pub(crate) answer: Value,
}

impl Call {
    /// Whether it only counts how often a user came.
    pub(crate) fn counts_a_user(&self) -> bool {
        counts_a_user(&self.request)
    }
}

type AtEachCall = Box<dyn Fn() + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Wire {
    to: Engine,
    at_each_call: Arc<Mutex<Option<AtEachCall>>>,
    state: Arc<Mutex<State>>,
    death: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Calls that were answered, each with how many began before it.
    calls: Vec<(usize, Call)>,
    begun: usize,
    faults: Vec<(&'static str, Fault)>,
    /// Calls that are carried out before the one at which whoever makes it dies.
    dies_after: Option<usize>,
}

impl Wire {
    pub(crate) fn new(to: Engine) -> Self {
        Self { to, at_each_call: Arc::default(), state: Arc::default(), death: Arc::default() }
    }

    /// The next `times` calls of `operation` fail.
    pub(crate) fn inject(&self, operation: &'static str, fault: Fault, times: usize) {
        let mut state = self.state.lock().unwrap();
        state.faults.extend(std::iter::repeat_n((operation, fault), times));
    }

    /// Does this whenever something is called.
    pub(crate) fn at_each_call(&self, what: impl Fn() + Send + Sync + 'static) {
        *self.at_each_call.lock().unwrap() = Some(Box::new(what));
    }

    /// Does this once, just before the call after the next `calls` of them is carried out.
    pub(crate) fn before_call(&self, calls: usize, what: impl Fn() + Send + Sync + 'static) {
        let made = AtomicUsize::new(0);
        self.at_each_call(move || {
            if made.fetch_add(1, SeqCst) == calls {
                what();
            }
        });
    }

    /// The calls that passed since they were last taken, in the order in which they began.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        let mut calls = std::mem::take(&mut self.state.lock().unwrap().calls);
        calls.sort_by_key(|(begun, _)| *begun);
        calls.into_iter().map(|(_, call)| call).collect()
    }

    /// Faults that nothing has met yet.
    pub(crate) fn faults_left(&self) -> usize {
        self.state.lock().unwrap().faults.len()
    }

    /// Forgets the faults that nothing has met yet.
    pub(crate) fn clear(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// Runs `work` until it is done, or dies at the call after `calls` of them: that one is carried out,
    /// and nobody hears of it. Says whether it was done.
    pub(crate) async fn kill_after(&self, calls: usize, work: impl Future<Output = ()>) -> bool {
        self.state.lock().unwrap().dies_after = Some(calls);
        let done = tokio::select! {
            () = work => true,
            () = self.death.notified() => false,
        };
        self.state.lock().unwrap().dies_after = None;
        done
    }

    /// Whether the call that is made now is the last thing its caller does.
    fn is_deadly(&self) -> bool {
        let left = &mut self.state.lock().unwrap().dies_after;
        match left {
            Some(0) => {
                *left = None;
                true
            }
            Some(calls) => {
                *calls -= 1;
                false
            }
            None => false,
        }
    }

    fn next_fault(&self, operation: &str) -> Option<Fault> {
        let faults = &mut self.state.lock().unwrap().faults;
        let next = faults.iter().position(|(of, _)| *of == operation)?;
        Some(faults.remove(next).1)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            // A call takes its time, and now one, now another is faster: so tasks really race.
            for _ in 0..fastrand::u8(..4) {
                tokio::task::yield_now().await;
            }
            if let Some(what) = &*wire.at_each_call.lock().unwrap() {
                what();
            }
            let answer = wire.carry(request).await;
            if wire.is_deadly() {
                wire.death.notify_one();
                std::future::pending::<()>().await;
            }
            answer
        })
    }
}

/// Whether a call only counts how often a user came. Its faults are those of `Limits`.
fn counts_a_user(sent: &Value) -> bool {
    let steps = sent["TransactItems"].as_array();
    steps.is_some_and(|steps| steps.len() == 1 && steps[0]["Put"]["TableName"] == "Limits")
}

impl Wire {
    async fn carry(&self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let operation = operation_of(&request).unwrap_or_default().to_owned();
        let is_planted = conditions::pass(&operation, &mut request);
        let sent = self.to.read(request.body());
        let of = if counts_a_user(&sent) { "Limits" } else { operation.as_str() };
        let begun = self.begin();
        let answer = match self.next_fault(of) {
            None => self.to.answer(&request).await?,
            Some(Fault::LoseAnswer) => {
                let _lost = self.to.answer(&request).await;
                return Err(ConnectorError::io("the answer is lost".into()));
            }
            Some(Fault::Down) => return Err(ConnectorError::io("nobody answers".into())),
            Some(Fault::TransactionConflict) => conflict(&sent, 0),
            Some(Fault::OwnConflict) => {
                let steps = sent["TransactItems"].as_array().unwrap();
                let own = steps.iter().position(|step| step["Put"]["TableName"] == "Limits");
                conflict(&sent, own.unwrap())
            }
            Some(Fault::ThrottledStep) => throttled_step(&sent),
            Some(Fault::SeatOfAnother) => seat_of_another(&sent),
            Some(Fault::AccessDenied) => refused(json!({
                "__type": "com.amazon.coral.service#AccessDeniedException",
                "message": "User is not authorized to perform this",
            })),
            Some(Fault::Throttle) => refused(json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException",
                "message": "Rate exceeded",
            })),
        };
        let call = Call { operation, request: sent, answer: self.to.read(answer.body()) };
        if is_planted {
            conditions::expect_sense(&call.answer);
        }
        self.state.lock().unwrap().calls.push((begun, call));
        Ok(answer)
    }

    /// How many calls began before this one.
    fn begin(&self) -> usize {
        let begun = &mut self.state.lock().unwrap().begun;
        *begun += 1;
        *begun - 1
    }
}

fn refused(answer: Value) -> HttpResponse {
    HttpResponse::new(400.try_into().unwrap(), SdkBody::from(answer.to_string()))
}

/// What DynamoDB says when another transaction is on one of the items.
fn conflict(sent: &Value, at: usize) -> HttpResponse {
    let steps = sent["TransactItems"].as_array().map_or(0, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); steps];
    reasons[at] = json!({
        "Code": "TransactionConflict",
        "Message": "Transaction is ongoing for the item",
    });
    cancelled(&reasons)
}

/// What DynamoDB says when the first item is busy and the conditions of the others refuse.
fn throttled_step(sent: &Value) -> HttpResponse {
    let steps = sent["TransactItems"].as_array().unwrap();
    let refused = |step: &Value| {
        json!({
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": step["Put"]["Item"],
        })
    };
    let mut reasons: Vec<Value> = steps.iter().map(refused).collect();
    reasons[0] = json!({"Code": "ThrottlingError", "Message": "Throughput exceeds the limit"});
    cancelled(&reasons)
}

/// What DynamoDB says when the second step's seat is held by somebody else, for long.
fn seat_of_another(sent: &Value) -> HttpResponse {
    let steps = sent["TransactItems"].as_array().map_or(0, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); steps];
    reasons[1] = json!({
        "Code": "ConditionalCheckFailed",
        "Message": "The conditional request failed",
        "Item": {
            "seat_status": {"S": "HELD"},
            "reservation_id": {"S": "theirs"},
            "expires_at": {"N": "4000000000"},
        },
    });
    cancelled(&reasons)
}

fn cancelled(reasons: &[Value]) -> HttpResponse {
    refused(json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    }))
}
