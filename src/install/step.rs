//! What install changes: one step, and its words.

use std::fmt;

use super::block::Entry;
use super::deed::Deed;
use super::peer::Peer;
use super::programs::Program;
use super::record;
use super::resource::Edge;
use super::restart::Restart;
use crate::boot::links;
use crate::boot::links::Boot;
use crate::command::Command;
use crate::lifekeeper::defaults;
use crate::lifekeeper::new_resource::Start;

/// One change.
#[derive(Debug)]
pub(super) enum Step {
    /// Noting all of it, before it is done.
    Note,
    /// Adding entries to LifeKeeper's defaults file, and an end to its last line if need be.
    Entries { entries: Vec<Entry>, newline: bool },
    /// Taking the start at boot off.
    Boot(Boot),
    /// Letting systemd start it again when it died.
    Restart(Restart),
    /// Creating the resource.
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

impl Step {
    /// What it does, in words.
    pub(super) fn deed(&self) -> Deed {
        match self {
            Self::Note => Deed::new("noting", "note", format!("the changes in /{}", record::FILE)),
            Self::Entries { entries, .. } => {
                let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
                Deed::new("adding", "add", format!("to /{}: {}", defaults::FILE, keys.join(", ")))
            }
            Self::Boot(boot) => {
                let what = format!("the start at boot: {}", links::describe(boot));
                Deed::new("disabling", "disable", what)
            }
            Self::Restart(restart) => restart.writing(),
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
                let actions: Vec<&str> = programs.iter().map(|program| program.action).collect();
                let what = format!("LifeKeeper's copies by this kit's: {}", actions.join(", "));
                Deed::new("replacing", "replace", what)
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deed().fmt(f)
    }
}
