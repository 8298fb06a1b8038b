//! No false alarm: a healthy Dovecot is checked while clients come and go and it is reloaded.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use lab::{Crowd, Error, Node, Result, Tally};

use super::{Check, DOVECOTS_LOG, LOG, Place, SYSTEMD, SYSV, V24, checks, refused, serving, times};
use crate::heading::{heading, shown};

/// Where, and how often: months of checks in the one, and a look at the others.
const PLACES: [(Place, usize); 3] = [(SYSV, 2000), (SYSTEMD, 500), (V24, 500)];
/// How many clients come and go.
const CLIENTS: u32 = 100;
/// Between two reloads.
const RELOADED: Duration = Duration::from_secs(2);
/// Between two checks, in seconds: the clients are the load, not the checks.
const PAUSE: &str = "0.05";
/// Until most of the clients have come.
const GATHERED: Duration = Duration::from_secs(3);
/// How many lines of a log are shown.
const SHOWN: usize = 20;
/// The time-outs that the manual advises.
const SETTINGS: &str = "\
APP_DOVECOT_PROBE=greeting
APP_DOVECOT_IP_LIST=\"127.0.0.1:143:5 127.0.0.1:993:5\"
";

/// Checks a Dovecot under load in each place.
pub(super) fn run(binary: &Path) -> Result<()> {
    for (place, rounds) in PLACES {
        heading(&format!(
            "{place}: {rounds} quickChecks, {CLIENTS} clients, a reload each {}",
            shown(RELOADED)
        ));
        let node = serving(binary, place, SETTINGS)?;
        let master = node.master()?;
        let crowd = Crowd::gather(&node, CLIENTS)?;
        thread::sleep(GATHERED);
        let started = Instant::now();
        let (checks, reloads) = reloaded(&node, || checks(&node, rounds, PAUSE))?;
        let took = started.elapsed();
        let tally = crowd.disperse();
        let log = node.read(LOG)?;
        let checks = checks?;
        report(&checks, reloads, &tally, took, &log);
        let alarms: Vec<&str> = log.lines().filter(|line| line.contains(" ERROR:")).collect();
        if refused(&checks) > 0 || !alarms.is_empty() {
            for line in alarms.iter().take(SHOWN) {
                println!("{line}");
                show_dovecot(&node, line)?;
            }
            let cause = format!("{} false alarms", refused(&checks));
            return Err(Error::failed(format!("checking under load, {place}"), cause));
        }
        if node.master()? != master {
            return Err(Error::failed("reloading Dovecot", "its master is another one now"));
        }
        if tally.sessions < u32::try_from(rounds).unwrap_or(u32::MAX) / 2 {
            return Err(Error::failed("making a load", "there were too few sessions"));
        }
    }
    Ok(())
}

/// Reloads Dovecot again and again while something is done; returns how often.
fn reloaded<T>(node: &Node, work: impl FnOnce() -> T) -> Result<(T, u32)> {
    let (over, reloads) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let reloader = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let so_far = reloads.fetch_add(1, Ordering::Relaxed);
                let command: &[&str] = match so_far % 2 {
                    0 => &["doveadm", "reload"],
                    _ => &["service", "dovecot", "reload"],
                };
                super::succeed(node, command)?;
                thread::sleep(RELOADED);
            }
            Ok(())
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        let panicked = |_| Err(Error::failed("reloading Dovecot", "the thread panicked"));
        reloader.join().unwrap_or_else(panicked)?;
        Ok((done, reloads.load(Ordering::Relaxed)))
    })
}

/// Prints what was seen.
fn report(checks: &[Check], reloads: u32, tally: &Tally, took: Duration, log: &str) {
    let warnings = log.lines().filter(|line| line.contains(" WARN:"));
    let (saturated, others): (Vec<&str>, Vec<&str>) =
        warnings.partition(|line| line.contains(": saturated: "));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    println!("checks            {}, {} of them with 1", checks.len(), refused(checks));
    println!("their times       {}", times(checks));
    println!("warnings          {} saturated, {} others", saturated.len(), others.len());
    println!("sessions          {}, {} behind TLS", tally.sessions, tally.behind_tls);
    println!("failed sessions   {}", tally.failed());
    for (failure, times) in &tally.failures {
        println!("    {times:>6} x {failure}");
    }
    println!("reloads           {reloads}");
    println!("in                {}, load average {load}", shown(took));
    for line in others.iter().take(SHOWN) {
        println!("{line}");
    }
}

/// Shows what Dovecot had to say in the second of a line of the kit's log, sessions left out.
fn show_dovecot(node: &Node, line: &str) -> Result<()> {
    // 2026-11-22 11:05:37.438 in the one, Nov 22 11:05:37 in the other.
    let second = line.split(['.', ' ']).nth(1).unwrap_or_default();
    let log = node.read(DOVECOTS_LOG)?;
    let odd = |line: &&str| {
        line.contains(second)
            && ["Error", "Warning", "Fatal", "master", "Shutting down"]
                .iter()
                .any(|word| line.contains(word))
    };
    for line in log.lines().filter(odd).take(SHOWN) {
        println!("    {line}");
    }
    Ok(())
}
