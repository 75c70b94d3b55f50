//! The Lambda that answers `PUT /api/admin/cities/{city}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), update_city::handle).await
}
