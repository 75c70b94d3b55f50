//! Where AWS ends: Lambda events, HTTP, tokens, the environment, the clock, payment providers,
//! logs and metrics.
//!
//! A function is `async fn handle(app: App, request: Request) -> Result<Response, Problem>`:
//! parse, call the store, shape the answer. [`serve()`] runs it on Lambda; [`function()`] makes the
//! very same of it for the gateway on a desk and for tests. Behind a queue, a stream or a schedule it
//! takes a [`Message`], a [`Change`] or a [`Run`] instead, and [`serve_events()`] runs what [`queue()`],
//! [`stream()`] or [`schedule()`] makes of it.
//!
//! This crate has no booking rules. It is the only one that reads the clock and the environment.

mod app;
mod aws;
mod cache;
mod catalog;
mod cursor;
mod events;
mod log;
mod problem;
mod request;
mod response;
mod serve;
mod settlement;
mod token;
mod webhooks;

pub mod payment;
pub mod view;

pub use app::{App, Clients, Clock, MissingSetting, Settings, system_clock};
pub use events::{Change, Message, Run, queue, schedule, stream};
pub use log::{Log, Note};
pub use problem::{Problem, SEAT_TAKEN_DETAIL};
pub use request::Request;
pub use response::{Response, accepted, created, ok, ok_or_not_modified};
pub use serve::{Function, function, serve, serve_events, serve_with_payments};
pub use token::{Role, TokenSettings};

/// What a function's `main` fails with.
pub use lambda_runtime::Error;

/// `DynamoDB` calls and JSON make many small short-lived allocations; this allocator takes a sixth
/// of the instructions off an SDK call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
