//! Starts and ends the process that is a node.
//!
//! The launcher is bound to this process by the kernel: when this process ends in whatever way, the
//! launcher gets SIGKILL, then pid 1 of its pid namespace, then all that is in it. That signal
//! follows the *thread* that started the launcher, so one thread that never ends starts them all.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::command::{scratch, send_kill, text};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::node::Init;
use crate::process::{Process, table};

const OVERLAY: &str = include_str!("../boot/overlay.sh");
const SYSV: &str = include_str!("../boot/sysv.sh");
const SYSTEMD: &str = include_str!("../boot/systemd.sh");

/// Longest wait for a node's pid 1; only the mounts are made until then.
const PID_ONE: Duration = Duration::from_secs(20);
/// Longest wait for the end of a killed node; only a process stuck in the kernel outlives it.
const END: Duration = Duration::from_secs(20);
/// Between two looks at the process table.
const LOOK: Duration = Duration::from_millis(5);

/// A command for the keeper thread, and where its child is wanted.
type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// The process that a node hangs on; dropping it ends the node.
#[derive(Debug)]
pub(crate) struct Launcher {
    child: Child,
    log: File,
}

impl Launcher {
    /// Starts a node over `image`; `name` is its cgroup's, `last` what its boot script takes fourth.
    pub(crate) fn start(init: Init, image: &Image, name: &str, last: &str) -> Result<Self> {
        let (log, reader) = scratch()?;
        let errors = log.try_clone().map_err(Error::io("copying a log's handle"))?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child"])
            .args(["--mount", "--mount-proc", "--uts", "--ipc", "--net", "/bin/sh", "-c"])
            .arg(match init {
                Init::SysV => format!("{OVERLAY}{SYSV}"),
                Init::Systemd => format!("{OVERLAY}{SYSTEMD}"),
            })
            .arg("node")
            .args([image.folder.as_os_str(), image.name.as_ref(), name.as_ref(), last.as_ref()])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let child = spawn_kept(command).map_err(Error::io("starting setpriv"))?;
        Ok(Self { child, log: reader })
    }

    /// Waits for the node's pid 1 and returns its pid on this machine.
    pub(crate) fn pid_one(&mut self, init: Init) -> Result<u32> {
        let start = Instant::now();
        while start.elapsed() < PID_ONE {
            self.check()?;
            let table = table(Path::new("/proc")).map_err(Error::io("reading /proc"))?;
            if let Some(pid) = pid_one_below(&table, self.child.id(), init) {
                return Ok(pid);
            }
            thread::sleep(LOOK);
        }
        Err(self.failed(format!("no pid 1 after {} s", PID_ONE.as_secs())))
    }

    /// Fails when the launcher has ended, with what it wrote.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait().map_err(Error::io("waiting for a node's launcher"))? {
            None => Ok(()),
            Some(status) => Err(self.failed(format!("its launcher ended: {status}"))),
        }
    }

    /// Makes the error of a node that did not start, with the end of what it wrote.
    pub(crate) fn failed(&mut self, cause: impl Into<String>) -> Error {
        let log = text(&mut self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        let tail: Vec<&str> = lines.into_iter().rev().collect();
        Error::failed("starting a node", format!("{}: {}", cause.into(), tail.join(" | ")))
    }

    /// Returns the launcher's pid on this machine.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills all of the node's processes and waits until the kernel has buried them.
    fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // Its pid 1 first: the launcher ends when the whole pid namespace has.
        let table = table(Path::new("/proc")).unwrap_or_default();
        let Some(outer) = table.iter().find(|process| process.parent == self.child.id()) else {
            let _ = self.child.kill();
            let _ = self.child.wait();
            return;
        };
        send_kill(&outer.pid.to_string());
        let start = Instant::now();
        while start.elapsed() < END && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts `command` from the thread that lives as long as this process.
fn spawn_kept(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let gone = || io::Error::other("the thread that starts nodes has ended");
    let (reply, child) = mpsc::channel();
    keeper.send((command, reply)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

/// Finds the node's pid 1 below `launcher`: the shell's successor, or what systemd-nspawn started.
fn pid_one_below(table: &[Process], launcher: u32, init: Init) -> Option<u32> {
    let child = |parent: u32, names: &[&str]| {
        let is =
            |process: &&Process| process.parent == parent && names.contains(&process.comm.as_str());
        table.iter().find(is).map(|process| process.pid)
    };
    match init {
        Init::SysV => child(launcher, &["tini", "sleep"]),
        Init::Systemd => {
            let shell = child(launcher, &["sh"])?;
            child(child(shell, &["systemd-nspawn"])?, &["systemd", "init"])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, comm: &str) -> Process {
        let (session, state, started) = (1, 'S', 1);
        Process { pid, parent, session, state, started, comm: comm.into(), args: String::new() }
    }

    #[test]
    fn pid_one_is_found_only_after_its_exec() {
        let mut table = vec![process(5, 1, "unshare"), process(6, 5, "sh"), process(9, 6, "mount")];
        assert_eq!(pid_one_below(&table, 5, Init::SysV), None);
        assert_eq!(pid_one_below(&table, 5, Init::Systemd), None);
        table.extend([process(7, 6, "systemd-nspawn"), process(8, 7, "systemd-nspawn")]);
        assert_eq!(pid_one_below(&table, 5, Init::Systemd), None);
        table.push(process(10, 7, "systemd"));
        assert_eq!(pid_one_below(&table, 5, Init::Systemd), Some(10));
        assert_eq!(pid_one_below(&[process(6, 5, "tini")], 5, Init::SysV), Some(6));
    }
}
