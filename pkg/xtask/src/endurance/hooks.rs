//! No false alarm beside what administrators' machines do: systemd executes itself anew, hooks
//! restart Dovecot, clients come and go. And no blind check: a master that is killed or frozen then
//! is seen by the next.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Crowd, Error, Init, Node, Result, Suite, burn};

use super::{Check, LOG, Place, Wanted, checks, refused, serving, spread, succeed, times};
use crate::heading::{heading, shown};

/// How many checks there are beside the hooks when nothing is said.
pub(super) const HOOKS: u32 = 2000;
/// How many masters are killed.
pub(super) const DEATHS: u32 = 50;
/// How many checks a busy Dovecot gets whose login processes greet by themselves.
pub(super) const BUSY: u32 = 5000;
/// How often its master is frozen before.
const FREEZES: u32 = 20;
/// How many clients come and go.
const CLIENTS: u32 = 100;
/// The pause after each check, in seconds: five a second.
const PAUSE: &str = "0.15";
/// The pause in a row of thousands.
const SHORT_PAUSE: &str = "0.02";
/// How many lines of a log are shown.
const SHOWN: usize = 20;
/// Both ports, with the time-outs that the manual advises.
const SETTINGS: &str = "\
APP_DOVECOT_PROBE=greeting
APP_DOVECOT_IP_LIST=\"127.0.0.1:143:5 127.0.0.1:993:5\"
";

/// What is done beside the checks, and how often.
type Beside = (&'static [&'static str], Duration);

/// An update of systemd or glibc, and one of a unit.
const UPDATES: [Beside; 2] = [
    (&["systemctl", "daemon-reexec"], Duration::from_secs(5)),
    (&["systemctl", "daemon-reload"], Duration::from_secs(3)),
];

/// The hook of a new certificate.
const HOOK: Beside = (&["systemctl", "restart", "dovecot.service"], Duration::from_secs(20));

/// Checks Dovecot beside updates and a hook that restarts it.
pub(super) fn hooks(binary: &Path, wanted: &Wanted) -> Result<()> {
    under_systemd(wanted, |place, count| {
        heading(&format!("{place}: {count} quickChecks beside updates and a hook's restarts"));
        let node = serving(binary, place, SETTINGS)?;
        let crowd = Crowd::gather(&node, CLIENTS)?;
        let started = Instant::now();
        let all = [&UPDATES[..], &[HOOK]].concat();
        let seen = beside(&node, &all, || checks(&node, rounds(count), PAUSE))??;
        println!(
            "in                {}, sessions {}",
            shown(started.elapsed()),
            crowd.disperse().sessions
        );
        no_alarm(&node, &seen)
    })
}

/// Kills masters beside updates: the next check sees each.
pub(super) fn deaths(binary: &Path, wanted: &Wanted) -> Result<()> {
    under_systemd(wanted, |place, count| {
        heading(&format!("{place}: {count} masters killed beside updates"));
        let node = serving(binary, place, SETTINGS)?;
        let took = beside(&node, &UPDATES, || (0..count).map(|_| death(&node)).collect())?;
        let took: Vec<Duration> = Result::from_iter::<Vec<_>>(took)?;
        println!("seen              {} of {count}, {}", took.len(), spread(took));
        Ok(())
    })
}

/// Kills a master, and tells how long the check took that saw it.
fn death(node: &Node) -> Result<Duration> {
    let master = node.master()?.ok_or_else(|| Error::failed("killing the master", "none lives"))?;
    node.signal(master, "KILL")?;
    while node.master()? == Some(master) {
        thread::sleep(Duration::from_millis(5));
    }
    let check = node.act("quickCheck")?;
    if check.status != Some(1) {
        return Err(Error::failed("seeing a dead master", check.ending()));
    }
    let recover = node.act("recover")?;
    if !recover.success() {
        return Err(Error::failed("recovering", recover.ending()));
    }
    Ok(check.took)
}

/// Freezes the master beside login processes that greet by themselves: the next check sees it. Then
/// thousands of checks of the same Dovecot, healthy and busy.
pub(super) fn frozen(binary: &Path, wanted: &Wanted) -> Result<()> {
    for (place, count) in wanted.places.iter().zip(wanted.shares(wanted.places.len())) {
        heading(&format!("{place}: {FREEZES} frozen masters, {count} checks of a busy one"));
        let node = serving(binary, *place, SETTINGS)?;
        let without_end = match place.0 {
            Suite::Bullseye | Suite::Bookworm => "service_count = 0",
            Suite::Trixie => "restart_request_count = unlimited",
        };
        let service =
            format!("service imap-login {{\n  {without_end}\n  process_min_avail = 1\n}}\n");
        node.append("/etc/dovecot/local.conf", &service)?;
        succeed(&node, &["service", "dovecot", "restart"])?;
        succeed(&node, &["dovecot-ark", "restore", "-t", "dovecot"])?;
        let took: Vec<Duration> = (0..FREEZES).map(|_| freeze(&node)).collect::<Result<_>>()?;
        println!("seen              {} of {FREEZES}, {}", took.len(), spread(took));
        let faults = node.read(LOG)?.lines().filter(|line| line.contains(" ERROR:")).count();
        let crowd = Crowd::gather(&node, CLIENTS)?;
        let busy = burn(&node, thread::available_parallelism().map_or(1, usize::from))?;
        let seen = checks(&node, rounds(count), SHORT_PAUSE)?;
        drop(busy);
        println!("sessions          {}", crowd.disperse().sessions);
        println!("faults before     {faults}");
        no_alarm(&node, &seen)?;
    }
    Ok(())
}

/// Freezes the master for a check, and tells how long that took.
fn freeze(node: &Node) -> Result<Duration> {
    let master =
        node.master()?.ok_or_else(|| Error::failed("freezing the master", "none lives"))?;
    node.signal(master, "STOP")?;
    let check = node.act("quickCheck")?;
    node.signal(master, "CONT")?;
    if check.status != Some(1) {
        return Err(Error::failed("seeing a frozen master", check.ending()));
    }
    let check_after = node.act("quickCheck")?;
    if !check_after.success() {
        return Err(Error::failed("checking a master that goes on", check_after.ending()));
    }
    Ok(check.took)
}

/// Does a part on the nodes with systemd: without it there is nobody to execute himself anew.
fn under_systemd(wanted: &Wanted, part: impl Fn(Place, u32) -> Result<()>) -> Result<()> {
    let places: Vec<Place> =
        wanted.places.iter().copied().filter(|place| place.1 == Init::Systemd).collect();
    places
        .iter()
        .zip(wanted.shares(places.len()))
        .try_for_each(|(place, count)| part(*place, count))
}

fn rounds(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Insists that no check was an alarm; shows those that were.
fn no_alarm(node: &Node, seen: &[Check]) -> Result<()> {
    println!("checks            {}, {} of them with 1", seen.len(), refused(seen));
    println!("their times       {}", times(seen));
    let log = node.read(LOG)?;
    let excused = log.lines().filter(|line| line.contains(" WARN:")).count();
    println!("warnings          {excused}");
    if refused(seen) == 0 {
        return Ok(());
    }
    for line in log.lines().filter(|line| line.contains("ERROR:")).take(SHOWN) {
        println!("    {line}");
    }
    Err(Error::failed("checking a healthy Dovecot", format!("{} false alarms", refused(seen))))
}

/// Does something again and again, each at its own pace, while `work` is done.
fn beside<T>(node: &Node, commands: &[Beside], work: impl FnOnce() -> T) -> Result<T> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = commands
            .iter()
            .map(|(argv, pause)| {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        // One that meets another of them may fail.
                        node.run(argv)?;
                        let end = Instant::now() + *pause;
                        while Instant::now() < end && !over.load(Ordering::Relaxed) {
                            thread::sleep(Duration::from_millis(50));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        let done = work();
        over.store(true, Ordering::Relaxed);
        let panicked = |_| Err(Error::failed("working beside the checks", "a thread panicked"));
        let ended: Result<Vec<()>> =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(panicked)).collect();
        ended.map(|_| done)
    })
}
