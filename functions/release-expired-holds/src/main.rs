//! The Lambda that writes down that holds have ended, by the stream of seats.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::outbox(app, env!("CARGO_PKG_NAME"), release_expired_holds::handle);
    edge::serve_events_with(edge::Clients::of_queues, make).await
}
