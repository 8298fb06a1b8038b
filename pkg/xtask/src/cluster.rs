//! A cluster's life, as an IMAP client sees it: `cargo xtask demo`, last act, and `failovers`.
//!
//! The client polls the floating address all the time. After each event there must be mail again,
//! from exactly one node, and at the end each message that was ever acknowledged.

use std::time::{Duration, Instant};

use lab::{Cluster, Dialect, Error, FILESYS_TAG, IP_TAG, Ledger, Poller, Result, TAG, Watch};

use crate::heading::{heading, shown};
use crate::rpm;

/// The longest wait for mail after an event. A frozen master alone takes the stop command 25 s.
const MAIL: Duration = Duration::from_mins(3);

/// What breaks Dovecot's configuration.
const NONSENSE: &str = "nonsense {{\n";

/// An event, and what came of it.
struct Row {
    event: &'static str,
    deed: String,
    downtime: Duration,
}

/// The cluster on the stage, and all that is watched of it.
struct Stage {
    cluster: Cluster,
    watch: Watch,
    poller: Poller,
    ledger: Ledger,
    rows: Vec<Row>,
}

/// Shows what becomes of a killed, a frozen and a misconfigured Dovecot, and of a power cut.
///
/// # Errors
///
/// When a node cannot be made, or the story does not come out as it must.
pub(crate) fn show() -> Result<()> {
    let start = Instant::now();
    let mut stage = Stage::set()?;

    stage.event("master killed", "recovered on", 1, |cluster| signal_master(cluster, 1, "KILL"))?;
    println!("   A frozen master accepts connections, and its process and status look well:");
    println!("   only that it does not greet gives it away.");
    stage.event("master frozen", "ended by SIGKILL, recovered on", 1, |cluster| {
        signal_master(cluster, 1, "STOP")
    })?;
    stage.event("configuration broken, killed", "recover failed, failover to", 2, |cluster| {
        cluster.node(1)?.append("/etc/dovecot/local.conf", NONSENSE)?;
        signal_master(cluster, 1, "KILL")
    })?;
    repair_configuration(&stage.cluster)?;
    stage.event("power cut", "failover to", 1, |cluster| cluster.power_cut(2))?;
    stage.back(2)?;

    heading("what happened, what was done, and what a client saw of it");
    println!("{:<30} {:<36} {:>10}", "event", "what was done", "downtime");
    for row in &stage.rows {
        println!("{:<30} {:<36} {:>10}", row.event, row.deed, shown(row.downtime));
    }
    println!(
        "\nLifeKeeper's share: it looks every 2 s here (120 s by default), and calls a silent"
    );
    println!("node dead after the heartbeats set in tests/lab/lifekeeper/defaults.");
    stage.end()?;
    println!("{}", shown(start.elapsed()));
    Ok(())
}

/// Cuts the power of the node in service and kills the master on its successor, so many times.
///
/// # Errors
///
/// When once it does not come out as it must.
pub(crate) fn failovers(rounds: usize) -> Result<()> {
    let mut stage = Stage::set()?;
    let mut active = 1;
    for round in 1..=rounds {
        let (cut, standby) = (active, 3 - active);
        stage.event("power cut", "failover to", standby, |cluster| cluster.power_cut(cut))?;
        stage.back(cut)?;
        stage.event("master killed", "recovered on", standby, |cluster| {
            signal_master(cluster, standby, "KILL")
        })?;
        active = standby;
        println!("   round {round} of {rounds}");
    }
    heading("downtimes that a client saw");
    println!("{:<16} {:>6} {:>10} {:>10} {:>10}", "event", "times", "median", "min", "max");
    for event in ["power cut", "master killed"] {
        let rows = stage.rows.iter().filter(|row| row.event == event);
        let mut times: Vec<Duration> = rows.map(|row| row.downtime).collect();
        times.sort();
        if let (Some(min), Some(median), Some(max)) =
            (times.first(), times.get(times.len() / 2), times.last())
        {
            let [median, min, max] = [*median, *min, *max].map(shown);
            println!("{event:<16} {:>6} {median:>10} {min:>10} {max:>10}", times.len());
        }
    }
    stage.end()
}

impl Stage {
    /// Starts the cluster, puts Dovecot under protection on node 1, and stores a first message.
    fn set() -> Result<Self> {
        heading("a cluster of two nodes, with LifeKeeper's stand-in");
        let package = rpm::fresh()?;
        let standin = lab::program("lifekeeper-standin")?;
        let start = Instant::now();
        let cluster = Cluster::start(&package, &standin, Dialect::Plain)?;
        println!("   both nodes are up, with the package, after {}", shown(start.elapsed()));
        let watch = cluster.watch();
        protect(&cluster)?;
        println!("   address, file system and Dovecot are in service on node 1");
        let poller = cluster.poll()?;
        let mut ledger = Ledger::new(cluster.client()?);
        ledger.append()?;
        println!("   logged in at the floating address and stored a message");
        Ok(Self { cluster, watch, poller, ledger, rows: Vec::new() })
    }

    /// Lets something happen and waits until there is mail again, from this node alone.
    fn event(
        &mut self,
        event: &'static str,
        deed: &str,
        node: usize,
        happen: impl FnOnce(&Cluster) -> Result<()>,
    ) -> Result<()> {
        let before = Instant::now();
        happen(&self.cluster)?;
        self.poller.wait_for_success(Instant::now(), MAIL)?;
        self.ledger.append()?;
        let downtime = self.poller.downtime_since(before);
        let serving = self.cluster.serving()?;
        let state = self.cluster.state(node, TAG)?;
        println!("   {event}: mail again after {}, from node {serving:?}", shown(downtime));
        if serving != [node] || state != "ISP" {
            let cause = format!("Dovecot runs on {serving:?}, and is {state} on node {node}");
            return Err(Error::failed(format!("waiting for node {node} after: {event}"), cause));
        }
        self.rows.push(Row { event, deed: format!("{deed} node {node}"), downtime });
        Ok(())
    }

    /// Switches a node on again, which must leave the service where it is.
    fn back(&self, node: usize) -> Result<()> {
        self.cluster.boot(node)?;
        for node in lab::NODES {
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
    fn end(self) -> Result<()> {
        let missing = self.ledger.missing()?;
        let seen = self.watch.stop();
        println!();
        println!(
            "acknowledged messages: {}, missing: {}",
            self.ledger.acknowledged(),
            missing.len()
        );
        println!(
            "both nodes looked at {} times, Dovecot on both: {}",
            seen.samples,
            seen.violations.len()
        );
        if missing.is_empty() && seen.violations.is_empty() {
            return Ok(());
        }
        Err(Error::failed("judging the cluster", format!("{missing:?} {:?}", seen.violations)))
    }
}

/// Puts Dovecot under protection as an administrator does.
fn protect(cluster: &Cluster) -> Result<()> {
    cluster.create_children()?;
    let needs = format!("--depends-on {IP_TAG} --depends-on {FILESYS_TAG}");
    for (node, options) in [(1, needs.as_str()), (2, "--standby")] {
        let line = format!("dovecot-ark install --tag {TAG} {options}");
        println!("   node {node}# {line}");
        let done = cluster.node(node)?.sh(&line)?;
        if !done.success() {
            return Err(Error::failed(format!("running {line} on node {node}"), done.ending()));
        }
    }
    cluster.extend()
}

fn signal_master(cluster: &Cluster, node: usize, signal: &str) -> Result<()> {
    let node = cluster.node(node)?;
    match node.master()? {
        Some(master) => node.signal(master, signal),
        None => Err(Error::failed("looking for Dovecot's master", "it does not run")),
    }
}

/// Takes the nonsense out of node 1's configuration.
fn repair_configuration(cluster: &Cluster) -> Result<()> {
    let repaired = cluster.node(1)?.sh("sed -i '/^nonsense/d' /etc/dovecot/local.conf")?;
    let failed = || Error::failed("repairing the configuration", repaired.ending());
    repaired.success().then_some(()).ok_or_else(failed)
}
