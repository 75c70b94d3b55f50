//! The Lambda that answers `GET /api/admin/auditoriums/{auditoriumId}/layouts/{layoutVersion}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_layout::handle).await
}
