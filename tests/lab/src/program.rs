//! Finds the project's own programs, built as they are now.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Builds a package's program of the same name, in the profile of tests, and returns its file.
///
/// # Errors
///
/// When it cannot be built, or is not where cargo puts it.
pub fn program(package: &str) -> Result<PathBuf> {
    let doing = format!("building {package}");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--package", package])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stdin(Stdio::null())
        .status()
        .map_err(Error::io(doing.clone()))?;
    if !status.success() {
        return Err(Error::failed(doing, status.to_string()));
    }
    // The caller lies beside it or in a folder below: target/debug/deps/TEST, target/debug/xtask.
    let myself = env::current_exe().map_err(Error::io("finding this program's file"))?;
    let found = myself.ancestors().skip(1).map(|folder| folder.join(package));
    let missing = || Error::failed(doing, "it is not where this program lies");
    found.take(2).find(|path| path.is_file()).ok_or_else(missing)
}
