//! The Lambda that answers `GET /api/reservations/{reservationId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_reservation::handle).await
}
