//! A desk's DynamoDB, and its TTL.

use std::time::Duration;

use dynoxide::Database;
use tokio::task::JoinHandle;

use super::{Options, listen};
use crate::dynamodb::Engine;
use crate::template::Error;

/// How often the engine's TTL is run. DynamoDB takes its time; a desk need not.
const TTL_SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The engine that is wished for, and where it is. What it needs to run goes with `tasks`.
pub(super) async fn start(
    options: &Options,
    tasks: &mut Vec<JoinHandle<()>>,
) -> Result<(Engine, String), Error> {
    if let Some(url) = &options.dynamodb_url {
        return Ok((Engine::at(url), url.clone()));
    }
    let db = open(options)?;
    let listener = listen(0).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tasks.push(tokio::spawn(dynoxide::server::serve_on(listener, db.clone())));
    if options.ttl {
        tasks.push(tokio::spawn(sweep(db.clone())));
    }
    Ok((Engine::Embedded(db), url))
}

fn open(options: &Options) -> Result<Database, Error> {
    let Some(folder) = &options.data else { return Ok(Database::memory()?) };
    std::fs::create_dir_all(folder)?;
    let file = folder.join("dynamodb.sqlite");
    Ok(Database::new(file.to_str().ok_or("the folder's name is no text")?)?)
}

async fn sweep(db: Database) {
    let mut every = tokio::time::interval(TTL_SWEEP_EVERY);
    loop {
        every.tick().await;
        let db = db.clone();
        match tokio::task::spawn_blocking(move || db.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => eprintln!("TTL: {error}"),
            Err(_cancelled) => return,
        }
    }
}
