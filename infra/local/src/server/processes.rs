//! Functions as processes of their own: which binary each is, and what its environment tells it.
//!
//! That is the template's, with the desk's values for parameters and resources, and where the services
//! are. So a variable that the template forgets is missing here, too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use edge::{Clock, Function, Keys, Log, Settings};

use super::services::{PAYMENT_SECRET, Port};
use super::{Options, TABLE_PREFIX};
use crate::runtime::{self, INIT_TIMEOUT, Program, Runtime};
use crate::template::{Error, Template, Values};
use crate::{bus, mailbox, queue, token};

/// Calls that a function works on at the same time, at most. Lambda gives an account a thousand; this
/// machine has memory for as many processes as one needs to try things.
const SANDBOXES_MAX: usize = 50;

/// What functions are told.
pub(super) struct Told {
    values: Values,
    /// What they are told besides what the template says.
    besides: BTreeMap<String, String>,
}

impl Told {
    /// What `settings` tell functions in this process, for those in others.
    pub(super) fn new(
        template: &Template,
        options: &Options,
        settings: &Settings,
        dynamodb_url: &str,
        services: &Port,
    ) -> Result<Self, Error> {
        let mut values = values(template)?;
        let mut give = |name: &str, value: &str| {
            values.parameters.insert(name.to_owned(), value.to_owned());
        };
        if let Some(tokens) = &settings.tokens {
            match &tokens.keys {
                Keys::Secret(secret) => give("JwtSecret", secret),
                Keys::Jwks { url } => give("JwksUrl", url),
            }
            give("JwtIssuer", &tokens.issuer);
            give("JwtAudience", &tokens.audience);
            give("JwtRolesClaim", &tokens.roles_claim);
        }
        if let Some(payments) = &settings.payments {
            give("PaymentProvider", payments.provider.as_str());
            give("PaymentBaseUrl", &payments.base_url);
            give("PaymentSecret", PAYMENT_SECRET);
        }
        give("EmailFrom", mailbox::ADDRESS);
        give("LimitPolicies", options.limits.as_deref().unwrap_or_default());
        give("TicketSecret", &token::ticket_secret(&options.jwt_secret));
        let hold_secs = options.hold_terms.ttl.num_seconds().to_string();
        let besides = [
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", services.url.as_str()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", services.url.as_str()),
            ("AWS_ENDPOINT_URL_SESV2", services.url.as_str()),
            ("AWS_ENDPOINT_URL_SQS", services.url.as_str()),
            ("AWS_SESSION_TOKEN", services.key.as_str()),
            ("HOLD_SECONDS", hold_secs.as_str()),
        ];
        let besides = besides.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self { values, besides: besides.into() })
    }
}

/// What the template's resources are on a desk.
pub(super) fn values(template: &Template) -> Result<Values, Error> {
    let mut values = Values::default();
    for table in template.tables()? {
        let name = format!("{TABLE_PREFIX}{}", table.id);
        values.references.insert(table.id, name);
    }
    for (id, _settings) in template.queues()? {
        let url = queue::url_of(&id);
        values.references.insert(id, url);
    }
    for id in template.event_buses() {
        values.references.insert(id, bus::NAME.to_owned());
    }
    Ok(values)
}

/// Functions in processes.
pub(super) struct Processes {
    runtime: Runtime,
    functions: BTreeMap<String, Function>,
    folders: BTreeMap<PathBuf, Vec<String>>,
}

impl Processes {
    /// The template's functions, all of them, from the binaries in these folders.
    pub(super) async fn start(
        folders: &[PathBuf],
        template: &Template,
        told: &Told,
        clock: Clock,
        log: Log,
    ) -> Result<Self, Error> {
        let runtime = Runtime::start(clock, log).await?;
        let (searched, choice) = runtime::folders(folders);
        let mut folders: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        let mut functions = BTreeMap::new();
        for id in template.functions() {
            let name = template.binary(&id)?;
            let binary = runtime::find(&id, name, &searched, choice)?;
            let mut environment = template.environment(&id, &told.values)?;
            environment.extend(told.besides.clone());
            folders.entry(binary.folder).or_default().push(name.to_owned());
            let function = runtime.function(Program {
                name: id.clone(),
                bootstrap: binary.path,
                environment,
                memory_mb: template.memory_mb(&id)?,
                timeout: template.timeout(&id)?.to_std()?,
                init_timeout: INIT_TIMEOUT,
                sandboxes_max: SANDBOXES_MAX,
            });
            functions.insert(id, function);
        }
        Ok(Self { runtime, functions, folders })
    }

    /// The function of this logical id.
    pub(super) fn function(&self, id: &str) -> Option<Function> {
        self.functions.get(id).cloned()
    }

    /// The names of the binaries, by the folders that have them.
    pub(super) fn folders(&self) -> BTreeMap<PathBuf, Vec<String>> {
        self.folders.clone()
    }

    /// Ends all processes.
    pub(super) async fn stop(self) {
        self.runtime.stop().await;
    }
}
