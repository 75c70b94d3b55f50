//! The Lambda that answers `GET /api/admin/shows/{showId}/cancellation`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_show_cancellation::handle).await
}
