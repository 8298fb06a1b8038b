//! A Generic Application resource that is to be created.

use clap::ValueEnum;

use super::tag::Tag;

#[derive(Clone, Copy, Debug)]
pub(crate) struct NewResource<'a> {
    pub(crate) tag: &'a Tag,
    /// The directory with its four programs, each named after its action.
    pub(crate) programs: &'a str,
    /// What is noted about it.
    pub(crate) info: &'a str,
    pub(crate) switchback: Switchback,
    pub(crate) start: Start,
}

/// Where a resource goes when the node that it left is back.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Switchback {
    /// Stays on its node until an administrator moves it.
    Intelligent,
    /// Moves back when the original node returns.
    Automatic,
}

impl Switchback {
    /// As LifeKeeper spells it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Intelligent => "intelligent",
            Self::Automatic => "automatic",
        }
    }
}

/// Whether a new resource is brought into service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Start {
    /// At once.
    Now,
    /// Not by creating it.
    Later,
}

impl NewResource<'_> {
    /// The path of an action's program.
    pub(crate) fn program(&self, action: &str) -> String {
        format!("{}/{action}", self.programs)
    }
}
