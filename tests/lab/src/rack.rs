//! The rack of a cluster: what outlives a power cut of its nodes.
//!
//! One process in namespaces of its own holds the nodes' disks and the shared storage on a tmpfs, and
//! the bridge between the nodes. The nodes are started in its pid namespace, so its end is theirs,
//! and whatever ends the rack leaves no mount, no network and no process behind.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use crate::client::Client;
use crate::command::Running;
use crate::error::{Error, Result};
use crate::image::Suite;
use crate::launch::{Launcher, Machine};
use crate::namespaces::Namespaces;
use crate::node::{Init, Node};
use crate::{cgroup, image};

/// The nodes' numbers, where nothing else is said.
pub const NODES: [usize; 2] = [1, 2];
/// The most nodes that a cluster may have.
pub(crate) const MOST: usize = 3;
/// Where the clients are.
const CLIENTS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
/// Longest time for a change of the network; it takes some milliseconds.
const CHANGE: Duration = Duration::from_secs(10);

/// Returns a node's name.
#[must_use]
pub fn host(node: usize) -> String {
    format!("node{node}")
}

/// Returns a node's own address.
#[must_use]
pub fn address(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, u8::try_from(node).unwrap_or(u8::MAX))
}

/// A rack; dropping it ends it, with all nodes in it.
#[derive(Debug)]
pub(crate) struct Rack {
    directory: Box<OsStr>,
    namespaces: Namespaces,
    launcher: Launcher,
}

impl Rack {
    /// Sets up a rack with a clean disk for each node; the image is built before, if need be.
    pub(crate) fn start(suite: Suite, nodes: usize) -> Result<Self> {
        let image = image::ensure(suite)?;
        let nodes = (1..=nodes).flat_map(|node| [host(node), address(node).to_string()]);
        let nodes: Vec<String> = nodes.collect();
        let clients = CLIENTS.to_string();
        let words = [image.directory.as_os_str(), image.name.as_ref(), clients.as_ref()];
        let words: Vec<&OsStr> = words.into_iter().chain(nodes.iter().map(OsStr::new)).collect();
        let mut launcher = Launcher::start(Machine::Rack, &words)?;
        let namespaces = Namespaces::of(launcher.pid_one()?)?;
        Ok(Self { directory: image.directory.into_os_string().into(), namespaces, launcher })
    }

    /// Boots a node from its disk.
    pub(crate) fn boot(&self, node: usize) -> Result<Node> {
        // The end of a node that powered itself off may still be plugged in.
        self.unplug(node)?;
        let (number, host, address) = (node.to_string(), host(node), address(node).to_string());
        let cgroup = cgroup::new_name();
        let words: [&OsStr; 5] =
            [&self.directory, number.as_ref(), cgroup.as_ref(), host.as_ref(), address.as_ref()];
        let launcher = Launcher::start_in(&self.namespaces, Machine::Racked, &words)?;
        Node::launched(Init::Systemd, launcher, Some(cgroup))
    }

    /// Takes a node's end of the network away for good: not even a farewell gets out.
    pub(crate) fn unplug(&self, node: usize) -> Result<()> {
        let host = host(node);
        let deleted = self.ip(&["link", "delete", "dev", &host]);
        // It was not there, or went with the node's own end at this moment.
        if self.ip(&["link", "show", "dev", &host]).is_err() { Ok(()) } else { deleted }
    }

    /// Switches a node's end of the network off.
    pub(crate) fn pull(&self, node: usize) -> Result<()> {
        self.ip(&["link", "set", "dev", &host(node), "down"])
    }

    /// Returns the clients' host.
    pub(crate) fn client(&self) -> Result<Client> {
        let network = self.namespaces.network();
        Ok(Client::at(network.map_err(Error::io("opening the clients' network"))?))
    }

    /// Returns the pid, on this machine, of the process that the rack hangs on.
    pub(crate) fn launcher(&self) -> u32 {
        self.launcher.pid()
    }

    /// Runs `ip` in the rack's network.
    fn ip(&self, words: &[&str]) -> Result<()> {
        let argv = [&["ip"], words].concat();
        let done = Running::start(&self.namespaces, &argv, Stdio::null())?.wait(CHANGE)?;
        done.succeeded(format!("running {} in a rack", argv.join(" "))).map(drop)
    }
}
