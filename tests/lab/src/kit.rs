//! A node that has the kit, as it is shown and measured.

use std::path::Path;

use crate::error::Result;
use crate::image::Suite;
use crate::lifekeeper::DEFAULTS;
use crate::node::{Init, Node};

/// A node of LifeKeeper always has its file, and without it each action would warn.
const TEXT: &str = "# LifeKeeper's own entries would stand here.\n";

/// Starts a clean node and lays the kit on it.
///
/// # Errors
///
/// As [`Node::start`] and [`Node::install`].
pub fn node_with(binary: &Path, init: Init) -> Result<Node> {
    node_on(binary, Suite::Bookworm, init)
}

/// Starts a clean node that is another Debian, as [`node_with`].
///
/// # Errors
///
/// As [`node_with`].
pub fn node_on(binary: &Path, suite: Suite, init: Init) -> Result<Node> {
    let node = Node::start_on(suite, init)?;
    node.install(binary)?;
    node.write(DEFAULTS, TEXT)?;
    Ok(node)
}
