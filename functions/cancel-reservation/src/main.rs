//! The Lambda that answers `POST /api/reservations/cancel`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), cancel_reservation::handle).await
}
