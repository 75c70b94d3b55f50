//! The Lambda that answers `DELETE /api/admin/shows/{showId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), delete_show::handle).await
}
