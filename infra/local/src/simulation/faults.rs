//! What can befall a call, and whoever made it.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::service::{refusal, response};

/// What befalls one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is carried out, and the answer is lost.
    LostAnswer,
    /// Nobody answers, and nothing is carried out.
    Down,
    /// Too many calls.
    Throttled,
    /// One item of a transaction is too busy.
    ThrottledStep,
    /// Another transaction is on one of its items.
    Conflict,
    /// Nobody answers, and it is carried out when whoever made it has given it up.
    Late,
    /// Whoever made it dies before it is carried out.
    DeathBefore,
    /// It is carried out, and whoever made it dies before it hears of that.
    DeathAfter,
}

/// As the tally and the trace have it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LostAnswer => "lost answer",
            Self::Down => "down",
            Self::Throttled => "throttled",
            Self::ThrottledStep => "throttled step",
            Self::Conflict => "conflict",
            Self::Late => "carried out late",
            Self::DeathBefore => "died before a call",
            Self::DeathAfter => "died after a call",
        })
    }
}

/// All of them, in the order that `Weather::fault` draws by. Each must befall somebody in a run that is long enough.
pub(super) const FAULTS: [Fault; 8] = [
    Fault::LostAnswer,
    Fault::Down,
    Fault::Throttled,
    Fault::ThrottledStep,
    Fault::Conflict,
    Fault::Late,
    Fault::DeathBefore,
    Fault::DeathAfter,
];

/// How often faults happen in a history: in every so many thousandths of calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    faults_per_mille: u32,
    deaths_per_mille: u32,
}

impl Weather {
    /// Nothing goes wrong.
    pub(super) const CALM: Self = Self { faults_per_mille: 0, deaths_per_mille: 0 };

    /// Some histories are calm, some are storms.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let (faults_per_mille, deaths_per_mille) =
            [(0, 0), (10, 4), (40, 15), (120, 30)][rng.usize(..4)];
        Self { faults_per_mille, deaths_per_mille }
    }

    /// How it is said.
    pub(super) fn name(self) -> String {
        let Self { faults_per_mille, deaths_per_mille } = self;
        format!("of 1000 calls {faults_per_mille} fail, and {deaths_per_mille} kill")
    }

    pub(super) fn is_calm(self) -> bool {
        self.faults_per_mille == 0 && self.deaths_per_mille == 0
    }

    /// What befalls a call. `is_transaction`: it is one; `is_crossed`: another one on its items waits too.
    pub(super) fn fault(
        self,
        rng: &mut Rng,
        is_transaction: bool,
        is_crossed: bool,
    ) -> Option<Fault> {
        let drawn = rng.u32(..1000);
        if drawn < self.deaths_per_mille {
            return Some(if rng.bool() { Fault::DeathBefore } else { Fault::DeathAfter });
        }
        // Two transactions that meet on an item are what DynamoDB really refuses, storm or not.
        if is_crossed && !self.is_calm() && rng.u8(..4) == 0 {
            return Some(Fault::Conflict);
        }
        if drawn >= self.deaths_per_mille + self.faults_per_mille {
            return None;
        }
        // The first three befall any call, the next three a transaction only.
        Some(FAULTS[rng.usize(..if is_transaction { 6 } else { 3 })])
    }
}

/// What AWS says when there are too many calls.
pub(super) fn throttled() -> HttpResponse {
    refusal(400, "ThrottlingException", "Rate exceeded")
}

/// What DynamoDB says of a transaction of so many steps, one of which was not to be had.
pub(super) fn cancelled(steps: usize, at: usize, code: &str) -> HttpResponse {
    let mut reasons = vec![json!({"Code": "None"}); steps];
    if let Some(reason) = reasons.get_mut(at) {
        *reason = json!({"Code": code, "Message": "it is busy"});
    }
    let answer: Value = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    });
    response(400, &answer)
}
