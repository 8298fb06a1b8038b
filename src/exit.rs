//! The exit statuses. LifeKeeper knows two: success (the service is in the wanted state) and
//! failure; the third is for a person who typed something that cannot be meant. A monitoring system
//! has four of its own, and gets them only from the form of the status that is made for it.

use std::process::ExitCode;

/// How the program ends.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// 0: the service is in the wanted state.
    Success,
    /// 1: it is not.
    Failure,
    /// 2: the command line is wrong.
    Usage,
    /// 0 to 3: what a monitoring plugin found.
    Monitored(Plugin),
}

/// What a monitoring plugin found (Monitoring Plugins Development Guidelines, "Plugin Return
/// Codes").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plugin {
    /// 0: all is as it should be.
    Ok,
    /// 1: somebody should look.
    Warning,
    /// 2: somebody must look now.
    Critical,
    /// 3: it cannot be told.
    Unknown,
}

impl Exit {
    /// The status as the kernel takes it.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Monitored(found) => found.status(),
        }
    }
}

impl Plugin {
    const fn status(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.status().into()
    }
}
