//! The Lambda that answers `GET /api/admin/movies`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), list_all_movies::handle).await
}
