//! `cargo xtask demo pacemaker`: a cluster's life under real Corosync and Pacemaker.

use std::path::Path;
use std::time::{Duration, Instant};

use lab::{Agent, Error, Pacemaker, Plan, Result, Sequel, Trial};

use crate::heading::{heading, shown};
use crate::stage::signal_master;

/// The longest wait for mail after an event.
const LIMIT: Duration = Duration::from_mins(1);

/// What Pacemaker shows: the resources, and what has failed.
const STATE: &str =
    "crm_mon -1 -n -f | grep -E '^ *[*] (Node|mail|vmail|ip-mail|dovecot|fence)|exit'";

/// An event, and what came of it.
struct Row {
    event: &'static str,
    came: Sequel,
}

impl Row {
    /// Writes the line of the table.
    fn line(&self) -> String {
        let Sequel { downtime, from, to, fenced } = &self.came;
        let where_to = match to {
            Some(to) if to == from => format!("recovered on node {to}"),
            Some(to) => format!("node {to} took over"),
            None => "nothing".to_owned(),
        };
        let cut: Vec<String> = fenced.iter().map(|node| format!("node {node}")).collect();
        let cut = if cut.is_empty() { "none".to_owned() } else { cut.join(", ") };
        let downtime = downtime.map_or_else(|| "no end".to_owned(), shown);
        format!("{:<32} {where_to:<22} {cut:<10} {downtime:>10}", self.event)
    }
}

/// Shows what becomes of a killed, a frozen and a moved Dovecot, and of a power cut.
///
/// # Errors
///
/// When a node cannot be made, or the story does not come out as it must.
pub(crate) fn show(kit: &Path) -> Result<()> {
    let start = Instant::now();
    heading("a cluster of two nodes, with Corosync, Pacemaker and a power switch");
    let plan = Plan { monitor: "5s", ..Plan::new(kit, Agent::Kit) };
    let mut trial = Trial::begin(Pacemaker::start(&plan)?)?;
    println!("   formed and in service on node 1 after {}", shown(start.elapsed()));
    println!("   the group: a file system, an address, and ocf:dovecot-ark:dovecot above them");
    println!("   Dovecot is monitored every 5 s; a client logs in every 0.1 s");
    state(&trial)?;

    let mut rows = Vec::new();
    let mut tell = |trial: &mut Trial, event, node, happen: fn(&Pacemaker, usize) -> Result<()>| {
        println!("\n   {event}");
        let came = trial.event(LIMIT, happen)?;
        if came.downtime.is_none() || came.to != Some(node) {
            return Err(Error::failed(
                format!("waiting for node {node} after: {event}"),
                trial.cluster.state()?,
            ));
        }
        let row = Row { event, came };
        println!("   {}", row.line());
        rows.push(row);
        state(trial)
    };
    tell(&mut trial, "master killed", 1, |cluster, node| signal_master(cluster, node, "KILL"))?;
    println!("   A frozen master accepts connections, and its process and status look well:");
    println!("   only that it does not greet gives it away.");
    tell(&mut trial, "master frozen", 1, |cluster, node| signal_master(cluster, node, "STOP"))?;
    println!("   A stop must not fail, or the node is cut though nothing is wrong with it:");
    println!("   what the stop command does not end is ended by signals, in time.");
    tell(&mut trial, "moved with a frozen master", 2, |cluster, node| {
        signal_master(cluster, node, "STOP")?;
        cluster.move_to(2)
    })?;
    trial.settle()?;
    tell(&mut trial, "power cut", 1, |cluster, node| cluster.power_cut(node))?;
    trial.settle()?;
    println!("\n   node 2 is back, as a standby");

    heading("what happened, what was done, and what a client saw of it");
    println!("{:<32} {:<22} {:<10} {:>10}", "event", "what was done", "fenced", "downtime");
    for row in &rows {
        println!("{}", row.line());
    }
    let judged = trial.end()?.tell();
    println!("{}", shown(start.elapsed()));
    judged
}

/// Shows what Pacemaker shows.
fn state(trial: &Trial) -> Result<()> {
    for line in trial.cluster.any()?.sh(STATE)?.stdout.lines() {
        println!("  | {line}");
    }
    Ok(())
}
