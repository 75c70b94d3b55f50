//! The Lambda that answers `POST /api/admin/schedules`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), load_schedule::handle).await
}
