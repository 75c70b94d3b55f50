//! The Lambda that answers `GET /api/movies`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), list_movies::handle).await
}
