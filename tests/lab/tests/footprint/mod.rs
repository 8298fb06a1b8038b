//! What a cluster has on this machine, so that a test can see that none of it is left.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Longest time for what takes some milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A process of this machine: its pid and its start time.
type Identity = (u32, String);

/// Lists this machine's processes: identity, parent, and the network each is in. A zombie is none: it
/// has nothing but its exit status, and where pid 1 is no init, nobody asks for that.
fn processes() -> Vec<(Identity, u32, Option<u64>)> {
    let entries = fs::read_dir("/proc").expect("a readable /proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        let stat = fs::read_to_string(directory.join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        if fields.first() == Some(&"Z") {
            return None;
        }
        let network = fs::metadata(directory.join("ns/net")).ok().map(|found| found.ino());
        Some(((pid, fields.get(19)?.to_string()), fields.get(1)?.parse().ok()?, network))
    })
    .collect()
}

/// What a cluster has on this machine.
#[derive(Default)]
pub(crate) struct Footprint {
    processes: BTreeSet<Identity>,
    networks: BTreeSet<u64>,
    cgroups: BTreeSet<String>,
}

impl Footprint {
    /// Adds all processes from `tops` on, their cgroups, and their networks that are not this test's.
    pub(crate) fn add(&mut self, tops: &[u32]) {
        let table = processes();
        let mut pids: BTreeSet<u32> = tops.iter().copied().collect();
        while table.iter().any(|((pid, _), parent, _)| pids.contains(parent) && pids.insert(*pid)) {
        }
        let mine = fs::metadata("/proc/self/ns/net").expect("a network").ino();
        for (identity, _, network) in table.iter().filter(|((pid, _), ..)| pids.contains(pid)) {
            self.processes.insert(identity.clone());
            self.networks.extend(network.filter(|network| *network != mine));
            let cgroup = fs::read_to_string(format!("/proc/{}/cgroup", identity.0));
            let cgroup = cgroup.unwrap_or_default();
            let names =
                cgroup.split(['/', '\n']).filter(|name| name.starts_with("dovecot-ark-lab."));
            self.cgroups.extend(names.map(str::to_owned));
        }
        assert!(self.processes.len() > 10 && self.networks.len() >= 3 && self.cgroups.len() >= 2);
    }

    /// Lists those of its cgroups that are left.
    pub(crate) fn left_cgroups(&self) -> Vec<String> {
        lab::cgroups().into_iter().filter(|cgroup| self.cgroups.contains(cgroup)).collect()
    }

    /// Tells whether none of it is left.
    pub(crate) fn is_gone(&self) -> bool {
        processes().iter().all(|(identity, _, network)| {
            !self.processes.contains(identity)
                && network.is_none_or(|network| !self.networks.contains(&network))
        })
    }
}

/// Reads the machine's mounts and network devices.
pub(crate) fn surroundings() -> (String, String) {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mount table");
    let devices = fs::read_to_string("/proc/net/dev").expect("the devices");
    let names = devices.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    (mounts, names.collect())
}

/// Waits, at most 30 s, until `done`.
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < SOON, "waiting until {what}: nothing");
        thread::sleep(Duration::from_millis(20));
    }
}
