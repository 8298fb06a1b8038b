//! `cargo xtask endurance`: what a quickCheck says, leaves and costs when there are thousands of them,
//! and whether a remove ever leaves something.
//!
//! A false alarm restarts a mail server that is well, and a leak shows only after months. So the kit
//! is called here as often as in months, on real nodes. A master that runs after a remove uses the
//! mail of another node: thousands of removes, and some that race with a start, are parts too.

mod alarms;
mod cost;
mod hangs;
mod leaks;
mod logins;
mod races;
mod removes;
mod restarts;
mod size;
mod takeovers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lab::heading::{heading, shown};
use lab::{DEFAULTS, Error, Init, Node, Result, Suite, kit};

use crate::samples::{STOPWATCH, Sample, Spread};

/// The kit's log on a node, and Dovecot's.
const LOG: &str = "/var/log/dovecot-ark.log";
const DOVECOTS_LOG: &str = "/var/log/dovecot.log";
/// Far above what the checks of one node take, some five minutes.
const LIMIT: Duration = Duration::from_mins(30);
/// Both ports, with the time-outs that the manual advises.
const SETTINGS: &str = "\
APP_DOVECOT_PROBE=greeting
APP_DOVECOT_IP_LIST=\"127.0.0.1:143:5 127.0.0.1:993:5\"
";

/// A kind of node: its name on the command line, and what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place(&'static str, Suite, Init);

impl Place {
    fn is_2_4(self) -> bool {
        self.1 == Suite::Trixie
    }
}

const SYSV: Place = Place("sysv", Suite::Bookworm, Init::SysV);
const SYSTEMD: Place = Place("systemd", Suite::Bookworm, Init::Systemd);
const V24: Place = Place("v24", Suite::Trixie, Init::Systemd);

/// Where something is done, and how often.
type Runs = [(Place, u32)];
/// What does a part on one node, so often.
type Work = fn(&Tools, Place, u32) -> Result<()>;

/// The parts: their names, where and how often each is done when nothing is said, and what does
/// them.
const PARTS: [(&str, &Runs, Work); 14] = [
    ("load", &[(SYSV, 2000), (SYSTEMD, 500), (V24, 500)], alarms::load),
    ("leaks", &[(SYSV, 10_000), (SYSTEMD, 1000)], leaks::run),
    // systemd tells the time that all processes of Dovecot took, the ended ones included.
    ("cost", &[(SYSTEMD, 12), (V24, 12)], cost::run),
    ("size", &[(SYSV, 50)], size::run),
    ("removes", &[(SYSV, 667), (SYSTEMD, 667), (V24, 666)], removes::run),
    ("races", &[(SYSV, 67), (SYSTEMD, 67), (V24, 66)], races::run),
    // Without systemd there is no manager that re-executes itself.
    ("hooks", &[(SYSTEMD, 1000), (V24, 1000)], alarms::hooks),
    ("deaths", &[(SYSTEMD, 25), (V24, 25)], alarms::deaths),
    ("frozen", &[(SYSV, 1667), (SYSTEMD, 1667), (V24, 1666)], alarms::frozen),
    ("logins", &[(SYSV, 1000), (SYSTEMD, 500), (V24, 500)], logins::load),
    ("login-leaks", &[(SYSV, 10_000)], logins::leaks),
    // Two nodes, which have systemd.
    ("takeovers", &[(SYSTEMD, 20)], takeovers::run),
    ("hangs", &[(SYSTEMD, 10)], hangs::run),
    ("restarts", &[(SYSTEMD, 20)], restarts::run),
];
/// So many of the parts are done when none is named.
const USUAL: usize = 4;

/// What is to be done: parts, where and how often.
#[derive(Debug)]
pub(crate) struct Wanted(Vec<Part>);

/// The name of a part, where and how often it is done, and what does it.
type Part = (&'static str, Vec<(Place, u32)>, Work);

impl Wanted {
    /// Understands `[PART [COUNT] [PLACE]]`; all places of a part share the count when none is named.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let usual =
            |(name, runs, work): &(&'static str, &Runs, Work)| (*name, runs.to_vec(), *work);
        let [part, words @ ..] = words else {
            return Some(Self(PARTS.iter().take(USUAL).map(usual).collect()));
        };
        let (name, runs, work) = usual(PARTS.iter().find(|(name, ..)| name == part)?);
        let Some((first, rest)) = words.split_first() else {
            return Some(Self(vec![(name, runs, work)]));
        };
        let all = runs.iter().map(|one| one.1).sum();
        let (count, words): (u32, _) = first.parse().map_or((all, words), |count| (count, rest));
        let mut places: Vec<Place> = runs.iter().map(|one| one.0).collect();
        match words {
            [] => {}
            [named] => places.retain(|place| place.0 == *named),
            _ => return None,
        }
        let share = count.div_ceil(u32::try_from(places.len()).ok().filter(|number| *number > 0)?);
        let runs = places.into_iter().map(|place| (place, share)).collect();
        (share > 0).then(|| Self(vec![(name, runs, work)]))
    }
}

/// The programs that are laid on nodes.
struct Tools {
    kit: PathBuf,
    stopwatch: PathBuf,
}

/// Does what is wanted.
pub(crate) fn run(wanted: &Wanted) -> Result<()> {
    let started = Instant::now();
    heading("building the kit as it is shipped, and the stopwatch");
    let kit = lab::release("dovecot-ark", "dovecot-ark")?;
    let tools = Tools { kit, stopwatch: lab::release("bench", "stopwatch")? };
    for (name, runs, work) in &wanted.0 {
        for (place, count) in runs {
            heading(&format!("{name}: {}, {count}", place.0));
            work(&tools, *place, *count)?;
        }
    }
    println!("\nall of it held, in {}", shown(started.elapsed()));
    Ok(())
}

impl Tools {
    /// A node with the kit and the stopwatch, Dovecot in service, and these settings.
    fn serving(&self, place: Place, settings: &str) -> Result<Node> {
        let node = kit::node_on(&self.kit, place.1, place.2)?;
        node.copy_in(&self.stopwatch, STOPWATCH)?;
        node.write(DEFAULTS, settings)?;
        node.act("restore")?.succeeded("starting Dovecot")?;
        Ok(node)
    }
}

/// Calls quickCheck so often, with a pause after each in seconds.
fn checks(node: &Node, count: u32, pause: &str) -> Result<Vec<Sample>> {
    let script = format!(
        "for i in $(seq {count}); do
             {STOPWATCH} /usr/lib/dovecot-ark/quickCheck -t dovecot -i dovecot || exit
             sleep {pause}
         done"
    );
    let done = node.spawn(&["/bin/sh", "-c", &script])?.wait(LIMIT)?;
    let done = done.succeeded(format!("calling quickCheck {count} times"))?;
    done.stdout.lines().map(Sample::read).collect()
}

/// Insists that no check was an alarm; shows the kit's errors if one was.
fn no_alarm(node: &Node, checks: &[Sample]) -> Result<()> {
    let alarms = checks.iter().filter(|check| check.status != 0).count();
    let walls = spread(checks.iter().map(|check| check.wall));
    println!("{} checks, {alarms} of them alarms: {walls}", checks.len());
    let log = node.read(LOG)?;
    println!("{} warnings", log.lines().filter(|line| line.contains(" WARN:")).count());
    if alarms == 0 {
        return Ok(());
    }
    log.lines()
        .filter(|line| line.contains(" ERROR:"))
        .take(20)
        .for_each(|line| println!("{line}"));
    Err(Error::failed("checking a healthy Dovecot", format!("{alarms} false alarms")))
}

/// Writes the median and the longest of some times, in seconds.
fn spread(times: impl IntoIterator<Item = f64>) -> String {
    let write = |spread: Spread| {
        let [median, longest] = [spread.median, spread.max].map(crate::samples::shown);
        format!("median {median}, longest {longest}")
    };
    Spread::of(times).map_or_else(|| "none".to_owned(), write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_may_have_a_count_and_a_place_and_nothing_else() {
        for (words, runs) in [
            (&["hooks"][..], Some(&[(SYSTEMD, 1000), (V24, 1000)][..])),
            (&["hooks", "5"], Some(&[(SYSTEMD, 3), (V24, 3)])),
            (&["removes", "v24"], Some(&[(V24, 2000)])),
            (&["removes", "12", "sysv"], Some(&[(SYSV, 12)])),
            (&["hooks", "sysv"], None),
            (&["removes", "0"], None),
            (&["removes", "sysv", "12"], None),
            (&["removes", "12", "sysv", "v24"], None),
            (&["removes", "debian"], None),
            (&["nonsense"], None),
        ] {
            let seen = Wanted::read(words).map(|mut wanted| wanted.0.remove(0).1);
            assert_eq!(seen.as_deref(), runs, "{words:?}");
        }
        assert_eq!(Wanted::read(&[]).map(|wanted| wanted.0.len()), Some(USUAL));
    }
}
