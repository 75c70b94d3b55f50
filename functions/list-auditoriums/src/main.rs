//! The Lambda that answers `GET /api/admin/auditoriums`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), list_auditoriums::handle).await
}
