//! The Lambda that answers `DELETE /api/admin/auditoriums/{auditoriumId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), delete_auditorium::handle).await
}
