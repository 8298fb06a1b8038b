//! `cargo xtask bench`: what the kit costs beside others of its kind and beside the bare commands.
//!
//! One run on nodes with a real Dovecot measures everything, writes the page below `pkg/bench`, and
//! holds the figures against their limits. How it grows with processes and addresses is measured on
//! the node with SysV alone: it has the fewer processes of its own.

mod compare;
mod limits;
mod machine;
mod measure;
mod passes;
mod place;
mod plot;
mod scale;
mod statistics;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lab::{Error, Init, Result};

use crate::cargo::top;
use crate::heading::{heading, shown};
use limits::{Limit, Outcome};
use machine::Machine;
use measure::Samples;
use passes::Passes;
use place::{Place, Tools};
use scale::Curve;

/// How many processes a node has while the checks are compared.
const USUAL: u32 = 100;

/// How often everything is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rounds {
    /// As the recorded page asks for.
    Full,
    /// As few as make sense; the recorded page stays as it is.
    Quick,
}

impl Rounds {
    /// Picks a number of rounds.
    const fn pick(self, full: u32, quick: u32) -> u32 {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }

    /// Where the page and its pictures go.
    fn folder(self) -> PathBuf {
        top().join(match self {
            Self::Full => "pkg/bench",
            Self::Quick => "target/bench",
        })
    }
}

/// What was measured.
struct Seen {
    machine: Machine,
    places: Vec<SeenPlace>,
    own: Samples,
    processes: Vec<Curve>,
    entries: Vec<Curve>,
}

/// What was measured with one kind of `service`.
struct SeenPlace {
    init: Init,
    checks: Samples,
    /// The kit's check as a multiple of the least.
    beside_the_least: Passes,
    changes: Samples,
}

/// Measures, writes the page and its pictures, and judges.
///
/// # Errors
///
/// When a node cannot be made, a run fails, or a limit is broken.
pub(crate) fn run(rounds: Rounds) -> Result<()> {
    heading("building the kit in the profile of releases, and the stopwatch");
    let tools = Tools::gather()?;
    let started = Instant::now();
    let seen = measure(&tools, rounds)?;
    let limits = limits::judge(&seen)?;
    let folder = rounds.folder();
    fs::create_dir_all(&folder).map_err(Error::io(format!("making {}", folder.display())))?;
    let page = table::page(&seen, &limits)?;
    write(&folder, "README.md", &page)?;
    for (name, picture) in table::pictures(&seen)? {
        write(&folder, name, &picture)?;
    }
    println!("\n{page}");
    heading(&format!("measured in {}, written to {}", shown(started.elapsed()), folder.display()));
    verdict(&limits)
}

fn measure(tools: &Tools, rounds: Rounds) -> Result<Seen> {
    heading("a clean node with SysV");
    let sysv = Place::start(tools, Init::SysV)?;
    let machine = Machine::look(&sysv, tools)?;
    let mut own = Samples::default();
    let first = compare(&sysv, Init::SysV, rounds, Some(&mut own))?;
    heading("how the check grows with processes");
    let processes = scale::processes(&sysv, rounds.pick(9, 3))?;
    heading("how the check grows with addresses");
    let entries = scale::entries(&sysv, rounds.pick(3, 1))?;
    drop(sysv);
    heading("a clean node with systemd");
    let systemd = Place::start(tools, Init::Systemd)?;
    let second = compare(&systemd, Init::Systemd, rounds, None)?;
    Ok(Seen { machine, places: vec![first, second], own, processes, entries })
}

/// Compares everybody on a node, and measures the kit's own part where it is asked for.
fn compare(
    place: &Place,
    init: Init,
    rounds: Rounds,
    own: Option<&mut Samples>,
) -> Result<SeenPlace> {
    let (mut checks, mut changes) = (Samples::default(), Samples::default());
    let crowd = place.crowd(USUAL)?;
    println!("   the checks");
    compare::checks(place, rounds.pick(31, 5), &mut checks)?;
    println!("   the kit's check beside the least, until two passes agree");
    let beside_the_least = Passes::make(|| compare::beside_the_least(place, rounds.pick(31, 5)))?;
    if let Some(own) = own {
        println!("   the kit's own part");
        compare::own_part(place, rounds.pick(31, 5), own)?;
    }
    println!("   recover, restore, remove");
    compare::changes(place, rounds.pick(15, 1), &mut changes)?;
    crowd.end()?;
    Ok(SeenPlace { init, checks, beside_the_least, changes })
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(Error::io(format!("writing {}", path.display())))
}

/// Says of each limit whether it holds.
fn verdict(limits: &[Limit]) -> Result<()> {
    for limit in limits {
        let [what, value, at_most, verdict] = table::limit_cells(limit);
        println!("{what:<66} {value:>10}  at most {at_most:>10}  {verdict}");
    }
    let broken = limits.iter().filter(|limit| limit.outcome == Outcome::Broken);
    let broken: Vec<&str> = broken.map(|limit| limit.what.as_str()).collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::failed("holding the figures against their limits", broken.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_limit_fails_the_whole_by_name() {
        let limit = |what: &str, value| Limit::new(what, value, 1.0, "");
        let unknown = Limit { outcome: Outcome::Inconclusive, ..limit("c", 1.5) };
        assert!(verdict(&[limit("a", 0.5), unknown]).is_ok());
        let error = verdict(&[limit("a", 0.5), limit("b / c", 1.5)]).expect_err("b is broken");
        assert!(error.to_string().ends_with(": b / c"), "{error}");
    }
}
