//! The Lambda that answers `GET /api/shows`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), search_shows::handle).await
}
