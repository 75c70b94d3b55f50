//! The Lambda that tells others what happened, by the streams of reservations and payments.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::outbox(app, env!("CARGO_PKG_NAME"), publish_events::handle);
    edge::serve_events_with(edge::Clients::of_bus, make).await
}
