//! The Lambda that answers `DELETE /api/admin/subscriptions/{subscriptionId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), delete_subscription::handle).await
}
