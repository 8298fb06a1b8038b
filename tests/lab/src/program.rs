//! Finds the project's own programs and its package, built as they are now.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::command::succeed;
use crate::error::{Error, Result};

/// What cargo tells a program that it runs of the program's package.
///
/// To another cargo it would be news: ring's build script asks for these variables, so ring and
/// all that depends on it would be built again after each change between the two.
const OF_A_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Begins a cargo command at the top of the workspace, as if it was typed there.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(top());
    for (name, _) in env::vars_os() {
        if OF_A_PACKAGE.iter().any(|begin| name.as_encoded_bytes().starts_with(begin.as_bytes())) {
            command.env_remove(name);
        }
    }
    command
}

/// Builds a package's program of the same name, in the profile of tests, and returns its file.
///
/// # Errors
///
/// When it cannot be built, or is not where cargo puts it.
pub fn program(package: &str) -> Result<PathBuf> {
    // The caller lies beside it or in a directory below: target/debug/deps/TEST, target/debug/xtask.
    built(&["--quiet", "--package", package], package)
}

/// Builds a program of a package in the profile of releases, and returns its file.
///
/// # Errors
///
/// As [`program`].
pub fn release(package: &str, program: &str) -> Result<PathBuf> {
    let words = ["--package", package, "--bin", program, "--release"];
    built(&words, &format!("release/{program}"))
}

/// Has cargo build, and finds the file in the directories above this program.
fn built(words: &[&str], file: &str) -> Result<PathBuf> {
    let doing = format!("building {file}");
    let mut build = cargo();
    build.args(["build", "--locked"]).args(words).stdin(Stdio::null());
    succeed(build, &doing)?;
    let myself = env::current_exe().map_err(Error::io("finding this program's file"))?;
    let found = myself.ancestors().skip(1).map(|directory| directory.join(file));
    let missing = || Error::failed(doing, "it is not where this program lies");
    found.take(3).find(|path| path.is_file()).ok_or_else(missing)
}

/// Returns the project's package, which `cargo xtask rpm` builds.
///
/// # Errors
///
/// When it is not there, or older than a file that goes into it: a test would not test what it
/// seems to.
pub fn package() -> Result<PathBuf> {
    let name = concat!("dovecot-ark-", env!("CARGO_PKG_VERSION"), "-1.x86_64.rpm");
    let package = top().join("target/rpm").join(name);
    let doing = format!("looking for {}", package.display());
    let built = fs::metadata(&package).and_then(|data| data.modified());
    let built = built.map_err(|cause| Error::failed(doing.clone(), advice(&cause.to_string())))?;
    for part in ["src", "installer", "Cargo.toml", "Cargo.lock"] {
        if let Some(newer) = newer_than(built, &top().join(part))? {
            let cause = advice(&format!("{} is newer", newer.display()));
            return Err(Error::failed(doing, cause));
        }
    }
    Ok(package)
}

fn advice(cause: &str) -> String {
    format!("{cause}; build it with cargo xtask rpm")
}

/// A file that was changed after a moment, in a directory or by itself.
fn newer_than(moment: SystemTime, path: &Path) -> Result<Option<PathBuf>> {
    let reading = || Error::io(format!("reading {}", path.display()));
    let data = fs::metadata(path).map_err(reading())?;
    if !data.is_dir() {
        let newer = data.modified().map_err(reading())? > moment;
        return Ok(newer.then(|| path.to_owned()));
    }
    for entry in fs::read_dir(path).map_err(reading())? {
        if let Some(newer) = newer_than(moment, &entry.map_err(reading())?.path())? {
            return Ok(Some(newer));
        }
    }
    Ok(None)
}

/// Returns the top of the workspace.
#[must_use]
pub fn top() -> &'static Path {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    lab.ancestors().nth(2).unwrap_or(lab)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_finds_the_environment_of_a_shell() {
        // Cargo, which runs this test, has set both.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_VERSION_MAJOR"] {
            assert!(env::var_os(name).is_some(), "{name}");
            assert!(cargo().get_envs().any(|change| change == (name.as_ref(), None)), "{name}");
        }
    }
}
