//! Real nodes with a real Dovecot, for tests, demonstration and benchmark.
//!
//! A [`Node`] is a Debian in namespaces of its own, with the SysV scripts or with systemd: nothing
//! about the kit is believed that was not seen on one. Needs root; leaves nothing behind.

mod cgroup;
mod command;
mod error;
mod files;
mod image;
mod imap;
mod launch;
mod namespaces;
mod net;
mod node;
mod process;
pub mod setup;

pub use cgroup::list as cgroups;
pub use command::{Finished, Running};
pub use error::{Error, Result};
pub use image::{USERS, prepare};
pub use imap::Imap;
pub use net::IMAP;
pub use node::{ACTIONS, Init, Node, STUBS};
pub use process::Process;
