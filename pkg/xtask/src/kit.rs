//! Gets the kit ready to be shown or measured: its binary, and a node that has it.

use std::env;
use std::path::{Path, PathBuf};

use lab::{Error, Init, Node, Result, Suite};

use crate::cargo::{cargo, succeed};

/// A node of LifeKeeper always has this file, and without it each action would warn.
const DEFAULTS: (&str, &str) =
    ("/etc/default/LifeKeeper", "# LifeKeeper's own entries would stand here.\n");

/// Builds the kit as it is shipped, and returns its binary.
pub(crate) fn build_release() -> Result<PathBuf> {
    build_program("dovecot-ark", "dovecot-ark")
}

/// Builds a program of a package in the profile of releases, and returns its binary.
pub(crate) fn build_program(package: &str, program: &str) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--locked", "--package", package, "--bin", program, "--release"]);
    let doing = format!("building {program}");
    succeed(command, &doing)?;
    // This program lies in the folder beside it: target/debug/xtask.
    let myself = env::current_exe().map_err(Error::io("finding this program's file"))?;
    let target = myself.parent().and_then(Path::parent).unwrap_or(Path::new("target"));
    let binary = target.join("release").join(program);
    if binary.is_file() {
        return Ok(binary);
    }
    Err(Error::failed(doing, format!("{} is not there", binary.display())))
}

/// Starts a clean node and lays the kit on it.
pub(crate) fn node_with(binary: &Path, init: Init) -> Result<Node> {
    node_on(binary, Suite::Bookworm, init)
}

/// Starts a clean node that is another Debian, as [`node_with`].
pub(crate) fn node_on(binary: &Path, suite: Suite, init: Init) -> Result<Node> {
    let node = Node::start_on(suite, init)?;
    node.install(binary)?;
    let (path, text) = DEFAULTS;
    node.write(path, text)?;
    Ok(node)
}
