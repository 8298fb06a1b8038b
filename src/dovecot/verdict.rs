//! What follows from a look at Dovecot, in one word.

/// The words that actions, status and manual share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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

    /// What follows while an action runs, whatever the checks would see; `action` begins with its
    /// name.
    pub(crate) fn during(action: &str) -> Self {
        if action.starts_with("remove") { Self::Stopping } else { Self::Starting }
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

    /// The end of quickCheck's line: the word, and what follows from it.
    pub(crate) const fn consequence(self) -> &'static str {
        match self {
            Self::Up => "verdict up: exit status 0",
            Self::Degraded => "verdict degraded: exit status 0, no fault",
            Self::Starting => "verdict starting: exit status 0, no fault",
            Self::Stopping => "verdict stopping: exit status 0, no fault",
            Self::Failed => "verdict failed: exit status 1, LifeKeeper recovers it",
            Self::Stopped => "verdict stopped: exit status 1, LifeKeeper recovers it",
            Self::Unknown => "verdict unknown: exit status 1, LifeKeeper recovers it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_consequence_names_its_word_and_the_exit_status_that_fits() {
        for verdict in Verdict::ALL {
            let status = i32::from(!(verdict.is_up() || verdict.is_changing()));
            let words = format!("verdict {}: exit status {status}", verdict.word());
            assert!(verdict.consequence().starts_with(&words), "{words}");
        }
    }

    #[test]
    fn an_action_says_what_dovecot_is_about_to_be() {
        assert_eq!(Verdict::during("remove, pid 4242"), Verdict::Stopping);
        assert_eq!(Verdict::during("restore, pid 4242"), Verdict::Starting);
        assert_eq!(Verdict::during("recover, pid 4242"), Verdict::Starting);
    }
}
