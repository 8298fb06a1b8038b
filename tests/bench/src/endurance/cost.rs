//! What one check costs Dovecot: lines of its log, and time of its processes.
//!
//! Between two checks of LifeKeeper Dovecot ends processes that idle, the authentication among them,
//! and the next client makes it start them again. That is part of the cost: so Dovecot is told to
//! end them after a second instead of a minute, and each check comes later than that.

use lab::hangs::make_account;
use lab::{DEFAULTS, Error, Node, Result};

use super::{DOVECOTS_LOG, Place, Tools, checks, no_alarm};

/// Between two checks, in seconds.
const PAUSE: &str = "3";
/// At LifeKeeper's own interval: 120 s.
const CHECKS_A_DAY: f64 = 86_400.0 / 120.0;

/// Seconds of processor time of all processes that the service has had, lines and bytes of the log.
fn spent(node: &Node) -> Result<[f64; 3]> {
    let script = format!(
        "awk '/^usage_usec/ {{ print $2 / 1000000 }}' /sys/fs/cgroup/system.slice/dovecot.service/cpu.stat
         wc -l <{DOVECOTS_LOG}; wc -c <{DOVECOTS_LOG}"
    );
    let text = node.sh(&script)?.succeeded("asking what Dovecot has spent")?.stdout;
    let numbers: Vec<f64> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    numbers.try_into().map_err(|_| Error::failed("asking what Dovecot has spent", text))
}

/// Measures each kind of entry.
pub(super) fn run(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let node = tools.serving(place, "")?;
    let idle = if place.is_2_4() { "default_idle_kill_interval" } else { "default_idle_kill" };
    node.append("/etc/dovecot/local.conf", &format!("{idle} = 1s\n"))?;
    node.run(&["service", "dovecot", "restart"])?.succeeded("restarting Dovecot")?;
    make_account(&node)?;
    for probe in ["connect", "greeting", "login"] {
        for entry in ["127.0.0.1:143:5", "127.0.0.1:993:5"] {
            let settings = format!("APP_DOVECOT_PROBE={probe}\nAPP_DOVECOT_IP_LIST={entry}\n");
            node.write(DEFAULTS, &settings)?;
            // What is started once and stays is there before.
            checks(&node, 1, PAUSE)?;
            let before = spent(&node)?;
            no_alarm(&node, &checks(&node, count, PAUSE)?)?;
            let after = spent(&node)?;
            let each = |(before, after): (&f64, &f64)| (after - before) / f64::from(count);
            let each: Vec<f64> = before.iter().zip(&after).map(each).collect();
            let &[seconds, lines, bytes] = each.as_slice() else { continue };
            println!(
                "{probe} to {entry}: {:.2} ms, {lines:.2} lines, {bytes:.1} bytes; \
                 a day {:.2} s, {:.1} KiB",
                seconds * 1e3,
                seconds * CHECKS_A_DAY,
                bytes * CHECKS_A_DAY / 1024.0
            );
        }
    }
    Ok(())
}
