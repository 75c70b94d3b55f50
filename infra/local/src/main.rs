//! `cargo run -p local`: Marquee whole, on this machine. `cargo run -p local -- token` prints a token
//! for it, `cargo run -p local -- capacity` what it would take on AWS, and `cargo run -p local
//! --release -- simulate` tries to break it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, Parser, Subcommand};
use domain::id::{InvalidId, InvalidUserId, Provider, UserId};
use domain::limits::HOLD_TTL_SECS;
use domain::time::HoldTerms;
use edge::Role;
use local::server::{JwksOptions, Options, PaymentOptions, SANDBOX, Server};
use local::template::Error;
use local::token;
use serde_json::Value;

/// Marquee whole, on this machine: functions, gateway, DynamoDB and a payment provider.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// The port of the HTTP API; 0 for any that is free.
    #[arg(long, default_value_t = 3000)]
    port: u16,

    /// Write what an outsider needs to know to this file, as JSON, once everything serves.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,

    #[command(flatten)]
    signing: Signing,

    /// Believe the tokens of an OpenID Connect issuer, whose public keys are here, and no others.
    #[arg(long, value_name = "URL", requires = "jwt_issuer", requires = "jwt_audience")]
    jwks_url: Option<String>,

    /// What that issuer calls itself: `iss`.
    #[arg(long, value_name = "ISSUER", requires = "jwks_url")]
    jwt_issuer: Option<String>,

    /// For whom its tokens must be: `aud`, or `client_id` of Cognito's access tokens.
    #[arg(long, value_name = "AUDIENCE", requires = "jwks_url")]
    jwt_audience: Option<String>,

    /// How often a user may do what: NAME=BURST/SECONDS for hold, confirm, cancel, checkout and read,
    /// and held_seats=COUNT, with commas between. What is not named stays as it is.
    #[arg(long, value_name = "TEXT")]
    limits: Option<String>,

    /// How long a hold lasts.
    #[arg(long, value_name = "SECONDS", default_value_t = HOLD_TTL_SECS,
        value_parser = clap::value_parser!(u32).range(1..=24 * 60 * 60))]
    hold_seconds: u32,

    /// Use DynamoDB Local or another compatible server instead of the embedded one.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    dynamodb: Option<String>,

    /// Keep the embedded DynamoDB's data in this folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Start with an empty catalogue.
    #[arg(long)]
    no_demo: bool,

    /// Never delete what is past its time. Seats are free all the same.
    #[arg(long)]
    no_ttl: bool,

    /// Tables without streams: the embedded DynamoDB is faster so, for measuring.
    #[arg(long)]
    no_streams: bool,

    /// Who takes the money: sandbox, stripe or razorpay.
    #[arg(long, value_name = "PROVIDER", default_value = SANDBOX)]
    payment_provider: Provider,

    /// Where the payment provider's API is, if that is not this process or the real one.
    #[arg(long, value_name = "URL")]
    payment_base_url: Option<String>,

    /// The key of the payment provider's API; Razorpay's is KEY_ID:SECRET.
    #[arg(long, value_name = "KEY", default_value = "sk_test_local")]
    payment_key: String,

    /// What signs a provider's webhooks. Twice for one provider while one secret replaces the other.
    /// The sandbox signs with its first; one is drawn if there is none.
    #[arg(long, value_name = "PROVIDER=SECRET", value_parser = webhook_secret)]
    webhook_secret: Vec<(Provider, String)>,

    /// Print the log line, with its metrics, of each invocation.
    #[arg(long)]
    log: bool,

    /// Run each function as a process of its own, as Lambda does: the binaries that builds have put
    /// into these folders, the first that has one. If none is named, those that were built last of
    /// target/lambda, target/release and target/debug.
    ///
    /// A binary knows nothing of a desk: its events are listed half a minute after they were recorded,
    /// the sweep of a cancelled show is over after five minutes, and it calls no subscriber on this
    /// machine.
    #[arg(long, value_name = "DIR", num_args = 0..)]
    binaries: Option<Vec<PathBuf>>,
}

#[derive(Subcommand)]
enum Command {
    /// Print a token for the desk, and nothing else. It is valid for 30 days.
    Token(TokenArguments),
    /// Print what a sale takes of AWS, what it costs, and what gives in first.
    Capacity(local::capacity::Arguments),
    /// Play random histories with faults, and check after every write that nothing is broken.
    Simulate(local::simulation::Arguments),
}

#[derive(Args)]
struct TokenArguments {
    /// Whose token it is.
    #[arg(long, value_name = "NAME", value_parser = user)]
    user: UserId,

    /// What it may do: user or admin.
    #[arg(long, value_name = "ROLE", default_value = "user", value_parser = role)]
    role: Role,

    #[command(flatten)]
    signing: Signing,
}

#[derive(Args)]
struct Signing {
    /// The secret that signs tokens (HS256). If not given, one is drawn once and kept in
    /// target/desk/jwt-secret.
    #[arg(long, value_name = "SECRET")]
    jwt_secret: Option<String>,
}

impl Signing {
    /// The secret that was given, or else the one that is kept.
    fn secret(self) -> Result<String, Error> {
        match self.jwt_secret {
            Some(secret) => Ok(secret),
            None => token::kept_secret(&token::secret_file(), drawn),
        }
    }

    /// The same, for a desk: one that cannot keep a secret has one for itself alone.
    fn secret_or_drawn(self) -> String {
        self.secret().unwrap_or_else(|error| {
            eprintln!("tokens end with this desk, whose secret cannot be kept: {error}");
            drawn()
        })
    }
}

fn main() -> Result<ExitCode, Error> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Token(wanted)) => print_token(wanted)?,
        Some(Command::Capacity(sale)) => print(&local::capacity::report(&sale)),
        Some(Command::Simulate(wanted)) => {
            // A history has a runtime of its own, so there must be none around it.
            let report = local::simulation::simulate(&wanted);
            print(&report.text);
            return Ok(if report.held { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        None => serve(arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever reads its beginning only has read enough.
fn print(report: &str) {
    let _ = writeln!(std::io::stdout(), "{}", report.trim_end());
}

fn print_token(wanted: TokenArguments) -> Result<(), Error> {
    let settings = token::settings(&wanted.signing.secret()?);
    let now = edge::system_clock()();
    println!("{}", token::mint(&settings, wanted.user.as_str(), wanted.role, now));
    Ok(())
}

/// A secret of 244 random bits.
#[expect(clippy::disallowed_methods, reason = "a secret is drawn where the program begins")]
fn drawn() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

#[tokio::main]
async fn serve(mut arguments: Arguments) -> Result<(), Error> {
    if !arguments.webhook_secret.iter().any(|(provider, _)| provider.as_str() == SANDBOX) {
        let secret = format!("whsec_{}", BASE64.encode(drawn()));
        arguments.webhook_secret.push((SANDBOX.parse()?, secret));
    }
    let issuer = arguments.jwks_url.zip(arguments.jwt_issuer).zip(arguments.jwt_audience);
    let options = Options {
        port: arguments.port,
        jwt_secret: arguments.signing.secret_or_drawn(),
        jwks: issuer.map(|((url, issuer), audience)| JwksOptions { url, issuer, audience }),
        limits: arguments.limits,
        hold_terms: HoldTerms::of_secs(arguments.hold_seconds),
        dynamodb_url: arguments.dynamodb,
        data: arguments.data,
        demo: !arguments.no_demo,
        ttl: !arguments.no_ttl,
        streams: !arguments.no_streams,
        log: arguments.log,
        binaries: arguments.binaries,
        payments: PaymentOptions {
            provider: arguments.payment_provider,
            base_url: arguments.payment_base_url,
            key: arguments.payment_key,
            webhook_secrets: arguments.webhook_secret,
        },
    };
    let server = Server::start(&options, edge::system_clock()).await?;
    let ready = server.ready();
    if let Some(path) = &arguments.ready_file {
        write_whole(path, &ready)?;
    }
    greet(&ready);
    for (folder, functions) in server.binaries() {
        let (count, folder) = (functions.len(), folder.display());
        println!("{count} functions are processes, from {folder}: {}", functions.join(", "));
    }
    stopped().await?;
    println!("stopping");
    server.stop().await;
    Ok(())
}

fn user(text: &str) -> Result<UserId, InvalidUserId> {
    text.to_owned().try_into()
}

fn role(text: &str) -> Result<Role, String> {
    let roles = [Role::User, Role::Admin];
    let role = roles.into_iter().find(|role| role.as_str() == text);
    role.ok_or_else(|| "a role is user or admin".to_owned())
}

/// A provider, known to us, and a secret.
fn webhook_secret(text: &str) -> Result<(Provider, String), String> {
    let (provider, secret) = text.split_once('=').ok_or("it is PROVIDER=SECRET")?;
    if !["stripe", "razorpay", SANDBOX].contains(&provider) || secret.is_empty() {
        return Err("a provider is stripe, razorpay or sandbox, and a secret is not empty".into());
    }
    let provider = provider.parse().map_err(|error: InvalidId| error.to_string())?;
    Ok((provider, secret.to_owned()))
}

/// Writes a file that is never seen half written.
fn write_whole(path: &Path, ready: &Value) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    std::fs::write(&unfinished, format!("{ready:#}\n"))?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}

fn greet(ready: &Value) {
    let text = |name: &str| ready[name].as_str().unwrap_or_default();
    // Behind an issuer, the desk has none of its own.
    let token = |name: &str| ready[name].as_str().unwrap_or("a-token-of-your-issuer");
    println!(
        "Marquee serves at {url}, its DynamoDB at {dynamodb}. Ctrl-C stops it.

export URL={url}
export TOKEN={user}
export ADMIN_TOKEN={admin}

Try:
  curl -s $URL/api/cities
  curl -s \"$URL/api/shows?city=Delhi&movie=Inception&date=$(date +%F)\"
  curl -s -H \"Authorization: Bearer $TOKEN\" $URL/api/reservations
README.md books two seats from here. Letters to customers come to {url}/local/mailbox.",
        url = text("url"),
        dynamodb = text("dynamodbUrl"),
        user = token("userToken"),
        admin = token("adminToken"),
    );
}

/// Waits for Ctrl-C, or for the signal that ends services.
async fn stopped() -> Result<(), Error> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
