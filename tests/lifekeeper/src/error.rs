//! Why a command fails, as LifeKeeper's commands tell it: a sentence and an exit status.
//!
//! The statuses are those of the LCDI manual pages, so that a caller can tell an object that is
//! absent from a peer that does not answer.

use std::{fmt, io};

/// The stand-in's result.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A reason for a failing exit.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A system or library call, or a script, failed.
    System(String),
    /// The command line is not understood.
    Syntax(String),
    /// What should be created is there.
    Exists(String),
    /// An argument is understood and refused.
    Illegal(String),
    /// What is named does not exist.
    Absent(String),
    /// The other system cannot be reached.
    Communication(String),
    /// A remote command ended with this status, and has said why.
    Status(u8),
}

impl Failure {
    /// Returns a converter from an I/O error to one that says what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |cause| Self::System(format!("{doing}: {cause}"))
    }

    /// Says that no path leads to a system.
    pub(crate) fn unreachable(system: &str) -> Self {
        // D: the words of message 004217.
        Self::Communication(format!(
            "Communication failure: destination system \"{system}\" is out of service."
        ))
    }

    /// The exit status.
    pub(crate) fn exit(&self) -> u8 {
        // D: the LCDI exit codes.
        match self {
            Self::System(_) => 1,
            Self::Syntax(_) => 2,
            Self::Exists(_) => 4,
            Self::Illegal(_) => 5,
            Self::Absent(_) => 7,
            Self::Communication(_) => 9,
            Self::Status(status) => *status,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(text)
            | Self::Syntax(text)
            | Self::Exists(text)
            | Self::Illegal(text)
            | Self::Absent(text)
            | Self::Communication(text) => f.write_str(text),
            Self::Status(status) => write!(f, "exit status {status}"),
        }
    }
}
