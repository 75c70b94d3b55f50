//! The Lambda that answers `GET /api/shows/{showId}/seats/best`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_best_seats::handle).await
}
