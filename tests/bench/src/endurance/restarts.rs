//! What `install --restart` gives and what it must not cost: how long a client has no mail after a
//! master was killed, with it and without it; and switchovers and failovers in the moment of a kill.

use std::thread;
use std::time::{Duration, Instant};

use lab::stage::signal_master;
use lab::{Cluster, DEFAULTS, Dialect, Error, NODES, Poller, Result, TAG, until};

use super::{Place, Tools, spread};

/// The longest wait for mail: above LifeKeeper's default interval and a recover.
const WAIT: Duration = Duration::from_mins(4);
/// How long nothing may come after a remove.
const QUIET: Duration = Duration::from_secs(2);
/// How far a kill and a switchover may begin from each other, in milliseconds, either way.
const APART: u64 = 150;
/// LifeKeeper's default interval between two checks.
const INTERVAL: Duration = Duration::from_mins(2);
/// One of so many moves is a failover.
const FAILOVERS: u32 = 5;

const ARK: &str = "/usr/sbin/dovecot-ark";

/// Kills so many masters, and moves the service more often.
pub(super) fn run(tools: &Tools, _: Place, count: u32) -> Result<()> {
    let standin = lab::program("lifekeeper-standin")?;
    let cluster = Cluster::start(&tools.kit, &standin, Dialect::Guess)?;
    let watch = cluster.watch();
    cluster.protect()?;
    let poller = cluster.poll()?;
    poller.wait_for_success(Instant::now(), WAIT)?;
    // On both nodes, over what is there already.
    sh(&cluster, 1, &format!("{ARK} install --restart"))?;
    sh(&cluster, 2, &format!("{ARK} install --standby --restart"))?;
    moves(&cluster, &poller, count * 5 / 2)?;
    for node in NODES {
        let seconds = INTERVAL.as_secs();
        let line = format!("sed -i 's/^LKCHECKINTERVAL=.*/LKCHECKINTERVAL={seconds}/' {DEFAULTS}");
        sh(&cluster, node, &line)?;
    }
    // systemd does not wait for a check: when the kill comes is all one.
    kills(&cluster, &poller, "with", count, INTERVAL / 8)?;
    for node in NODES {
        sh(
            &cluster,
            node,
            "rm -r /etc/systemd/system/dovecot.service.d && systemctl daemon-reload",
        )?;
    }
    kills(&cluster, &poller, "without", count, INTERVAL)?;
    let seen = watch.stop();
    println!("two masters: {} times in {} looks", seen.violations.len(), seen.samples);
    if seen.violations.is_empty() {
        return Ok(());
    }
    Err(Error::failed("moving the service", format!("{:?}", seen.violations)))
}

/// Kills so many masters, each at another moment of a time; tells how long there was no mail.
fn kills(cluster: &Cluster, poller: &Poller, name: &str, count: u32, time: Duration) -> Result<()> {
    let mut downtimes = Vec::new();
    for number in 0..count {
        // Where it serves; the limit allows far less kills than are made here.
        let active = cluster.active()?;
        sh(cluster, active, "systemctl reset-failed dovecot")?;
        thread::sleep(time * number / count);
        let mark = Instant::now();
        signal_master(cluster, active, "KILL")?;
        thread::sleep(Duration::from_millis(200));
        poller.wait_for_success(Instant::now(), WAIT)?;
        downtimes.push(poller.downtime_since(mark).as_secs_f64());
    }
    println!("{name} --restart, {count} kills: {}", spread(downtimes));
    Ok(())
}

/// Moves the service to and fro while its master is killed.
fn moves(cluster: &Cluster, poller: &Poller, count: u32) -> Result<()> {
    let (mut active, mut downtimes) = (1, Vec::new());
    for number in 0..count {
        let other = 3 - active;
        sh(cluster, active, "systemctl reset-failed dovecot")?;
        let mark = Instant::now();
        if number % FAILOVERS == FAILOVERS - 1 {
            sh(cluster, active, "echo 'x {{' >>/etc/dovecot/local.conf")?;
            signal_master(cluster, active, "KILL")?;
            await_service(cluster, other)?;
            sh(cluster, active, "sed -i '/x {{/d' /etc/dovecot/local.conf")?;
        } else {
            let lead = u64::from(number) * 37 % (2 * APART);
            thread::scope(|scope| {
                let killing = scope.spawn(|| {
                    thread::sleep(Duration::from_millis(lead));
                    // It may have been stopped already.
                    let _ = signal_master(cluster, active, "KILL");
                });
                thread::sleep(Duration::from_millis(APART));
                let moved = cluster.bring_in(other)?.succeeded("moving the service").map(drop);
                let _ = killing.join();
                moved
            })?;
            await_service(cluster, other)?;
        }
        thread::sleep(QUIET);
        let serving = cluster.serving()?;
        if serving != [other] {
            let cause = format!("Dovecot runs on {serving:?}, not on {other}, at move {number}");
            return Err(Error::failed("moving the service", cause));
        }
        poller.wait_for_success(Instant::now(), WAIT)?;
        downtimes.push(poller.downtime_since(mark).as_secs_f64());
        active = other;
    }
    println!("{count} moves in the moment of a kill, downtimes: {}", spread(downtimes));
    Ok(())
}

fn await_service(cluster: &Cluster, node: usize) -> Result<()> {
    let doing = format!("waiting for {TAG} on node {node}");
    until(&doing, WAIT, Duration::from_millis(50), || Ok(cluster.state(node, TAG)? == "ISP"))
}

fn sh(cluster: &Cluster, node: usize, script: &str) -> Result<()> {
    cluster.node(node)?.sh(script)?.succeeded(format!("running {script} on node {node}")).map(drop)
}
