//! Two nodes with real Corosync and Pacemaker, whose fencing is the lab's power switch.
//!
//! The group is a file system, an address and Dovecot, as the kit's manual shows it.

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::FLOATING;
use crate::cluster::{Cluster, SHARED, on_both};
use crate::error::{Error, Result};
use crate::image::Suite;
use crate::lifekeeper::succeed;
use crate::node::Node;
use crate::rack::{NODES, host};

const COROSYNC: &str = include_str!("../pacemaker/corosync.conf");
const CIB: &str = include_str!("../pacemaker/cib.xml");
const FENCE: &str = include_str!("../pacemaker/fence_lab");

/// Where a Pacemaker that is not running keeps its configuration.
const CIB_FILE: &str = "/var/lib/pacemaker/cib/cib.xml";
/// The stub of the agent, where the kit is a program alone.
const AGENT: &str = "/usr/lib/ocf/resource.d/dovecot-ark";
/// Longest time until the cluster has formed and started its group.
const FORMED: Duration = Duration::from_secs(40);
/// Between two looks of the power switch.
const SWITCH: Duration = Duration::from_millis(20);

/// What puts Dovecot under Pacemaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// This kit's, `ocf:dovecot-ark:dovecot`.
    Kit,
    /// That of resource-agents, `ocf:heartbeat:dovecot`.
    Heartbeat,
    /// None: the unit itself, `systemd:dovecot`.
    Systemd,
}

impl Agent {
    /// Returns its attributes in the configuration.
    fn attributes(self) -> &'static str {
        match self {
            Self::Kit => r#"class="ocf" provider="dovecot-ark" type="dovecot""#,
            Self::Heartbeat => r#"class="ocf" provider="heartbeat" type="dovecot""#,
            Self::Systemd => r#"class="systemd" type="dovecot""#,
        }
    }

    /// Returns its parameters in the configuration.
    fn parameters(self) -> String {
        if self != Self::Kit {
            return String::new();
        }
        format!(
            "<instance_attributes id=\"dovecot-attributes\">\
             <nvpair id=\"dovecot-list\" name=\"ip_list\" value=\"{FLOATING}:2\"/>\
             </instance_attributes>"
        )
    }
}

/// A cluster under Pacemaker; dropping it ends all of it.
#[derive(Debug)]
pub struct Pacemaker {
    cluster: Arc<Cluster>,
    ended: Arc<AtomicBool>,
    switch: Option<JoinHandle<()>>,
}

impl Deref for Pacemaker {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Pacemaker {
    /// Starts two nodes and waits until Dovecot is in service on node 1; `monitor` and `stop` are as
    /// the configuration takes them: `5s`.
    ///
    /// # Errors
    ///
    /// When a node does not boot, or the cluster does not form.
    pub fn start(kit: &Path, agent: Agent, monitor: &str, stop: &str) -> Result<Self> {
        let cluster = Arc::new(Cluster::bare_on(Suite::Pacemaker)?);
        let cib = CIB
            .replace("@AGENT@", agent.attributes())
            .replace("@PARAMETERS@", &agent.parameters())
            .replace("@MONITOR@", monitor)
            .replace("@STOP@", stop);
        succeed(&*cluster.node(1)?, &["mkdir", "-p", &folder()])?;
        on_both(|node| {
            let node = cluster.node(node)?;
            node.install(kit)?;
            lay(&node, &cib)
        })?;
        let ended = Arc::new(AtomicBool::new(false));
        let (there, of_it) = (Arc::clone(&ended), Arc::clone(&cluster));
        let switch = thread::spawn(move || {
            while !there.load(Ordering::Relaxed) {
                serve(&of_it);
                thread::sleep(SWITCH);
            }
        });
        let formed = Self { cluster, ended, switch: Some(switch) };
        formed
            .wait_until("Dovecot is in service", FORMED, |state| state.lines().any(is_started))?;
        Ok(formed)
    }

    /// Returns what `crm_mon` shows on the first node that answers.
    ///
    /// # Errors
    ///
    /// When no node is on.
    pub fn state(&self) -> Result<String> {
        let node = NODES.into_iter().find_map(|node| self.node(node).ok());
        let node = node.ok_or_else(|| Error::failed("asking Pacemaker", "no node is on"))?;
        Ok(node.run(&["crm_mon", "-1", "-n", "-r", "-f"])?.stdout)
    }

    /// Waits until what `crm_mon` shows is as wanted.
    ///
    /// # Errors
    ///
    /// When it is not within `limit`, with what it shows then.
    pub fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        is_it: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            let state = self.state()?;
            if is_it(&state) {
                return Ok(());
            }
            if start.elapsed() > limit {
                return Err(Error::failed(format!("waiting until {what}"), state));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Tells which nodes the power switch has cut.
    ///
    /// # Errors
    ///
    /// When no node is on.
    pub fn fenced(&self) -> Result<Vec<usize>> {
        let node = NODES.into_iter().find_map(|node| self.node(node).ok());
        let node = node.ok_or_else(|| Error::failed("asking the switch", "no node is on"))?;
        let was_cut = |number: &usize| node.exists(&format!("{}/{}.off", folder(), host(*number)));
        NODES
            .into_iter()
            .filter_map(|number| match was_cut(&number) {
                Ok(true) => Some(Ok(number)),
                Ok(false) => None,
                Err(cause) => Some(Err(cause)),
            })
            .collect()
    }
}

impl Drop for Pacemaker {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(switch) = self.switch.take() {
            let _ = switch.join();
        }
    }
}

/// Tells whether a line of `crm_mon -n` has Dovecot started.
fn is_started(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '*']);
    line.starts_with("dovecot") && line.contains("Started")
}

/// Where the power switch reads requests.
fn folder() -> String {
    format!("{SHARED}/fence")
}

/// Lays the configuration on a node, and starts the cluster's programs.
fn lay(node: &Node, cib: &str) -> Result<()> {
    succeed(node, &["systemctl", "stop", "pacemaker", "corosync"])?;
    succeed(node, &["/bin/sh", "-c", "rm -rf /var/lib/pacemaker/cib/*"])?;
    node.write("/etc/corosync/corosync.conf", COROSYNC)?;
    node.write_program("/usr/sbin/fence_lab", FENCE)?;
    if !node.exists(AGENT)? {
        let stub =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../installer/ocf"));
        succeed(node, &["mkdir", "-p", AGENT])?;
        let stub = stub.map_err(Error::io("reading the agent's stub"))?;
        node.write_program(&format!("{AGENT}/dovecot"), &stub)?;
    }
    node.write(CIB_FILE, cib)?;
    succeed(node, &["chown", "hacluster:haclient", CIB_FILE])?;
    succeed(node, &["chmod", "0600", CIB_FILE])?;
    succeed(node, &["systemctl", "enable", "--quiet", "corosync", "pacemaker"])?;
    succeed(node, &["systemctl", "start", "corosync", "pacemaker"]).map(drop)
}

/// Cuts the nodes that somebody wants to be cut; each stays off until it is booted.
fn serve(cluster: &Cluster) {
    for node in NODES {
        let mut peer = NODES.into_iter().filter(|other| *other != node);
        let Some(peer) = peer.find_map(|other| cluster.node(other).ok()) else { continue };
        let place = |what: &str| format!("{}/{}.{what}", folder(), host(node));
        if peer.exists(&place("cut")).unwrap_or_default()
            && cluster.power_cut(node).is_ok()
            && peer.remove_file(&place("cut")).is_ok()
        {
            let _ = peer.write(&place("off"), "");
        }
    }
}
