//! Gets the kit ready to be shown or measured: its binary, and a node that has it.

use std::env;
use std::path::{Path, PathBuf};

use lab::{Error, Init, Node, Result};

use crate::cargo::{cargo, succeed};

/// A node of LifeKeeper always has this file, and without it each action would warn.
const DEFAULTS: (&str, &str) =
    ("/etc/default/LifeKeeper", "# LifeKeeper's own entries would stand here.\n");

/// How the kit's binary is compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    /// Quickly.
    Dev,
    /// As it is shipped.
    Release,
}

/// Builds the kit and returns its binary.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--locked", "--package", "dovecot-ark"]);
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            command.arg("--release");
            "release"
        }
    };
    succeed(command, "building dovecot-ark")?;
    // This program lies beside it: target/debug/xtask.
    let myself = env::current_exe().map_err(Error::io("finding this program's file"))?;
    let target = myself.parent().and_then(Path::parent).unwrap_or(Path::new("target"));
    let binary = target.join(folder).join("dovecot-ark");
    if binary.is_file() {
        return Ok(binary);
    }
    Err(Error::failed("building dovecot-ark", format!("{} is not there", binary.display())))
}

/// Starts a clean node and lays the kit on it.
pub(crate) fn node_with(binary: &Path, init: Init) -> Result<Node> {
    let node = Node::start(init)?;
    node.install(binary)?;
    let (path, text) = DEFAULTS;
    node.write(path, text)?;
    Ok(node)
}
