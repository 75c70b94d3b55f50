//! The Lambda that answers `GET /api/admin/shows/{showId}/audit`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), audit_show::handle).await
}
