//! The Lambda that answers `PUT /api/admin/movies/{movieId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), update_movie::handle).await
}
