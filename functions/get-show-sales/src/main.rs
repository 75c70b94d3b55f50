//! The Lambda that answers `GET /api/admin/shows/{showId}/sales`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    edge::serve(env!("CARGO_PKG_NAME"), get_show_sales::handle).await
}
