//! Starts and ends the process that is a node, or the rack that nodes stand in.
//!
//! The launcher is bound to this process by the kernel: when this process ends in whatever way, the
//! launcher gets SIGKILL, then pid 1 of its pid namespace, then all that is in it. That signal
//! follows the *thread* that started the launcher, so one thread that never ends starts them all.
//! A node in a rack is bound to the rack instead, whose pid namespace it is started in.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::command::{scratch, send_kill, text};
use crate::error::{Error, Result};
use crate::namespaces::Namespaces;
use crate::process::{Process, table};

const OVERLAY: &str = include_str!("../boot/overlay.sh");
const SYSV: &str = include_str!("../boot/sysv.sh");
const SYSTEMD: &str = include_str!("../boot/systemd.sh");
const RACK: &str = include_str!("../boot/rack.sh");
const RACKED: &str = include_str!("../boot/racked.sh");

/// Longest wait for a node's pid 1; only the mounts are made until then.
const PID_ONE: Duration = Duration::from_secs(20);
/// Longest wait for the end of a killed node; only a process stuck in the kernel outlives it.
const END: Duration = Duration::from_secs(20);
/// Between two looks at the process table.
const LOOK: Duration = Duration::from_millis(5);

/// A command for the keeper thread, and where its child is wanted.
type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// What a launcher starts: which scripts run in the new namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// A clean node with init scripts.
    SysV,
    /// A clean node with systemd.
    Systemd,
    /// A rack.
    Rack,
    /// A node with systemd and a disk of the rack that it is started in.
    Racked,
}

impl Machine {
    /// Returns its boot script.
    fn script(self) -> String {
        match self {
            Self::SysV => format!("{OVERLAY}{SYSV}"),
            Self::Systemd => format!("{OVERLAY}{SYSTEMD}"),
            Self::Rack => RACK.to_owned(),
            Self::Racked => format!("{RACKED}{SYSTEMD}"),
        }
    }

    /// Begins its launcher: new namespaces, and the boot script in them as pid 1.
    fn unshare(self, arguments: &[&OsStr]) -> Vec<Box<OsStr>> {
        let script = self.script();
        let words = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"];
        let words = words.iter().chain(&["--uts", "--ipc", "--net", "/bin/sh", "-c"]);
        let words = words.copied().chain([script.as_str(), "machine"]).map(OsStr::new);
        words.chain(arguments.iter().copied()).map(Box::from).collect()
    }
}

/// The process that a node or a rack hangs on; dropping it ends them.
#[derive(Debug)]
pub(crate) struct Launcher {
    child: Child,
    log: File,
    machine: Machine,
}

impl Launcher {
    /// Starts a machine that ends with this process; `arguments` are its boot script's.
    pub(crate) fn start(machine: Machine, arguments: &[&OsStr]) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(machine.unshare(arguments));
        Self::spawned(machine, command, spawn_kept)
    }

    /// Starts a machine that ends with the rack whose namespaces are given.
    pub(crate) fn start_in(
        rack: &Namespaces,
        machine: Machine,
        arguments: &[&OsStr],
    ) -> Result<Self> {
        let mut command = Command::new("/usr/bin/env");
        command.args(machine.unshare(arguments));
        Self::spawned(machine, command, |mut command| rack.inside(|| command.spawn()))
    }

    /// Starts `command` by `spawn`, its output going to a log that an error can show.
    fn spawned(
        machine: Machine,
        mut command: Command,
        spawn: impl FnOnce(Command) -> io::Result<Child>,
    ) -> Result<Self> {
        let (log, reader) = scratch()?;
        let errors = log.try_clone().map_err(Error::io("copying a log's handle"))?;
        command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = spawn(command).map_err(Error::io("starting the launcher of a node"))?;
        Ok(Self { child, log: reader, machine })
    }

    /// Waits for the machine's own pid 1 and returns its pid here.
    pub(crate) fn pid_one(&mut self) -> Result<u32> {
        let start = Instant::now();
        while start.elapsed() < PID_ONE {
            self.check()?;
            let table = table(Path::new("/proc")).map_err(Error::io("reading /proc"))?;
            if let Some(pid) = pid_one_below(&table, self.child.id(), self.machine) {
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

    /// Kills all of the machine's processes, and does not wait.
    pub(crate) fn kill(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // Its pid 1: the launcher ends by itself when the whole pid namespace has.
        let table = table(Path::new("/proc")).unwrap_or_default();
        match table.iter().find(|process| process.parent == self.child.id()) {
            Some(outer) => send_kill(&outer.pid.to_string()),
            None => drop(self.child.kill()),
        }
    }

    /// Tells whether the kernel has buried all of the machine's processes, within `limit`.
    ///
    /// What was started in the machine from here is buried by whoever waits for it.
    pub(crate) fn is_buried_within(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if start.elapsed() > limit {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.kill();
        if !self.is_buried_within(END) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
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

/// Finds a machine's own pid 1 below `launcher`, once its boot script is through.
fn pid_one_below(table: &[Process], launcher: u32, machine: Machine) -> Option<u32> {
    let child = |parent: u32, names: &[&str]| {
        let is =
            |process: &&Process| process.parent == parent && names.contains(&process.comm.as_str());
        table.iter().find(is).map(|process| process.pid)
    };
    match machine {
        Machine::SysV => child(launcher, &["tini", "sleep"]),
        Machine::Systemd | Machine::Racked => {
            let shell = child(launcher, &["sh"])?;
            child(child(shell, &["systemd-nspawn"])?, &["systemd", "init"])
        }
        Machine::Rack => {
            let shell = child(launcher, &["sh"])?;
            child(shell, &["sleep"]).map(|_| shell)
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
        assert_eq!(pid_one_below(&table, 5, Machine::SysV), None);
        assert_eq!(pid_one_below(&table, 5, Machine::Systemd), None);
        table.extend([process(7, 6, "systemd-nspawn"), process(8, 7, "systemd-nspawn")]);
        assert_eq!(pid_one_below(&table, 5, Machine::Systemd), None);
        table.push(process(10, 7, "systemd"));
        assert_eq!(pid_one_below(&table, 5, Machine::Systemd), Some(10));
        assert_eq!(pid_one_below(&[process(6, 5, "tini")], 5, Machine::SysV), Some(6));
    }

    #[test]
    fn a_rack_is_ready_when_its_shell_sleeps() {
        let mut table = vec![process(5, 1, "unshare"), process(6, 5, "sh"), process(9, 6, "mount")];
        assert_eq!(pid_one_below(&table, 5, Machine::Rack), None);
        table.push(process(10, 6, "sleep"));
        assert_eq!(pid_one_below(&table, 5, Machine::Rack), Some(6));
    }
}
