//! The exit statuses. LifeKeeper knows two: success (the service is in the wanted state) and
//! failure; the third is for a person who typed something that cannot be meant. A monitoring system
//! has four of its own, and gets them only from the form of the status that is made for it; so has
//! the engine of resource agents.

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
    /// What a resource agent answers to its engine.
    Agent(Agent),
}

/// How an action of a resource agent came out (Open Cluster Framework, Resource Agent API 1.1,
/// "Exit status").
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Agent {
    /// 0: the action succeeded; monitor: the resource runs.
    Success,
    /// 1: the action failed.
    Failed,
    /// 3: there is no such action.
    NoSuchAction,
    /// 4: the caller may not do that.
    NotPermitted,
    /// 5: what the resource needs is not installed on this node.
    NotInstalled,
    /// 6: the parameters are wrong, on whatever node.
    NotConfigured,
    /// 7: monitor: nothing of the resource runs.
    NotRunning,
    /// 190: monitor: it runs, and somebody should look.
    Degraded,
}

/// What a monitoring plugin found (Monitoring Plugins Development Guidelines, "Plugin Return
/// Codes"), by its urgency: UNKNOWN never hides a known problem.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Plugin {
    /// 0: all is as it should be.
    Ok,
    /// 3: it cannot be told.
    Unknown,
    /// 1: somebody should look.
    Warning,
    /// 2: somebody must look now.
    Critical,
}

impl Exit {
    /// The status as the kernel takes it.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Monitored(found) => found.status(),
            Self::Agent(outcome) => outcome.status(),
        }
    }
}

impl Agent {
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::NoSuchAction => 3,
            Self::NotPermitted => 4,
            Self::NotInstalled => 5,
            Self::NotConfigured => 6,
            Self::NotRunning => 7,
            Self::Degraded => 190,
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
