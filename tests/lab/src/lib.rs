//! Real nodes with a real Dovecot, for tests, demonstration and benchmark.
//!
//! A [`Node`] is a Debian in namespaces of its own, with the SysV scripts or with systemd: nothing
//! about the kit is believed that was not seen on one. A [`Cluster`] is two of them with a network,
//! shared storage and power cuts. Needs root; leaves nothing behind.

mod background;
mod cgroup;
mod chance;
mod client;
mod cluster;
mod command;
mod crowd;
mod error;
mod files;
pub mod hangs;
pub mod heading;
mod image;
mod imap;
pub mod kit;
mod launch;
mod ledger;
mod lifekeeper;
mod namespaces;
mod net;
mod node;
mod pacemaker;
mod poller;
mod process;
mod program;
mod protection;
mod races;
mod rack;
mod removes;
pub mod setup;
pub mod stage;
mod stream;
mod timeline;
mod tree;
mod trial;
mod wait;
mod watch;

pub use cgroup::list as cgroups;
pub use client::{Client, FLOATING};
pub use cluster::{Cluster, SHARED};
pub use command::{Finished, Running, succeed};
pub use crowd::{Crowd, Tally};
pub use error::{Error, Result};
pub use image::{Suite, USERS, prepare, prepare_for_tests};
pub use imap::Imap;
pub use ledger::Ledger;
pub use lifekeeper::{DEFAULTS, Dialect, LKROOT};
pub use net::IMAP;
pub use node::{ACTIONS, Init, Node, STUBS};
pub use pacemaker::{Agent, Pacemaker, Plan, install_agent};
pub use poller::Poller;
pub use process::Process;
pub use program::{cargo, package, program, release, top};
pub use protection::{FILESYS_TAG, IP_TAG, MAIL, TAG};
pub use races::{End, Race, Races, Rival};
pub use rack::{NODES, address, host};
pub use removes::{Means, Removal, burn};
pub use stream::Stream;
pub use timeline::{Outage, Poll, Timeline};
pub use tree::Tree;
pub use trial::{Sequel, Trial, Verdict};
pub use wait::until;
pub use watch::{Sighting, Violation, Watch};
