//! The machine behind one narrow trait: commands, processes, connections and time.
//!
//! Actions see the world only through [`System`], so that the tests can give them a machine whose
//! clock moves only by sleeping. Files are no part of it: they are read below a root directory.

#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod real;
pub(crate) mod sockets;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::command::{Command, CommandOutput};
use crate::error::Error;
use crate::probe::attempt::{Attempt, Silence};
use crate::probe::endpoint::{Depth, Endpoint};
use crate::probe::login::Visit;
use crate::process::{Pipe, Process, ProcessEntry, Signal};
use sockets::Listeners;

/// Where programs are looked up, never in the caller's `PATH`.
pub(crate) const PROGRAM_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// How long the killed commands of a program may take to vanish, all together: with quickCheck's
/// longest look it must stay below the watch over its end. One stuck in the kernel is left behind.
pub(crate) const KILL_WAIT: Duration = Duration::from_millis(200);

/// How long before the alarm that ends the program its commands are ended.
pub(crate) const WATCH_LEAD: Duration = Duration::from_millis(200);

/// How long each of them may take at least.
const KILL_MOMENT: Duration = Duration::from_millis(10);

/// What has been spent of [`KILL_WAIT`].
#[derive(Debug, Default)]
pub(crate) struct KillBudget(Cell<Duration>);

impl KillBudget {
    /// Lets `wait` wait for a killed command, as long as it is given at most; it returns how long it
    /// has.
    pub(crate) fn wait(&self, wait: impl FnOnce(Duration) -> Duration) {
        let left = KILL_WAIT.saturating_sub(self.0.get());
        self.0.set(self.0.get() + wait(left.max(KILL_MOMENT)));
    }
}

/// What the actions need of a machine.
pub(crate) trait System {
    /// A command on its way.
    type Running;

    /// Monotonic time since some fixed moment; a step of the wall clock does not move it.
    fn now(&self) -> Duration;

    /// Sleeps at least so long.
    fn sleep(&self, time: Duration);

    /// Lets a request to end this program (SIGINT, SIGTERM, SIGHUP, unless the caller ignores it) wait until
    /// [`Self::is_interrupted`] is asked. A SIGINT behind another request ends it at once, with 130. The
    /// others do not: of a session that is lost, the kernel and the shell may both send SIGHUP.
    fn hold_interrupts(&self);

    /// Whether this program was asked to end since then.
    fn is_interrupted(&self) -> bool;

    /// Lists the processes that can be seen, threads left out.
    ///
    /// # Errors
    ///
    /// [`Error::ProcessTable`] when the table is obviously not to be believed.
    fn processes(&self) -> Result<Vec<ProcessEntry>, Error>;

    /// The pids of the processes that the kernel calls by this name; far less work than a list.
    ///
    /// # Errors
    ///
    /// [`Error::ProcessTable`] as [`System::processes`].
    fn named(&self, name: &str) -> Result<Vec<i32>, Error>;

    /// Looks closely at one process; `None` when it has gone. Nothing is opened or looked up that
    /// its owner could make hang.
    fn inspect(&self, pid: i32) -> Option<Process>;

    /// The program that a process runs, without the mark of a deleted file; a link is read and
    /// nothing is looked up.
    fn program_of(&self, pid: i32) -> Option<PathBuf>;

    /// Whether a process has this program's root directory, or has locked itself into a directory
    /// below it. Looks up what the process names: for root's own processes, and Dovecot's.
    fn shares_root(&self, process: &Process) -> bool;

    /// Whether the file that a process runs belongs to root, and root alone may write it. Looks up
    /// what the process names: for root's own processes.
    fn runs_file_of_root(&self, process: &Process) -> bool;

    /// Whether the file that a process runs contains a text; `None` where it cannot be read, or is too
    /// large to be looked through. For root's own processes.
    fn program_contains(&self, process: &Process, text: &str) -> Option<bool>;

    /// The first words of a process's command line. Reads its memory: for root's own processes.
    fn words(&self, process: &Process) -> Vec<String>;

    /// The control groups of a process, as `/proc/PID/cgroup` prints them (`cgroups(7)`).
    fn control_groups(&self, pid: i32) -> Option<String>;

    /// The pipe that a process has open as this descriptor.
    fn pipe(&self, pid: i32, descriptor: u32) -> Option<Pipe>;

    /// Whether root made the pipe that a process has open as this descriptor. Where the kernel does
    /// not tell, it counts as root's.
    fn is_pipe_of_root(&self, pid: i32, descriptor: u32) -> bool;

    /// The inodes of the pipes of which a process has both ends open.
    fn own_pipes(&self, pid: i32) -> BTreeSet<u64>;

    /// The listening TCP sockets that root has opened.
    fn roots_listeners(&self) -> Listeners;

    /// Those of them that this process has open.
    fn listening(&self, pid: i32, listeners: &Listeners) -> Vec<SocketAddr>;

    /// What a pid belongs to: this boot of the kernel, and this program's pid namespace.
    fn era(&self) -> String;

    /// Time since the boot, also what the machine slept; every process reads the same clock.
    fn since_boot(&self) -> Duration;

    /// Sends a signal to a process if it is still the one that was inspected; never to pid 1, to
    /// this program or to one that it descends from.
    fn signal(&self, process: &Process, signal: Signal);

    /// Kills the process group that a process leads, if it is still the one that was inspected.
    fn kill_group(&self, leader: &Process);

    /// Starts a command; it goes on beside whatever its starter does.
    fn start(&self, command: &Command) -> Self::Running;

    /// Lets a command begin that waits for it.
    fn release(&self, running: &mut Self::Running);

    /// The first process of a command that runs.
    fn leader(&self, running: &Self::Running) -> Option<Process>;

    /// Waits for a command's end, at most so long, and does nothing when it has not come. Returns
    /// whether it has.
    fn let_end(&self, running: &mut Self::Running, limit: Duration) -> bool;

    /// Waits for a command's end; when it has not come so long after the start, kills the
    /// command's process group. One that ended later than that is late too, even if nobody waited
    /// for it by then.
    fn finish(&self, running: Self::Running, limit: Duration) -> CommandOutput;

    /// Starts a command and waits for its end.
    fn run(&self, command: &Command, limit: Duration) -> CommandOutput {
        self.finish(self.start(command), limit)
    }

    /// Tries all endpoints at the same time; one answer each, in their order. Each has its own
    /// time-out, and all together have `limit`. Behind the greeting of the endpoint of a visit a
    /// mailbox is looked at. Calls `on_silence` once for each kind, when an answer lets itself be
    /// waited for.
    fn probe(
        &self,
        endpoints: &[Endpoint],
        depth: (Depth, Option<&Visit>),
        limit: Duration,
        on_silence: &mut dyn FnMut(Silence),
    ) -> Vec<Attempt>;

    /// Who has a socket open that listens on a TCP port, and the socket's address.
    fn listeners(&self, port: u16) -> Vec<(IpAddr, Process)>;

    /// The addresses of this node.
    ///
    /// # Errors
    ///
    /// When the kernel does not list them.
    fn own_addresses(&self) -> io::Result<BTreeSet<IpAddr>>;

    /// The addresses of this node, to which alone a socket can be bound; empty when they cannot
    /// be listed, or the kernel lets one bind any.
    fn addresses(&self) -> BTreeSet<IpAddr>;

    /// Finds a program in [`PROGRAM_DIRECTORIES`].
    fn program(&self, name: &str) -> Option<PathBuf>;

    /// Whether systemd is this machine's service manager, after `sd_booted(3)`: the program
    /// systemctl alone proves nothing.
    fn runs_systemd(&self) -> bool;
}
