//! What can go wrong in the lab, as a person is told.
//!
//! Every message reads *doing what, to what: cause*: a failed test of a real node must say at
//! once whether the node or the program under test is to blame.

use std::time::Duration;
use std::{error, fmt, io};

/// The lab's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the lab could not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// Only root can make nodes.
    NotRoot,
    /// The system refused an operation.
    Io {
        /// What was tried, to what.
        doing: String,
        /// The system's answer.
        cause: io::Error,
    },
    /// Something ran, and its answer was not the wanted one.
    Failed {
        /// What was tried, to what.
        doing: String,
        /// What came instead.
        cause: String,
    },
    /// Something did not happen in time.
    Late {
        /// What was waited for.
        doing: String,
        /// How long.
        limit: Duration,
    },
}

impl Error {
    /// Returns a converter from an I/O error to one that says what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |cause| Self::Io { doing, cause }
    }

    /// Returns the error of something that ran and gave the wrong answer.
    pub fn failed(doing: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Failed { doing: doing.into(), cause: cause.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => f.write_str(
                "making a node: not root; namespaces, mounts and device nodes need it, use sudo",
            ),
            Self::Io { doing, cause } => write!(f, "{doing}: {cause}"),
            Self::Failed { doing, cause } => write!(f, "{doing}: {cause}"),
            Self::Late { doing, limit } => {
                write!(f, "{doing}: nothing after {:.1} s", limit.as_secs_f64())
            }
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            Self::NotRoot | Self::Failed { .. } | Self::Late { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_was_done_to_what_and_why() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let cases = [
            (Error::io("reading /etc/x")(denied), "reading /etc/x: permission denied"),
            (Error::failed("starting a node", "no tini"), "starting a node: no tini"),
            (
                Error::Late { doing: "waiting for boot".into(), limit: Duration::from_secs(2) },
                "waiting for boot: nothing after 2.0 s",
            ),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
        }
    }
}
