//! The Lambda that answers `DELETE /api/admin/movies/{movieId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), delete_movie::handle).await
}
