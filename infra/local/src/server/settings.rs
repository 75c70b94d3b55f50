//! What functions in this process are told of the desk.

use std::sync::Arc;

use chrono::TimeDelta;
use edge::payment::{self, SecretSource};
use edge::{Keys, Limits, Settings, TokenSettings};
use store::Tables;

use super::{JwksOptions, Options, PaymentOptions, SANDBOX};
use crate::template::Error;
use crate::{bus, mailbox, queue, token};

/// The settings that `options` ask for.
pub(super) fn of(
    options: &Options,
    tables: &Tables,
    tokens: &TokenSettings,
    url: &str,
) -> Result<Settings, Error> {
    let limits = options.limits.as_deref().map(str::parse::<Limits>).transpose()?;
    Ok(Settings {
        tables: tables.clone(),
        hold_terms: options.hold_terms,
        limits: limits.unwrap_or_default(),
        tokens: Some(believed(options, tokens)),
        payments: Some(payments(&options.payments, url)?),
        queues: queue::urls(),
        event_bus: Some(bus::NAME.to_owned()),
        email_from: Some(mailbox::FROM.to_owned()),
        ticket_secret: Some(token::ticket_secret(&options.jwt_secret)),
        previous_ticket_secret: None,
        front_secrets: Vec::new(),
        allows_loopback: true,
        log_settles_after: TimeDelta::seconds(1),
        sweep_settles_after: TimeDelta::seconds(10),
        metrics_namespace: "Marquee".to_owned(),
        log: if options.log { Arc::new(|line| println!("{line}")) } else { Arc::new(|_| {}) },
    })
}

/// Which tokens count: an issuer's, if there is one, or the desk's own.
fn believed(options: &Options, own: &TokenSettings) -> TokenSettings {
    match options.jwks.clone() {
        None => own.clone(),
        Some(JwksOptions { url, issuer, audience }) => {
            TokenSettings { keys: Keys::Jwks { url }, issuer, audience, ..own.clone() }
        }
    }
}

/// The provider that the functions use. The sandbox is this very process.
fn payments(options: &PaymentOptions, url: &str) -> Result<payment::Settings, Error> {
    let provider = &options.provider;
    let own = match provider.as_str() {
        SANDBOX => Some(url),
        other => payment::base_url_of(other),
    };
    let base_url = options.base_url.as_deref().or(own);
    let base_url = base_url.ok_or_else(|| format!("there is no payment provider {provider}"))?;
    Ok(payment::Settings {
        provider: provider.clone(),
        base_url: base_url.trim_end_matches('/').to_owned(),
        live: false,
        secrets: SecretSource::Given(options.secrets()),
        carrier: None,
    })
}
