//! AWS on a desk: Marquee whole, on this machine.
//!
//! Scaffolding around real parts. The handlers are the ones that Lambda runs, called with the
//! events that API Gateway sends; they use the real SDK, against an embedded DynamoDB; routes and
//! tables are read from `template.yaml`, and so are queues and what calls functions besides requests.
//! What is imitated here is only AWS itself ([`gateway`], [`dynamodb`], [`queue`], [`pump`], [`bus`],
//! [`mailbox`]) and the payment provider ([`sandbox`]). What went out is to be seen on [`pages`].
//! Functions are called in process ([`functions`]), or are the binaries that are deployed ([`runtime`],
//! [`secrets`]). [`capacity`] tells what all that would take on AWS. [`simulation`] breaks it in every way that
//! it can, and looks whether the books still balance.

pub mod bus;
pub mod capacity;
pub mod demo;
pub mod dynamodb;
pub mod functions;
pub mod gateway;
pub mod mailbox;
pub mod pages;
pub mod pump;
pub mod queue;
pub mod runtime;
pub mod sandbox;
pub mod secrets;
pub mod server;
pub mod simulation;
pub mod template;
pub mod token;

mod service;
