//! The Lambda that answers `POST /api/admin/tickets/scan`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), scan_ticket::handle).await
}
