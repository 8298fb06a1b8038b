//! The addresses and ports of the list on this node as it is now, and Dovecot's processes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::dovecot::cgroup;
use crate::dovecot::identity::Census;
use crate::dovecot::notes::Notes;
use crate::probe::endpoint::{Depth, Endpoint, Mode};
use crate::process::Process;
use crate::settings::Settings;
use crate::system::System;
use crate::system::sockets::{self, Socket};

/// The node's addresses and sockets, and Dovecot's masters.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Network {
    /// The entries of `APP_DOVECOT_IP_LIST`.
    pub(crate) places: Vec<Place>,
    pub(crate) addresses: Fact<BTreeSet<IpAddr>>,
    /// Sockets that listen on a port of the list.
    pub(crate) sockets: Fact<Vec<Socket>>,
    pub(crate) dovecot: Fact<DovecotPids>,
}

/// An entry of the list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Place {
    /// Address and port, as they are written.
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// Its time-out.
    pub(crate) seconds: u64,
    /// What the checks ask there. Earlier kits do not report it.
    #[serde(default)]
    pub(crate) asked: PortProbe,
}

/// What is asked of a port.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PortProbe {
    /// To accept a connection.
    #[default]
    Connection,
    /// A greeting.
    Greeting,
    /// TLS, and a greeting behind it.
    Tls,
}

impl PortProbe {
    fn of(endpoint: &Endpoint, depth: Depth) -> Self {
        match endpoint.mode {
            _ if !depth.listens() => Self::Connection,
            Mode::Connect => Self::Connection,
            Mode::Plain => Self::Greeting,
            Mode::Tls => Self::Tls,
        }
    }
}

/// The pids of Dovecot's processes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct DovecotPids {
    pub(crate) masters: Vec<i32>,
    /// Children and orphans.
    pub(crate) others: Vec<i32>,
    /// Masters of other units.
    pub(crate) strangers: Vec<ForeignMaster>,
    /// Masters whose program others than root can write. Earlier kits do not tell.
    #[serde(default)]
    pub(crate) writable: Vec<Writable>,
}

/// A master whose program others than root can write.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Writable {
    /// The process, in words.
    pub(crate) process: String,
    pub(crate) program: String,
}

/// A master that is the main process of another unit.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ForeignMaster {
    pub(crate) pid: i32,
    pub(crate) unit: String,
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
            asked: PortProbe::of(endpoint, settings.probe),
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
            ForeignMaster { pid: one.pid, unit }
        };
        let writable = |one: &Process| {
            let program = one.executable.as_ref().filter(|_| !system.runs_file_of_root(one))?;
            Some(Writable { process: one.to_string(), program: program.display().to_string() })
        };
        Self {
            places: endpoints.iter().map(place).collect(),
            addresses: system.own_addresses().into(),
            sockets: sockets::look(root, &ports).into(),
            dovecot: family
                .map(|all| DovecotPids {
                    masters: pids(&all.masters),
                    others: all.others.iter().map(|one| one.process.pid).collect(),
                    strangers: census.strangers().map(stranger).collect(),
                    writable: all.masters.iter().filter_map(writable).collect(),
                })
                .into(),
        }
    }

    /// The listed addresses that move from node to node, and are not each node's own.
    pub(crate) fn moving(&self) -> BTreeSet<IpAddr> {
        let addresses = self.places.iter().map(|place| place.address);
        addresses.filter(|address| !address.is_loopback() && !address.is_unspecified()).collect()
    }

    /// Whether a master runs, if that is known.
    pub(crate) fn serves(&self) -> Option<bool> {
        self.dovecot.known().map(|dovecot| !dovecot.masters.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;
    use crate::test_root::TestRoot;

    #[test]
    fn the_addresses_are_the_machines() {
        let machine = Machine::new();
        let own = BTreeSet::from([[192, 0, 2, 10].into()]);
        machine.state().addresses.clone_from(&own);
        let found = Network::gather(&machine, TestRoot::new().path(), &Settings::default());
        assert_eq!(found.addresses, Fact::Known(own));
    }
}
