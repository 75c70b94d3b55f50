//! The Lambda that answers `GET /api/admin/movies/{movieId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_movie::handle).await
}
