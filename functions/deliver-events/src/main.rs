//! The Lambda that posts events from the queue to subscribers.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::queue(app, env!("CARGO_PKG_NAME"), deliver_events::handle);
    edge::serve_events_with(edge::Clients::of_queues, make).await
}
