//! The Lambda that answers `PUT /api/admin/shows/{showId}/prices`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), update_prices::handle).await
}
