//! The Lambda that answers `DELETE /api/admin/cities/{city}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), delete_city::handle).await
}
