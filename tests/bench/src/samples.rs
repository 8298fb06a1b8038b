//! Figures of runs, as the stopwatch prints them, and what many of them say together.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use lab::{Error, Result};

/// Where the stopwatch lies on a node.
pub(crate) const STOPWATCH: &str = "/usr/local/bin/stopwatch";

/// What one run cost, in seconds and MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// From its start to its end.
    pub(crate) wall: f64,
    /// CPU time of all its processes.
    pub(crate) tree: f64,
    /// CPU time of the program without its children.
    pub(crate) own: f64,
    /// Wall time of the service commands in it, where they are timed.
    pub(crate) service: f64,
    /// Memory of its largest process.
    pub(crate) memory: f64,
    /// Exit status.
    pub(crate) status: i32,
}

impl Sample {
    /// Reads a line of the stopwatch.
    pub(crate) fn read(line: &str) -> Result<Self> {
        let read = || {
            let (figures, status) = line.trim().rsplit_once(' ')?;
            let figures = figures.split(' ').map(|word| word.parse().ok());
            let figures: Vec<f64> = figures.collect::<Option<_>>()?;
            let &[wall, tree, own, service, memory] = figures.as_slice() else { return None };
            Some(Self { wall, tree, own, service, memory, status: status.parse().ok()? })
        };
        read().ok_or_else(|| Error::failed("reading the stopwatch", format!("garbled: {line:?}")))
    }
}

/// Runs by the names of their programs.
#[derive(Debug, Default)]
pub(crate) struct Samples(pub(crate) BTreeMap<String, Vec<Sample>>);

impl Samples {
    /// How a figure of a program is spread.
    pub(crate) fn spread(&self, name: &str, figure: fn(&Sample) -> f64) -> Result<Spread> {
        let runs = self.0.get(name).into_iter().flatten().map(figure);
        Spread::of(runs).ok_or_else(|| Error::failed("comparing", format!("{name} never ran")))
    }

    /// The median wall time of a program.
    pub(crate) fn wall(&self, name: &str) -> Result<f64> {
        self.spread(name, |run| run.wall).map(|spread| spread.median)
    }

    /// How much longer the runs of one program take than those of another, in seconds: the median of all
    /// differences between a run of each (Hodges and Lehmann). A stop of Dovecot ends in steps of
    /// 0.1 s, and two medians would differ by a step wherever a few runs more fall on the next one.
    pub(crate) fn longer(&self, name: &str, other: &str) -> Result<f64> {
        self.compared(name, other, |one, two| one - two)
    }

    /// How many times as long the runs of one program take as those of another: the median of all
    /// quotients, for the same reason. It is also less spread than the quotient of two medians.
    pub(crate) fn times_as_long(&self, name: &str, other: &str) -> Result<f64> {
        self.compared(name, other, |one, two| one / two)
    }

    /// The median of what `compare` makes of each run of one program and each of another.
    fn compared(&self, name: &str, other: &str, compare: fn(f64, f64) -> f64) -> Result<f64> {
        let walls = |name: &str| {
            self.0.get(name).into_iter().flatten().map(|run| run.wall).collect::<Vec<f64>>()
        };
        let others = walls(other);
        let pairs = walls(name)
            .into_iter()
            .flat_map(|one| others.iter().map(move |two| compare(one, *two)));
        let spread = Spread::of(pairs).map(|spread| spread.median);
        spread.ok_or_else(|| Error::failed("comparing", format!("{name} or {other} never ran")))
    }
}

/// How some values are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The smallest.
    pub(crate) min: f64,
    /// A quarter of them is smaller.
    pub(crate) lower: f64,
    /// Half of them is smaller.
    pub(crate) median: f64,
    /// A quarter of them is larger.
    pub(crate) upper: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        // The value at so many quarters of the way; between two values, their mean.
        let at = |quarters: usize| {
            let place = last * quarters;
            Some(f64::midpoint(*values.get(place / 4)?, *values.get(place.div_ceil(4))?))
        };
        Some(Self { min: at(0)?, lower: at(1)?, median: at(2)?, upper: at(3)?, max: at(4)? })
    }
}

/// Writes seconds in the unit that fits, with three digits.
pub(crate) fn shown(seconds: f64) -> String {
    let (value, unit) = if seconds.abs() >= 1.0 { (seconds, "s") } else { (seconds * 1e3, "ms") };
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0} {unit}"),
        size if size >= 9.995 => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    }
}

/// Adds a row to a table in Markdown.
pub(crate) fn row(table: &mut String, cells: impl IntoIterator<Item = impl Display>) {
    for cell in cells {
        let _ = write!(table, "| {cell} ");
    }
    table.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_five_figures_and_a_status() {
        let sample = Sample::read("0.0015 0.0009 0.0004 0.0003 2.5 1\n").expect("a sample");
        let Sample { wall, service, memory, status, .. } = sample;
        assert_eq!((wall, service, memory, status), (0.0015, 0.0003, 2.5, 1));
        for line in ["", "1 2 3 4 5", "1 2 3 4 5 6 0", "1 2 3 4 x 0", "1 2 3 4 5 0.5"] {
            assert!(Sample::read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn values_in_any_order_have_quarters() {
        let spread = |min, lower, median, upper, max| Spread { min, lower, median, upper, max };
        let five = Spread::of([5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!(five, Some(spread(1.0, 2.0, 3.0, 4.0, 5.0)));
        let four = Spread::of([1.0, 2.0, 4.0, 8.0]);
        assert_eq!(four, Some(spread(1.0, 1.5, 3.0, 6.0, 8.0)));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn runs_that_end_in_steps_are_compared_step_by_step() {
        let runs = |walls: [f64; 5]| {
            let line = |wall| format!("{wall} 0 0 0 0 0");
            walls.map(|wall| Sample::read(&line(wall)).expect("a sample")).to_vec()
        };
        let (kit, bare) = (runs([1.22, 1.22, 1.32, 1.32, 1.32]), runs([1.2, 1.2, 1.2, 1.3, 1.3]));
        let samples = Samples([("kit".into(), kit), ("bare".into(), bare)].into());
        let longer = samples.longer("kit", "bare").expect("a difference");
        assert!((longer - 0.02).abs() < 1e-9, "{longer}: not the 0.12 of the medians");
        let times = samples.times_as_long("kit", "bare").expect("a quotient");
        assert!((times - 1.22 / 1.2).abs() < 1e-9, "{times}: not the 1.1 of the medians");
        assert!(samples.longer("kit", "nobody").is_err());
    }

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        for (seconds, text) in
            [(0.000_25, "0.25 ms"), (0.0213, "21.3 ms"), (0.2, "200 ms"), (2.0, "2.00 s")]
        {
            assert_eq!(shown(seconds), text);
        }
    }
}
