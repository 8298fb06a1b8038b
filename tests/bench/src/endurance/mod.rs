//! `cargo xtask endurance`: what a quickCheck says, leaves and costs when there are thousands of them,
//! and whether a remove ever leaves something.
//!
//! A false alarm restarts a mail server that is well, and a leak shows only after months. So the kit
//! is called here as often as in months, on real nodes. A master that runs after a remove uses the
//! mail of another node: thousands of removes, and some that race with a start, are parts too.

mod alarms;
mod cost;
mod leaks;
mod races;
mod removes;
mod size;

use std::fmt;
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

/// The kind of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place(Suite, Init);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.is_2_4() { "2.4" } else { "2.3" };
        write!(f, "Dovecot {version}, {}", self.1)
    }
}

impl Place {
    fn is_2_4(self) -> bool {
        self.0 == Suite::Trixie
    }
}

const SYSV: Place = Place(Suite::Bookworm, Init::SysV);
const SYSTEMD: Place = Place(Suite::Bookworm, Init::Systemd);
const V24: Place = Place(Suite::Trixie, Init::Systemd);

/// The kinds of nodes, and their names on the command line.
const PLACES: [(&str, Place); 3] = [("sysv", SYSV), ("systemd", SYSTEMD), ("v24", V24)];

/// What does a part on one node, so often.
type Work = fn(&Tools, Place, u32) -> Result<()>;

/// The parts: their names, how often each is done in each place when nothing is said, and what
/// does them. Where it is 0 a part cannot be done.
const PARTS: [(&str, [u32; 3], Work); 9] = [
    ("load", [2000, 500, 500], alarms::load),
    ("leaks", [10_000, 1000, 0], leaks::run),
    // systemd tells the time that all processes of Dovecot took, the ended ones included.
    ("cost", [0, 12, 12], cost::run),
    ("size", [50, 0, 0], size::run),
    ("removes", [667, 667, 666], removes::run),
    ("races", [67, 67, 66], races::run),
    // Without systemd there is nobody to execute himself anew.
    ("hooks", [0, 1000, 1000], alarms::hooks),
    ("deaths", [0, 25, 25], alarms::deaths),
    ("frozen", [1667, 1667, 1666], alarms::frozen),
];
/// So many of the parts are done when none is named.
const USUAL: usize = 4;

/// What is to be done: parts, and how often in each place.
#[derive(Debug)]
pub(crate) struct Wanted(Vec<(&'static str, [u32; 3], Work)>);

impl Wanted {
    /// Understands `[PART [COUNT] [PLACE]]`; all places share the count when none is named.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let [part, words @ ..] = words else {
            return Some(Self(PARTS.into_iter().take(USUAL).collect()));
        };
        let (name, usual, work) = PARTS.into_iter().find(|(name, ..)| name == part)?;
        let (count, words) = match words {
            [first, rest @ ..] if let Ok(count) = first.parse::<u32>() => (Some(count), rest),
            _ => (None, words),
        };
        let place = match words {
            [] => None,
            [named] => Some(PLACES.iter().position(|(name, _)| name == named)?),
            _ => return None,
        };
        let counts = shared(usual, count, place);
        counts.iter().any(|count| *count > 0).then(|| Self(vec![(name, counts, work)]))
    }
}

/// Divides a count among the place that is named, or among all where a part can be done; the first
/// get what is left over. Without a count or a place it is as usual.
fn shared(usual: [u32; 3], count: Option<u32>, place: Option<usize>) -> [u32; 3] {
    if count.is_none() && place.is_none() {
        return usual;
    }
    let count = count.unwrap_or_else(|| usual.iter().sum());
    let mut at = 0;
    let wanted = usual.map(|usual| {
        at += 1;
        usual > 0 && place.is_none_or(|place| place + 1 == at)
    });
    let mut left = u32::try_from(wanted.iter().filter(|is| **is).count()).unwrap_or_default();
    let mut rest = count;
    wanted.map(|is_wanted| {
        let share = if is_wanted { rest.div_ceil(left.max(1)) } else { 0 };
        left -= u32::from(is_wanted);
        rest -= share;
        share
    })
}

/// The programs that are laid on nodes.
struct Tools {
    kit: PathBuf,
    stopwatch: PathBuf,
}

/// Does what is wanted.
///
/// # Errors
///
/// When a node cannot be made, or the kit does not keep its word.
pub(crate) fn run(wanted: &Wanted) -> Result<()> {
    let started = Instant::now();
    heading("building the kit as it is shipped, and the stopwatch");
    let kit = lab::release("dovecot-ark", "dovecot-ark")?;
    let tools = Tools { kit, stopwatch: lab::release("bench", "stopwatch")? };
    for (name, counts, work) in &wanted.0 {
        for ((_, place), count) in PLACES.iter().zip(counts).filter(|(_, count)| **count > 0) {
            heading(&format!("{name}: {place}, {count}"));
            work(&tools, *place, *count)?;
        }
    }
    println!("\nall of it held, in {}", shown(started.elapsed()));
    Ok(())
}

impl Tools {
    /// A node with the kit and the stopwatch, Dovecot in service, and these settings.
    fn serving(&self, place: Place, settings: &str) -> Result<Node> {
        let node = kit::node_on(&self.kit, place.0, place.1)?;
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
    println!("{} checks, {alarms} of them alarms: {}", checks.len(), walls(checks));
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

/// Writes the median and the longest of the times of checks.
fn walls(checks: &[Sample]) -> String {
    spread(checks.iter().map(|check| check.wall))
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
        for (words, counts) in [
            (&["removes"][..], Some([667, 667, 666])),
            (&["removes", "8"], Some([3, 3, 2])),
            (&["removes", "v24"], Some([0, 0, 2000])),
            (&["removes", "12", "sysv"], Some([12, 0, 0])),
            (&["hooks", "5"], Some([0, 3, 2])),
            (&["hooks", "sysv"], None),
            (&["removes", "0"], None),
            (&["removes", "sysv", "12"], None),
            (&["removes", "12", "sysv", "v24"], None),
            (&["removes", "debian"], None),
            (&["nonsense"], None),
        ] {
            let seen = Wanted::read(words).map(|wanted| wanted.0[0].1);
            assert_eq!(seen, counts, "{words:?}");
        }
        assert_eq!(Wanted::read(&[]).map(|wanted| wanted.0.len()), Some(USUAL));
    }
}
