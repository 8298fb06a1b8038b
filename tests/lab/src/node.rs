//! A node: a Debian of its own with a real Dovecot, as long as the value lives.
//!
//! Each node is clean: an overlay over the cached image, with own processes, mounts, host name and
//! network. Dovecot is installed, not running, and not started at boot. Dropping the node
//! is a power cut, and leaves nothing behind.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use crate::command::{Finished, Running, scratch, succeed};
use crate::error::{Error, Result};
use crate::image::Suite;
use crate::launch::{Launcher, Machine};
use crate::namespaces::Namespaces;
use crate::{cgroup, image};

/// Longest time for a command of [`Node::run`]; above the kit's longest action.
const RUN: Duration = Duration::from_mins(2);
/// Longest time for systemd to finish its boot; it takes about 1 s.
const BOOT: Duration = Duration::from_mins(1);
/// Longest wait for the processes of a killed node to stop acting; it takes some milliseconds.
const CUT: Duration = Duration::from_secs(5);
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
    cgroup: Option<String>,
    pub(crate) namespaces: Namespaces,
    /// The pid, on this machine, of its own pid 1.
    pid_one: u32,
    launcher: Mutex<Option<Launcher>>,
}

impl Node {
    /// Starts a clean node; the image is built before, if it is not there.
    ///
    /// # Errors
    ///
    /// When the caller is not root, the image cannot be built, or the node does not boot.
    pub fn start(init: Init) -> Result<Self> {
        Self::start_on(Suite::Bookworm, init)
    }

    /// Starts a clean node that is another Debian.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub fn start_on(suite: Suite, init: Init) -> Result<Self> {
        Self::boot(suite, init, "reaping")
    }

    /// Starts a clean SysV node whose pid 1 never reaps, so that killed daemons stay zombies.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub fn start_unreaped(suite: Suite) -> Result<Self> {
        Self::boot(suite, Init::SysV, "careless")
    }

    /// Starts a node with this kind of pid 1; under systemd that is always systemd itself.
    fn boot(suite: Suite, init: Init, pid_one: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let image = image::ensure(suite)?;
        let host = format!("node{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (machine, cgroup, name, last) = match init {
            Init::SysV => (Machine::SysV, None, host.clone(), pid_one),
            Init::Systemd => {
                let name = cgroup::new_name();
                (Machine::Systemd, Some(name.clone()), name, host.as_str())
            }
        };
        let words: [&OsStr; 4] =
            [image.directory.as_os_str(), image.name.as_ref(), name.as_ref(), last.as_ref()];
        Self::launched(init, Launcher::start(machine, &words)?, cgroup)
    }

    /// Boots the node that hangs on `launcher`; its `cgroup` is removed when it has ended.
    pub(crate) fn launched(
        init: Init,
        mut launcher: Launcher,
        cgroup: Option<String>,
    ) -> Result<Self> {
        let pid_one = launcher.pid_one()?;
        let namespaces = Namespaces::of(pid_one)?;
        let launcher = Mutex::new(Some(launcher));
        let node = Self { init, cgroup, namespaces, pid_one, launcher };
        if init == Init::Systemd {
            node.wait_for_systemd()?;
        }
        Ok(node)
    }

    /// Waits until systemd has done its boot; "degraded" is a finished boot too.
    fn wait_for_systemd(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let answer = self.run(&["systemctl", "is-system-running"])?;
            let state = answer.stdout.trim();
            if matches!(state, "running" | "degraded") {
                return Ok(());
            }
            if let Some(launcher) = self.hold().as_mut() {
                launcher.check()?;
                if start.elapsed() > BOOT {
                    let cause = format!("systemd is \"{state}\" after {} s", BOOT.as_secs());
                    return Err(launcher.failed(cause));
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Takes hold of the launcher; there is none after the node's end.
    fn hold(&self) -> MutexGuard<'_, Option<Launcher>> {
        self.launcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether the node is on: it is not after a power cut, or when it powered itself off.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.namespaces.is_inhabited_by(self.pid_one)
    }

    /// Kills all of the node's processes and waits until none can act any more.
    pub(crate) fn cut(&self) {
        let Some(launcher) = self.hold().as_mut().map(|launcher| {
            launcher.kill();
            launcher.pid()
        }) else {
            return;
        };
        let start = Instant::now();
        // The launcher is in the node's network and does nothing but wait.
        while self.namespaces.inhabitants().iter().any(|pid| *pid != launcher)
            && start.elapsed() < CUT
        {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Tells whether the node has ended and left nothing, within `limit`.
    pub(crate) fn is_gone_within(&self, limit: Duration) -> bool {
        let mut launcher = self.hold();
        if launcher.as_mut().is_some_and(|launcher| !launcher.is_buried_within(limit)) {
            return false;
        }
        self.sweep(&mut launcher);
        true
    }

    /// Ends the node, once.
    pub(crate) fn end(&self) {
        self.sweep(&mut self.hold());
    }

    /// Ends what the launcher still holds and removes the cgroup.
    fn sweep(&self, launcher: &mut Option<Launcher>) {
        if let Some(launcher) = launcher.take() {
            drop(launcher);
            if let Some(cgroup) = &self.cgroup {
                cgroup::remove(cgroup);
            }
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
        self.hold().as_ref().map(Launcher::pid)
    }

    /// Installs the kit: a package with rpm, a directory as the tree of the node's files that it is, a
    /// binary with its four stubs where the package has them.
    ///
    /// # Errors
    ///
    /// When a file cannot be read here or written there, or rpm refuses the package.
    pub fn install(&self, kit: &Path) -> Result<()> {
        if kit.extension().is_some_and(|end| end == "rpm") {
            return self.install_package(kit);
        }
        if kit.is_dir() {
            return self.copy_tree(kit);
        }
        self.copy_in(kit, "/usr/sbin/dovecot-ark")?;
        self.run(&["mkdir", "-p", STUBS])?;
        let stubs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../installer");
        for action in ACTIONS {
            self.copy_in(&stubs.join(action), &format!("{STUBS}/{action}"))?;
        }
        Ok(())
    }

    fn install_package(&self, package: &Path) -> Result<()> {
        let there = "/run/dovecot-ark.rpm";
        self.copy_in(package, there)?;
        let doing = format!("installing {} on a node", package.display());
        self.run(&["rpm", "-i", there])?.succeeded(doing).map(drop)
    }

    /// Copies the files below a directory of this machine to their places below `/`.
    fn copy_tree(&self, directory: &Path) -> Result<()> {
        let (end, start) = scratch()?;
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "-c", "-C"]).arg(directory).arg(".").stdout(end);
        succeed(tar, &format!("packing {}", directory.display()))?;
        self.put(start, "/", "tar -x --no-overwrite-dir -C \"$1\"")
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
        done.succeeded(format!("writing {path} on a node")).map(drop)
    }

    /// Begins an action of the kit as LifeKeeper does, by its stub.
    ///
    /// # Errors
    ///
    /// As [`Node::spawn`].
    pub fn begin(&self, action: &str) -> Result<Running> {
        self.spawn(&[&format!("{STUBS}/{action}"), "-t", "dovecot", "-i", "dovecot"])
    }

    /// Calls an action of the kit, as [`Node::begin`], and waits for its end.
    ///
    /// # Errors
    ///
    /// As [`Node::run`].
    pub fn act(&self, action: &str) -> Result<Finished> {
        self.begin(action)?.wait(RUN)
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
        self.end();
    }
}
