//! Runs the cargo that runs this program.

use std::env;
use std::path::Path;
use std::process::Command;

use lab::{Error, Result};

/// Begins a cargo command at the top of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(top());
    command
}

/// Returns the top of the workspace.
pub(crate) fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Runs a command, its output going where ours goes, and fails unless it succeeds.
pub(crate) fn succeed(mut command: Command, doing: &str) -> Result<()> {
    let status = command.status().map_err(Error::io(doing))?;
    if status.success() { Ok(()) } else { Err(Error::failed(doing, status.to_string())) }
}
