//! What install changes: one step, and its words.

use std::fmt;

use super::block::Entry;
use super::peer::Peer;
use super::programs::Program;
use super::record;
use super::resource::Edge;
use super::restart::Restart;
use crate::boot::links::{self, Boot};
use crate::command::Command;
use crate::lifekeeper::defaults;
use crate::lifekeeper::new_resource::Start;
use crate::text::list;

/// One change.
#[derive(Debug)]
pub(super) enum Step {
    /// Noting all of it, before it is done.
    Note,
    /// Adding entries to LifeKeeper's defaults file, and an end to its last line if need be.
    Entries {
        entries: Vec<Entry>,
        newline: bool,
    },
    /// Taking the start at boot off.
    Boot(Boot),
    /// Letting systemd start it again when it died.
    Restart(Restart),
    Create(Command, Start),
    /// Making it depend on another.
    Depend(Edge),
    /// Taking it over on another node.
    Peer(Peer),
    /// Marking it OSU, so that LifeKeeper leaves it alone.
    Pause,
    /// Putting the kit's programs in the place of others.
    Programs(Vec<Program>),
    /// Letting the new quickCheck say that Dovecot is in operation.
    Check,
    /// Marking it ISP again.
    Resume,
}

/// What is replaced, in the words of a plan, by which another node's plan is known too.
pub(super) const COPIES: &str = "LifeKeeper's copies by this kit's: ";

impl Step {
    /// What it does, in words.
    pub(super) fn deed(&self) -> Deed {
        match self {
            Self::Note => Deed::new("noting", "note", format!("the changes in /{}", record::FILE)),
            Self::Entries { entries, .. } => {
                let keys = list(entries.iter().map(|entry| &entry.key));
                Deed::new("adding", "add", format!("to /{}: {keys}", defaults::FILE))
            }
            Self::Boot(boot) => {
                let what = format!("the start at boot: {}", links::describe(boot));
                Deed::new("disabling", "disable", what)
            }
            Self::Restart(restart) => {
                let what = format!("{}: systemd starts a Dovecot that died again", restart.path());
                Deed::new("writing", "write", what)
            }
            Self::Create(command, _) => {
                Deed::new("creating", "create", format!("the resource: {command}"))
            }
            Self::Depend(Edge { there, parent, child }) => {
                let there = there.as_ref().map_or(String::new(), |system| format!(" on {system}"));
                Deed::new("making", "make", format!("{parent} depend on {child}{there}"))
            }
            Self::Peer(Peer { node, tag, .. }) => {
                Deed::new("taking", "take", format!("{tag} over on {node}"))
            }
            Self::Pause => pausing(),
            Self::Programs(programs) => {
                let actions = list(programs.iter().map(|program| program.action));
                Deed::new("replacing", "replace", format!("{COPIES}{actions}"))
            }
            Self::Check => Deed::new("checking", "check", "Dovecot with the new quickCheck".into()),
            Self::Resume => resuming(),
        }
    }

    /// The lines of a plan.
    pub(super) fn planned(&self, modal: &str) -> String {
        let line = self.deed().planned(modal);
        let Self::Peer(peer) = self else { return line };
        let there = peer.plan.iter().map(|line| format!("{}: {line}\n", peer.node));
        std::iter::once(line).chain(there).collect()
    }
}

/// Marking a resource OSU, in words.
pub(super) fn pausing() -> Deed {
    let what = "the resource OSU, so that LifeKeeper leaves it alone; Dovecot keeps running";
    Deed::new("marking", "mark", what.into())
}

/// Marking a resource ISP again, in words.
pub(super) fn resuming() -> Deed {
    Deed::new("marking", "mark", "the resource ISP again".into())
}

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
