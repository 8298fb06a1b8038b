//! Timed runs: which programs take part, and in which order.
//!
//! All runs of a comparison alternate on one node, so that what else the machine does hits them
//! alike. A stopwatch inside the node takes the times, so that entering it is not measured.

use std::thread;
use std::time::Duration;

use lab::{Error, Result};

use super::place::Place;
use crate::samples::{Sample, Samples};

/// Dovecot forks and reaps processes after a run: the pause keeps that out of the next.
const PAUSE: Duration = Duration::from_millis(60);

/// A program that is timed.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    /// How its figures are found again.
    name: String,
    /// The stopwatch's words.
    line: String,
    /// The exit status without which its figures mean nothing.
    expected: Option<i32>,
}

/// Programs that are timed in a row, from a state that is made before.
#[derive(Clone, Debug, Default)]
pub(super) struct Contestant {
    /// The kit's settings.
    pub(super) settings: String,
    /// A script before the first.
    pub(super) before: String,
    /// The programs.
    pub(super) timed: Vec<Timed>,
    /// A script after the last.
    pub(super) after: String,
    /// It takes part in every so many-th round; 0 is as 1.
    pub(super) every: u32,
}

impl Contestant {
    /// The same, and another program after it, as a line of words, that must succeed.
    pub(super) fn then(mut self, name: &str, line: &str) -> Self {
        self.timed.push(Timed { name: name.into(), line: line.into(), expected: Some(0) });
        self
    }

    /// The same, where this status of the last program is the right one, or any.
    pub(super) fn expecting(mut self, status: Option<i32>) -> Self {
        if let Some(last) = self.timed.last_mut() {
            last.expected = status;
        }
        self
    }

    fn run(&self, place: &Place, samples: &mut Samples) -> Result<()> {
        if !self.before.is_empty() {
            place.sh(&self.before)?;
        }
        place.set(&self.settings)?;
        for timed in &self.timed {
            let words: Vec<&str> = timed.line.split(' ').collect();
            let sample = Sample::read(&place.time(&words)?)?;
            if timed.expected.is_some_and(|status| status != sample.status) {
                let cause = format!("exit status {}", sample.status);
                return Err(Error::failed(format!("timing {}", timed.name), cause));
            }
            samples.0.entry(timed.name.clone()).or_default().push(sample);
            place.settle()?;
            thread::sleep(PAUSE);
        }
        if !self.after.is_empty() {
            place.sh(&self.after)?;
        }
        Ok(())
    }
}

/// Runs all contestants, in each round in another order.
pub(super) fn alternate(
    place: &Place,
    contestants: &[Contestant],
    rounds: u32,
    samples: &mut Samples,
) -> Result<()> {
    for round in 0..rounds {
        for at in order(contestants.len(), round) {
            let contestant = contestants.get(at);
            if let Some(one) = contestant.filter(|one| round.is_multiple_of(one.every.max(1))) {
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
    fn every_round_has_everybody_in_another_order() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_eq!(order(3, 2), [1, 2, 0]);
        assert_eq!(order(3, 5), [1, 0, 2]);
    }
}
