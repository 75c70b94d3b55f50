//! The Lambda that counts the seats of a show that can be had.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::digest(app, env!("CARGO_PKG_NAME"), count_available_seats::handle);
    edge::serve_events_with(edge::Clients::of_queues, make).await
}
