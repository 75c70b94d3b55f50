//! The Lambda that answers `POST /api/admin/shows`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), create_show::handle).await
}
