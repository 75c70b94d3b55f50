//! What calls functions: requests, and what streams, queues and schedules bring.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use chrono::TimeDelta;
use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::{Done, Purpose, Who, World};
use crate::functions;
use crate::simulation::tables::Change;
use crate::template::{Route, Source, StreamSource, Template, matches};

/// What calls functions, as the template says.
pub(super) struct Functions(Arc<Known>);

struct Known {
    template: Template,
    routes: Vec<Route>,
    streams: Vec<(String, StreamSource)>,
    timeouts: BTreeMap<String, TimeDelta>,
}

impl Functions {
    /// The template is read once, however many histories there are.
    pub(super) fn known() -> Self {
        static KNOWN: OnceLock<Arc<Known>> = OnceLock::new();
        Self(Arc::clone(KNOWN.get_or_init(|| Arc::new(Known::read()))))
    }

    pub(super) fn template(&self) -> &Template {
        &self.0.template
    }
}

impl Known {
    fn read() -> Self {
        let template = Template::read().expect("the template is what is deployed");
        let sources = template.sources().expect("the template is what is deployed");
        let streams = sources.into_iter().filter_map(|(function, source)| match source {
            Source::Stream(source) => Some((function, source)),
            Source::Queue(_) | Source::Schedule { .. } => None,
        });
        let streams = streams.collect();
        let timeout = |id: String| {
            let timeout = template.timeout(&id).expect("each function has one");
            (id, timeout)
        };
        let timeouts = template.functions().into_iter().map(timeout).collect();
        Self { routes: template.routes(), streams, timeouts, template }
    }
}

impl World {
    /// Sends a request, as API Gateway passes it on.
    #[expect(clippy::too_many_arguments, reason = "it is a request, and where it goes")]
    pub(in crate::simulation) fn request(
        &mut self,
        site: usize,
        who: Who<'_>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
        purpose: Purpose,
    ) {
        let token = self.token_of(who).map(|token| format!("Bearer {token}"));
        let headers = headers.iter().copied();
        let headers = headers.chain(token.as_deref().map(|token| ("authorization", token)));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let chosen = Route::chosen(&self.functions.0.routes, method, path);
        let (route, parameters) = chosen.expect("players ask for what there is");
        let event = json!({
            "version": "2.0",
            "routeKey": format!("{method} {}", route.path),
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers.collect::<BTreeMap<_, _>>(),
            "pathParameters": parameters,
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
                "stage": "$default",
            },
            "body": body,
            "isBase64Encoded": false,
        });
        let function = route.function.clone();
        self.begin(site, &function, event, answered, purpose);
    }

    /// Calls a function that no request calls.
    pub(in crate::simulation) fn invoke(
        &mut self,
        site: usize,
        function: &str,
        event: Value,
        purpose: Purpose,
    ) {
        self.begin(site, function, event, returned, purpose);
    }

    fn begin(
        &mut self,
        site: usize,
        id: &str,
        event: Value,
        read: fn(Result<Value, String>) -> Done,
        purpose: Purpose,
    ) {
        let timeout = self.functions.0.timeouts[id];
        let site = &self.sites[site];
        let function = functions::by_id(id, &site.app).expect("the template names what there is");
        let mut context = Context::default();
        context.request_id = "simulated".to_owned();
        let deadline = self.now() + timeout;
        let by_its_clock = deadline + TimeDelta::milliseconds(site.skew_ms);
        context.deadline = by_its_clock.timestamp_millis().unsigned_abs();
        let work = async move {
            let answer = function(LambdaEvent::new(event, context)).await;
            answer.map_err(|error| error.to_string())
        };
        self.tasks.begin(Box::pin(work), read, deadline, purpose);
    }

    /// Writes a change into the streams of the functions that it concerns.
    pub(in crate::simulation) fn record(&mut self, change: &Change) {
        let known = Arc::clone(&self.functions.0);
        let mut record = None;
        for (function, source) in &known.streams {
            if source.table != change.table {
                continue;
            }
            let record: &Value = record.get_or_insert_with(|| self.record_of(change));
            let filters = &source.filters;
            if filters.is_empty() || filters.iter().any(|filter| matches(filter, record)) {
                self.records.push((function.clone(), record.clone()));
            }
        }
    }

    /// A change as Lambda passes it on (AWS, "Using AWS Lambda with Amazon DynamoDB").
    fn record_of(&mut self, change: &Change) -> Value {
        self.sequence += 1;
        let name = match (&change.old, &change.new) {
            (None, _) => "INSERT",
            (Some(_), Some(_)) => "MODIFY",
            (Some(_), None) => "REMOVE",
        };
        let mut record = json!({
            "eventID": self.sequence.to_string(),
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "eventSourceARN":
                format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}/stream/1", change.table),
            "dynamodb": {
                "ApproximateCreationDateTime": self.now().timestamp(),
                "Keys": change.keys(),
                "SequenceNumber": format!("{:021}", self.sequence),
                "SizeBytes": 1,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        });
        for (image, item) in [("OldImage", &change.old), ("NewImage", &change.new)] {
            if let Some(item) = item {
                record["dynamodb"][image] = item.clone();
            }
        }
        if change.by_ttl {
            record["userIdentity"] =
                json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
        }
        record
    }
}

/// A function's answer to a request.
fn answered(answer: Result<Value, String>) -> Done {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Done::Failed(why),
    };
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let Some(status) = status else { return Done::Failed(format!("no status in {answer}")) };
    let text = answer["body"].as_str().unwrap_or_default();
    Done::Answered { status, body: serde_json::from_str(text).unwrap_or_default() }
}

fn returned(answer: Result<Value, String>) -> Done {
    answer.map_or_else(Done::Failed, Done::Returned)
}
