//! The Lambda that answers `POST /api/admin/shows/{showId}/cancel`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), edge::Error> {
    let clients = edge::Clients::of_queues;
    edge::serve_with(clients, env!("CARGO_PKG_NAME"), cancel_show::handle).await
}
