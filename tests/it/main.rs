//! Marquee, tested through its handlers.
//!
//! Each test has a [`world`] of its own: tables in an embedded DynamoDB, or on a compatible server
//! elsewhere ([`engine`]), a clock that stands still until it is moved, a queue, a sandbox provider
//! ([`provider`]). It calls functions by method and path, with the events that API Gateway sends,
//! and every answer is checked against `openapi.yaml` on the way out; [`issuer`] is who signs tokens
//! elsewhere. What the provider tells, and what queues and streams bring, moves on when the test
//! says so ([`pumps`]).
//! Faults are injected below the SDK, at its HTTP connector ([`wire`]).
//!
//! One file per function, then the races of the design ([`races`], [`money`]), the proofs
//! ([`parity`], [`history`], [`linearizability`], [`model`], [`cost`], [`replay`], [`fuzz`]; [`books`] has what must hold at any time), and
//! rules about the source ([`tidy`]).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that failed")]

mod cinema;
mod contract;
mod engine;
mod provider;
mod pumps;
mod wire;
mod world;

mod add_layout;
mod audit_show;
mod cancel_reservation;
mod cancel_show;
mod checkout_reservation;
mod confirm_reservation;
mod count_available_seats;
mod create_auditorium;
mod create_city;
mod create_movie;
mod create_show;
mod create_subscription;
mod create_theatre;
mod delete_auditorium;
mod delete_city;
mod delete_movie;
mod delete_show;
mod delete_subscription;
mod delete_theatre;
mod deliver_events;
mod enable_subscription;
mod get_auditorium;
mod get_best_seats;
mod get_blocked_seats;
mod get_city;
mod get_layout;
mod get_movie;
mod get_reservation;
mod get_seat_map;
mod get_show;
mod get_show_cancellation;
mod get_show_sales;
mod get_theatre;
mod hold_seats;
mod list_all_movies;
mod list_auditoriums;
mod list_cities;
mod list_events;
mod list_movies;
mod list_reservations;
mod list_subscriptions;
mod list_theatres;
mod load_schedule;
mod process_payment_events;
mod publish_events;
mod receive_payment_webhook;
mod reconcile_payments;
mod refund_payments;
mod release_expired_holds;
mod rotate_subscription_secret;
mod scan_ticket;
mod search_shows;
mod send_emails;
mod sweep_cancelled_shows;
mod update_auditorium;
mod update_blocked_seats;
mod update_city;
mod update_movie;
mod update_prices;
mod update_show;
mod update_theatre;

mod bad_input;
mod books;
mod capacity;
mod cors;
mod cost;
mod deployment;
mod desk;
mod elsewhere;
mod events;
mod expiry;
mod front;
mod fuzz;
mod history;
mod issuer;
mod limits;
mod linearizability;
mod metrics;
mod model;
mod money;
mod monitoring;
mod parity;
mod races;
mod rate_limits;
mod razorpay;
mod replay;
mod roles;
mod runtime;
mod seat_rules;
mod secrets;
mod seed;
mod stripe;
mod tidy;
mod tokens;
