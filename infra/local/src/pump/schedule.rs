//! From the clock to a function.

use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::json;

use super::{Target, drawn_id};
use crate::template::Error;

/// Calls a function again and again.
pub struct SchedulePump {
    target: Target,
    every: Duration,
}

impl SchedulePump {
    /// A pump that calls the function this often.
    #[must_use]
    pub fn new(target: Target, every: Duration) -> Self {
        Self { target, every }
    }

    /// Calls the function once.
    ///
    /// # Errors
    ///
    /// The function's.
    pub async fn step(&self) -> Result<(), Error> {
        let now = (self.target.clock)();
        let event = json!({
            "version": "0",
            "id": drawn_id(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000000",
            "time": now.to_rfc3339_opts(SecondsFormat::Secs, true),
            "region": "us-east-1",
            "resources": [],
            "detail": {},
        });
        self.target.invoke(event).await.map(drop)
    }

    /// Pumps until the task is aborted. Waits first.
    pub async fn run(&self) {
        loop {
            tokio::time::sleep(self.every).await;
            if let Err(error) = self.step().await {
                eprintln!("{} failed: {error}", self.target.id);
            }
        }
    }
}
