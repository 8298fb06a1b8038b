//! A step in words: while it is done, and in a plan. The words are the same but for the verb.

use std::fmt;

/// What a step does.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Deed {
    /// The verb while it is done: `adding`.
    doing: &'static str,
    /// The verb behind "would" and "will": `add`.
    verb: &'static str,
    /// All else: `to /etc/default/LifeKeeper: …`.
    what: String,
}

impl Deed {
    /// Puts the words together.
    pub(super) fn new(doing: &'static str, verb: &'static str, what: String) -> Self {
        Self { doing, verb, what }
    }

    /// The line of a plan: `would add …`, or `will add …` where a person is asked.
    pub(super) fn planned(&self, modal: &str) -> String {
        format!("{modal} {} {}\n", self.verb, self.what)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.doing, self.what)
    }
}

/// The end of a dry run.
pub(super) const UNCHANGED: &str = "nothing was changed\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_planned_does_not_read_as_one_that_is_done() {
        let deed = Deed::new("adding", "add", "to /etc/default/LifeKeeper: X".into());
        assert_eq!(deed.to_string(), "adding to /etc/default/LifeKeeper: X");
        assert_eq!(deed.planned("would"), "would add to /etc/default/LifeKeeper: X\n");
    }
}
