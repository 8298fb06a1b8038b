//! What can go wrong, as the operator is told: doing what, to what: cause.

use std::fmt;
use std::path::PathBuf;

use crate::dovecot::checks::Checks;
use crate::system::Process;

/// A reason for a failing exit.
#[derive(Debug)]
pub(crate) enum Error {
    /// An action was called by somebody other than root.
    NotRoot,
    /// The process table does not even show this program.
    ProcessTable(PathBuf),
    /// A check found Dovecot out of operation.
    NotInOperation(Checks),
    /// Dovecot did not come into operation in any of the rounds.
    NotStarted {
        /// How many start commands were given.
        rounds: u32,
        /// What the last check saw.
        seen: Checks,
    },
    /// These outlived SIGKILL.
    StillRunning(Vec<Process>),
    /// Standard output could not be written.
    Output(std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => f.write_str("performing an action: only root may"),
            Self::ProcessTable(path) => write!(
                f,
                "reading the process table: {} does not show this process; is proc mounted?",
                path.display()
            ),
            Self::NotInOperation(seen) => {
                write!(f, "Dovecot is not in operation: {}", seen.causes())
            }
            Self::NotStarted { rounds, seen } => {
                let s = if *rounds == 1 { "" } else { "s" };
                write!(
                    f,
                    "starting Dovecot: not in operation after {rounds} start command{s}: {}",
                    seen.causes()
                )
            }
            Self::StillRunning(left) => {
                f.write_str("stopping Dovecot: still running after SIGKILL: ")?;
                for (n, process) in left.iter().enumerate() {
                    write!(f, "{}{process}", if n == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::Output(cause) => write!(f, "writing standard output: {cause}"),
        }
    }
}

impl std::error::Error for Error {}
