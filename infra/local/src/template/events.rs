//! What calls functions besides routes: queues, streams and schedules.
//!
//! What a desk does not imitate is refused where it would go unseen: a filter with an operator, a
//! cron expression, a kind of event that nothing here pumps, a property that it does not know.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;
use serde_yaml_ng::Value as Yaml;

use super::{Error, Template};
use crate::queue;

/// Properties of an event source that change nothing on a desk: no batch waits to be filled, and
/// nothing happens in parallel.
const WITHOUT_EFFECT: [&str; 3] =
    ["MaximumBatchingWindowInSeconds", "ParallelizationFactor", "ScalingConfig"];

/// The same of a queue: a desk is not up for as long as its messages would be kept.
const WITHOUT_EFFECT_ON_QUEUES: [&str; 2] = ["MessageRetentionPeriod", "SqsManagedSseEnabled"];

/// What calls a function, other than a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Messages of a queue.
    Queue(QueueSource),
    /// Changes of a table's items.
    Stream(StreamSource),
    /// The clock.
    Schedule {
        /// From one call to the next.
        every: Duration,
    },
}

/// A queue that calls a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSource {
    /// The queue's logical id, which is its name on a desk.
    pub queue: String,
    /// Messages that a call gets at most.
    pub batch_size: usize,
    /// Whether Lambda heeds which messages the function says have failed.
    pub reports_failures: bool,
}

/// A table's stream that calls a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSource {
    /// The table's logical id.
    pub table: String,
    /// Records that a call gets at most.
    pub batch_size: usize,
    /// What a record must match one of, if there are any.
    pub filters: Vec<Value>,
    /// How often a failed batch is tried again; for ever if not said.
    pub retries: Option<u32>,
    /// Whether a failed batch is split, so that a record which cannot succeed is given up alone.
    pub bisects: bool,
    /// The logical id of the queue that hears of what is given up.
    pub on_failure: Option<String>,
    /// Whether Lambda heeds which records the function says have failed.
    pub reports_failures: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct QueueProperties {
    visibility_timeout: Option<u32>,
    redrive_policy: Option<RedrivePolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedrivePolicy {
    dead_letter_target_arn: Yaml,
    max_receive_count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SqsEvent {
    queue: Yaml,
    batch_size: Option<usize>,
    #[serde(default)]
    function_response_types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DynamoDbEvent {
    stream: Yaml,
    starting_position: String,
    batch_size: Option<usize>,
    #[serde(default)]
    filter_criteria: FilterCriteria,
    maximum_retry_attempts: Option<i64>,
    maximum_record_age_in_seconds: Option<i64>,
    #[serde(default)]
    bisect_batch_on_function_error: bool,
    #[serde(default)]
    function_response_types: Vec<String>,
    destination_config: Option<DestinationConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DestinationConfig {
    on_failure: OnFailure,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OnFailure {
    #[serde(rename = "Type")]
    kind: String,
    destination: Yaml,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterCriteria {
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ScheduleEvent {
    schedule: String,
}

impl Template {
    /// The queues, by their logical ids.
    ///
    /// # Errors
    ///
    /// If one is not described as expected.
    pub fn queues(&self) -> Result<Vec<(String, queue::Settings)>, Error> {
        let queues = self.resources_of("AWS::SQS::Queue");
        queues.map(|(id, properties)| Ok((id, self.queue(properties)?))).collect()
    }

    fn queue(&self, properties: &Yaml) -> Result<queue::Settings, Error> {
        let properties = without(properties.clone(), &WITHOUT_EFFECT_ON_QUEUES);
        let properties: QueueProperties = serde_yaml_ng::from_value(properties)?;
        let redrive = properties.redrive_policy.map(|policy| {
            let target = &policy.dead_letter_target_arn;
            let dead_letter_queue = self.attribute(target, "AWS::SQS::Queue", "Arn")?;
            Ok::<_, Error>(queue::Redrive {
                dead_letter_queue,
                receives_max: policy.max_receive_count,
            })
        });
        // What SQS gives a queue that does not say.
        let visibility_timeout_secs = properties.visibility_timeout.unwrap_or(30);
        Ok(queue::Settings { visibility_timeout_secs, redrive: redrive.transpose()? })
    }

    /// The event buses, by their logical ids.
    #[must_use]
    pub fn event_buses(&self) -> Vec<String> {
        self.resources_of("AWS::Events::EventBus").map(|(id, _)| id).collect()
    }

    /// What calls functions, other than routes, with the functions' logical ids: a function as often
    /// as it has sources.
    ///
    /// # Errors
    ///
    /// If an event is not described as expected, or nothing on a desk pumps its kind.
    pub fn sources(&self) -> Result<Vec<(String, Source)>, Error> {
        let mut sources = Vec::new();
        for (function, event) in self.events() {
            let source = self.source(event).map_err(|error| format!("{function}: {error}"))?;
            sources.extend(source.map(|source| (function, source)));
        }
        Ok(sources)
    }

    fn source(&self, event: &Yaml) -> Result<Option<Source>, Error> {
        let properties = event.get("Properties").cloned().unwrap_or_default();
        let properties = without(properties, &WITHOUT_EFFECT);
        match event.get("Type").and_then(Yaml::as_str) {
            Some("HttpApi") => Ok(None),
            Some("SQS") => {
                let event: SqsEvent = serde_yaml_ng::from_value(properties)?;
                Ok(Some(Source::Queue(QueueSource {
                    queue: self.attribute(&event.queue, "AWS::SQS::Queue", "Arn")?,
                    batch_size: event.batch_size.unwrap_or(10),
                    reports_failures: reports_failures(&event.function_response_types),
                })))
            }
            Some("DynamoDB") => {
                let event = serde_yaml_ng::from_value(properties)?;
                Ok(Some(Source::Stream(self.stream(&event)?)))
            }
            Some("Schedule") => {
                let event: ScheduleEvent = serde_yaml_ng::from_value(properties)?;
                Ok(Some(Source::Schedule { every: rate(&event.schedule)? }))
            }
            other => Err(format!("nothing on this desk pumps events of type {other:?}").into()),
        }
    }

    fn stream(&self, event: &DynamoDbEvent) -> Result<StreamSource, Error> {
        let position = &event.starting_position;
        if position != "TRIM_HORIZON" {
            return Err(format!("a desk reads a stream from its beginning, not {position}").into());
        }
        let on_failure = event.destination_config.as_ref().map(|config| match &config.on_failure {
            OnFailure { kind, destination } if kind == "SQS" => {
                self.attribute(destination, "AWS::SQS::Queue", "Arn")
            }
            OnFailure { kind, .. } => Err(format!("a desk has no {kind} for failures").into()),
        });
        // -1, which is what goes without saying, means as long as the record lives.
        let retries: Option<u32> = event.maximum_retry_attempts.and_then(|it| it.try_into().ok());
        let has_age = event.maximum_record_age_in_seconds.is_some_and(|secs| secs >= 0);
        // So many tries are over long before anything is too old.
        if has_age && retries.is_none() {
            return Err("a desk gives nothing up for its age alone".into());
        }
        let filters = event.filter_criteria.filters.iter();
        Ok(StreamSource {
            table: self.attribute(&event.stream, "AWS::DynamoDB::Table", "StreamArn")?,
            batch_size: event.batch_size.unwrap_or(100),
            filters: filters.map(|filter| pattern(&filter.pattern)).collect::<Result<_, _>>()?,
            retries,
            bisects: event.bisect_batch_on_function_error,
            on_failure: on_failure.transpose()?,
            reports_failures: reports_failures(&event.function_response_types),
        })
    }

    /// The logical id of the resource of this type whose attribute `value` is: `X` of
    /// `!GetAtt X.Arn`.
    fn attribute(&self, value: &Yaml, kind: &str, attribute: &str) -> Result<String, Error> {
        let id = match value {
            Yaml::Tagged(tagged) if tagged.tag == "GetAtt" => tagged.value.as_str(),
            _not_an_attribute => None,
        };
        let id = id.and_then(|path| path.strip_suffix(attribute)?.strip_suffix('.'));
        let id = id.filter(|id| self.resources_of(kind).any(|(known, _)| known == *id));
        let id = id.ok_or_else(|| format!("{value:?} is no {attribute} of an {kind}"))?;
        Ok(id.to_owned())
    }

    /// How long a call of this function may take.
    ///
    /// # Errors
    ///
    /// If it is no whole number of seconds.
    pub fn timeout(&self, function: &str) -> Result<TimeDelta, Error> {
        let secs = match self.of_function(function, "Timeout") {
            Some(timeout) => timeout.as_i64().ok_or("a Timeout is no whole number")?,
            // What Lambda gives a function that does not say.
            None => 3,
        };
        Ok(TimeDelta::seconds(secs))
    }
}

/// `properties` but for these.
fn without(mut properties: Yaml, names: &[&str]) -> Yaml {
    if let Some(properties) = properties.as_mapping_mut() {
        properties.retain(|name, _| !name.as_str().is_some_and(|name| names.contains(&name)));
    }
    properties
}

/// Without this, Lambda takes every answer for a success of the whole batch.
fn reports_failures(response_types: &[String]) -> bool {
    response_types.iter().any(|response_type| response_type == "ReportBatchItemFailures")
}

/// A pattern that [`matches`] understands.
fn pattern(text: &str) -> Result<Value, Error> {
    let pattern = serde_json::from_str(text)?;
    if is_exact(&pattern) {
        Ok(pattern)
    } else {
        Err(format!("a desk filters by exact values only, not by {text}").into())
    }
}

fn is_exact(pattern: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Array(allowed) => !allowed.iter().any(|value| value.is_object() || value.is_array()),
        _bare_value => false,
    }
}

/// Whether a filter lets a record through: every key of the pattern is in the record, and its
/// value is one of those that the pattern lists.
///
/// The part of the syntax that has no operators (AWS, "Control which events Lambda sends to your
/// function", filter rule syntax).
#[must_use]
pub fn matches(pattern: &Value, record: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields
            .iter()
            .all(|(name, inner)| record.get(name).is_some_and(|value| matches(inner, value))),
        Value::Array(allowed) => allowed.contains(record),
        _bare_value => false,
    }
}

/// The time between two calls of `rate(5 minutes)`.
fn rate(expression: &str) -> Result<Duration, Error> {
    let rate = expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
    let (count, unit) = rate.and_then(|rate| rate.split_once(' ')).unwrap_or_default();
    let count: u64 = count.parse().unwrap_or_default();
    // EventBridge refuses `1 minutes` and `5 minute` too.
    let unit_secs = match (count, unit) {
        (1, "minute") | (2.., "minutes") => 60,
        (1, "hour") | (2.., "hours") => 60 * 60,
        (1, "day") | (2.., "days") => 24 * 60 * 60,
        _something_else => return Err(format!("`{expression}` is no rate").into()),
    };
    Ok(Duration::from_secs(count * unit_secs))
}
