//! The Lambda that answers `PUT /api/admin/shows/{showId}/blocked-seats`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), update_blocked_seats::handle).await
}
