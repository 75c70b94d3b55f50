//! The gate: every call that a function makes waits here until it is let through. So two invocations
//! meet between any two of their calls, and what becomes of a call is decided outside.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use edge::payment::Carrier;
use reqwest::StatusCode;
use tokio::sync::oneshot;

use super::tasks::TaskId;

/// Whom a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    DynamoDb,
    Queues,
    Bus,
}

/// What was asked of a provider, and where its answer goes.
pub(super) struct ToProvider {
    pub(super) request: reqwest::Request,
    pub(super) reply: oneshot::Sender<Result<(StatusCode, Vec<u8>), String>>,
}

/// What was asked of AWS, and where its answer goes.
pub(super) struct ToAws {
    pub(super) service: Service,
    pub(super) request: HttpRequest,
    pub(super) reply: oneshot::Sender<Result<HttpResponse, ConnectorError>>,
}

pub(super) enum Call {
    Aws(ToAws),
    Provider(ToProvider),
}

/// A call that waits, and whose it is.
pub(super) struct Waiting {
    pub(super) task: TaskId,
    pub(super) call: Call,
}

/// The gate. Clones are the same gate.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Who is polled now.
    current: Option<TaskId>,
    waiting: Vec<Waiting>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose calls come from now on.
    pub(super) fn open_for(&self, task: TaskId) {
        self.state().current = Some(task);
    }

    pub(super) fn count(&self) -> usize {
        self.state().waiting.len()
    }

    /// Lets one of the waiting calls through.
    pub(super) fn take(&self, position: usize) -> Waiting {
        self.state().waiting.remove(position)
    }

    /// Looks at each waiting call.
    pub(super) fn any(&self, mut matches: impl FnMut(&Waiting) -> bool) -> bool {
        self.state().waiting.iter().any(&mut matches)
    }

    /// Takes the calls of whoever is no more.
    pub(super) fn forget(&self, task: TaskId) -> Vec<Call> {
        let is_theirs = |waiting: &mut Waiting| waiting.task == task;
        let taken = self.state().waiting.extract_if(.., is_theirs).collect::<Vec<_>>();
        taken.into_iter().map(|waiting| waiting.call).collect()
    }

    fn queue(&self, call: Call) {
        let mut state = self.state();
        let task = state.current.expect("only tasks make calls");
        state.waiting.push(Waiting { task, call });
    }

    /// HTTP for the SDK's clients of a service.
    pub(super) fn client(&self, service: Service) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(ToGate { gate: self.clone(), service });
        http_client_fn(move |_, _| connector.clone())
    }

    /// The same for the provider's.
    pub(super) fn carrier(&self) -> Carrier {
        let gate = self.clone();
        Carrier::new(move |request| {
            let gate = gate.clone();
            Box::pin(async move {
                let (reply, answer) = oneshot::channel();
                gate.queue(Call::Provider(ToProvider { request, reply }));
                answer.await?.map_err(Into::into)
            })
        })
    }
}

struct ToGate {
    gate: Gate,
    service: Service,
}

impl fmt::Debug for ToGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToGate({:?})", self.service)
    }
}

impl HttpConnector for ToGate {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (gate, service) = (self.gate.clone(), self.service);
        HttpConnectorFuture::new(async move {
            let (reply, answer) = oneshot::channel();
            gate.queue(Call::Aws(ToAws { service, request, reply }));
            answer.await.map_err(|gone| ConnectorError::io(gone.into()))?
        })
    }
}
