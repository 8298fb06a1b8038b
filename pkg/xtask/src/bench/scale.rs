//! How the check grows: with the node's processes, and with the entries of the list.

use lab::{Error, Result};

use super::compare::{CONNECT, CONNECTS, GREETING, HEARS, KIT, QUICK_CHECK, SHELL};
use super::measure::{Contestant, Figure, Samples, Timed, alternate};
use super::place::{ORIGINAL, Place};
use super::statistics::{Line, Spread};

/// The kit where no pid file tells it at whom to look.
pub(super) const SCAN: &str = "kit, scanning";
/// The program that lists processes, to compare with.
pub(super) const PGREP: &str = "pgrep";
/// Entries where nobody listens.
pub(super) const REFUSING: &str = "kit, refused";
/// Entries where nothing is ever answered.
pub(super) const SILENT: &str = "kit, silent";

/// How many processes the node has.
pub(super) const PROCESSES: [u32; 3] = [100, 1_000, 10_000];
/// How many entries the list has.
pub(super) const ENTRIES: [u32; 4] = [1, 10, 100, 500];

/// How the cost of something grows.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    /// Whose.
    pub(super) name: &'static str,
    /// The size, and the wall times.
    pub(super) points: Vec<(f64, Spread)>,
    /// The line through the medians of the wall times.
    pub(super) wall: Line,
    /// The line through the medians of the CPU times: of the kit, without its status command; of all
    /// processes of the original, which has one for each thing that it does.
    pub(super) cpu: Line,
    /// The line through what of all CPU times was spent in the kernel.
    pub(super) kernel: Line,
    /// The sizes at which a run did not answer what is true.
    pub(super) wrong: Vec<u32>,
}

impl Curve {
    fn of(name: &'static str, sizes: &[u32], samples: &Samples, status: i32) -> Result<Self> {
        let at = |size: &u32| at_size(name, *size);
        let points = |figure| -> Result<Vec<(f64, Spread)>> {
            let spread = |size: &u32| Ok((f64::from(*size), samples.spread(&at(size), figure)?));
            sizes.iter().map(spread).collect()
        };
        let line = |figure| {
            let medians: Vec<(f64, f64)> =
                points(figure)?.iter().map(|(size, spread)| (*size, spread.median)).collect();
            Line::through(&medians)
                .ok_or_else(|| Error::failed(format!("fitting a line to {name}"), "too few points"))
        };
        let wrong = sizes.iter().filter(|size| samples.not(&at(size), status) > 0);
        Ok(Self {
            name,
            points: points(Figure::Wall)?,
            wall: line(Figure::Wall)?,
            cpu: line(if name == SHELL { Figure::Tree } else { Figure::Own })?,
            kernel: line(Figure::Kernel)?,
            wrong: wrong.copied().collect(),
        })
    }

    /// The median wall time at the largest size, less that at the smallest.
    pub(super) fn growth(&self) -> f64 {
        match self.points.as_slice() {
            [(_, first), .., (_, last)] => last.median - first.median,
            _ => 0.0,
        }
    }

    /// The median wall time at the largest size.
    pub(super) fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, spread)| spread.median)
    }
}

fn at_size(name: &str, size: u32) -> String {
    format!("{name} at {size}")
}

/// Measures how the check grows with the processes. The service command is an empty program
/// meanwhile, and the kit only connects, so that next to nothing but the scan grows.
///
/// # Errors
///
/// When a run fails, or the node cannot have so many processes.
pub(super) fn processes(place: &Place, rounds: u32) -> Result<Vec<Curve>> {
    let mut samples = Samples::default();
    let emptied = place.without_service()?;
    for size in PROCESSES {
        println!("   {size} processes");
        let crowd = place.crowd(size)?;
        let shell = format!("{ORIGINAL}/quickCheck");
        let scanning = Contestant {
            before: Some("mv /run/dovecot/master.pid /run/dovecot/aside".into()),
            after: Some("mv /run/dovecot/aside /run/dovecot/master.pid".into()),
            ..Contestant::under(CONNECTS, Timed::new(&at_size(SCAN, size), QUICK_CHECK))
        };
        let contestants = [
            Contestant::under(CONNECTS, Timed::new(&at_size(KIT, size), QUICK_CHECK)),
            scanning,
            Contestant::one(Timed::new(&at_size(PGREP, size), "pgrep -x dovecot")),
            Contestant::one(Timed::new(&at_size(SHELL, size), &shell)),
        ];
        alternate(place, &contestants, rounds, &mut samples)?;
        crowd.end()?;
    }
    emptied.end()?;
    [KIT, SCAN, PGREP, SHELL]
        .map(|name| Curve::of(name, &PROCESSES, &samples, 0))
        .into_iter()
        .collect()
}

/// Measures how the check grows with the list.
///
/// # Errors
///
/// When a run fails.
pub(super) fn entries(place: &Place, rounds: u32) -> Result<Vec<Curve>> {
    let mut samples = Samples::default();
    for size in ENTRIES {
        println!("   {size} in the list");
        let healthy = list(size, |n| format!("127.0.{}.{}:143:15", 1 + n / 250, 1 + n % 250));
        let refusing = list(size, |n| format!("127.0.{}.{}:9:2", 1 + n / 250, 1 + n % 250));
        let silent = list(size, |n| {
            let net = if n < 250 { "198.51.100" } else { "203.0.113" };
            format!("{net}.{}:143:2", 1 + n % 250)
        });
        let check = |name, line: &str| Timed::new(&at_size(name, size), line);
        let contestants = [
            Contestant::under(&(HEARS.to_owned() + &healthy), {
                check(GREETING, QUICK_CHECK).whatever()
            }),
            Contestant::under(&(CONNECTS.to_owned() + &healthy), {
                check(CONNECT, QUICK_CHECK).whatever()
            }),
            Contestant::under(&(HEARS.to_owned() + &refusing), {
                check(REFUSING, QUICK_CHECK).expecting(1)
            }),
            Contestant::under(&(HEARS.to_owned() + &silent), {
                check(SILENT, QUICK_CHECK).expecting(1)
            }),
            Contestant::under(&healthy, {
                check(SHELL, &format!("{ORIGINAL}/quickCheck")).whatever()
            }),
        ];
        alternate(place, &contestants, rounds, &mut samples)?;
    }
    [(GREETING, 0), (CONNECT, 0), (REFUSING, 1), (SILENT, 1), (SHELL, 0)]
        .map(|(name, status)| Curve::of(name, &ENTRIES, &samples, status))
        .into_iter()
        .collect()
}

/// The setting of a list of so many entries.
fn list(size: u32, entry: impl Fn(u32) -> String) -> String {
    let entries: Vec<String> = (0..size).map(entry).collect();
    format!("APP_DOVECOT_IP_LIST=\"{}\"\n", entries.join(" "))
}

/// Finds a curve by its name.
///
/// # Errors
///
/// When it is not among them.
pub(super) fn find<'a>(curves: &'a [Curve], name: &str) -> Result<&'a Curve> {
    let found = curves.iter().find(|curve| curve.name == name);
    found.ok_or_else(|| Error::failed("comparing the curves", format!("no {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_as_many_entries_as_wanted_and_each_once() {
        let text = list(3, |n| format!("127.0.0.{}:143:2", 1 + n));
        assert_eq!(
            text,
            "APP_DOVECOT_IP_LIST=\"127.0.0.1:143:2 127.0.0.2:143:2 127.0.0.3:143:2\"\n"
        );
    }

    #[test]
    fn growth_is_the_last_median_less_the_first() {
        let spread = |value| Spread::of(vec![value]).expect("a value");
        let line = Line { base: 0.0, slope: 0.0 };
        let points = vec![(1.0, spread(0.25)), (10.0, spread(0.5)), (100.0, spread(2.0))];
        let curve =
            Curve { name: KIT, points, wall: line, cpu: line, kernel: line, wrong: Vec::new() };
        assert!((curve.growth() - 1.75).abs() < 1e-9 && (curve.last() - 2.0).abs() < 1e-9);
        let curves = [curve];
        assert_eq!(find(&curves, KIT).expect("it is there").points.len(), 3);
        assert!(find(&curves, PGREP).is_err());
    }
}
