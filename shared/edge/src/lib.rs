//! Where AWS ends: Lambda events, HTTP, tokens, the environment, the clock, payment providers,
//! logs and metrics.
//!
//! A function is `async fn handle(app: App, request: Request) -> Result<Response, Problem>`:
//! parse, call the store, shape the answer. [`serve()`] runs it on Lambda; [`function()`] makes the
//! very same of it for the gateway on a desk and for tests. Behind a queue, a stream or a schedule
//! it takes a [`Message`], a [`Change`] or a [`Run`] instead, and [`serve_events()`] runs what
//! [`queue()`], [`stream()`], [`outbox()`], [`digest()`] or [`schedule()`] makes of it. A function that uses more
//! of AWS than `DynamoDB` is run by [`serve_with()`] or [`serve_events_with()`], and one that deals
//! with payments by [`serve_with_payments()`] or [`serve_events()`].
//!
//! This crate has no booking rules. It is the only one that reads the clock and the environment.

mod app;
mod audit;
mod availability;
mod aws;
mod cache;
mod cancellation;
mod catalog;
mod cursor;
mod events;
mod expiry;
mod front;
mod house;
mod limits;
mod log;
mod mail;
mod problem;
mod publish;
mod queues;
mod request;
mod response;
mod seat_choice;
mod serve;
mod settings;
mod settlement;
mod shows;
mod subscribers;
mod ticket;
mod token;
mod webhooks;

pub mod payment;
pub mod view;

pub use app::{App, Clock, system_clock};
pub use aws::Clients;
pub use events::{Change, Message, Run, digest, outbox, queue, schedule, stream};
pub use limits::{InvalidLimits, Limits};
pub use log::{Log, Note};
pub use problem::{Problem, SEAT_TAKEN_DETAIL};
pub use queues::Queue;
pub use request::Request;
pub use response::{
    Response, accepted, cacheable, cacheable_version, created, no_content, ok, ok_or_not_modified,
    tagged, tagged_as,
};
pub use serve::{
    Function, function, serve, serve_events, serve_events_with, serve_with, serve_with_payments,
};
pub use settings::{MissingSetting, QueueUrls, Settings};
pub use token::{Keys, Role, TokenSettings, install_crypto};

/// What a function's `main` fails with.
pub use lambda_runtime::Error;

/// `DynamoDB` calls and JSON make many small short-lived allocations; this allocator takes a sixth
/// of the instructions off an SDK call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
