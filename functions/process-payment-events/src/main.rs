//! The Lambda that settles payment events from the queue.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::queue(app, env!("CARGO_PKG_NAME"), process_payment_events::handle);
    edge::serve_events(make).await
}
