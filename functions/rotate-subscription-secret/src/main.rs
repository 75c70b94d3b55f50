//! The Lambda that answers `POST /api/admin/subscriptions/{subscriptionId}/rotate`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), rotate_subscription_secret::handle).await
}
