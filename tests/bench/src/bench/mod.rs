//! `cargo xtask bench`: what the kit costs beside others of its kind and beside the bare commands.
//!
//! One run on nodes with a real Dovecot measures everything, writes the page below `pkg/bench`, and
//! holds the figures against their limits. How it grows with processes and addresses is measured on
//! the node with SysV alone: it has the fewer processes of its own.

mod compare;
mod limits;
mod page;
mod passes;
mod place;
mod runs;

use std::time::Instant;

use lab::heading::{heading, shown};
use lab::{Error, Init, Result, top};

use crate::samples::Samples;
use limits::{Limit, Outcome};
use passes::Passes;
use place::{Place, Tools};

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
}

/// What was measured.
struct Seen {
    facts: String,
    places: Vec<SeenPlace>,
    /// The kit's own part of a check, wall time in milliseconds.
    own_part: Passes,
    /// What is measured in one place alone: the kit's own part, and how the check grows.
    once: Samples,
}

/// What was measured with one kind of `service`.
struct SeenPlace {
    init: Init,
    samples: Samples,
    /// The kit's check as a multiple of the least.
    beside_the_least: Passes,
}

/// Measures, writes the page and its pictures, and judges.
pub(crate) fn run(rounds: Rounds) -> Result<()> {
    heading("building the stopwatch and the least program");
    let tools = Tools::gather()?;
    let started = Instant::now();
    let seen = measure(&tools, rounds)?;
    let limits = limits::judge(&seen)?;
    let directory = top().join(match rounds {
        Rounds::Full => "pkg/bench",
        Rounds::Quick => "target/bench",
    });
    let page = page::write(&seen, &limits, &directory)?;
    println!("\n{page}");
    heading(&format!(
        "measured in {}, written to {}",
        shown(started.elapsed()),
        directory.display()
    ));
    verdict(&limits)
}

fn measure(tools: &Tools, rounds: Rounds) -> Result<Seen> {
    heading("a clean node with SysV");
    let sysv = Place::start(tools, Init::SysV)?;
    let facts = sysv.facts()?;
    let first = compare(&sysv, Init::SysV, rounds)?;
    let mut once = Samples::default();
    heading("the kit's own part, until two passes agree");
    let mut pass = || compare::own_part(&sysv, rounds.pick(31, 5), &mut once);
    let own_part = sysv.crowded(USUAL, || Passes::make(&mut pass))?;
    heading("how the check grows with processes");
    compare::processes(&sysv, rounds.pick(9, 3), &mut once)?;
    heading("how the check grows with addresses");
    compare::entries(&sysv, rounds.pick(3, 1), &mut once)?;
    drop(sysv);
    heading("a clean node with systemd");
    let systemd = Place::start(tools, Init::Systemd)?;
    let second = compare(&systemd, Init::Systemd, rounds)?;
    Ok(Seen { facts, places: vec![first, second], own_part, once })
}

/// Compares everybody on a node.
fn compare(place: &Place, init: Init, rounds: Rounds) -> Result<SeenPlace> {
    place.crowded(USUAL, || {
        let mut samples = Samples::default();
        println!("   the checks");
        compare::checks(place, rounds.pick(31, 5), &mut samples)?;
        println!("   the kit's check beside the least, until two passes agree");
        let beside_the_least =
            Passes::make(|| compare::beside_the_least(place, rounds.pick(151, 5)))?;
        println!("   recover, restore, remove");
        compare::changes(place, rounds.pick(25, 1), &mut samples)?;
        Ok(SeenPlace { init, samples, beside_the_least })
    })
}

/// Says of each limit whether it holds.
fn verdict(limits: &[Limit]) -> Result<()> {
    for limit in limits {
        let [what, value, at_most, verdict] = limit.cells();
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
