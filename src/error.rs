//! What can go wrong, as the operator is told: doing what, to what: cause.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::command::CommandOutput;
use crate::messages::{Message, Remark};
use crate::process::Process;
use crate::text::{line, list};

/// A reason for a failing exit.
#[derive(Debug)]
pub(crate) enum Error {
    /// Somebody other than root asked for this.
    NotRoot(&'static str),
    /// The process table does not even show this program.
    ProcessTable(PathBuf),
    /// A check found Dovecot out of operation, or could not look: what was wrong, and what follows.
    NotInOperation(Message, String),
    /// Dovecot did not come into operation in any of the rounds.
    NotStarted {
        /// How many start commands were given.
        rounds: u32,
        /// What was wrong in the last check, and what Dovecot's own log tells of it.
        causes: Vec<String>,
    },
    /// Something keeps Dovecot from starting that waiting does not cure.
    Obstructed {
        /// The first obstacle's.
        message: Message,
        /// What, a sentence each, and what Dovecot's own log tells of it.
        obstacles: Vec<String>,
    },
    /// These outlived SIGKILL.
    StillRunning(Vec<Process>),
    /// These masters were started while the earlier ones were ended.
    StartedAgain(Vec<Process>),
    /// The service manager is going to start Dovecot, and a second stop did not cancel that: the
    /// unit and its state.
    StillStarting(String),
    /// Standard output could not be written.
    Output(std::io::Error),
    /// LifeKeeper is not where it should be.
    NoLifeKeeper(PathBuf),
    /// LifeKeeper is installed and does not run.
    LifeKeeperDown,
    /// A command failed.
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        ended: CommandOutput,
    },
    /// A command succeeded, and what it printed cannot be understood.
    Answer {
        /// The command line.
        command: String,
        /// What is wrong with the answer.
        cause: String,
    },
    /// A file or directory could not be dealt with.
    File {
        /// What was being done to it.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why it could not be done.
        cause: String,
    },
    /// What was asked for is not done, for this reason.
    Refused(Remark),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot(doing) => write!(f, "{doing}: must be run as root"),
            Self::ProcessTable(path) => write!(
                f,
                "reading the process table: {} does not show this process; is proc mounted?",
                path.display()
            ),
            Self::NotStarted { rounds, causes } => {
                let s = if *rounds == 1 { "" } else { "s" };
                let head =
                    format!("starting Dovecot: not in operation after {rounds} start command{s}: ");
                f.write_str(&line(&head, causes, ""))
            }
            Self::Obstructed { obstacles, .. } => {
                f.write_str(&line("starting Dovecot: ", obstacles, ""))
            }
            Self::StillRunning(left) => {
                write!(f, "stopping Dovecot: still running after SIGKILL: {}", list(left))
            }
            Self::StartedAgain(masters) => {
                write!(f, "stopping Dovecot: another program keeps starting it: {}", list(masters))
            }
            Self::StillStarting(unit) => {
                write!(f, "stopping Dovecot: {unit}, even after a second stop command")
            }
            Self::Output(cause) => write!(f, "writing standard output: {cause}"),
            Self::NoLifeKeeper(directory) => write!(
                f,
                "looking for LifeKeeper: {} has no bin/ins_list; is LifeKeeper installed, and is LKROOT in /etc/default/LifeKeeper right?",
                directory.display()
            ),
            Self::LifeKeeperDown => f.write_str(
                "asking LifeKeeper: it does not run on this node; start it with lkstart",
            ),
            Self::Command { command, ended } => write!(f, "running `{command}`: {ended}"),
            Self::Answer { command, cause } => write!(f, "reading what `{command}` says: {cause}"),
            Self::File { doing, path, cause } => write!(f, "{doing} {}: {cause}", path.display()),
            Self::NotInOperation(_, cause) | Self::Refused(Remark { text: cause, .. }) => {
                f.write_str(cause)
            }
        }
    }
}

impl Error {
    /// What was asked for is not done.
    pub(crate) fn refused(message: Message, cause: impl Into<String>) -> Self {
        Self::Refused(Remark::new(message, cause))
    }

    /// Its number.
    pub(crate) const fn message(&self) -> Message {
        match self {
            Self::NotRoot(_) => Message::NotRoot,
            Self::ProcessTable(_) => Message::ProcessTable,
            Self::NotInOperation(message, _)
            | Self::Obstructed { message, .. }
            | Self::Refused(Remark { message, .. }) => *message,
            Self::NotStarted { .. } => Message::NotStarted,
            Self::StillRunning(_) => Message::StillRunning,
            Self::StartedAgain(_) => Message::StartedAgain,
            Self::StillStarting(_) => Message::StillStarting,
            Self::Output(_) => Message::Output,
            Self::NoLifeKeeper(_) => Message::NoLifeKeeper,
            Self::LifeKeeperDown => Message::LifeKeeperDown,
            Self::Command { .. } => Message::Command,
            Self::Answer { .. } => Message::Answer,
            Self::File { .. } => Message::File,
        }
    }

    /// What became of a file, for [`Result::map_err`].
    pub(crate) fn file<E: fmt::Display>(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |cause| Self::File { doing, path: path.to_owned(), cause: cause.to_string() }
    }
}

impl std::error::Error for Error {}

/// What was asked for is not done: `refused!(Message::NotDeleted, "deleting {tag}: …")`.
macro_rules! refused {
    ($message:expr, $($text:tt)+) => {
        $crate::error::Error::refused($message, format!($($text)+))
    };
}

pub(crate) use refused;
