//! What LifeKeeper is to the kit: its defaults file and the tags of its resources.

pub(crate) mod defaults;
pub(crate) mod tag;
