//! What LifeKeeper is to the kit: its defaults file, its commands, and the resources they show.

pub(crate) mod copies;
pub(crate) mod creation;
pub mod defaults;
pub(crate) mod installation;
pub(crate) mod lkcli;
pub(crate) mod new_resource;
pub(crate) mod peers;
pub(crate) mod resources;
pub(crate) mod state;
pub mod tag;
pub(crate) mod template;
