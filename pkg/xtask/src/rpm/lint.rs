//! Has the package judged by rpm's own lint, and its scripts by the shell's.

use std::path::Path;
use std::process::Command;

use lab::{ACTIONS, Result};

use super::tools::Tools;
use crate::cargo::{succeed, top};

/// Fails when shellcheck has a word to say about what the package runs.
pub(super) fn scripts() -> Result<()> {
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.current_dir(top()).arg("--shell=sh");
    shellcheck.args(["post", "preun", "postun"].map(|name| format!("pkg/rpm/{name}.sh")));
    shellcheck.args(ACTIONS.map(|action| format!("installer/{action}")));
    succeed(shellcheck, "judging the scripts with shellcheck")
}

/// Fails when rpmlint has a word to say, warnings included.
pub(super) fn package(tools: &Tools, package: &Path) -> Result<()> {
    let mut rpmlint = tools.python("rpmlint");
    rpmlint.current_dir(top()).args(["--strict", "--config", "pkg/rpm/rpmlint.toml"]).arg(package);
    succeed(rpmlint, &format!("judging {} with rpmlint", package.display()))
}
