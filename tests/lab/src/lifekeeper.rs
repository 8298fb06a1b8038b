//! LifeKeeper's stand-in on a node: its commands, its defaults file, its package, its service.
//!
//! A node of its own is enough for what LifeKeeper does on one: a cluster adds the other one.

use std::fmt;
use std::path::Path;

use crate::command::Finished;
use crate::error::{Error, Result};
use crate::node::{ACTIONS, Init, Node};

/// Where LifeKeeper lies on a node.
pub const LKROOT: &str = "/opt/LifeKeeper";
/// LifeKeeper's defaults file, in which the kit's settings stand as well.
pub const DEFAULTS: &str = "/etc/default/LifeKeeper";

const UNIT: &str = include_str!("../lifekeeper/lifekeeper.service");
const ENTRIES: &str = include_str!("../lifekeeper/defaults");
const HALT: &str = include_str!("../lifekeeper/halt");
/// Where the stand-in lies until it has laid itself; gone with the next boot.
const STANDIN: &str = "/run/lifekeeper-standin";
/// Where the image has the packages that tell a version.
const PACKAGES: &str = "/usr/share/lab";

/// Whether LifeKeeper has an `lkcli`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// LifeKeeper 9.3.2, which has no `lkcli`.
    None,
    /// LifeKeeper 9.9.0, whose `lkcli` spells its options as one might guess: nobody outside knows.
    Guess,
}

impl Dialect {
    /// Returns the version of LifeKeeper that speaks it.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::None => "9.3.2",
            Self::Guess => "9.9.0",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no lkcli",
            Self::Guess => "lkcli",
        })
    }
}

impl Node {
    /// Lays LifeKeeper on the node and starts it; it protects nothing and knows no other node.
    ///
    /// `standin` is a program of this machine.
    ///
    /// # Errors
    ///
    /// When a file cannot be written there, or LifeKeeper does not start.
    pub fn lay_lifekeeper(&self, standin: &Path, dialect: Dialect) -> Result<()> {
        self.write(DEFAULTS, ENTRIES)?;
        self.copy_in(standin, STANDIN)?;
        let without: &[&str] = if dialect == Dialect::None { &["--no-lkcli"] } else { &[] };
        succeed(self, &[&[STANDIN, "lay"], without].concat())?;
        self.set_lifekeeper_version(dialect.version())?;
        self.write_program(&format!("{LKROOT}/config/halt"), HALT)?;
        if self.init() == Init::Systemd {
            self.write("/etc/systemd/system/lifekeeper.service", UNIT)?;
            let start = ["systemctl", "enable", "--now", "--quiet", "lifekeeper.service"];
            return succeed(self, &start).map(drop);
        }
        succeed(self, &[&format!("{LKROOT}/bin/lkstart"), "-w"]).map(drop)
    }

    /// Makes LifeKeeper another version: 9.0.2, 9.1.0, 9.3.2 or 9.9.0. What its `lkcli` is stays.
    ///
    /// # Errors
    ///
    /// When there is no package of this version.
    pub fn set_lifekeeper_version(&self, version: &str) -> Result<()> {
        let package = format!("{PACKAGES}/steeleye-lk-{version}.rpm");
        succeed(self, &["rpm", "-U", "--oldpackage", "--replacepkgs", &package])?;
        self.write(&format!("{LKROOT}/config/VERSION"), version)
    }

    /// Insists that LifeKeeper's copies of a resource's four programs are those of this directory.
    ///
    /// # Errors
    ///
    /// When one is another, or cannot be run.
    pub fn require_copies(&self, tag: &str, programs: &str) -> Result<()> {
        for action in ACTIONS {
            let directory = if action == "recover" { "recovery" } else { "actions" };
            let copy = format!("{LKROOT}/subsys/gen/resources/app/{directory}/!{action}/{tag}");
            let compare = format!("cmp '{copy}' {programs}/{action} && test -x '{copy}'");
            self.sh(&compare)?.succeeded("comparing the programs")?;
        }
        Ok(())
    }
}

/// Runs a command on a node, and fails unless it succeeds.
pub(crate) fn succeed(node: &Node, argv: &[&str]) -> Result<Finished> {
    let done = node.run(argv)?;
    if done.success() {
        return Ok(done);
    }
    let said: Vec<&str> = done.stdout.lines().collect();
    let cause = format!("{}; it said: {}", done.ending(), said.join(" | "));
    Err(Error::failed(format!("running {} on a node", argv.join(" ")), cause))
}
