//! Processes and the signals that the kit sends them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How many descriptors of a process are looked at. A master has some hundred, and a user may have a
/// million.
pub(crate) const MAX_DESCRIPTORS: usize = 4096;

/// Clock ticks of proc(5) in a second (`USER_HZ`).
const TICKS: u64 = 100;

/// The moment on the clock of the boot that a start time in clock ticks means.
pub(crate) const fn ticks(started: u64) -> Duration {
    Duration::from_millis(started.saturating_mul(1000 / TICKS))
}

/// A line of the process table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProcessEntry {
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
    pub(crate) inode: u64,
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

    /// Whether it has ended, even if its exit status was not yet collected.
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
