//! What is configured, and how the environment says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use domain::limits::{EVENT_LOG_SETTLES_AFTER_SECS, HOLD_TTL_SECS, SWEEP_SETTLES_AFTER_SECS};
use domain::time::HoldTerms;
use store::Tables;

use crate::limits::Limits;
use crate::log::Log;
use crate::payment::{self, SecretSource};
use crate::token::{Keys, TokenSettings, is_jwks_url};

/// Where metrics are of which nobody says where.
const NAMESPACE: &str = "Marquee";

/// What is configured, by environment variables on Lambda.
#[derive(Clone)]
pub struct Settings {
    /// The names of the tables.
    pub tables: Tables,
    /// How long holds last.
    pub hold_terms: HoldTerms,
    /// How often a user may do what, and how much they may hold.
    pub limits: Limits,
    /// Which tokens are believed. Only functions that ask for a user need it.
    pub tokens: Option<TokenSettings>,
    /// Which payment provider, and where. Only functions that deal with payments need it.
    pub payments: Option<payment::Settings>,
    /// The queues that a function puts something on.
    pub queues: QueueUrls,
    /// The name of the bus that other systems hear of events by.
    pub event_bus: Option<String>,
    /// Whom customers get letters from. Without it they get none.
    pub email_from: Option<String>,
    /// What signs tickets.
    pub ticket_secret: Option<String>,
    /// What signed tickets before it, some of which are still out there.
    pub previous_ticket_secret: Option<String>,
    /// What the front proves itself by: none without a front, two while one takes the other's place.
    pub front_secrets: Vec<String>,
    /// Whether subscribers may be on this very machine, as they are on a desk.
    pub allows_loopback: bool,
    /// How long after it was recorded an event is listed. Elsewhere than on a desk, machines record at
    /// once, and the index lags.
    pub log_settles_after: TimeDelta,
    /// How long after a show was cancelled no function sells it any more.
    pub sweep_settles_after: TimeDelta,
    /// Where the metrics are, so that those of one stack ring no alarm of another's.
    pub metrics_namespace: String,
    /// Takes the line about each invocation.
    pub log: Log,
}

/// The URLs of the queues that a function puts something on; of the others it knows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueUrls {
    /// What payment providers tell.
    pub payment_events: Option<String>,
    /// Pages of the sweep of a cancelled show.
    pub show_cancellations: Option<String>,
    /// Events on their way to subscribers.
    pub event_deliveries: Option<String>,
    /// Events that a customer is written about.
    pub emails: Option<String>,
    /// Records of streams that make no sense.
    pub records_failed: Option<String>,
}

/// A setting that is missing or malformed.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or malformed")]
pub struct MissingSetting(pub &'static str);

impl Settings {
    /// Reads the settings from environment variables; `template.yaml` sets them.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`] names the first variable that is.
    pub fn from_environment() -> Result<Self, MissingSetting> {
        Self::from_variables(&std::env::vars().collect())
    }

    /// Reads the settings from these variables.
    ///
    /// # Errors
    ///
    /// [`MissingSetting`] names the first variable that is.
    pub fn from_variables(variables: &BTreeMap<String, String>) -> Result<Self, MissingSetting> {
        let find = |name| variables.get(name).filter(|value| !value.is_empty()).cloned();
        let need = |name| find(name).ok_or(MissingSetting(name));
        let hold_secs = match find("HOLD_SECONDS") {
            None => HOLD_TTL_SECS,
            Some(text) => text.parse().map_err(|_| MissingSetting("HOLD_SECONDS"))?,
        };
        let tokens = tokens(&find)?;
        let payments = match find("PAYMENT_PROVIDER") {
            None => None,
            Some(provider) => Some(payment::Settings {
                base_url: find("PAYMENT_BASE_URL")
                    .or_else(|| payment::base_url_of(&provider).map(str::to_owned))
                    .ok_or(MissingSetting("PAYMENT_BASE_URL"))?,
                provider: provider.parse().map_err(|_| MissingSetting("PAYMENT_PROVIDER"))?,
                live: match find("PAYMENT_LIVE").as_deref() {
                    Some("true") => true,
                    Some("false") => false,
                    _neither => return Err(MissingSetting("PAYMENT_LIVE")),
                },
                secrets: SecretSource::Managed { id: need("PAYMENT_SECRET_ID")? },
                carrier: None,
            }),
        };
        let ticket_secret = |name| match find(name) {
            Some(secret) if secret.len() < 32 => Err(MissingSetting(name)),
            secret => Ok(secret),
        };
        Ok(Self {
            tables: Tables {
                catalog: need("CATALOG_TABLE")?,
                seats: need("SEATS_TABLE")?,
                reservations: need("RESERVATIONS_TABLE")?,
                payments: need("PAYMENTS_TABLE")?,
                events: need("EVENTS_TABLE")?,
                limits: need("LIMITS_TABLE")?,
            },
            limits: match find("LIMITS") {
                None => Limits::default(),
                Some(text) => text.parse().map_err(|_| MissingSetting("LIMITS"))?,
            },
            hold_terms: HoldTerms::of_secs(hold_secs),
            tokens,
            payments,
            queues: QueueUrls {
                payment_events: find("PAYMENT_EVENTS_QUEUE_URL"),
                show_cancellations: find("SHOW_CANCELLATIONS_QUEUE_URL"),
                event_deliveries: find("EVENT_DELIVERIES_QUEUE_URL"),
                emails: find("EMAILS_QUEUE_URL"),
                records_failed: find("RECORDS_FAILED_QUEUE_URL"),
            },
            event_bus: find("EVENT_BUS_NAME"),
            email_from: find("EMAIL_FROM"),
            ticket_secret: ticket_secret("TICKET_SECRET")?,
            previous_ticket_secret: ticket_secret("TICKET_SECRET_PREVIOUS")?,
            front_secrets: front_secrets(&find)?,
            allows_loopback: false,
            log_settles_after: TimeDelta::seconds(EVENT_LOG_SETTLES_AFTER_SECS),
            sweep_settles_after: TimeDelta::seconds(SWEEP_SETTLES_AFTER_SECS),
            metrics_namespace: find("METRICS_NAMESPACE").unwrap_or_else(|| NAMESPACE.to_owned()),
            log: Arc::new(|line| println!("{line}")),
        })
    }
}

/// What the front proves itself by; several have commas between them.
fn front_secrets(
    find: &impl Fn(&'static str) -> Option<String>,
) -> Result<Vec<String>, MissingSetting> {
    let Some(all) = find("FRONT_SECRET") else { return Ok(Vec::new()) };
    let secrets: Vec<String> = all.split(',').map(str::to_owned).collect();
    if secrets.iter().any(|secret| secret.len() < 32) {
        return Err(MissingSetting("FRONT_SECRET"));
    }
    Ok(secrets)
}

/// Which tokens are believed, if any are.
fn tokens(
    find: &impl Fn(&'static str) -> Option<String>,
) -> Result<Option<TokenSettings>, MissingSetting> {
    let need = |name| find(name).ok_or(MissingSetting(name));
    let keys = match (find("JWT_SECRET"), find("JWKS_URL")) {
        (None, None) => return Ok(None),
        // Who could sign with either would be believed by the weaker one.
        (Some(_), Some(_)) => return Err(MissingSetting("JWKS_URL")),
        // A shorter key than the hash can be guessed (RFC 7518, section 3.2).
        (Some(secret), None) if secret.len() < 32 => return Err(MissingSetting("JWT_SECRET")),
        (Some(secret), None) => Keys::Secret(secret),
        (None, Some(url)) if !is_jwks_url(&url) => return Err(MissingSetting("JWKS_URL")),
        (None, Some(url)) => Keys::Jwks { url },
    };
    Ok(Some(TokenSettings {
        keys,
        issuer: need("JWT_ISSUER")?,
        audience: need("JWT_AUDIENCE")?,
        roles_claim: find("JWT_ROLES_CLAIM").unwrap_or_else(|| "roles".to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let tables = [
            "CATALOG_TABLE",
            "SEATS_TABLE",
            "RESERVATIONS_TABLE",
            "PAYMENTS_TABLE",
            "EVENTS_TABLE",
            "LIMITS_TABLE",
        ];
        let tables = tables.map(|name| (name, "t"));
        let all = tables.iter().chain(pairs);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn metrics_have_a_name_of_their_own_or_the_products() {
        let namespace = |pairs: &[(&str, &str)]| {
            Settings::from_variables(&variables(pairs)).unwrap().metrics_namespace
        };
        assert_eq!(namespace(&[]), "Marquee");
        assert_eq!(namespace(&[("METRICS_NAMESPACE", "Marquee/dev")]), "Marquee/dev");
    }

    #[test]
    fn a_front_proves_itself_by_one_secret_or_by_either_of_two() {
        let (old, new) = ("o".repeat(32), "n".repeat(32));
        let secrets = |text: &str| {
            Settings::from_variables(&variables(&[("FRONT_SECRET", text)])).unwrap().front_secrets
        };
        assert_eq!(secrets(""), Vec::<String>::new(), "there is none");
        assert_eq!(secrets(&old), [old.as_str()]);
        assert_eq!(secrets(&format!("{new},{old}")), [new.as_str(), old.as_str()]);
    }

    #[test]
    fn a_missing_or_broken_setting_is_named() {
        let read = |pairs: &[(&str, &str)]| {
            Settings::from_variables(&variables(pairs)).map(drop).map_err(|error| error.0)
        };
        assert_eq!(read(&[]), Ok(()));
        assert_eq!(read(&[("SEATS_TABLE", "")]), Err("SEATS_TABLE"));
        assert_eq!(read(&[("HOLD_SECONDS", "five")]), Err("HOLD_SECONDS"));
        let secret = ("JWT_SECRET", "a secret of thirty-two characters");
        assert_eq!(read(&[secret, ("JWT_ISSUER", "i")]), Err("JWT_AUDIENCE"));
        assert_eq!(read(&[("JWT_SECRET", "short")]), Err("JWT_SECRET"));
        let jwks = ("JWKS_URL", "https://issuer.example/keys");
        let (issuer, audience) = (("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a"));
        assert_eq!(read(&[jwks, issuer]), Err("JWT_AUDIENCE"));
        assert_eq!(read(&[jwks, issuer, audience]), Ok(()));
        assert_eq!(read(&[jwks, secret, issuer, audience]), Err("JWKS_URL"), "one or the other");
        let open = ("JWKS_URL", "http://issuer.example/keys");
        assert_eq!(read(&[open, issuer, audience]), Err("JWKS_URL"), "anybody can answer there");
        assert_eq!(read(&[("LIMITS", "hold=5")]), Err("LIMITS"));
        assert_eq!(read(&[("LIMITS", "hold=5/60")]), Ok(()));
        let (short, long) = ("s".repeat(31), "s".repeat(32));
        for name in ["TICKET_SECRET", "TICKET_SECRET_PREVIOUS", "FRONT_SECRET"] {
            assert_eq!(read(&[(name, short.as_str())]), Err(name));
            assert_eq!(read(&[(name, long.as_str())]), Ok(()));
        }
        let (both, half) = (format!("{long},{long}"), format!("{long},"));
        assert_eq!(read(&[("FRONT_SECRET", both.as_str())]), Ok(()));
        assert_eq!(read(&[("FRONT_SECRET", half.as_str())]), Err("FRONT_SECRET"));
        let sandbox = ("PAYMENT_PROVIDER", "sandbox");
        assert_eq!(read(&[sandbox]), Err("PAYMENT_BASE_URL"));
        let (stripe, test) = (("PAYMENT_PROVIDER", "stripe"), ("PAYMENT_LIVE", "false"));
        assert_eq!(read(&[stripe]), Err("PAYMENT_LIVE"), "it is never guessed");
        assert_eq!(read(&[stripe, ("PAYMENT_LIVE", "no")]), Err("PAYMENT_LIVE"));
        assert_eq!(read(&[stripe, test]), Err("PAYMENT_SECRET_ID"));
        assert_eq!(read(&[stripe, test, ("PAYMENT_SECRET_ID", "marquee/dev")]), Ok(()));
    }
}
