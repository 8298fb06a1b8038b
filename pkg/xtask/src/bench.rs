//! `cargo xtask bench`: what the kit costs beside the bare commands, and saves beside the original.
//!
//! All runs of a comparison alternate on one node, timed by one script inside it: what else the machine
//! does hits them alike, and entering the node is not measured. Medians are compared.

use std::time::Duration;

use lab::{Error, Init, Node, Result};

use crate::cargo::top;
use crate::heading::{heading, shown};
use crate::kit;

/// Where the benchmark lays the original kit on its node.
const ORIGINAL: &str = "/usr/local/lib/original";
/// Where it lays its script.
const SCRIPT: &str = "/usr/local/bin/bench";
/// Far above what all rounds of one comparison take, about 90 s.
const LIMIT: Duration = Duration::from_mins(10);
/// Rounds of the checks, rounds of recover, and how often the slow original takes part.
const CHECKS: &str = "51";
const RECOVERS: &str = "15";
const EVERY: &str = "3";

/// What is timed: its name in the script's lines, and for people.
const NAMES: [(&str, &str); 5] = [
    ("status", "service dovecot status"),
    ("quickCheck", "dovecot-ark quickCheck"),
    ("bare", "service stop, start, greeting"),
    ("recover", "dovecot-ark recover, greeting"),
    ("original", "original recover, greeting"),
];

/// Ratios of medians that must hold: this over that, at most so much.
const LIMITS: [(&str, &str, f64); 3] =
    [("quickCheck", "status", 1.25), ("recover", "bare", 1.3), ("recover", "original", 1.0 / 3.0)];

/// The runs of one thing, sorted.
#[derive(Debug, PartialEq)]
struct Runs(Vec<Duration>);

impl Runs {
    /// Returns the shortest, the median and the longest; none when there was no run.
    fn spread(&self) -> Option<[Duration; 3]> {
        let Self(times) = self;
        Some([*times.first()?, *times.get(times.len() / 2)?, *times.last()?])
    }
}

/// Measures, prints, and judges.
///
/// # Errors
///
/// When a node cannot be made, a run fails, or a ratio is above its limit.
pub(crate) fn run() -> Result<()> {
    heading("building the kit as it is shipped");
    let binary = kit::build_release()?;
    heading("a clean node with SysV");
    let node = kit::node_with(&binary, Init::SysV)?;
    node.run(&["mkdir", "-p", ORIGINAL])?;
    for name in ["common.sh", "quickCheck", "restore", "remove", "recover"] {
        let file = top().join("tests/original").join(name);
        node.copy_in(&file, &format!("{ORIGINAL}/{name}"))?;
    }
    node.copy_in(&top().join("pkg/xtask/bench.sh"), SCRIPT)?;
    println!("   {CHECKS} rounds of the checks, about 10 s");
    let mut lines = measured(&node, &[SCRIPT, "checks", CHECKS])?;
    println!("   {RECOVERS} rounds of recover, about 90 s");
    lines.push_str(&measured(&node, &[SCRIPT, "recover", RECOVERS, EVERY])?);
    report(&lines)
}

/// Runs the script on the node and returns its lines.
fn measured(node: &Node, argv: &[&str]) -> Result<String> {
    let done = node.spawn(argv)?.wait(LIMIT)?;
    if done.success() {
        return Ok(done.stdout);
    }
    Err(Error::failed(format!("running {}", argv.join(" ")), done.ending()))
}

/// Prints the figures and judges the ratios.
fn report(lines: &str) -> Result<()> {
    heading("figures");
    println!("{:<32} {:>6} {:>10} {:>10} {:>10}", "what was timed", "runs", "median", "min", "max");
    for (name, title) in NAMES {
        let runs = runs_of(lines, name)?;
        if let Some([min, median, max]) = runs.spread() {
            let [median, min, max] = [median, min, max].map(shown);
            println!("{title:<32} {:>6} {median:>10} {min:>10} {max:>10}", runs.0.len());
        }
    }
    println!();
    let mut broken = Vec::new();
    for (this, that, limit) in LIMITS {
        let ratio = ratio(&runs_of(lines, this)?, &runs_of(lines, that)?)?;
        let verdict = if ratio <= limit { "ok" } else { "TOO HIGH" };
        println!("{this} / {that}: {ratio:.3}, at most {limit:.3}: {verdict}");
        if ratio > limit {
            broken.push(format!("{this} / {that} is {ratio:.3}, above {limit:.3}"));
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::failed("comparing the medians", broken.join("; ")))
}

/// Picks the runs of `name` out of the script's lines; a run that failed fails the whole.
fn runs_of(lines: &str, name: &str) -> Result<Runs> {
    let mut times = Vec::new();
    for line in lines.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [this, ..] if *this != name => {}
            [_, time, "0"] => times.push(Duration::from_micros(time.parse().map_err(|_| {
                Error::failed("reading the benchmark's lines", format!("no time in \"{line}\""))
            })?)),
            _ => return Err(Error::failed("timing", format!("a run failed: \"{line}\""))),
        }
    }
    times.sort();
    Ok(Runs(times))
}

/// Divides one median by another.
fn ratio(this: &Runs, that: &Runs) -> Result<f64> {
    match (this.spread(), that.spread()) {
        (Some([_, this, _]), Some([_, that, _])) if !that.is_zero() => {
            Ok(this.div_duration_f64(that))
        }
        _ => Err(Error::failed("comparing the medians", "there are no runs")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "status 100 0\nquickCheck 130 0\nstatus 300 0\nstatus 200 0\n";

    #[test]
    fn runs_are_sorted_and_spread_around_their_median() {
        let runs = runs_of(LINES, "status").expect("well-formed lines");
        assert_eq!(runs.spread(), Some([100, 200, 300].map(Duration::from_micros)));
        assert_eq!(runs_of(LINES, "bare").expect("no lines").spread(), None);
    }

    #[test]
    fn a_failed_run_and_a_garbled_line_are_errors() {
        for line in ["status 100 1", "status x 0", "status", "status 100 0 0"] {
            assert!(runs_of(line, "status").is_err(), "{line}");
        }
    }

    #[test]
    fn medians_are_divided() {
        let of = |name| runs_of(LINES, name).expect("well-formed lines");
        let quotient = ratio(&of("quickCheck"), &of("status")).expect("both ran");
        assert!((quotient - 0.65).abs() < 1e-9, "{quotient}");
        assert!(ratio(&of("quickCheck"), &of("bare")).is_err());
    }
}
