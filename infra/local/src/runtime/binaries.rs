//! Where the binaries of functions are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::template::Error;

/// Where they are looked for if it is not said: what cargo-lambda makes, and Cargo.
const FOLDERS: [&str; 3] = ["target/lambda", "target/release", "target/debug"];

/// A function's binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// The file, by its whole path.
    pub path: PathBuf,
    /// Of the folders that were looked into, the one that has it.
    pub folder: PathBuf,
}

/// Which binary counts where several folders have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// That in the folder that was named first.
    First,
    /// The one that was built last.
    Newest,
}

/// The folders to look into, and what counts there. If none is said they are those of the workspace, whose
/// builds nobody has put in an order, and what an old one left behind must not win.
#[must_use]
pub fn folders(said: &[PathBuf]) -> (Vec<PathBuf>, Choice) {
    if said.is_empty() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let workspace = workspace.expect("local stands in the workspace");
        (FOLDERS.iter().map(|folder| workspace.join(folder)).collect(), Choice::Newest)
    } else {
        (said.to_vec(), Choice::First)
    }
}

/// The binary of the function of this logical id, whose binary has this name, whether cargo-lambda
/// (`hold-seats/bootstrap`), SAM (`HoldSeats/bootstrap`) or Cargo (`hold-seats`) put it there.
///
/// # Errors
///
/// If no folder has one. It says how to build it.
pub fn find(id: &str, name: &str, folders: &[PathBuf], choice: Choice) -> Result<Binary, Error> {
    let mut found = folders.iter().filter_map(|folder| {
        let layouts = [
            folder.join(name).join("bootstrap"),
            folder.join(id).join("bootstrap"),
            folder.join(name),
        ];
        Some((layouts.into_iter().find(|path| path.is_file())?, folder))
    });
    let found = match choice {
        Choice::First => found.next(),
        Choice::Newest => found.max_by_key(|(path, _)| built(path)),
    };
    if let Some((path, folder)) = found {
        return Ok(Binary { path: path.canonicalize()?, folder: folder.clone() });
    }
    let folders: Vec<String> = folders.iter().map(|it| it.display().to_string()).collect();
    Err(format!(
        "there is no binary `{name}` in {}; `cargo build --workspace --bins` makes it in \
         target/debug, and `cargo lambda build --release --bin {name}` as for Lambda in target/lambda",
        folders.join(", ")
    )
    .into())
}

/// When a file was last written.
fn built(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
