//! What becomes of the calls that functions make: whose is carried out next, and what befalls it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::TimeDelta;
use lambda_http::Service as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Done, Purpose, World};
use crate::dynamodb::operation_of;
use crate::service::response;
use crate::simulation::Broken;
use crate::simulation::faults::{Fault, cancelled, throttled};
use crate::simulation::gate::{Call, Service, ToAws, ToProvider, Waiting};
use crate::simulation::tables::{Change, touched};
use crate::simulation::tasks::TaskId;

/// Bytes of an answer of the provider, at most.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The longest that one call takes, in milliseconds.
const CALL_MS_MAX: i64 = 12;

/// What a turn of the world came to.
pub(in crate::simulation) enum Turn {
    /// Somebody went on.
    WentOn,
    /// An invocation is over.
    Ended(Purpose, Done),
    /// A call was let through, and changed this. If whoever made it died of it, that is told, too.
    Carried(Vec<Change>, Option<(Purpose, Done)>),
    /// All that are under way wait for their time.
    Waits,
    /// Nobody is under way.
    Rests,
}

/// A write on its way to DynamoDB.
pub(super) struct Write {
    operation: String,
    body: Vec<u8>,
    sent: Value,
}

impl World {
    /// Lets somebody go on: who has an answer first, else one of the calls that wait.
    pub(in crate::simulation) fn turn(&mut self) -> Turn {
        if !self.swept.is_empty() {
            return Turn::Carried(std::mem::take(&mut self.swept), None);
        }
        if let Some((purpose, done)) = self.ended.pop() {
            return Turn::Ended(purpose, done);
        }
        let gate = &self.gate;
        match self.tasks.poll(|task| gate.open_for(task)) {
            Some(None) => return Turn::WentOn,
            Some(Some((task, done))) => {
                self.gate.forget(task.id);
                return Turn::Ended(task.purpose, done);
            }
            None => {}
        }
        let all_rest = self.gate.count() == 0 && self.tasks.count() == 0;
        if !self.late.is_empty() && (all_rest || self.rng.u8(..12) == 0) {
            return self.carry_late();
        }
        match self.gate.count() {
            0 if all_rest => Turn::Rests,
            0 => Turn::Waits,
            waiting => {
                let chosen = self.rng.usize(..waiting);
                let by = self.rng.i64(0..=CALL_MS_MAX);
                self.advance(TimeDelta::milliseconds(by));
                // Somebody's time may have been up, and their calls are gone.
                if chosen < self.gate.count() { self.let_through(chosen) } else { Turn::WentOn }
            }
        }
    }

    fn let_through(&mut self, chosen: usize) -> Turn {
        let Waiting { task, call } = self.gate.take(chosen);
        let (fault, changes) = match call {
            Call::Aws(call) if call.service == Service::DynamoDb => self.carry(task, call),
            Call::Aws(ToAws { service, request, reply }) => {
                let fault = self.befalls(task, &format!("{service:?}"), false, false);
                let answer = is_carried(fault).then(|| match service {
                    Service::Bus => self.announce(&request),
                    Service::Queues | Service::DynamoDb => self.take_message(&request),
                });
                let answer = match fault {
                    Some(Fault::Throttled) => Some(throttled()),
                    _another_or_none => answer.filter(|_| fault.is_none()),
                };
                drop(reply.send(answer.ok_or_else(silence)));
                (fault, Vec::new())
            }
            Call::Provider(ToProvider { request, reply }) => {
                let fault = self.befalls(task, "the provider", false, false);
                let answer = is_carried(fault).then(|| self.provider_answers(&request));
                let answer = match fault {
                    Some(Fault::Throttled) => Some((StatusCode::TOO_MANY_REQUESTS, Vec::new())),
                    _another_or_none => answer.filter(|_| fault.is_none()),
                };
                drop(reply.send(answer.ok_or_else(|| "nobody answers".to_owned())));
                (fault, Vec::new())
            }
        };
        let is_dead = matches!(fault, Some(Fault::DeathBefore | Fault::DeathAfter));
        let ended = is_dead.then(|| self.kill(task)).flatten().map(|purpose| (purpose, Done::Died));
        for change in &changes {
            self.record(change);
        }
        Turn::Carried(changes, ended)
    }

    /// Draws what befalls a call.
    fn befalls(
        &mut self,
        task: TaskId,
        what: &str,
        is_transaction: bool,
        is_crossed: bool,
    ) -> Option<Fault> {
        let fault = self.weather.fault(&mut self.rng, is_transaction, is_crossed);
        if let Some(fault) = fault {
            self.tally.count(format!("fault: {fault}"));
            self.say(|| format!("  ! {fault}: {what} of {task}"));
        }
        fault
    }

    /// Has DynamoDB carry out a call, if nothing befalls it.
    fn carry(&mut self, task: TaskId, call: ToAws) -> (Option<Fault>, Vec<Change>) {
        let ToAws { request, reply, .. } = call;
        let (operation, body, sent) = self.read(&request);
        let steps = sent["TransactItems"].as_array().map_or(0, Vec::len);
        let is_crossed = steps > 0 && self.is_crossed(task, &sent);
        let fault = self.befalls(task, &operation, steps > 0, is_crossed);
        let mut changes = Vec::new();
        let answer = match fault {
            Some(Fault::Throttled) => Ok(throttled()),
            Some(Fault::ThrottledStep) => {
                Ok(cancelled(steps, self.rng.usize(..steps), "ThrottlingError"))
            }
            Some(Fault::Conflict) => {
                Ok(cancelled(steps, self.rng.usize(..steps), "TransactionConflict"))
            }
            Some(Fault::Down | Fault::DeathBefore) => Err(silence()),
            Some(Fault::Late) => {
                self.late.push(Write { operation, body, sent });
                Err(silence())
            }
            None | Some(Fault::LostAnswer | Fault::DeathAfter) => {
                let status;
                let answer;
                (status, answer, changes) = self.write(&Write { operation, body, sent });
                let status = status.try_into().expect("a status code is a status code");
                let answer = HttpResponse::new(status, SdkBody::from(answer));
                if fault.is_none() { Ok(answer) } else { Err(silence()) }
            }
        };
        drop(reply.send(answer));
        (fault, changes)
    }

    fn write(&mut self, write: &Write) -> (u16, Vec<u8>, Vec<Change>) {
        let Write { operation, body, sent } = write;
        self.tally.count(format!("call: {operation}"));
        let (status, answer) = self.tables.carry_out(operation, body);
        (status, answer, self.tables.changes_of(operation, sent))
    }

    /// Carries out a write that nobody waits for any more.
    fn carry_late(&mut self) -> Turn {
        let write = self.late.swap_remove(self.rng.usize(..self.late.len()));
        let (status, _, changes) = self.write(&write);
        let operation = &write.operation;
        self.say(|| format!("  ! {operation} is carried out late: {status}"));
        for change in &changes {
            self.record(change);
        }
        Turn::Carried(changes, None)
    }

    /// What becomes of a call whose maker is no more: a transaction may be on its way already.
    pub(super) fn abandon(&mut self, call: Call) {
        let Call::Aws(ToAws { service: Service::DynamoDb, request, .. }) = call else { return };
        let is_transaction = operation_of(&request) == Some("TransactWriteItems");
        if is_transaction && self.is_faulty() && self.rng.bool() {
            let (operation, body, sent) = self.read(&request);
            self.late.push(Write { operation, body, sent });
        }
    }

    /// A request as it will be carried out, with the bug that is planted here.
    fn read(&mut self, request: &HttpRequest) -> (String, Vec<u8>, Value) {
        let operation = operation_of(request).unwrap_or_default().to_owned();
        let mut body = request.body().bytes().unwrap_or_default().to_vec();
        let mut sent: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(bug) = &self.bug {
            for _ in 0..bug.plant(&mut sent) {
                self.tally.count("fault: a planted bug");
            }
            body = sent.to_string().into_bytes();
        }
        (operation, body, sent)
    }

    /// Whether somebody else's transaction waits that is on an item of this one.
    fn is_crossed(&self, task: TaskId, sent: &Value) -> bool {
        let ours = touched("TransactWriteItems", sent);
        self.gate.any(|waiting| {
            let Call::Aws(ToAws { service: Service::DynamoDb, request, .. }) = &waiting.call else {
                return false;
            };
            if waiting.task == task || operation_of(request) != Some("TransactWriteItems") {
                return false;
            }
            let theirs = request.body().bytes().unwrap_or_default();
            let theirs = serde_json::from_slice(theirs).unwrap_or_default();
            touched("TransactWriteItems", &theirs).iter().any(|place| ours.contains(place))
        })
    }

    /// The bus hears of events.
    fn announce(&mut self, request: &HttpRequest) -> HttpResponse {
        let sent: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())
            .expect("the SDK speaks JSON with the bus");
        for entry in sent["Entries"].as_array().into_iter().flatten() {
            let text = |name: &str| entry[name].as_str().unwrap_or_default();
            let detail = serde_json::from_str(text("Detail")).unwrap_or_default();
            self.announced.push((text("DetailType").to_owned(), detail));
        }
        self.bus.answer(request)
    }

    /// A queue takes a message, which somebody will bring to its function.
    fn take_message(&mut self, request: &HttpRequest) -> HttpResponse {
        assert_eq!(operation_of(request), Some("SendMessage"), "that is all functions do there");
        let sent: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default())
            .expect("the SDK speaks JSON with queues");
        let text = |name: &str| sent[name].as_str().unwrap_or_default();
        let queue = text("QueueUrl").rsplit('/').next().unwrap_or_default().to_owned();
        let delay_secs = sent["DelaySeconds"].as_i64().unwrap_or(0);
        self.messages.push((queue, text("MessageBody").to_owned(), delay_secs));
        self.sequence += 1;
        response(200, &json!({"MessageId": format!("message-{}", self.sequence)}))
    }

    /// Asks the provider for a function.
    fn provider_answers(&mut self, request: &reqwest::Request) -> (StatusCode, Vec<u8>) {
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let mut ours = Request::builder().method(request.method()).uri(request.url().as_str());
        for (name, value) in request.headers() {
            ours = ours.header(name, value);
        }
        let ours = ours.body(Body::from(body.to_vec())).expect("it was a request before");
        let (status, answer) = self.ask_provider(ours);
        if request.url().path().ends_with("/refunds") {
            self.judge_refund(request, &answer);
        }
        (status, answer)
    }

    /// The sandbox sends no money back twice. Others might, so it must be asked under one key, and under
    /// another one only after a failure.
    fn judge_refund(&mut self, request: &reqwest::Request, answer: &[u8]) {
        let payment = request.url().path().to_owned();
        let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok());
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let orders = self.refund_orders.entry(payment.clone()).or_default();
        let is_known = |key: &str| orders.iter().any(|(known, _)| known == key);
        let wrong = match key {
            None => Some("without a key"),
            Some(key) if is_known(key) => {
                self.tally.count("money: refund asked for again");
                None
            }
            Some(_) if orders.iter().any(|(_, failed)| !failed) => Some("under a second key"),
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            let detail = format!("{payment} is asked for {wrong}: {key:?} after {orders:?}");
            self.broken = Some(Broken { rule: "RefundsAreAskedForUnderOneKey", detail });
        }
        orders.push((key.unwrap_or_default().to_owned(), answer["status"] == "failed"));
    }

    /// What people do at the provider, and what it says: a status, and JSON if there is any.
    pub(in crate::simulation) fn at_provider(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        // What the payer's page sends is a form, and that is text.
        let text = match body {
            Value::Null => String::new(),
            Value::String(form) => form.clone(),
            json => json.to_string(),
        };
        let uri = format!("http://sandbox{path}");
        let request = Request::builder().method(method).uri(uri).body(Body::from(text));
        let (status, body) = self.ask_provider(request.expect("it is a request"));
        (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    fn ask_provider(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        let mut sandbox = self.sandbox.clone();
        at_once(async move {
            let Ok(answer) = sandbox.call(request).await;
            let status = answer.status();
            let body = to_bytes(answer.into_body(), BODY_BYTES_MAX).await;
            (status, body.map(Vec::from).unwrap_or_default())
        })
    }
}

fn is_carried(fault: Option<Fault>) -> bool {
    matches!(fault, None | Some(Fault::LostAnswer | Fault::DeathAfter))
}

fn silence() -> ConnectorError {
    ConnectorError::io("nobody answers".into())
}

/// What a future comes to that waits for nothing: the sandbox has no socket here.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("the sandbox waits for nobody"),
    }
}
