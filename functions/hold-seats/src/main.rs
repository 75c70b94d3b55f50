//! The Lambda that answers `POST /api/reservations/hold`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), hold_seats::handle).await
}
