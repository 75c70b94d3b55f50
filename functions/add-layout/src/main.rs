//! The Lambda that answers `POST /api/admin/auditoriums/{auditoriumId}/layouts`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), add_layout::handle).await
}
