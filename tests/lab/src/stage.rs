//! A protected cluster, a client that polls it, and what happens to both.
//!
//! After each event there must be mail again, from exactly one node, and at the end each message
//! that was ever acknowledged; and Dovecot must never have run on both nodes.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::heading::{heading, shown};
use crate::ledger::Ledger;
use crate::lifekeeper::{Dialect, LKROOT};
use crate::poller::Poller;
use crate::protection::{FILESYS_TAG, IP_TAG, TAG};
use crate::rack::NODES;
use crate::timeline::Timeline;
use crate::trial::Verdict;
use crate::wait::until;
use crate::watch::Watch;

/// Where LifeKeeper's stand-in notes the begin and the end of each action, below LKROOT.
const TIMES: &str = "config/times";
/// The longest wait for mail after an event.
const MAIL: Duration = Duration::from_mins(3);

/// Between two looks at the notes.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

/// What repairs Dovecot, in those notes.
const REPAIRED: [&str; 2] = ["end recover", "end restore"];

/// The cluster on the stage, and all that is watched of it.
#[derive(Debug)]
pub struct Stage {
    /// The nodes.
    pub cluster: Cluster,
    watch: Watch,
    pub(crate) poller: Poller,
    pub(crate) ledger: Ledger,
}

/// What a client saw of an event.
#[derive(Debug)]
pub struct Sight {
    /// Right before the event.
    pub mark: Instant,
    /// The time without mail from then on.
    pub downtime: Duration,
    /// All polls until there was mail again.
    pub timeline: Timeline,
}

impl Stage {
    /// Starts the cluster, puts Dovecot under protection on node 1, and stores a first message.
    ///
    /// `kit` is its package, its program, or a directory laid as the package lays it.
    ///
    /// # Errors
    ///
    /// When the cluster does not start, or there is no mail.
    pub fn set(kit: &Path, standin: &Path) -> Result<Self> {
        heading("a cluster of two nodes, with LifeKeeper's stand-in");
        let start = Instant::now();
        let cluster = Cluster::start(kit, standin, Dialect::Guess)?;
        println!("   both nodes are up, with the kit, after {}", shown(start.elapsed()));
        let watch = cluster.watch();
        for node in NODES {
            cluster.node(node)?.write(&times(), "")?;
        }
        protect(&cluster)?;
        println!("   address, file system and Dovecot are in service on node 1");
        let poller = cluster.poll()?;
        let mut ledger = Ledger::new(cluster.client()?);
        ledger.append()?;
        println!("   logged in at the floating address and stored a message");
        Ok(Self { cluster, watch, poller, ledger })
    }

    /// Lets something happen and waits until this node has repaired it, and there is mail again
    /// from this node alone.
    ///
    /// # Errors
    ///
    /// When it does not come to that.
    pub fn event(
        &mut self,
        event: &str,
        node: usize,
        happen: impl FnOnce(&Cluster) -> Result<()>,
    ) -> Result<Sight> {
        let before = self.noted(node, &REPAIRED)?;
        let mark = Instant::now();
        happen(&self.cluster)?;
        // Mail may come and go before: from whoever was at hand, or is woken to be stopped.
        let doing = format!("waiting for a repair after: {event}");
        until(&doing, MAIL, LOOK, || Ok(self.noted(node, &REPAIRED)? != before))?;
        self.poller.wait_for_success(Instant::now(), MAIL)?;
        self.ledger.append()?;
        let timeline = self.poller.timeline();
        let downtime = timeline.downtime(mark, Instant::now());
        let serving = self.cluster.serving()?;
        let state = self.cluster.state(node, TAG)?;
        println!("   {event}: mail again after {}, from node {serving:?}", shown(downtime));
        if serving != [node] || state != "ISP" {
            let cause = format!("Dovecot runs on {serving:?}, and is {state} on node {node}");
            return Err(Error::failed(format!("waiting for node {node} after: {event}"), cause));
        }
        Ok(Sight { mark, downtime, timeline })
    }

    /// Tells how many of these a node's LifeKeeper has noted: `end quickCheck`, and so on.
    ///
    /// # Errors
    ///
    /// When the node is off.
    pub fn noted(&self, node: usize, what: &[&str]) -> Result<usize> {
        let noted = self.cluster.node(node)?.read(&times())?;
        Ok(what.iter().map(|what| noted.matches(&format!(" {what} {TAG} ")).count()).sum())
    }

    /// Switches a node on again, which must leave the service where it is.
    ///
    /// # Errors
    ///
    /// When the node does not start, or takes the service.
    pub fn back(&self, node: usize) -> Result<()> {
        self.cluster.boot(node)?;
        for node in NODES {
            self.cluster.wait_for_peer(node)?;
        }
        let state = self.cluster.state(node, TAG)?;
        if state == "ISP" {
            let cause = "it took the service back";
            return Err(Error::failed(format!("bringing node {node} back"), cause));
        }
        println!("   node {node} is back, as a standby ({state})");
        Ok(())
    }

    /// Judges the whole: no message lost, never two masters.
    ///
    /// # Errors
    ///
    /// When it is not so.
    pub fn end(self) -> Result<()> {
        Verdict::of(&self.ledger, self.watch)?.tell()
    }
}

/// Names the file with the times of LifeKeeper's actions.
#[must_use]
pub fn times() -> String {
    format!("{LKROOT}/{TIMES}")
}

/// Puts Dovecot under protection as an administrator does.
fn protect(cluster: &Cluster) -> Result<()> {
    cluster.create_children()?;
    let needs = format!("--depends-on {IP_TAG} --depends-on {FILESYS_TAG}");
    for (node, options) in [(1, needs.as_str()), (2, "--standby")] {
        let line = format!("dovecot-ark install --tag {TAG} {options}");
        println!("   node {node}# {line}");
        let doing = format!("running {line} on node {node}");
        cluster.node(node)?.sh(&line)?.succeeded(doing)?;
    }
    cluster.extend()
}

/// Sends a signal to Dovecot's master on a node.
///
/// # Errors
///
/// When it does not run there.
pub fn signal_master(cluster: &Cluster, node: usize, signal: &str) -> Result<()> {
    let node = cluster.node(node)?;
    node.signal(node.running_master()?, signal)
}
