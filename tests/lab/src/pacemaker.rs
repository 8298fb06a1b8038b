//! Nodes with real Corosync and Pacemaker, whose fencing is the lab's power switch.
//!
//! The group is a file system, an address and Dovecot, as the kit's manual shows it.

use std::fmt::Write;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::background::{Background, Shared};
use crate::client::FLOATING;
use crate::cluster::{Cluster, SHARED, on_each};
use crate::error::{Error, Result};
use crate::hangs::account;
use crate::image::Suite;
use crate::lifekeeper::succeed;
use crate::node::Node;
use crate::rack::{NODES, address, host};

const COROSYNC: &str = include_str!("../pacemaker/corosync.conf");
const CIB: &str = include_str!("../pacemaker/cib.xml");
const FENCE: &str = include_str!("../pacemaker/fence_lab");

/// Where a Pacemaker that is not running keeps its configuration.
const CIB_FILE: &str = "/var/lib/pacemaker/cib/cib.xml";
/// The stub of the agent, where the kit is a program alone.
const AGENT: &str = "/usr/lib/ocf/resource.d/dovecot-ark";
/// The account of the monitor that logs in.
const LOGIN_FILE: &str = "/etc/dovecot-ark/login";
/// Longest time until the cluster has formed and started its group.
const FORMED: Duration = Duration::from_secs(40);
/// Between two looks of the power switch.
const SWITCH: Duration = Duration::from_millis(20);

/// What puts Dovecot under Pacemaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// This kit's, `ocf:dovecot-ark:dovecot`.
    Kit,
    /// This kit's, where each monitor logs in.
    Login,
    /// That of resource-agents, `ocf:heartbeat:dovecot`.
    Heartbeat,
    /// None: the unit itself, `systemd:dovecot`.
    Systemd,
}

impl Agent {
    /// Returns its attributes in the configuration.
    fn attributes(self) -> &'static str {
        match self {
            Self::Kit | Self::Login => r#"class="ocf" provider="dovecot-ark" type="dovecot""#,
            Self::Heartbeat => r#"class="ocf" provider="heartbeat" type="dovecot""#,
            Self::Systemd => r#"class="systemd" type="dovecot""#,
        }
    }

    /// Returns its parameters in the configuration.
    fn parameters(self) -> String {
        let list = format!("{FLOATING}:2");
        match self {
            Self::Kit => attributes("dovecot", &[("ip_list", &list)]),
            Self::Login => attributes(
                "dovecot",
                &[
                    ("ip_list", &list),
                    ("login_file", LOGIN_FILE),
                    ("login_mailbox", "INBOX"),
                    ("login_timeout", "3"),
                ],
            ),
            Self::Heartbeat | Self::Systemd => String::new(),
        }
    }

    /// Returns the attributes of its monitor in the configuration.
    fn level(self) -> String {
        if self != Self::Login {
            return String::new();
        }
        attributes("dovecot-monitor", &[("OCF_CHECK_LEVEL", "20")])
    }
}

/// Writes names and values as the configuration has them.
fn attributes(of: &str, values: &[(&str, &str)]) -> String {
    let mut text = format!("<instance_attributes id=\"{of}-attributes\">");
    for (name, value) in values {
        let _ = write!(text, "<nvpair id=\"{of}-{name}\" name=\"{name}\" value=\"{value}\"/>");
    }
    text + "</instance_attributes>"
}

/// What a cluster is to be; times are as the configuration takes them: `5s`.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The kit's program, its package, or a directory laid as the package lays it.
    pub kit: PathBuf,
    /// What puts Dovecot under Pacemaker.
    pub agent: Agent,
    /// How many nodes there are.
    pub nodes: usize,
    /// Between two monitors.
    pub monitor: &'static str,
    /// How long a stop may take.
    pub stop: &'static str,
    /// After so many failures on a node the group goes to another.
    pub threshold: u32,
}

impl Plan {
    /// Plans a cluster of two nodes, with the times that the kit's manual shows.
    #[must_use]
    pub fn new(kit: &Path, agent: Agent) -> Self {
        let nodes = NODES.len();
        Self { kit: kit.to_owned(), agent, nodes, monitor: "10s", stop: "150s", threshold: 5 }
    }

    /// Writes the configuration of Pacemaker.
    fn cib(&self) -> String {
        let hosts: Vec<String> = (1..=self.nodes).map(host).collect();
        CIB.replace("@AGENT@", self.agent.attributes())
            .replace("@PARAMETERS@", &self.agent.parameters())
            .replace("@HOSTS@", &hosts.join(" "))
            .replace("@MONITOR@", self.monitor)
            .replace("@LEVEL@", &self.agent.level())
            .replace("@STOP@", self.stop)
            .replace("@THRESHOLD@", &self.threshold.to_string())
    }

    /// Writes the configuration of Corosync.
    fn corosync(&self) -> String {
        let mut nodes = String::new();
        for node in 1..=self.nodes {
            let (name, address) = (host(node), address(node));
            let _ = write!(
                nodes,
                "  node {{\n    name: {name}\n    nodeid: {node}\n    ring0_addr: {address}\n  }}\n"
            );
        }
        let two = if self.nodes == NODES.len() { "1" } else { "0" };
        COROSYNC.replace("@NODES@", &nodes).replace("@TWO@", two)
    }
}

/// A cluster under Pacemaker; dropping it ends all of it.
#[derive(Debug)]
pub struct Pacemaker {
    /// Dropped before the nodes that it cuts.
    _switch: Background<()>,
    cluster: Arc<Cluster>,
}

impl Deref for Pacemaker {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Pacemaker {
    /// Starts the nodes and waits until Dovecot is in service on node 1.
    ///
    /// # Errors
    ///
    /// When a node does not boot, or the cluster does not form.
    pub fn start(plan: &Plan) -> Result<Self> {
        let cluster = Arc::new(Cluster::bare_on(Suite::Pacemaker, plan.nodes)?);
        succeed(&*cluster.node(1)?, &["mkdir", "-p", &format!("{SHARED}/fence")])?;
        on_each(cluster.nodes(), |node| {
            let node = cluster.node(node)?;
            install_agent(&node, &plan.kit)?;
            lay(&node, plan)
        })?;
        let served = Arc::clone(&cluster);
        let switch = Background::start([move |switch: &Shared<()>| {
            while !switch.is_over() {
                serve(&served);
                thread::sleep(SWITCH);
            }
        }]);
        let formed = Self { _switch: switch, cluster };
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
        Ok(self.any()?.run(&["crm_mon", "-1", "-n", "-r", "-f"])?.stdout)
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
        let node = self.any()?;
        let mut fenced = Vec::new();
        for number in self.nodes() {
            if node.exists(&request(number, "off"))? {
                fenced.push(number);
            }
        }
        Ok(fenced)
    }

    /// Moves the group to a node, as an administrator does.
    ///
    /// # Errors
    ///
    /// When no node is on, or Pacemaker refuses.
    pub fn move_to(&self, node: usize) -> Result<()> {
        let host = host(node);
        let argv = ["crm_resource", "--move", "--resource", "mail", "--node", &host];
        succeed(&*self.any()?, &argv).map(drop)
    }

    /// Lets the group be anywhere again after a move.
    ///
    /// # Errors
    ///
    /// As [`Pacemaker::move_to`].
    pub fn move_freely(&self) -> Result<()> {
        succeed(&*self.any()?, &["crm_resource", "--clear", "--resource", "mail"]).map(drop)
    }

    /// Switches a node on again that was cut, and waits until it is a member.
    ///
    /// # Errors
    ///
    /// When it does not come back.
    pub fn back(&self, node: usize) -> Result<()> {
        self.any()?.sh(&format!("rm -f {}", request(node, "*")))?;
        self.boot(node)?;
        let online = format!("Node {}: online", host(node));
        self.wait_until("a node is back", FORMED, |state| {
            state.lines().any(|line| line.trim_start_matches([' ', '*']).starts_with(&online))
        })
    }
}

/// Tells whether a line of `crm_mon -n` has Dovecot started.
fn is_started(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '*']);
    line.starts_with("dovecot") && line.contains("Started")
}

/// Where the power switch reads that a node is to be cut, and notes that it is off.
fn request(node: usize, what: &str) -> String {
    format!("{SHARED}/fence/{}.{what}", host(node))
}

/// Installs the kit on a node, with its agent.
///
/// # Errors
///
/// As [`Node::install`].
pub fn install_agent(node: &Node, kit: &Path) -> Result<()> {
    node.install(kit)?;
    if node.exists(AGENT)? {
        return Ok(());
    }
    let stub =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../installer/ocf"));
    succeed(node, &["mkdir", "-p", AGENT])?;
    let stub = stub.map_err(Error::io("reading the agent's stub"))?;
    node.write_program(&format!("{AGENT}/dovecot"), &stub)
}

/// Lays the configuration on a node, and starts the cluster's programs.
fn lay(node: &Node, plan: &Plan) -> Result<()> {
    succeed(node, &["systemctl", "stop", "pacemaker", "corosync"])?;
    succeed(node, &["/bin/sh", "-c", "rm -rf /var/lib/pacemaker/cib/*"])?;
    node.write("/etc/corosync/corosync.conf", &plan.corosync())?;
    node.write_program("/usr/sbin/fence_lab", FENCE)?;
    if plan.agent == Agent::Login {
        succeed(node, &["/bin/sh", "-c", &account()])?;
    }
    node.write(CIB_FILE, &plan.cib())?;
    succeed(node, &["chown", "hacluster:haclient", CIB_FILE])?;
    succeed(node, &["chmod", "0600", CIB_FILE])?;
    succeed(node, &["systemctl", "enable", "--quiet", "corosync", "pacemaker"])?;
    succeed(node, &["systemctl", "start", "corosync", "pacemaker"]).map(drop)
}

/// Cuts the nodes that somebody wants to be cut; each stays off until it is booted.
fn serve(cluster: &Cluster) {
    for node in cluster.nodes() {
        let mut peers = cluster.nodes().filter(|other| *other != node);
        let Some(peer) = peers.find_map(|other| cluster.node(other).ok()) else { continue };
        if peer.exists(&request(node, "cut")).unwrap_or_default()
            && cluster.power_cut(node).is_ok()
            && peer.remove_file(&request(node, "cut")).is_ok()
        {
            let _ = peer.write(&request(node, "off"), "");
        }
    }
}
