//! The Lambda that sends back what is owed, by the stream of payments.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::stream(app, env!("CARGO_PKG_NAME"), refund_payments::handle);
    edge::serve_events(make).await
}
