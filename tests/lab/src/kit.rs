//! A node that has the kit, as it is shown and measured, or the original kit.

use std::path::Path;

use crate::error::Result;
use crate::image::Suite;
use crate::lifekeeper::DEFAULTS;
use crate::node::{ACTIONS, Init, Node};
use crate::program::top;

/// A node of LifeKeeper always has its file, and without it each action would warn.
const TEXT: &str = "# LifeKeeper's own entries would stand here.\n";

/// Starts a clean node of a suite and lays the kit on it.
///
/// # Errors
///
/// As [`Node::start`] and [`Node::install`].
pub fn node_on(binary: &Path, suite: Suite, init: Init) -> Result<Node> {
    let node = Node::start_on(suite, init)?;
    node.install(binary)?;
    node.write(DEFAULTS, TEXT)?;
    Ok(node)
}

/// Where a node has the original kit.
pub const ORIGINAL: &str = "/usr/local/lib/original";

/// Where it has the four programs of the original kit that LifeKeeper is to copy.
pub const ORIGINALS: &str = "/usr/local/lib/original/programs";

impl Node {
    /// Copies the original kit onto the node.
    ///
    /// # Errors
    ///
    /// When a file cannot be read here or written there.
    pub fn copy_original(&self) -> Result<()> {
        self.run(&["mkdir", "-p", ORIGINALS])?.succeeded("making a directory")?;
        let names = ACTIONS.into_iter().chain(["common.sh"]);
        names.into_iter().try_for_each(|name| {
            self.copy_in(&top().join("tests/original").join(name), &format!("{ORIGINAL}/{name}"))
        })
    }

    /// Lays the original kit on the node. What LifeKeeper copies stands alone, and holds bytes that
    /// are no UTF-8, as a comment in Japanese of that time.
    ///
    /// # Errors
    ///
    /// When a file cannot be read here or written there.
    pub fn lay_original(&self) -> Result<()> {
        self.copy_original()?;
        for action in ACTIONS {
            let script = format!(
                "printf '#!/bin/bash\\n# \\203\\201\\201[\\203\\213\\n%s \"$@\"\\n' {ORIGINAL}/{action} \
                 >{ORIGINALS}/{action} && chmod 750 {ORIGINALS}/{action}"
            );
            self.sh(&script)?.succeeded("writing a program")?;
        }
        Ok(())
    }
}
