//! The Lambda that answers `POST /api/payments/webhooks/{provider}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve_with_payments(env!("CARGO_PKG_NAME"), receive_payment_webhook::handle).await
}
