//! Secrets Manager on a desk: secrets in process, for functions that are processes of their own.
//!
//! Answers `GetSecretValue` and refuses the rest, unknown parameters too. What a function has in this
//! process is given its secrets outright.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dynamodb::operation_of;
use crate::service::{refusal, response};

/// Secrets by their names. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<BTreeMap<String, String>>);

#[derive(Deserialize)]
#[serde(rename_all_fields = "PascalCase", deny_unknown_fields)]
enum Request {
    GetSecretValue { secret_id: String },
}

impl Secrets {
    /// These secrets, and no others.
    #[must_use]
    pub fn new(secrets: BTreeMap<String, String>) -> Self {
        Self(Arc::new(secrets))
    }

    /// Answers a request.
    #[must_use]
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let operation = operation_of(request).unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let asked = serde_json::from_slice::<Value>(body)
            .and_then(|parameters| serde_json::from_value(json!({operation: parameters})));
        let Request::GetSecretValue { secret_id } = match asked {
            Ok(request) => request,
            Err(why) => return refusal(400, "InvalidRequestException", why),
        };
        match self.0.get(&secret_id) {
            Some(secret) => {
                let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret";
                let answer = json!({
                    "ARN": format!("{arn}:{secret_id}-desk00"),
                    "Name": secret_id,
                    "SecretString": secret,
                    "VersionId": "00000000-0000-0000-0000-000000000000",
                    "VersionStages": ["AWSCURRENT"],
                });
                response(200, &answer)
            }
            None => {
                let why = "Secrets Manager can't find the specified secret.";
                refusal(400, "ResourceNotFoundException", why)
            }
        }
    }
}
