//! `cargo xtask endurance`: what a quickCheck says, leaves and costs when there are thousands of them,
//! and whether a remove ever leaves something.
//!
//! A false alarm restarts a mail server that is well, and a leak shows only after months. So the kit
//! is called here as often as in months, on real nodes: under load, in a row, with Dovecot's own
//! expense measured, and on a node that is large. A master that runs after a remove uses the mail of
//! another node: thousands of removes, and some that race with a start, are parts by themselves.

mod cost;
mod hooks;
mod leaks;
mod load;
mod races;
mod removes;
mod size;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use lab::{Error, Init, Node, Result, Suite};

use crate::cargo::top;
use crate::heading::{heading, shown};
use crate::kit;

/// Where the script lies on a node that calls quickCheck.
const SCRIPT: &str = "/usr/local/bin/checks";
/// The kit's log on a node, and Dovecot's.
const LOG: &str = "/var/log/dovecot-ark.log";
const DOVECOTS_LOG: &str = "/var/log/dovecot.log";
/// Far above what the checks of one node take, some five minutes.
const LIMIT: Duration = Duration::from_mins(30);
/// When a quickCheck has ended, whatever hangs.
const GRANTED: Duration = Duration::from_secs(18);
/// How long what a check has set going may take to settle: a login process ends.
const SETTLED: Duration = Duration::from_secs(15);

/// The kind of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place(Suite, Init);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.0 {
            Suite::Bullseye | Suite::Bookworm => "2.3",
            Suite::Trixie => "2.4",
        };
        write!(f, "Dovecot {version}, {}", self.1)
    }
}

const SYSV: Place = Place(Suite::Bookworm, Init::SysV);
const SYSTEMD: Place = Place(Suite::Bookworm, Init::Systemd);
const V24: Place = Place(Suite::Trixie, Init::Systemd);

/// The names of the kinds on the command line.
const PLACES: [(&str, Place); 3] = [("sysv", SYSV), ("systemd", SYSTEMD), ("v24", V24)];

/// How often something is to be done, and on which kinds of nodes.
#[derive(Debug, Eq, PartialEq)]
struct Wanted {
    count: u32,
    places: Vec<Place>,
}

impl Wanted {
    /// Understands `[COUNT] [PLACE]`; all places share the count when none is named.
    fn read(words: &[&str], usual: u32) -> Option<Self> {
        let (count, words) = match words {
            [first, rest @ ..] => first.parse().map_or((usual, words), |count| (count, rest)),
            [] => (usual, words),
        };
        let places: Vec<Place> = match words {
            [] => PLACES.iter().map(|(_, place)| *place).collect(),
            [name] => PLACES.iter().filter(|one| one.0 == *name).map(|one| one.1).collect(),
            _ => return None,
        };
        (count > 0 && !places.is_empty()).then_some(Self { count, places })
    }

    /// Divides the count among so many; the first get what is left over.
    fn shares(&self, parts: usize) -> impl Iterator<Item = u32> + use<> {
        let (count, parts) = (self.count, u32::try_from(parts).unwrap_or(u32::MAX).max(1));
        (0..parts).map(move |at| count / parts + u32::from(at < count % parts))
    }
}

/// A part that is counted: its name on the command line, its usual count, and what does it.
type Counted = (&'static str, u32, fn(&Path, &Wanted) -> Result<()>);

const COUNTED: [Counted; 5] = [
    ("removes", removes::COUNT, removes::run),
    ("races", races::COUNT, races::run),
    ("hooks", hooks::HOOKS, hooks::hooks),
    ("deaths", hooks::DEATHS, hooks::deaths),
    ("frozen", hooks::BUSY, hooks::frozen),
];

/// Does a part that is counted; `None` when the words name none.
///
/// # Errors
///
/// When a node cannot be made, or a remove or a check does not keep its word.
pub(crate) fn count(words: &[&str]) -> Option<Result<()>> {
    let (part, words) = words.split_first()?;
    let (_, usual, work) = COUNTED.iter().find(|(name, ..)| name == part)?;
    let wanted = Wanted::read(words, *usual)?;
    Some(timed(|binary| work(binary, &wanted)))
}

/// A part: its name on the command line, and what does it.
type Part = (&'static str, fn(&Path) -> Result<()>);

const PARTS: [Part; 4] =
    [("load", load::run), ("leaks", leaks::run), ("cost", cost::run), ("size", size::run)];

/// Whether there is a part of this name.
pub(crate) fn has(part: &str) -> bool {
    PARTS.iter().any(|(name, _)| *name == part)
}

/// Does all parts that are not counted, or one.
///
/// # Errors
///
/// When a node cannot be made, a healthy server is called faulty, or something grows.
pub(crate) fn run(part: Option<&str>) -> Result<()> {
    timed(|binary| {
        let wanted = PARTS.iter().filter(|(name, _)| part.is_none_or(|part| part == *name));
        wanted.into_iter().try_for_each(|(_, work)| work(binary))
    })
}

/// Builds the kit, and tells how long it held.
fn timed(work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let started = Instant::now();
    heading("building the kit as it is shipped");
    work(&kit::build_release()?)?;
    println!("\nall of it held, in {}", shown(started.elapsed()));
    Ok(())
}

/// A node with the kit and the script, Dovecot in service, and these settings.
fn serving(binary: &Path, place: Place, settings: &str) -> Result<Node> {
    let node = kit::node_on(binary, place.0, place.1)?;
    node.copy_in(&top().join("pkg/xtask/checks.pl"), SCRIPT)?;
    set(&node, settings)?;
    succeed(&node, &["dovecot-ark", "restore", "-t", "dovecot"])?;
    Ok(node)
}

fn set(node: &Node, settings: &str) -> Result<()> {
    node.write("/etc/default/LifeKeeper", settings)
}

/// Runs a command on the node that must succeed, and returns what it printed.
fn succeed(node: &Node, argv: &[&str]) -> Result<String> {
    let done = node.run(argv)?;
    if done.success() {
        return Ok(done.stdout);
    }
    Err(Error::failed(format!("running {}", argv.join(" ")), done.ending()))
}

/// A quickCheck that has ended.
#[derive(Debug, PartialEq)]
struct Check {
    took: Duration,
    status: u8,
    /// The most memory that it had, in KiB.
    peak: u64,
}

/// Calls quickCheck so often, with a pause after each in seconds.
fn checks(node: &Node, rounds: usize, pause: &str) -> Result<Vec<Check>> {
    let done = node.spawn(&[SCRIPT, &rounds.to_string(), pause])?.wait(LIMIT)?;
    let checks = read(&done.stdout)?;
    if done.success() && checks.len() == rounds {
        return Ok(checks);
    }
    Err(Error::failed(format!("calling quickCheck {rounds} times"), done.ending()))
}

/// Reads the script's lines.
fn read(lines: &str) -> Result<Vec<Check>> {
    let check = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let &[took, status, peak] = words.as_slice() else { return None };
        let took = Duration::from_micros(took.parse().ok()?);
        Some(Check { took, status: status.parse().ok()?, peak: peak.parse().ok()? })
    };
    let failed = |line| Error::failed("reading the checks", format!("garbled: {line:?}"));
    lines.lines().map(|line| check(line).ok_or_else(|| failed(line))).collect()
}

/// How many checks did not succeed.
fn refused(checks: &[Check]) -> usize {
    checks.iter().filter(|check| check.status != 0).count()
}

/// Writes the times of checks: the median, and the longest.
fn times(checks: &[Check]) -> String {
    spread(checks.iter().map(|check| check.took).collect())
}

/// Writes the median and the longest of some times.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let [median, longest] = [times.get(times.len() / 2), times.last()]
        .map(|time| time.copied().map_or_else(|| "-".to_owned(), shown));
    format!("median {median}, longest {longest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_and_a_place_may_be_named_and_nothing_else() {
        let all = vec![SYSV, SYSTEMD, V24];
        for (words, wanted) in [
            (&[][..], Some((200, all.clone()))),
            (&["12"], Some((12, all))),
            (&["v24"], Some((200, vec![V24]))),
            (&["12", "sysv"], Some((12, vec![SYSV]))),
            (&["0"], None),
            (&["sysv", "12"], None),
            (&["12", "sysv", "v24"], None),
            (&["debian"], None),
        ] {
            let wanted = wanted.map(|(count, places)| Wanted { count, places });
            assert_eq!(Wanted::read(words, 200), wanted, "{words:?}");
        }
    }

    #[test]
    fn shares_make_up_the_count() {
        let wanted = Wanted { count: 8, places: vec![SYSV] };
        assert_eq!(wanted.shares(3).collect::<Vec<_>>(), [3, 3, 2]);
        assert_eq!(wanted.shares(1).collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn a_line_is_a_check_and_anything_else_an_error() {
        let checks = read("20000 0 4000\n90000 1 4004\n30000 0 4000\n").expect("three lines");
        let first = Check { took: Duration::from_millis(20), status: 0, peak: 4000 };
        assert_eq!(checks.first(), Some(&first));
        assert_eq!(refused(&checks), 1);
        assert_eq!(times(&checks), "median 30.0 ms, longest 90.0 ms");
        for line in ["", "20000 0", "20000 0 4000 1", "20000 x 4000"] {
            assert!(read(&format!("{line}\n")).is_err(), "{line:?}");
        }
        assert_eq!(times(&[]), "median -, longest -");
    }
}
