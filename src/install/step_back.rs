//! What uninstall gives back: one step, and its words.

use super::block::{Entry, Extent};
use super::deletion::Deletion;
use super::peer::Peer;
use super::programs::Program;
use super::record;
use super::restart::Restart;
use super::step::{self, Deed};
use crate::boot::links::{self, Boot};
use crate::lifekeeper::defaults;
use crate::lifekeeper::state::State;
use crate::text::list;

/// One change.
#[derive(Debug)]
pub(super) enum Step {
    /// Taking the resource out of LifeKeeper.
    TakeOut {
        tag: String,
        state: State,
        by: Deletion,
    },
    /// Taking entries out of LifeKeeper's defaults file.
    Entries(Vec<Entry>, Extent),
    /// Giving the start at boot back.
    Boot(Boot),
    /// Letting systemd leave a Dovecot that died to LifeKeeper again.
    Restart(Restart),
    /// Giving a resource that was taken over back on another node.
    Peer(Peer),
    /// Noting that it will be marked OSU for a moment.
    Note,
    /// Marking it OSU.
    Pause,
    /// Giving its old programs back.
    GiveBack(Vec<Program>),
    /// Marking it ISP again.
    Resume,
    /// Removing the old programs that were kept.
    ForgetPrograms,
    /// Forgetting that it was taken over, where the node had been prepared for it before.
    ForgetTaking,
    /// Forgetting the resource, while others stay.
    Forget,
    RemoveRecord,
}

impl Step {
    /// What it does, in words.
    pub(super) fn deed(&self) -> Deed {
        match self {
            Self::TakeOut { tag, state, by } => {
                let stops = if state.is_in_service() { ", which stops Dovecot" } else { "" };
                let by = match by {
                    Deletion::Lkcli(command) => format!("`{command}`"),
                    Deletion::InsRemove => "ins_remove".to_owned(),
                };
                let what =
                    format!("the resource {tag} out of LifeKeeper, on all nodes{stops}; by {by}");
                Deed::new("taking", "take", what)
            }
            Self::Entries(entries, _) => {
                let (file, keys) = (defaults::FILE, list(entries.iter().map(|entry| &entry.key)));
                let what = if keys.is_empty() { "the marks of its block" } else { &keys };
                Deed::new("taking", "take", format!("out of /{file}: {what}"))
            }
            Self::Boot(boot) => {
                let what = format!("back the start at boot: {}", links::describe(boot));
                Deed::new("giving", "give", what)
            }
            Self::Restart(restart) => Deed::new("removing", "remove", restart.path()),
            Self::Peer(Peer { node, tag, .. }) => {
                Deed::new("giving", "give", format!("{tag} back on {node}"))
            }
            Self::Note => Deed::new("noting", "note", format!("that in /{}", record::FILE)),
            Self::Pause => step::pausing(),
            Self::GiveBack(programs) => {
                let actions = list(programs.iter().map(|program| program.action));
                Deed::new(
                    "giving",
                    "give",
                    format!("the old programs back to LifeKeeper: {actions}"),
                )
            }
            Self::Resume => step::resuming(),
            Self::ForgetPrograms => {
                Deed::new("removing", "remove", "the old programs that were kept".into())
            }
            Self::ForgetTaking => {
                let what = format!("in /{} that it was taken over", record::FILE);
                Deed::new("forgetting", "forget", what)
            }
            Self::Forget => {
                Deed::new("forgetting", "forget", format!("the resource in /{}", record::FILE))
            }
            Self::RemoveRecord => Deed::new("removing", "remove", format!("/{}", record::FILE)),
        }
    }
}
