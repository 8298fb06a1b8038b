//! Gets the kit ready to be shown or measured: its binary, and a node that has it.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lab::{Error, Init, Node, Result, Suite};

use crate::cargo::{cargo, succeed};
use crate::heading::{heading, shown};

/// A node of LifeKeeper always has this file, and without it each action would warn.
const DEFAULTS: (&str, &str) =
    ("/etc/default/LifeKeeper", "# LifeKeeper's own entries would stand here.\n");

/// Builds a program in the profile of this one, saying so, and returns its binary.
pub(crate) fn build_beside(package: &str) -> Result<PathBuf> {
    heading(&format!("building {package} (half a minute or so if it is the first time)"));
    let start = Instant::now();
    let mut command = cargo();
    // What is compiled is seen; the lab does the same without a word.
    command.args(["build", "--locked", "--package", package]);
    succeed(command, &format!("building {package}"))?;
    let binary = lab::program(package)?;
    println!("   built in {}", shown(start.elapsed()));
    Ok(binary)
}

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
pub(crate) fn node_with(kit: &Path, init: Init) -> Result<Node> {
    node_on(kit, Suite::Bookworm, init)
}

/// Starts a clean node that is another Debian, as [`node_with`].
pub(crate) fn node_on(kit: &Path, suite: Suite, init: Init) -> Result<Node> {
    let node = Node::start_on(suite, init)?;
    node.install(kit)?;
    let (path, text) = DEFAULTS;
    node.write(path, text)?;
    Ok(node)
}
