//! The Lambda that writes to customers, by a queue.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::queue(app, env!("CARGO_PKG_NAME"), send_emails::handle);
    edge::serve_events_with(edge::Clients::of_email, make).await
}
