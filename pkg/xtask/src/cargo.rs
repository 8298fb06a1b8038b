//! Runs the cargo that runs this program.

use std::path::Path;
use std::process::{Command, Stdio};

use lab::{Error, Result};
pub(crate) use lab::{cargo, succeed, top};
use serde_json::Value;

/// Runs a command and returns what it printed; its errors go where ours go.
pub(crate) fn bytes(mut command: Command, doing: &str) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(Error::io(doing))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::failed(doing, output.status.to_string()))
}

/// Runs a command and returns the text that it printed.
pub(crate) fn answer(command: Command, doing: &str) -> Result<String> {
    bytes(command, doing).map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// Returns what cargo knows of the workspace at `sources`, for which nothing is downloaded.
pub(crate) fn manifest(sources: &Path) -> Result<Value> {
    metadata(sources, &["--no-deps"])
}

/// Returns the same with all dependencies on our target, and downloads those that are missing.
pub(crate) fn dependencies(sources: &Path) -> Result<Value> {
    metadata(sources, &["--filter-platform", "x86_64-unknown-linux-gnu"])
}

fn metadata(sources: &Path, options: &[&str]) -> Result<Value> {
    let doing = "asking cargo for its metadata";
    let mut command = cargo();
    command.current_dir(sources).args(["metadata", "--format-version", "1", "--locked"]);
    command.args(options);
    let text = bytes(command, doing)?;
    serde_json::from_slice(&text).map_err(|cause| Error::failed(doing, cause.to_string()))
}

/// Returns the elements of the array at a path in a JSON value; none when it is no array.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(path).and_then(Value::as_array).into_iter().flatten()
}
