//! The Lambda that answers `POST /api/admin/subscriptions/{subscriptionId}/enable`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), enable_subscription::handle).await
}
