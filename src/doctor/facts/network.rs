//! The addresses and ports of the list on this node as it is now, and Dovecot's processes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use crate::dovecot::cgroup;
use crate::dovecot::identity::Census;
use crate::dovecot::notes::Notes;
use crate::probe::endpoint::Endpoint;
use crate::process::Process;
use crate::settings::Settings;
use crate::system::System;
use crate::system::sockets::{self, Socket};

/// What is known of the node's network, and who of Dovecot is there to serve it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Network {
    /// The entries of `APP_DOVECOT_IP_LIST`.
    pub(crate) places: Vec<Place>,
    /// The node's addresses.
    pub(crate) addresses: Fact<BTreeSet<IpAddr>>,
    /// Who listens on a port of the list.
    pub(crate) sockets: Fact<Vec<Socket>>,
    /// Dovecot's processes.
    pub(crate) dovecot: Fact<Running>,
}

/// An entry of the list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Place {
    /// Address and port, as they are written.
    pub(crate) name: String,
    /// The address.
    pub(crate) address: IpAddr,
    /// The port.
    pub(crate) port: u16,
    /// Its time-out.
    pub(crate) seconds: u64,
}

/// The pids of Dovecot's processes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Running {
    /// Masters.
    pub(crate) masters: Vec<i32>,
    /// Children and orphans.
    pub(crate) others: Vec<i32>,
    /// Masters of other units.
    pub(crate) strangers: Vec<Stranger>,
}

/// A master that is the main process of another unit.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Stranger {
    /// Its pid.
    pub(crate) pid: i32,
    /// The unit.
    pub(crate) unit: String,
}

impl Place {
    /// Whether the address is one that moves from node to node, and not each node's own.
    pub(crate) const fn moves(&self) -> bool {
        !self.address.is_loopback() && !self.address.is_unspecified()
    }
}

impl Network {
    /// Looks at the places of the list.
    pub(crate) fn gather(system: &impl System, root: &Path, settings: &Settings) -> Self {
        let endpoints = &settings.endpoints;
        let place = |endpoint: &Endpoint| Place {
            name: endpoint.to_string(),
            address: endpoint.address,
            port: endpoint.port,
            seconds: endpoint.timeout.as_secs(),
        };
        let ports = endpoints.iter().map(|endpoint| endpoint.port).collect();
        let pids = |list: &[Process]| {
            let pids: BTreeSet<i32> = list.iter().map(|one| one.pid).collect();
            pids.into_iter().collect()
        };
        let mut notes = Notes::read(system, root);
        let mut census = Census::new(system, root, settings, &mut notes);
        let family = census.take(system);
        let stranger = |one: Process| {
            let groups = system.control_groups(one.pid).unwrap_or_default();
            let unit = cgroup::service(&groups).unwrap_or("another unit").to_owned();
            Stranger { pid: one.pid, unit }
        };
        Self {
            places: endpoints.iter().map(place).collect(),
            addresses: addresses().into(),
            sockets: sockets::look(root, &ports).into(),
            dovecot: family
                .map(|all| Running {
                    masters: pids(&all.masters),
                    others: all.others.iter().map(|one| one.process.pid).collect(),
                    strangers: census.strangers().map(stranger).collect(),
                })
                .into(),
        }
    }

    /// Whether a master runs, if that is known.
    pub(crate) fn serves(&self) -> Option<bool> {
        self.dovecot.known().map(|dovecot| !dovecot.masters.is_empty())
    }
}

fn addresses() -> nix::Result<BTreeSet<IpAddr>> {
    let ip = |address: nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    Ok(getifaddrs()?.filter_map(|interface| ip(interface.address?)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_own_addresses_are_listed() {
        let own = addresses().expect("the addresses");
        assert!(own.contains(&[127, 0, 0, 1].into()) || own.is_empty(), "{own:?}");
    }
}
