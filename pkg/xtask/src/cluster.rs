//! A cluster's life, as an IMAP client sees it: the last act of `cargo xtask demo`.

use std::path::Path;
use std::time::{Duration, Instant};

use lab::{Cluster, Result};

use crate::heading::{heading, shown};
use crate::stage::{Sight, Stage, signal_master};

/// What breaks Dovecot's configuration.
const NONSENSE: &str = "nonsense {{\n";

/// An event, and what came of it.
struct Row {
    event: &'static str,
    deed: String,
    downtime: Duration,
}

/// Shows what becomes of a killed, a frozen and a misconfigured Dovecot, and of a power cut.
///
/// # Errors
///
/// When a node cannot be made, or the story does not come out as it must.
pub(crate) fn show(kit: &Path, standin: &Path) -> Result<()> {
    let start = Instant::now();
    let mut stage = Stage::set(kit, standin)?;

    let mut rows = Vec::new();
    let mut note = |event, deed: &str, node, sight: Sight| {
        rows.push(Row { event, deed: format!("{deed} node {node}"), downtime: sight.downtime });
    };

    let event = "master killed";
    let killed = stage.event(event, 1, |cluster| signal_master(cluster, 1, "KILL"))?;
    note(event, "recovered on", 1, killed);
    println!("   A frozen master accepts connections, and its process and status look well:");
    println!("   only that it does not greet gives it away.");
    let event = "master frozen";
    let frozen = stage.event(event, 1, |cluster| signal_master(cluster, 1, "STOP"))?;
    note(event, "stopped, recovered on", 1, frozen);
    let event = "configuration broken, killed";
    let broken = stage.event(event, 2, |cluster| {
        cluster.node(1)?.append("/etc/dovecot/local.conf", NONSENSE)?;
        signal_master(cluster, 1, "KILL")
    })?;
    note(event, "recover failed, failover to", 2, broken);
    repair_configuration(&stage.cluster)?;
    let event = "power cut";
    let cut = stage.event(event, 1, |cluster| cluster.power_cut(2))?;
    note(event, "failover to", 1, cut);
    stage.back(2)?;

    heading("what happened, what was done, and what a client saw of it");
    println!("{:<30} {:<36} {:>10}", "event", "what was done", "downtime");
    for row in &rows {
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

/// Takes the nonsense out of node 1's configuration.
fn repair_configuration(cluster: &Cluster) -> Result<()> {
    let repaired = cluster.node(1)?.sh("sed -i '/^nonsense/d' /etc/dovecot/local.conf")?;
    repaired.succeeded("repairing the configuration").map(drop)
}
