//! The machine behind one narrow trait: commands, processes, connections and time.
//!
//! Actions see the world only through [`System`], so that the tests can give them a machine whose
//! clock moves only by sleeping. Files are no part of it: they are read below a root folder.

#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod real;
pub(crate) mod sockets;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dovecot::endpoint::Endpoint;
use crate::error::Error;

/// Where programs are looked up, never in the caller's `PATH`.
pub(crate) const PROGRAM_FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Where the kit keeps its locks and the output of running commands.
pub(crate) const RUN_FOLDER: &str = "run/dovecot-ark";

/// The lock of an install or uninstall. No tag becomes a file name that begins with a dot.
pub(crate) const INSTALL_LOCK: &str = "run/dovecot-ark/.install";

/// What the actions need of a machine.
pub(crate) trait System {
    /// A command on its way.
    type Running;

    /// Monotonic time since some fixed moment; a step of the wall clock does not move it.
    fn now(&self) -> Duration;

    /// Sleeps at least so long.
    fn sleep(&self, time: Duration);

    /// Lists the processes that can be seen, threads left out.
    ///
    /// # Errors
    ///
    /// [`Error::ProcessTable`] when the table is obviously not to be believed.
    fn processes(&self) -> Result<Vec<Listed>, Error>;

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

    /// The inodes of the pipes of which a process has both ends open.
    fn own_pipes(&self, pid: i32) -> BTreeSet<u64>;

    /// The listening TCP sockets that root has opened and this process has open.
    fn listening(&self, pid: i32) -> Vec<SocketAddr>;

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
    /// command's process group. One that has ended before it is waited for has ended, however
    /// late.
    fn finish(&self, running: Self::Running, limit: Duration) -> Ended;

    /// Starts a command and waits for its end.
    fn run(&self, command: &Command, limit: Duration) -> Ended {
        self.finish(self.start(command), limit)
    }

    /// Tries all endpoints at the same time; one answer each, in their order. Each has its own
    /// time-out, and all together have `limit`. Calls `on_silence` once, when a greeting lets itself
    /// be waited for.
    fn probe(
        &self,
        endpoints: &[Endpoint],
        depth: Depth,
        limit: Duration,
        on_silence: &mut dyn FnMut(),
    ) -> Vec<Attempt>;

    /// Who has a socket open that listens on a TCP port, and the socket's address.
    fn listeners(&self, port: u16) -> Vec<(IpAddr, Process)>;

    /// The addresses of this node, to which alone a socket can be bound; empty when they cannot
    /// be listed, or the kernel lets one bind any.
    fn addresses(&self) -> BTreeSet<IpAddr>;

    /// Finds a program in [`PROGRAM_FOLDERS`].
    fn program(&self, name: &str) -> Option<PathBuf>;

    /// Whether systemd is this machine's service manager, after `sd_booted(3)`: the program
    /// systemctl alone proves nothing.
    fn runs_systemd(&self) -> bool;
}

/// A line of the process table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listed {
    /// Process id.
    pub(crate) pid: i32,
    /// The parent's process id; 0 when it is not to be seen.
    pub(crate) parent: i32,
    /// Session id; 0 when it is not to be seen.
    pub(crate) session: i32,
    /// The kernel's name of it, at most 15 bytes.
    pub(crate) name: String,
    /// Dead, and only its exit status is left.
    pub(crate) zombie: bool,
}

/// A process seen closely. It is its pid *plus* its start: a pid alone is used again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Process {
    /// Process id.
    pub(crate) pid: i32,
    /// The parent's process id; 0 when it is not to be seen.
    pub(crate) parent: i32,
    /// Session id; 0 when it is not to be seen.
    pub(crate) session: i32,
    /// When it started, in clock ticks since boot (`proc(5)`, field 22 of `stat`).
    pub(crate) started: u64,
    /// The kernel's name of it, at most 15 bytes.
    pub(crate) name: String,
    /// `R`, `S`, `D`, `T`, `Z`, … (`proc(5)`).
    pub(crate) state: char,
    /// Real, effective and saved user id.
    pub(crate) users: [u32; 3],
    /// The executable, without the mark of a deleted file; `None` for a process that is about to
    /// end and for one of the kernel's.
    pub(crate) executable: Option<PathBuf>,
    /// Whether it lives in this program's user and pid namespaces, and not in a container's.
    pub(crate) same_namespaces: bool,
}

/// An end of a pipe that a process has open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pipe {
    /// The pipe's inode.
    pub(crate) inode: u64,
    /// Which end.
    pub(crate) end: PipeEnd,
}

/// An end of a pipe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PipeEnd {
    /// Open for reading alone.
    Read,
    /// Open for writing alone.
    Write,
    /// Open for both, as a named pipe can be.
    Both,
}

impl Process {
    /// Whether both are one process, and not one pid used twice.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.pid == other.pid && self.started == other.started
    }

    /// Whether root started it, and it has never been anybody else.
    pub(crate) fn is_roots(&self) -> bool {
        self.users == [0; 3]
    }

    /// Whether it leads its session.
    pub(crate) const fn leads_session(&self) -> bool {
        self.session == self.pid
    }

    /// Whether it is stopped (`T`) or held by a tracer (`t`).
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Whether it has ended, whoever has not yet asked for its exit status.
    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {} ({}, state {})", self.pid, self.name, self.state)
    }
}

/// The signals the kit sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    /// SIGCONT: go on, after a SIGSTOP.
    Cont,
    /// SIGTERM: end in good order.
    Term,
    /// SIGKILL: end at once.
    Kill,
}

/// A program and its arguments; no shell in between.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Command {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    kept: Kept,
    start: Start,
}

/// When a command begins to do what it is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Start {
    /// As soon as it is started.
    AtOnce,
    /// When it is released: if its starter dies before, it does nothing.
    Released,
}

/// What is kept of what a command prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    /// The end of standard output and standard error, for the log.
    Words,
    /// Standard output by itself, up to 1 MiB, because somebody reads it; and the end of standard
    /// error.
    Answer,
    /// The end of standard error alone: standard output holds secrets, so nobody reads it, and the
    /// command leaves no core.
    Errors,
}

impl Command {
    /// Names a program by its full path, and its arguments.
    pub(crate) fn new(program: PathBuf, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let (environment, kept, start) = (Vec::new(), Kept::Words, Start::AtOnce);
        Self { program, arguments, environment, kept, start }
    }

    /// The same command, asked for its answer.
    pub(crate) fn asked(self) -> Self {
        Self { kept: Kept::Answer, ..self }
    }

    /// The same command, of which only what went wrong is read: its answer holds secrets.
    pub(crate) fn secret(self) -> Self {
        Self { kept: Kept::Errors, ..self }
    }

    /// The same command, which waits to be released.
    pub(crate) fn waiting(self) -> Self {
        Self { start: Start::Released, ..self }
    }

    /// When it begins.
    pub(crate) const fn begins(&self) -> Start {
        self.start
    }

    /// The same command with one more variable in its environment.
    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.environment.push((name, value));
        self
    }

    /// The variables that it has beside, or instead of, those that all commands have.
    pub(crate) fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }

    /// What is kept of what it prints.
    pub(crate) const fn kept(&self) -> Kept {
        self.kept
    }

    /// The program's full path.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// What follows the program's name.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        f.write_str(&name.to_string_lossy())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// How a command ended, and the end of what it printed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ended {
    /// How.
    pub(crate) end: End,
    /// The end of its standard output and standard error, in the order printed; of standard error
    /// alone when it was asked for its answer, or its answer is secret.
    pub(crate) output: String,
    /// Its answer, empty unless it was asked.
    pub(crate) answer: String,
}

impl Ended {
    /// Whether it ended by itself with exit status 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.end == End::Exited(0)
    }
}

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// It had not ended after so long and was killed.
    TimedOut(Duration),
    /// It could not even be started, or not be waited for.
    NotRun(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut(limit) => write!(f, "no end after {} s", shown(*limit)),
            Self::NotRun(cause) => f.write_str(cause),
        }
    }
}

/// Seconds, with a tenth where there is one.
pub(crate) fn shown(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    let (seconds, tenth) = (tenths / 10, tenths % 10);
    if tenth == 0 { seconds.to_string() } else { format!("{seconds}.{tenth}") }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)?;
        let words = match self.output.trim() {
            "" => self.answer.trim(),
            words => words,
        };
        if words.is_empty() { Ok(()) } else { write!(f, ": {words}") }
    }
}

/// How deep an endpoint is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Depth {
    /// It must accept a connection.
    Connect,
    /// It must greet, behind TLS where that comes first.
    Greeting,
}

/// What became of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Attempt {
    /// Whether it came about, and if not, why.
    pub(crate) outcome: Result<(), Refusal>,
    /// How long that took.
    pub(crate) took: Duration,
    /// How many seconds the server's certificate has left, below 0 when it has ended; `None`
    /// without TLS.
    pub(crate) certificate: Option<i64>,
}

/// Why a connection did not come about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// Nothing came back within so long.
    TimedOut(Duration),
    /// The kernel's answer.
    Failed(String),
    /// It was accepted, and not a word came within so long.
    Silent(Duration),
    /// The first line had not ended after so long.
    Unfinished(Duration),
    /// It was accepted and ended without a greeting.
    Closed,
    /// The server says that it is not ready, in these words.
    NotReady(String),
    /// These words are of no protocol that Dovecot speaks.
    Foreign(String),
    /// TLS did not come about.
    Tls(String),
    /// The server speaks TLS, and nothing of it that this program speaks.
    NothingInCommon(String),
    /// This program or this machine could not even try.
    NotTried(String),
}

impl Refusal {
    /// Whether it is no word of the server's about itself: the check could not tell.
    pub(crate) const fn tells_nothing(&self) -> bool {
        matches!(self, Self::NothingInCommon(_) | Self::NotTried(_))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "no connection after {} s", shown(*limit)),
            Self::Failed(cause) => f.write_str(cause),
            Self::Silent(limit) => write!(f, "no greeting after {} s", shown(*limit)),
            Self::Unfinished(limit) => {
                write!(f, "no end of the greeting after {} s", shown(*limit))
            }
            Self::Closed => f.write_str("closed without a greeting"),
            Self::NotReady(words) => write!(f, "not ready: {words:?}"),
            Self::Foreign(words) => write!(f, "no mail server: {words:?}"),
            Self::Tls(cause) => write!(f, "no TLS: {cause}"),
            Self::NothingInCommon(cause) => {
                write!(f, "not checked: its TLS has nothing in common with the check's: {cause}")
            }
            Self::NotTried(cause) => write!(f, "not checked: {cause}"),
        }
    }
}
