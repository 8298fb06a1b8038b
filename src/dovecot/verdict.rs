//! What follows from a look at Dovecot, in one word.

use serde::Serialize;

/// The words that actions, status and manual share.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Verdict {
    /// In operation.
    Up,
    /// In operation, and somebody should look: it is full, a certificate ends, the service's status
    /// did not answer, or more than one master lives.
    Degraded,
    /// A restore or a recover is at work.
    Starting,
    /// A remove is at work.
    Stopping,
    /// A master lives, and something else is wrong.
    Failed,
    /// No master lives.
    Stopped,
    /// Nobody can tell: the processes cannot be seen.
    Unknown,
}

impl Verdict {
    /// All of them, the best first.
    pub const ALL: [Self; 7] = [
        Self::Up,
        Self::Degraded,
        Self::Starting,
        Self::Stopping,
        Self::Failed,
        Self::Stopped,
        Self::Unknown,
    ];

    /// What follows while an action of this name runs, whatever the checks would see.
    pub(crate) fn during(action: &str) -> Self {
        if action == "remove" { Self::Stopping } else { Self::Starting }
    }

    /// The word for people and programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }

    /// Whether Dovecot is in operation.
    pub(crate) const fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::Degraded)
    }

    /// Whether an action is at work.
    pub(crate) const fn is_changing(self) -> bool {
        matches!(self, Self::Starting | Self::Stopping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_says_what_dovecot_is_about_to_be() {
        assert_eq!(Verdict::during("remove"), Verdict::Stopping);
        assert_eq!(Verdict::during("restore"), Verdict::Starting);
        assert_eq!(Verdict::during("recover"), Verdict::Starting);
    }
}
