//! Has the finished package judged by rpm's own lint.

use std::path::Path;

use lab::Result;

use super::tools::Tools;
use crate::cargo::{succeed, top};

/// Fails when rpmlint has a word to say, warnings included.
///
/// # Errors
///
/// When it does, or cannot run.
pub(super) fn package(tools: &Tools, package: &Path) -> Result<()> {
    let mut rpmlint = tools.python("rpmlint");
    rpmlint.current_dir(top()).args(["--strict", "--config", "pkg/rpm/rpmlint.toml"]).arg(package);
    succeed(rpmlint, &format!("judging {} with rpmlint", package.display()))
}
