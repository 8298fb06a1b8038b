//! What follows from a verdict: the end of quickCheck's line.

use crate::dovecot::verdict::Verdict;
use crate::error::Error;
use crate::messages::Message;
use crate::text::line;

/// The word, the exit status, and what LifeKeeper does.
pub(super) const fn consequence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Up => "verdict up: exit status 0",
        Verdict::Degraded => "verdict degraded: exit status 0, no fault",
        Verdict::Starting => "verdict starting: exit status 0, no fault",
        Verdict::Stopping => "verdict stopping: exit status 0, no fault",
        Verdict::Failed => "verdict failed: exit status 1, LifeKeeper recovers it",
        Verdict::Stopped => "verdict stopped: exit status 1, LifeKeeper recovers it",
        Verdict::Unknown => "verdict unknown: exit status 1, LifeKeeper recovers it",
    }
}

/// A fault, with its causes and what follows.
pub(super) fn fault(verdict: Verdict, causes: &[String]) -> Error {
    let (message, head) = if verdict == Verdict::Unknown {
        (Message::Blind, "Dovecot is not known to be in operation: ")
    } else {
        (Message::Fault, "Dovecot is not in operation: ")
    };
    Error::NotInOperation(message, line(head, causes, consequence(verdict)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_consequence_names_its_word_and_the_exit_status_that_fits() {
        for verdict in Verdict::ALL {
            let status = i32::from(!(verdict.is_up() || verdict.is_changing()));
            let words = format!("verdict {}: exit status {status}", verdict.word());
            assert!(consequence(verdict).starts_with(&words), "{words}");
        }
    }
}
