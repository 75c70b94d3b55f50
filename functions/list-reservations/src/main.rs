//! The Lambda that answers `GET /api/reservations`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), list_reservations::handle).await
}
