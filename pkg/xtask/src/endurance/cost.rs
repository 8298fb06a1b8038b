//! What one check costs Dovecot: lines of its log, and time of its processes.
//!
//! Between two checks of LifeKeeper Dovecot ends processes that idle, the authentication among them,
//! and the next client makes it start them again. That is part of the cost: so Dovecot is told to
//! end them after a second instead of a minute, and each check comes later than that.

use std::path::Path;
use std::time::Duration;

use lab::{Error, Node, Result, Suite};

use super::{DOVECOTS_LOG, Place, SYSTEMD, V24, checks, refused, serving, set, succeed};
use crate::heading::heading;

/// Where systemd tells the time that all processes of Dovecot took, the ended ones included.
const PLACES: [Place; 2] = [SYSTEMD, V24];
/// Checks of each kind, and the seconds between them.
const ROUNDS: u32 = 12;
const PAUSE: &str = "3";
/// LifeKeeper's own interval: 120 s.
const CHECKS_A_DAY: u32 = 86_400 / 120;

/// The name of the idle time in each Dovecot.
const fn idle_time(place: Place) -> &'static str {
    match place.0 {
        Suite::Bullseye | Suite::Bookworm => "default_idle_kill",
        Suite::Trixie => "default_idle_kill_interval",
    }
}

/// Microseconds of processor time of all processes that the service has had.
const LOOK: &str =
    "sed -n 's/^usage_usec //p' /sys/fs/cgroup/system.slice/dovecot.service/cpu.stat";

/// What Dovecot has spent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spent {
    time: Duration,
    lines: u64,
    bytes: u64,
}

/// Measures each kind of entry in each place.
pub(super) fn run(binary: &Path) -> Result<()> {
    for place in PLACES {
        heading(&format!("{place}: what a check of one entry costs Dovecot, {ROUNDS} of each"));
        let node = serving(binary, place, "")?;
        node.append("/etc/dovecot/local.conf", &format!("{} = 1s\n", idle_time(place)))?;
        succeed(&node, &["service", "dovecot", "restart"])?;
        println!(
            "{:<10} {:<12} {:>7} {:>7} {:>9}   {:>12} {:>12}",
            "probe", "entry", "lines", "bytes", "CPU ms", "KiB a day", "CPU s a day"
        );
        for probe in ["connect", "greeting"] {
            for (entry, kind) in [("127.0.0.1:143:5", "143"), ("127.0.0.1:993:5", "993, TLS")] {
                set(&node, &format!("APP_DOVECOT_PROBE={probe}\nAPP_DOVECOT_IP_LIST={entry}\n"))?;
                let spent = measured(&node)?;
                println!("{probe:<10} {kind:<12} {}", row(spent));
            }
        }
    }
    Ok(())
}

fn measured(node: &Node) -> Result<Spent> {
    let rounds = usize::try_from(ROUNDS).unwrap_or(usize::MAX);
    // What is started once and stays is there before.
    checks(node, 1, PAUSE)?;
    let before = spent(node)?;
    let checks = checks(node, rounds, PAUSE)?;
    let after = spent(node)?;
    if refused(&checks) > 0 {
        return Err(Error::failed("checking a healthy server", "a false alarm"));
    }
    Ok(Spent {
        time: after.time.saturating_sub(before.time),
        lines: after.lines - before.lines,
        bytes: after.bytes - before.bytes,
    })
}

fn spent(node: &Node) -> Result<Spent> {
    let time = succeed(node, &["/bin/sh", "-c", LOOK])?;
    let garbled = |_| Error::failed("reading the time of Dovecot's processes", format!("{time:?}"));
    let time = Duration::from_micros(time.trim().parse().map_err(garbled)?);
    let log = node.read(DOVECOTS_LOG)?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Ok(Spent { time, lines: count(log.lines().count()), bytes: count(log.len()) })
}

/// Writes the figures of one check, and of a day.
fn row(spent: Spent) -> String {
    let rounds = f64::from(ROUNDS);
    let figure = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / rounds;
    let (lines, bytes) = (figure(spent.lines), figure(spent.bytes));
    let seconds = spent.time.as_secs_f64() / rounds;
    let day = f64::from(CHECKS_A_DAY);
    format!(
        "{lines:>7.2} {bytes:>7.1} {:>9.2}   {:>12.1} {:>12.2}",
        seconds * 1e3,
        bytes * day / 1024.0,
        seconds * day
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_one_check_and_of_a_day() {
        let spent = Spent { time: Duration::from_millis(60), lines: 12, bytes: 1229 };
        assert_eq!(
            row(spent).split_whitespace().collect::<Vec<_>>(),
            ["1.00", "102.4", "5.00", "72.0", "3.60"]
        );
    }
}
