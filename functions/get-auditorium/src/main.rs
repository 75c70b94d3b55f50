//! The Lambda that answers `GET /api/admin/auditoriums/{auditoriumId}`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_auditorium::handle).await
}
