//! The Lambda that answers `POST /api/admin/auditoriums`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), create_auditorium::handle).await
}
