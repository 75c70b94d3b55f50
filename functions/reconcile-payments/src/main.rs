//! The Lambda that looks after payments nobody tells of, by schedule.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let make = |app: &_| edge::schedule(app, env!("CARGO_PKG_NAME"), reconcile_payments::handle);
    edge::serve_events(make).await
}
