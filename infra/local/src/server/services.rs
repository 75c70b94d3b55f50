//! The services of AWS on a desk, besides DynamoDB: for functions in this process by clients, for those
//! in others by a port.

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use edge::payment::ProviderSecrets;
use edge::{Clients, Clock};
use serde_json::json;
use tokio::task::JoinHandle;

use super::{PaymentOptions, listen};
use crate::bus::{self, Bus};
use crate::mailbox::{self, Mailbox};
use crate::pages::{Pages, Schedules};
use crate::queue::{self, Queues};
use crate::secrets::Secrets;
use crate::service::{self, refusal};
use crate::template::{Error, Template};

/// What the secret is called that has the payment provider's keys.
pub(super) const PAYMENT_SECRET: &str = "marquee/desk";

/// Where the services are for other processes.
pub(super) struct Port {
    pub(super) url: String,
    /// The session token by which they know the desk's own functions. A server of DynamoDB may keep apart
    /// what comes under different access keys, but not what comes under different tokens.
    pub(super) key: String,
}

/// Queues, bus and mailbox.
pub(super) struct Services {
    queues: Queues,
    bus: Bus,
    mailbox: Mailbox,
}

impl Services {
    /// The template's queues, and a bus and a mailbox.
    pub(super) fn new(template: &Template, clock: &Clock) -> Result<Self, Error> {
        let queues = Queues::new(clock.clone());
        for (name, settings) in template.queues()? {
            queues.create(&name, settings);
        }
        let (bus, mailbox) = (Bus::new(clock.clone()), Mailbox::new(clock.clone()));
        Ok(Self { queues, bus, mailbox })
    }

    /// A client of the queues.
    pub(super) fn sqs(&self) -> Client {
        queue::client_over(self.queues.clone())
    }

    /// Clients of all.
    pub(super) fn clients(&self) -> Clients {
        Clients {
            sqs: Some(self.sqs()),
            secrets_manager: None,
            event_bridge: Some(bus::client_over(self.bus.clone())),
            email: Some(mailbox::client_over(self.mailbox.clone())),
        }
    }

    /// The pages over them, and over what `schedules` call.
    pub(super) fn pages(&self, schedules: Schedules) -> Pages {
        Pages {
            mailbox: self.mailbox.clone(),
            bus: self.bus.clone(),
            queues: self.queues.clone(),
            schedules,
        }
    }

    /// Serves them all on a port, and there the provider's keys as well: to whoever has the key, since
    /// others on this machine find the port, too, and so do pages in its browsers. Says where.
    pub(super) async fn serve(
        &self,
        payments: &PaymentOptions,
    ) -> Result<(Port, JoinHandle<()>), Error> {
        let (queues, bus, mailbox) = (self.queues.clone(), self.bus.clone(), self.mailbox.clone());
        let secrets = secrets(payments);
        let listener = listen(0).await?;
        let port = Port { url: format!("http://{}", listener.local_addr()?), key: drawn() };
        let key = port.key.clone();
        let task = tokio::spawn(service::serve(listener, move |request| {
            if request.headers().get("x-amz-security-token") != Some(key.as_str()) {
                let why = "The security token included in the request is invalid.";
                return refusal(403, "UnrecognizedClientException", why);
            }
            let target = request.headers().get("x-amz-target");
            let service = target.and_then(|target| target.split_once('.')).map(|(name, _)| name);
            match service {
                Some("AmazonSQS") => queues.answer(request),
                Some("AWSEvents") => bus.answer(request),
                Some("secretsmanager") => secrets.answer(request),
                Some(other) => {
                    refusal(400, "UnknownOperationException", format!("no {other} on this desk"))
                }
                // SES alone tells by the path what is asked.
                None => mailbox.answer(request),
            }
        }));
        Ok((port, task))
    }
}

/// The secret that the functions know by name: what the provider and we know, and no other one's.
fn secrets(payments: &PaymentOptions) -> Secrets {
    let mut all = payments.secrets();
    let ProviderSecrets { api_key, key_id, webhook_secrets } =
        all.remove(&payments.provider).unwrap_or_default();
    let secret =
        json!({"apiKey": api_key, "keyId": key_id, "webhookSecrets": webhook_secrets}).to_string();
    Secrets::new(BTreeMap::from([(PAYMENT_SECRET.to_owned(), secret)]))
}

#[expect(clippy::disallowed_methods, reason = "AWS draws its session tokens, and this is AWS")]
fn drawn() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
