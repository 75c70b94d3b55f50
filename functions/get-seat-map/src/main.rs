//! The Lambda that answers `GET /api/shows/{showId}/seats`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_seat_map::handle).await
}
