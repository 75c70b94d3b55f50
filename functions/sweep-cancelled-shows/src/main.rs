//! The Lambda that ends what stands of cancelled shows, by a queue.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::queue(app, env!("CARGO_PKG_NAME"), sweep_cancelled_shows::handle);
    edge::serve_events_with(edge::Clients::of_queues, make).await
}
