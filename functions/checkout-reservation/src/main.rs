//! The Lambda that answers `POST /api/reservations/checkout`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve_with_payments(env!("CARGO_PKG_NAME"), checkout_reservation::handle).await
}
