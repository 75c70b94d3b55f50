//! What a booking *is*: names, money, time limits, and the life cycles of seat, reservation and
//! payment.
//!
//! Everything here is a value or a pure function over values. The crate does no I/O, reads no
//! clock and draws no random numbers: `now` and fresh ids are arguments. That is why its tests
//! enumerate instead of sampling, and why a decision made here means the same thing in a Lambda,
//! on a desk and in a property test.
//!
//! Read in this order: [`limits`], [`id`], [`money`], [`time`]; then the cinema: [`catalog`],
//! [`layout`], [`show`], [`schedule`], [`search`], [`availability`]; then the sale: [`seats`],
//! [`seat_choice`], [`seat`], [`allowance`], [`reservation`], [`payment`], [`settlement`]; then what
//! comes of it: [`cancellation`] of a show, [`ticket`], [`event`], [`subscription`], [`audit`].
//!
//! **Invariant:** this crate names no AWS, HTTP or async crate in its `Cargo.toml`.

pub mod limits;

pub mod id;
pub mod money;
pub mod time;

pub mod availability;
pub mod catalog;
pub mod layout;
pub mod schedule;
pub mod search;
pub mod show;

pub mod allowance;
pub mod payment;
pub mod reservation;
pub mod seat;
pub mod seat_choice;
pub mod seats;
pub mod settlement;

pub mod audit;
pub mod cancellation;
pub mod email;
pub mod event;
pub mod subscription;
pub mod ticket;
