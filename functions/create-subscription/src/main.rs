//! The Lambda that answers `POST /api/admin/subscriptions`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), create_subscription::handle).await
}
