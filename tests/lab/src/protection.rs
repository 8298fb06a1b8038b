//! Puts LifeKeeper's stand-in on a cluster, and Dovecot under its protection.
//!
//! All of it is done through LifeKeeper's commands, as an operator without the graphical interface
//! would: the hierarchy is the kit's resource above an address and a file system.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::FLOATING;
use crate::cluster::{Cluster, SHARED, on_both};
use crate::command::Finished;
use crate::error::{Error, Result};
use crate::node::{Node, STUBS};
use crate::rack::{address, host};

/// Where LifeKeeper lies on a node.
pub const LKROOT: &str = "/opt/LifeKeeper";
/// The tag of the kit's resource, at the top.
pub const TAG: &str = "dovecot";
/// The tag of the address.
pub const IP_TAG: &str = "ip-mail";
/// The tag of the file system.
pub const FILESYS_TAG: &str = "vmail";
/// Where the file system is mounted.
pub const MAIL: &str = "/srv/vmail";

const UNIT: &str = include_str!("../lifekeeper/lifekeeper.service");
const DEFAULTS: &str = include_str!("../lifekeeper/defaults");
const HALT: &str = include_str!("../lifekeeper/halt");
/// Where the stand-in lies until it has laid itself; gone with the next boot.
const STANDIN: &str = "/run/lifekeeper-standin";
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
    pub fn start(kit: &Path, standin: &Path) -> Result<Self> {
        let cluster = Self::bare()?;
        on_both(|node| install(&*cluster.node(node)?, node, kit, standin))?;
        on_both(|node| cluster.wait_for_peer(node))?;
        Ok(cluster)
    }

    /// Puts Dovecot under protection: in service on node 1, extended to node 2.
    ///
    /// # Errors
    ///
    /// When a command of LifeKeeper fails; the message holds its words.
    pub fn protect(&self) -> Result<()> {
        let node = self.node(1)?;
        let bin = |command: &str| format!("{LKROOT}/bin/{command}");
        let (lkcli, dep_create) = (bin("lkcli"), bin("dep_create"));
        let (floating, mail) = (FLOATING.ip().to_string(), format!("{SHARED}/block"));
        let address = ["ip", "--tag", IP_TAG, "--ipaddr", &floating, "--netmask", "24"];
        let address = [&address[..], &["--device", "eth0"]].concat();
        let mount = ["filesys", "--tag", FILESYS_TAG, "--device", &mail, "--mount_point", MAIL];
        for resource in [&address[..], &mount] {
            succeed(&node, &[&[&lkcli, "resource", "create"], resource].concat())?;
        }
        let stub = |action: &str| format!("{STUBS}/{action}");
        let creapphier = format!("{LKROOT}/lkadm/subsys/gen/app/bin/creapphier");
        let (restore, remove) = (stub("restore"), stub("remove"));
        let (check, recover) = (stub("quickCheck"), stub("recover"));
        let create = [&creapphier, &host(1), &restore, &remove, TAG, "", "intelligent"];
        succeed(&node, &[&create[..], &[&check, &recover, "Yes"]].concat())?;
        for child in [IP_TAG, FILESYS_TAG] {
            succeed(&node, &[&dep_create, "-p", TAG, "-c", child])?;
        }
        let extend = format!("{LKROOT}/lkadm/bin/extmgrDoExtend.pl");
        let bundle = format!("\"{TAG}\",\"\"");
        let target = host(2);
        succeed(&node, &[&extend, "-p1", "-f,", TAG, &target, "10", "intelligent", &bundle])?;
        Ok(())
    }

    /// Moves the hierarchy to a node, by LifeKeeper's command on that node.
    ///
    /// # Errors
    ///
    /// When the node is off; the command's failure is in the answer.
    pub fn bring_in(&self, node: usize) -> Result<Finished> {
        let action = format!("{LKROOT}/bin/perform_action");
        self.node(node)?.run(&[&action, "-t", TAG, "-a", "restore"])
    }

    /// Returns the state that LifeKeeper on a node gives a resource: ISP, OSU, OSF …
    ///
    /// # Errors
    ///
    /// When the node is off, LifeKeeper does not run, or there is no such resource.
    pub fn state(&self, node: usize, tag: &str) -> Result<String> {
        let list = format!("{LKROOT}/bin/ins_list");
        let listed = succeed(&*self.node(node)?, &[&list, "-f:", "-t", tag])?;
        // Field 7: see ins_list.
        let state = listed.stdout.trim().split(':').nth(6).unwrap_or_default();
        Ok(state.to_owned())
    }

    /// Waits until LifeKeeper on a node calls the other node alive.
    ///
    /// # Errors
    ///
    /// [`Error::Late`] when it does not within 20 s.
    pub fn wait_for_peer(&self, node: usize) -> Result<()> {
        let (list, peer) = (format!("{LKROOT}/bin/sys_getst"), host(peer_of(node)));
        let start = Instant::now();
        loop {
            let answer = self.node(node)?.run(&[&list, "-s", &peer])?;
            if answer.stdout.trim() == "ALIVE" {
                return Ok(());
            }
            if start.elapsed() > ALIVE {
                let doing = format!("waiting for {peer} in the eyes of {}", host(node));
                return Err(Error::Late { doing, limit: ALIVE });
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Returns the other node.
fn peer_of(node: usize) -> usize {
    if node == 1 { 2 } else { 1 }
}

/// Lays kit and LifeKeeper on a node, starts it, and tells it of the other node.
fn install(node: &Node, number: usize, kit: &Path, standin: &Path) -> Result<()> {
    node.install(kit)?;
    node.write("/etc/default/LifeKeeper", DEFAULTS)?;
    node.copy_in(standin, STANDIN)?;
    succeed(node, &[STANDIN, "lay", "--dialect", "plain"])?;
    node.write_program(&format!("{LKROOT}/config/halt"), HALT)?;
    node.write("/etc/systemd/system/lifekeeper.service", UNIT)?;
    succeed(node, &["systemctl", "enable", "--now", "--quiet", "lifekeeper.service"])?;
    let bin = |command: &str| format!("{LKROOT}/bin/{command}");
    let (me, peer) = (host(number), host(peer_of(number)));
    let (here, there) = (address(number).to_string(), address(peer_of(number)).to_string());
    succeed(node, &[&bin("sys_create"), "-d", &me, "-s", &peer])?;
    let path = ["-n", "TCP", "-r", &there, "-l", &here, "-s", &peer];
    succeed(node, &[&[bin("net_create").as_str(), "-d", &me], &path[..]].concat())?;
    Ok(())
}

/// Runs a command on a node, and fails unless it succeeds.
fn succeed(node: &Node, argv: &[&str]) -> Result<Finished> {
    let done = node.run(argv)?;
    if done.success() {
        return Ok(done);
    }
    let said: Vec<&str> = done.stdout.lines().collect();
    let cause = format!("{}; it said: {}", done.ending(), said.join(" | "));
    Err(Error::failed(format!("running {} on a node", argv.join(" ")), cause))
}
