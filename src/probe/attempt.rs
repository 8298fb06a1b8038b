//! What becomes of an attempt to reach a listed port.

use std::fmt;
use std::time::Duration;

use super::login::Visited;
use crate::text::seconds;

/// What an attempt waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Silence {
    /// A server that has accepted a connection, for its greeting.
    Greeting,
    /// A server that was told a password, for its answer.
    Login,
}

/// What became of a connection.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Attempt {
    /// Whether it came about, and if not, why.
    pub(crate) outcome: Result<(), Refusal>,
    pub(crate) took: Duration,
    /// How many seconds the server's certificate has left, below 0 when it has ended; `None`
    /// without TLS.
    pub(crate) certificate: Option<i64>,
    /// What became of the look at a mailbox, where one was to be made and the greeting came.
    pub(crate) visited: Option<Visited>,
}

impl Attempt {
    /// The whole days that the server's certificate has left, below 0 when it has ended.
    pub(crate) fn certificate_days(&self) -> Option<i64> {
        self.certificate.map(|left| left.div_euclid(24 * 60 * 60))
    }
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
    Tls(String),
    /// The server speaks TLS, and nothing of it that this program speaks.
    NothingInCommon(String),
    /// This program or this machine could not even try.
    NotTried(String),
}

impl Refusal {
    /// Whether it says nothing about the server: the check was inconclusive.
    pub(crate) const fn tells_nothing(&self) -> bool {
        matches!(self, Self::NothingInCommon(_) | Self::NotTried(_))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "no connection after {} s", seconds(*limit)),
            Self::Failed(cause) => f.write_str(cause),
            Self::Silent(limit) => write!(f, "no greeting after {} s", seconds(*limit)),
            Self::Unfinished(limit) => {
                write!(f, "no end of the greeting after {} s", seconds(*limit))
            }
            Self::Closed => f.write_str("closed without a greeting"),
            Self::NotReady(words) => write!(f, "not ready: \"{words}\""),
            Self::Foreign(words) => write!(f, "no mail server: \"{words}\""),
            Self::Tls(cause) => write!(f, "no TLS: {cause}"),
            Self::NothingInCommon(cause) => {
                write!(f, "not checked: its TLS has nothing in common with the check's: {cause}")
            }
            Self::NotTried(cause) => write!(f, "not checked: {cause}"),
        }
    }
}
