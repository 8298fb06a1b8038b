//! A node: a Debian of its own with a real Dovecot, as long as the value lives.
//!
//! Each node is clean: an overlay over the cached image, with own processes, mounts, host name and
//! network. Dovecot is installed, not running, and not started at boot. Dropping the node
//! is a power cut, and leaves nothing behind.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use crate::command::{Finished, Running};
use crate::error::{Error, Result};
use crate::launch::Launcher;
use crate::namespaces::Namespaces;
use crate::{cgroup, image};

/// Longest time for a command of [`Node::run`]; above the kit's longest action.
const RUN: Duration = Duration::from_mins(2);
/// Longest time for systemd to finish its boot; it takes about 1 s.
const BOOT: Duration = Duration::from_mins(1);
/// The actions that LifeKeeper calls, each by a stub of its own.
pub const ACTIONS: [&str; 4] = ["quickCheck", "restore", "remove", "recover"];
/// Where the kit's stubs lie on a node.
pub const STUBS: &str = "/usr/lib/dovecot-ark";

/// What `service` talks to on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// The scripts of `/etc/init.d`.
    SysV,
    /// systemd as pid 1.
    Systemd,
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SysV => "SysV",
            Self::Systemd => "systemd",
        })
    }
}

/// A running node; dropping it ends it.
#[derive(Debug)]
pub struct Node {
    init: Init,
    name: String,
    pub(crate) namespaces: Namespaces,
    // Dropped before the cgroup is removed: see `Drop`.
    launcher: Option<Launcher>,
}

impl Node {
    /// Starts a clean node; the image is built before, if it is not there.
    ///
    /// # Errors
    ///
    /// When the caller is not root, the image cannot be built, or the node does not boot.
    pub fn start(init: Init) -> Result<Self> {
        Self::boot(init, "reaping")
    }

    /// Starts a clean SysV node whose pid 1 never reaps, so that killed daemons stay zombies.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub fn start_unreaped() -> Result<Self> {
        Self::boot(Init::SysV, "careless")
    }

    /// Starts a node with this kind of pid 1; under systemd that is always systemd itself.
    fn boot(init: Init, pid_one: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let image = image::ensure()?;
        let host = format!("node{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let name = match init {
            Init::SysV => host.clone(),
            Init::Systemd => {
                cgroup::sweep();
                cgroup::new_name()
            }
        };
        let last = if init == Init::SysV { pid_one } else { &host };
        let mut launcher = Launcher::start(init, &image, &name, last)?;
        let pid = launcher.pid_one(init)?;
        let namespaces = Namespaces::of(pid)?;
        let mut node = Self { init, name, namespaces, launcher: Some(launcher) };
        if init == Init::Systemd {
            node.wait_for_systemd()?;
        }
        Ok(node)
    }

    /// Waits until systemd has done its boot; "degraded" is a finished boot too.
    fn wait_for_systemd(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            let answer = self.run(&["systemctl", "is-system-running"])?;
            let state = answer.stdout.trim();
            if matches!(state, "running" | "degraded") {
                return Ok(());
            }
            if let Some(launcher) = &mut self.launcher {
                launcher.check()?;
                if start.elapsed() > BOOT {
                    let cause = format!("systemd is \"{state}\" after {} s", BOOT.as_secs());
                    return Err(launcher.failed(cause));
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns which kind of `service` the node has.
    #[must_use]
    pub fn init(&self) -> Init {
        self.init
    }

    /// Returns the pid, on this machine, of the process that the node hangs on.
    #[must_use]
    pub fn launcher(&self) -> Option<u32> {
        self.launcher.as_ref().map(Launcher::pid)
    }

    /// Lays the kit's `binary` and its four stubs where the package does.
    ///
    /// # Errors
    ///
    /// When a file cannot be read here or written there.
    pub fn install(&self, binary: &Path) -> Result<()> {
        self.copy_in(binary, "/usr/sbin/dovecot-ark")?;
        self.run(&["mkdir", "-p", STUBS])?;
        let stubs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../installer");
        for action in ACTIONS {
            self.copy_in(&stubs.join(action), &format!("{STUBS}/{action}"))?;
        }
        Ok(())
    }

    /// Copies a program of this machine onto the node, with mode 0755.
    ///
    /// # Errors
    ///
    /// When the file cannot be read here or written there.
    pub fn copy_in(&self, from: &Path, to: &str) -> Result<()> {
        let file = File::open(from).map_err(Error::io(format!("reading {}", from.display())))?;
        self.put(file, to, "cat >\"$1.new\" && chmod 0755 \"$1.new\" && mv \"$1.new\" \"$1\"")
    }

    /// Feeds `content` to a shell script on the node whose `$1` is `path`.
    ///
    /// Nothing is written from this process: a thread that starts a command meanwhile would pass
    /// the open file on, and the kernel refuses to run a program that is open for writing.
    pub(crate) fn put(&self, content: File, path: &str, script: &str) -> Result<()> {
        let argv = ["/bin/sh", "-c", script, "put", path];
        let done = Running::start(&self.namespaces, &argv, content.into())?.wait(RUN)?;
        if done.success() {
            return Ok(());
        }
        Err(Error::failed(format!("writing {path} on a node"), done.ending()))
    }

    /// Runs a command inside with a bare environment, at most 120 s.
    ///
    /// # Errors
    ///
    /// When the command cannot be started or watched; its failure is in the answer.
    pub fn run(&self, argv: &[&str]) -> Result<Finished> {
        self.spawn(argv)?.wait(RUN)
    }

    /// Runs a shell script inside, as [`Node::run`].
    ///
    /// # Errors
    ///
    /// As [`Node::run`].
    pub fn sh(&self, script: &str) -> Result<Finished> {
        self.run(&["/bin/sh", "-c", script])
    }

    /// Starts a command inside, to run beside the caller.
    ///
    /// # Errors
    ///
    /// When the command cannot be started.
    pub fn spawn(&self, argv: &[&str]) -> Result<Running> {
        Running::start(&self.namespaces, argv, Stdio::null())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.launcher.take());
        if self.init == Init::Systemd {
            cgroup::remove(&self.name);
        }
    }
}
