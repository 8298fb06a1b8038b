//! No false alarm: a healthy Dovecot is checked while clients come and go, beside what administrators'
//! machines do: it is reloaded, systemd executes itself again, hooks restart it. And no blind check: a
//! master that is killed or frozen then is seen by the next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Crowd, Error, Node, Result, burn};

use super::{Place, SETTINGS, Tools, checks, no_alarm, spread};

/// How many clients come and go.
const CLIENTS: u32 = 100;
/// How often the master is frozen before the checks of a busy one.
const FREEZES: u32 = 20;
/// Until most of the clients have come.
const GATHERED: Duration = Duration::from_secs(3);

/// What is done beside the checks, and how often.
type Beside = (&'static [&'static str], Duration);

const RELOADS: [Beside; 2] = [
    (&["doveadm", "reload"], Duration::from_secs(5)),
    (&["service", "dovecot", "reload"], Duration::from_secs(3)),
];
/// An update of systemd or glibc, and one of a unit.
const UPDATES: [Beside; 2] = [
    (&["systemctl", "daemon-reexec"], Duration::from_secs(5)),
    (&["systemctl", "daemon-reload"], Duration::from_secs(3)),
];
/// The hook of a new certificate.
const HOOK: Beside = (&["systemctl", "restart", "dovecot.service"], Duration::from_secs(20));

/// Checks Dovecot among clients and reloads.
pub(super) fn load(tools: &Tools, place: Place, count: u32) -> Result<()> {
    reloaded(&tools.serving(place, SETTINGS)?, count)
}

/// Checks a Dovecot among clients and reloads; its master stays.
pub(super) fn reloaded(node: &Node, count: u32) -> Result<()> {
    let before = node.running_master()?;
    crowded(node, count, "0.05", &RELOADS)?;
    if node.running_master()? == before {
        return Ok(());
    }
    Err(Error::failed("reloading Dovecot", "its master is another one now"))
}

/// Checks Dovecot beside updates and a hook that restarts it, five times a second.
pub(super) fn hooks(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let node = tools.serving(place, SETTINGS)?;
    let [reexec, reload] = UPDATES;
    crowded(&node, count, "0.15", &[reexec, reload, HOOK])
}

/// Kills masters beside updates: the next check sees each.
pub(super) fn deaths(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let node = tools.serving(place, SETTINGS)?;
    let seen = beside(&node, &UPDATES, || (0..count).map(|_| death(&node)).collect())?;
    let seen: Result<Vec<f64>> = seen;
    println!("each was seen: {}", spread(seen?));
    Ok(())
}

/// Freezes the master beside login processes that greet by themselves: the next check sees it. Then
/// thousands of checks of the same Dovecot, healthy and busy.
pub(super) fn frozen(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let node = tools.serving(place, SETTINGS)?;
    let without_end =
        if place.is_2_4() { "restart_request_count = unlimited" } else { "service_count = 0" };
    let service = format!("service imap-login {{\n  {without_end}\n  process_min_avail = 1\n}}\n");
    node.append("/etc/dovecot/local.conf", &service)?;
    node.run(&["service", "dovecot", "restart"])?.succeeded("restarting Dovecot")?;
    node.act("restore")?.succeeded("waiting for Dovecot")?;
    let seen = (0..FREEZES).map(|_| freeze(&node)).collect::<Result<Vec<f64>>>()?;
    println!("{FREEZES} frozen masters were seen: {}", spread(seen));
    let busy = burn(&node, thread::available_parallelism().map_or(1, usize::from))?;
    crowded(&node, count, "0.02", &[])?;
    drop(busy);
    Ok(())
}

/// Kills a master, and tells how many seconds the check took that saw it.
fn death(node: &Node) -> Result<f64> {
    let master = node.running_master()?;
    node.signal(master, "KILL")?;
    while node.master()? == Some(master) {
        thread::sleep(Duration::from_millis(5));
    }
    let took = alarm(node)?;
    node.act("recover")?.succeeded("recovering")?;
    Ok(took)
}

/// Freezes the master for a check, and tells how many seconds that took.
fn freeze(node: &Node) -> Result<f64> {
    let master = node.running_master()?;
    node.signal(master, "STOP")?;
    let took = alarm(node);
    node.signal(master, "CONT")?;
    node.act("quickCheck")?.succeeded("checking a master that goes on")?;
    took
}

/// Insists that a check sees a fault, and tells how many seconds it took.
fn alarm(node: &Node) -> Result<f64> {
    let check = node.act("quickCheck")?;
    if check.status == Some(1) {
        return Ok(check.took.as_secs_f64());
    }
    Err(Error::failed("seeing a fault", check.ending()))
}

/// Checks Dovecot among clients, and beside these commands.
fn crowded(node: &Node, count: u32, pause: &str, commands: &[Beside]) -> Result<()> {
    let crowd = Crowd::gather(node, CLIENTS)?;
    thread::sleep(GATHERED);
    let checks = beside(node, commands, || checks(node, count, pause))??;
    let tally = crowd.disperse();
    println!("{} sessions, {} failed: {:?}", tally.sessions, tally.failed(), tally.failures);
    no_alarm(node, &checks)?;
    if tally.sessions < count / 2 {
        return Err(Error::failed("making a load", "there were too few sessions"));
    }
    Ok(())
}

/// Does something again and again, each at its own pace, while `work` is done.
fn beside<T>(node: &Node, commands: &[Beside], work: impl FnOnce() -> T) -> Result<T> {
    let over = AtomicBool::new(false);
    // One that meets another of them may fail; none may fail again and again.
    let again_and_again = |(argv, pause): Beside| {
        let (mut well, mut all) = (0, 0);
        while !over.load(Ordering::Relaxed) {
            well += u32::from(node.run(argv)?.success());
            all += 1;
            let end = Instant::now() + pause;
            while Instant::now() < end && !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(50));
            }
        }
        println!("{}: {well} of {all} well", argv.join(" "));
        if well > 0 || all < 5 {
            Ok(())
        } else {
            Err(Error::failed(argv.join(" "), "it fails again and again"))
        }
    };
    thread::scope(|scope| {
        let again_and_again = &again_and_again;
        let workers = commands.iter().map(|one| scope.spawn(move || again_and_again(*one)));
        let workers: Vec<_> = workers.collect();
        let done = work();
        over.store(true, Ordering::Relaxed);
        let panicked = |_| Err(Error::failed("working beside the checks", "a thread panicked"));
        for worker in workers {
            worker.join().unwrap_or_else(panicked)?;
        }
        Ok(done)
    })
}
