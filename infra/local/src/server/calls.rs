//! What calls functions besides requests, as the template says.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use edge::{Clock, Function};
use tokio::task::JoinHandle;

use super::TABLE_PREFIX;
use crate::dynamodb::Engine;
use crate::pages::Schedules;
use crate::pump::{QueuePump, SchedulePump, StreamPump, Target};
use crate::template::{Error, Source, Template};

/// What is needed to call functions.
pub(super) struct Calls<'a, F> {
    pub(super) template: &'a Template,
    /// Finds a function by its logical id.
    pub(super) find: &'a F,
    pub(super) clock: &'a Clock,
}

impl<F: Fn(&str) -> Option<Function>> Calls<'_, F> {
    /// Starts the calls of queues, schedules and streams. Without streams nothing calls those behind
    /// one, and only the schedule sees what they would have done. `schedules` are those of
    /// [`Calls::schedules`].
    pub(super) async fn start(
        &self,
        sqs: &Client,
        streams: Option<Engine>,
        schedules: &Schedules,
    ) -> Result<Vec<JoinHandle<()>>, Error> {
        let mut tasks = Vec::new();
        for pump in schedules.values() {
            let pump = Arc::clone(pump);
            tasks.push(tokio::spawn(async move { pump.run().await }));
        }
        for (id, source) in self.template.sources()? {
            let target = self.target(&id)?;
            match (source, &streams) {
                (Source::Queue(source), _) => {
                    tasks.push(tokio::spawn(QueuePump::new(target, source, sqs.clone()).run()));
                }
                (Source::Stream(source), Some(engine)) => {
                    let table = format!("{TABLE_PREFIX}{}", source.table);
                    let (engine, sqs) = (engine.clone(), sqs.clone());
                    let pump = StreamPump::new(target, source, engine, &table, sqs).await?;
                    tasks.push(tokio::spawn(pump.run()));
                }
                (Source::Stream(_), None) | (Source::Schedule { .. }, _) => {}
            }
        }
        Ok(tasks)
    }

    /// The schedules by the functions that they call, also for who does not want to wait for the clock.
    pub(super) fn schedules(&self) -> Result<Schedules, Error> {
        let mut schedules = Schedules::new();
        for (id, source) in self.template.sources()? {
            if let Source::Schedule { every } = source {
                let pump = Arc::new(SchedulePump::new(self.target(&id)?, every));
                if schedules.insert(id.clone(), pump).is_some() {
                    return Err(format!("{id} has two schedules, and a desk gives it one").into());
                }
            }
        }
        Ok(schedules)
    }

    fn target(&self, id: &str) -> Result<Target, Error> {
        let missing = || format!("template.yaml names {id}, which is not built here");
        let function = (self.find)(id).ok_or_else(missing)?;
        Target::new(self.template, id, function, self.clock.clone())
    }
}
