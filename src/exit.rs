//! The three exit statuses. LifeKeeper knows two: success (the service is in the wanted state) and
//! failure; the third is for a person who typed something that cannot be meant.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// 0: the service is in the wanted state.
    Success,
    /// 1: it is not.
    Failure,
    /// 2: the command line is wrong.
    Usage,
}

impl Exit {
    /// The status as the kernel takes it.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.status().into()
    }
}
