//! The Lambda that answers `GET /api/admin/shows/{showId}/blocked-seats`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_blocked_seats::handle).await
}
