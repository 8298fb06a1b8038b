//! Puts LifeKeeper's stand-in on a cluster, and Dovecot under its protection.
//!
//! All of it is done through LifeKeeper's commands, as an operator without the graphical interface
//! would: the hierarchy is the kit's resource above an address and a file system.

use std::path::Path;
use std::time::Duration;

use crate::client::FLOATING;
use crate::cluster::{Cluster, SHARED, on_both};
use crate::command::Finished;
use crate::error::Result;
use crate::lifekeeper::{DEFAULTS, Dialect, LKROOT, succeed};
use crate::node::{Node, STUBS};
use crate::rack::{address, host};
use crate::wait::until;

/// The tag of the kit's resource, at the top.
pub const TAG: &str = "dovecot";
/// The tag of the address.
pub const IP_TAG: &str = "ip-mail";
/// The tag of the file system.
pub const FILESYS_TAG: &str = "vmail";
/// Where the file system is mounted.
pub const MAIL: &str = "/srv/vmail";

/// Longest wait until the nodes see each other.
const ALIVE: Duration = Duration::from_secs(20);

impl Cluster {
    /// Starts two nodes that have the kit and LifeKeeper, which runs and protects nothing yet.
    ///
    /// `kit` and `standin` are programs of this machine.
    ///
    /// # Errors
    ///
    /// As [`Cluster::bare`], and when LifeKeeper does not start or the nodes do not see each other.
    pub fn start(kit: &Path, standin: &Path, dialect: Dialect) -> Result<Self> {
        let cluster = Self::bare()?;
        on_both(|node| {
            let (number, node) = (node, cluster.node(node)?);
            node.install(kit)?;
            node.lay_lifekeeper(standin, dialect)?;
            node.append(DEFAULTS, &format!("APP_DOVECOT_IP_LIST={FLOATING}:2\n"))?;
            introduce(&node, number)
        })?;
        on_both(|node| cluster.wait_for_peer(node))?;
        Ok(cluster)
    }

    /// Puts Dovecot under protection: in service on node 1, extended to node 2.
    ///
    /// # Errors
    ///
    /// When a command of LifeKeeper fails; the message holds its words.
    pub fn protect(&self) -> Result<()> {
        self.protect_by(STUBS)
    }

    /// Puts Dovecot under protection by the four programs of another directory, as [`Cluster::protect`].
    ///
    /// # Errors
    ///
    /// As [`Cluster::protect`].
    pub fn protect_by(&self, programs: &str) -> Result<()> {
        self.create_children()?;
        let node = self.node(1)?;
        let stub = |action: &str| format!("{programs}/{action}");
        let creapphier = format!("{LKROOT}/lkadm/subsys/gen/app/bin/creapphier");
        let (restore, remove) = (stub("restore"), stub("remove"));
        let (check, recover) = (stub("quickCheck"), stub("recover"));
        let create = [&creapphier, &host(1), &restore, &remove, TAG, "", "intelligent"];
        succeed(&node, &[&create[..], &[&check, &recover, "Yes"]].concat())?;
        for child in [IP_TAG, FILESYS_TAG] {
            succeed(&node, &[&bin("dep_create"), "-p", TAG, "-c", child])?;
        }
        self.extend()
    }

    /// Makes what Dovecot needs, the address and the file system, and brings both in on node 1.
    ///
    /// # Errors
    ///
    /// As [`Cluster::protect`].
    pub fn create_children(&self) -> Result<()> {
        let node = self.node(1)?;
        let (ip, source) = (FLOATING.ip(), format!("{SHARED}/block"));
        let (id, info) = (format!("IP-{ip}"), format!("{ip}/24 eth0"));
        let children: [(_, [&str; 4]); 2] = [
            (IP_TAG, ["comm", "ip", &id, &info]),
            (FILESYS_TAG, ["gen", "filesys", MAIL, &source]),
        ];
        // These commands are the same whether there is an lkcli or not.
        for (tag, [app, kind, id, info]) in children {
            let create = [&bin("ins_create"), "-a", app, "-r", kind, "-t", tag, "-i", id];
            succeed(&node, &[&create[..], &["-v", info]].concat())?;
            succeed(&node, &[&bin("perform_action"), "-t", tag, "-a", "restore"])?;
        }
        Ok(())
    }

    /// Extends the hierarchy around the kit's resource from node 1, where it is, to node 2.
    ///
    /// # Errors
    ///
    /// As [`Cluster::protect`].
    pub fn extend(&self) -> Result<()> {
        let extend = format!("{LKROOT}/lkadm/bin/extmgrDoExtend.pl");
        let bundle = format!("\"{TAG}\",\"\"");
        let words = [&extend, "-p1", "-f,", TAG, &host(2), "10", "intelligent", &bundle];
        succeed(&*self.node(1)?, &words).map(drop)
    }

    /// Moves the hierarchy to a node, by LifeKeeper's command on that node.
    ///
    /// # Errors
    ///
    /// When the node is off; the command's failure is in the answer.
    pub fn bring_in(&self, node: usize) -> Result<Finished> {
        self.node(node)?.run(&[&bin("perform_action"), "-t", TAG, "-a", "restore"])
    }

    /// Returns the state that LifeKeeper on a node gives a resource: ISP, OSU, OSF …
    ///
    /// # Errors
    ///
    /// When the node is off, LifeKeeper does not run, or there is no such resource.
    pub fn state(&self, node: usize, tag: &str) -> Result<String> {
        let listed = succeed(&*self.node(node)?, &[&bin("ins_list"), "-f:", "-t", tag])?;
        // Field 7: see ins_list.
        let state = listed.stdout.trim().split(':').nth(6).unwrap_or_default();
        Ok(state.to_owned())
    }

    /// Waits until LifeKeeper on a node calls the other node alive.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Late`] when it does not within 20 s.
    pub fn wait_for_peer(&self, node: usize) -> Result<()> {
        let (list, peer) = (bin("sys_getst"), host(peer_of(node)));
        let doing = format!("waiting for {peer} in the eyes of {}", host(node));
        until(&doing, ALIVE, Duration::from_millis(50), || {
            Ok(self.node(node)?.run(&[&list, "-s", &peer])?.stdout.trim() == "ALIVE")
        })
    }
}

/// Returns the other node.
fn peer_of(node: usize) -> usize {
    if node == 1 { 2 } else { 1 }
}

/// Tells LifeKeeper on a node of the other node and the path to it.
fn introduce(node: &Node, number: usize) -> Result<()> {
    let (me, peer) = (host(number), host(peer_of(number)));
    let (here, there) = (address(number).to_string(), address(peer_of(number)).to_string());
    succeed(node, &[&bin("sys_create"), "-d", &me, "-s", &peer])?;
    let path = ["-n", "TCP", "-r", &there, "-l", &here, "-s", &peer];
    succeed(node, &[&[bin("net_create").as_str(), "-d", &me], &path[..]].concat()).map(drop)
}

/// Returns a command of LifeKeeper.
fn bin(command: &str) -> String {
    format!("{LKROOT}/bin/{command}")
}
