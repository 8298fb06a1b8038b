//! Timed runs: which programs take part, in which order, and what each run cost.
//!
//! All runs of a comparison alternate on one node, so that what else the machine does hits them
//! alike. A stopwatch inside the node takes the times, so that entering it is not measured.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use lab::{Error, Result};

use super::place::Place;
use super::statistics::Spread;

/// Dovecot forks and buries processes after a run: the pause keeps that out of the next.
const PAUSE: Duration = Duration::from_millis(60);

/// What one run cost.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    wall: Duration,
    tree: Duration,
    kernel: Duration,
    own: Duration,
    memory: u32,
    status: i32,
}

impl Sample {
    /// Understands the stopwatch's line.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let mut time = || words.next()?.parse().ok().map(Duration::from_nanos);
        let (wall, tree, kernel, own) = (time()?, time()?, time()?, time()?);
        let (memory, status) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { wall, tree, kernel, own, memory, status })
    }
}

/// A figure of a run, in seconds or MiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Figure {
    /// From start to end.
    Wall,
    /// CPU time of all processes.
    Tree,
    /// What of it was spent in the kernel.
    Kernel,
    /// CPU time of the program without its children.
    Own,
    /// Memory of the largest process.
    Memory,
}

/// A program that is timed.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    /// How its figures are found again.
    pub(super) name: String,
    /// The stopwatch's words.
    words: Vec<String>,
    /// The exit status without which its figures mean nothing.
    expected: Option<i32>,
}

impl Timed {
    /// A command line, split at blanks, that must succeed.
    pub(super) fn new(name: &str, line: &str) -> Self {
        let words = line.split(' ').map(str::to_owned).collect();
        Self { name: name.to_owned(), words, expected: Some(0) }
    }

    /// The same, and any status is noted.
    pub(super) fn whatever(self) -> Self {
        Self { expected: None, ..self }
    }

    /// The same, and this status is the right one.
    pub(super) fn expecting(self, status: i32) -> Self {
        Self { expected: Some(status), ..self }
    }
}

/// Programs that are timed in a row, from a state that is made before.
#[derive(Clone, Debug, Default)]
pub(super) struct Contestant {
    /// The kit's settings.
    pub(super) settings: String,
    /// A script before the first.
    pub(super) before: Option<String>,
    /// The programs.
    pub(super) timed: Vec<Timed>,
    /// A script after the last.
    pub(super) after: Option<String>,
    /// It takes part in every so many-th round; 0 is as 1.
    pub(super) every: u32,
}

impl Contestant {
    /// A single program.
    pub(super) fn one(timed: Timed) -> Self {
        Self { timed: vec![timed], ..Self::default() }
    }

    /// A single program under these settings of the kit.
    pub(super) fn under(settings: &str, timed: Timed) -> Self {
        Self { settings: settings.to_owned(), ..Self::one(timed) }
    }

    fn takes_part(&self, round: u32) -> bool {
        round.is_multiple_of(self.every.max(1))
    }

    fn run(&self, place: &Place, samples: &mut Samples) -> Result<()> {
        if let Some(script) = &self.before {
            place.sh(script)?;
        }
        place.set(&self.settings)?;
        for timed in &self.timed {
            let words: Vec<&str> = timed.words.iter().map(String::as_str).collect();
            let line = place.time(&words)?;
            let failed = |cause: &str| Error::failed(format!("timing {}", timed.name), cause);
            let sample =
                Sample::parse(&line).ok_or_else(|| failed(&format!("no figures: \"{line}\"")))?;
            if timed.expected.is_some_and(|status| status != sample.status) {
                return Err(failed(&format!("exit status {}", sample.status)));
            }
            samples.0.entry(timed.name.clone()).or_default().push(sample);
            place.settle()?;
            thread::sleep(PAUSE);
        }
        if let Some(script) = &self.after {
            place.sh(script)?;
        }
        Ok(())
    }
}

/// The runs by the names of their programs.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<String, Vec<Sample>>);

impl Samples {
    /// How a figure of a program is spread.
    ///
    /// # Errors
    ///
    /// When it never ran.
    pub(super) fn spread(&self, name: &str, figure: Figure) -> Result<Spread> {
        let pick = |sample: &Sample| match figure {
            Figure::Wall => sample.wall.as_secs_f64(),
            Figure::Tree => sample.tree.as_secs_f64(),
            Figure::Kernel => sample.kernel.as_secs_f64(),
            Figure::Own => sample.own.as_secs_f64(),
            Figure::Memory => f64::from(sample.memory) / 1024.0,
        };
        let runs = self.0.get(name).map(|runs| runs.iter().map(pick).collect());
        runs.and_then(Spread::of).ok_or_else(|| Error::failed("comparing", format!("no {name}")))
    }

    /// The median of a figure.
    ///
    /// # Errors
    ///
    /// As [`Samples::spread`].
    pub(super) fn median(&self, name: &str, figure: Figure) -> Result<f64> {
        self.spread(name, figure).map(|spread| spread.median)
    }

    /// How often it ran.
    pub(super) fn runs(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, Vec::len)
    }

    /// How often it ended with another status than this.
    pub(super) fn not(&self, name: &str, status: i32) -> usize {
        let runs = self.0.get(name).into_iter().flatten();
        runs.filter(|sample| sample.status != status).count()
    }
}

/// Runs all contestants, in each round in another order.
///
/// # Errors
///
/// When a run fails or the node does not do what it is told.
pub(super) fn alternate(
    place: &Place,
    contestants: &[Contestant],
    rounds: u32,
    samples: &mut Samples,
) -> Result<()> {
    for round in 0..rounds {
        for at in order(contestants.len(), round) {
            if let Some(one) = contestants.get(at).filter(|one| one.takes_part(round)) {
                one.run(place, samples)?;
            }
        }
    }
    Ok(())
}

/// The order of a round: each begins one further, and every other runs backwards, so that nobody
/// always follows the same.
fn order(count: usize, round: u32) -> Vec<usize> {
    let first = usize::try_from(round / 2).unwrap_or_default();
    let mut order: Vec<usize> = (0..count).map(|at| (at + first) % count).collect();
    if !round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_six_numbers() {
        let sample = Sample::parse("1500000 900000 500000 400000 2048 1\n").expect("a sample");
        assert_eq!(sample.wall, Duration::from_micros(1500));
        assert_eq!((sample.memory, sample.status), (2048, 1));
        for line in ["", "1 2 3 4 5", "1 2 3 4 x 0", "-1 2 3 4 5 0"] {
            assert_eq!(Sample::parse(line), None, "{line}");
        }
    }

    #[test]
    fn every_round_has_everybody_in_another_order() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_eq!(order(3, 2), [1, 2, 0]);
        assert_eq!(order(3, 5), [1, 0, 2]);
        assert_eq!(order(0, 4), [0; 0]);
    }

    #[test]
    fn figures_have_units_and_a_name_that_never_ran_is_an_error() {
        let sample =
            Sample::parse("2000000000 30000000 20000000 10000000 3072 0").expect("a sample");
        let samples = Samples(BTreeMap::from([("kit".to_owned(), vec![sample])]));
        let figures = [Figure::Wall, Figure::Tree, Figure::Kernel, Figure::Own, Figure::Memory];
        let medians = figures.map(|figure| samples.median("kit", figure).expect("it ran"));
        assert_eq!(
            medians.map(|value| format!("{value:.2}")),
            ["2.00", "0.03", "0.02", "0.01", "3.00"]
        );
        assert!(samples.median("agent", Figure::Wall).is_err());
        assert_eq!((samples.runs("kit"), samples.not("kit", 0), samples.not("kit", 1)), (1, 0, 1));
    }

    #[test]
    fn the_slow_take_part_in_few_rounds() {
        let slow = Contestant { every: 3, ..Contestant::default() };
        let rounds: Vec<u32> = (0..7).filter(|round| slow.takes_part(*round)).collect();
        assert_eq!(rounds, [0, 3, 6]);
        assert!(Contestant::default().takes_part(1));
    }
}
