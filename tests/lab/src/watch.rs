//! Sees to it, all the time, that Dovecot never runs on two nodes at once.
//!
//! A sample reads the process table of each node; where two have Dovecot, the first of them again: a process
//! that is in both readings lived while the other was seen. So what is recorded is true, whatever
//! happened between the readings.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::background::{Background, Shared};
use crate::cluster::Slots;
use crate::process::Process;
use crate::rack::MOST;

/// Between two samples; a start of Dovecot takes longer.
const PERIOD: Duration = Duration::from_millis(25);

/// A moment at which Dovecot ran on two nodes.
#[derive(Clone, Debug)]
pub struct Violation {
    /// When it was seen.
    pub at: Instant,
    /// Dovecot's processes on each of the two.
    pub processes: [Vec<Process>; 2],
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// How often all nodes were looked at.
    pub samples: u64,
    /// The longest time between two looks: a shorter overlap may have been missed.
    pub longest_pause: Duration,
    /// The moments at which Dovecot ran on two nodes.
    pub violations: Vec<Violation>,
}

/// A thread that watches; dropping it ends it.
#[derive(Debug)]
pub struct Watch(Background<Sighting>);

impl Watch {
    /// Begins to watch the nodes, whichever of them are on.
    pub(crate) fn start(nodes: Arc<Slots>) -> Self {
        Self(Background::start([move |seen: &Shared<_>| watch_until_over(&nodes, seen)]))
    }

    /// Returns what was seen so far.
    #[must_use]
    pub fn seen(&self) -> Sighting {
        self.0.seen()
    }

    /// Ends the watch and returns all that was seen.
    #[must_use]
    pub fn stop(self) -> Sighting {
        self.0.stop()
    }
}

/// Takes samples, and records them.
fn watch_until_over(nodes: &Slots, sighting: &Shared<Sighting>) {
    let mut last = Instant::now();
    while !sighting.is_over() {
        let violation = sample(nodes);
        let mut seen = sighting.hold();
        seen.samples += 1;
        seen.longest_pause = seen.longest_pause.max(last.elapsed());
        seen.violations.extend(violation);
        drop(seen);
        last = Instant::now();
        thread::sleep(PERIOD);
    }
}

/// Looks at all nodes once.
fn sample(nodes: &Slots) -> Option<Violation> {
    // A node that is off, or goes off meanwhile, has no processes.
    let running = |node: usize| {
        let mut processes = nodes.get(node)?.dovecot().ok()?;
        processes.retain(|process| process.state != 'Z');
        (!processes.is_empty()).then_some(processes)
    };
    let mut found = (1..=MOST).filter_map(|node| Some((node, running(node)?)));
    let ((node, before), (_, other)) = (found.next()?, found.next()?);
    let first = lasting(&before, &running(node)?);
    let processes = [first, other];
    processes
        .iter()
        .all(|list| !list.is_empty())
        .then(|| Violation { at: Instant::now(), processes })
}

/// Picks the processes that were there before and after.
fn lasting(before: &[Process], after: &[Process]) -> Vec<Process> {
    let name = |process: &Process| (process.pid, process.started);
    let is_still_there = |one: &&Process| after.iter().any(|other| name(other) == name(one));
    before.iter().filter(is_still_there).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_process_is_lasting() {
        let process = |pid, started| Process {
            pid,
            parent: 1,
            session: pid,
            state: 'S',
            started,
            comm: "dovecot".into(),
            args: String::new(),
        };
        let before = [process(7, 100), process(8, 100), process(9, 100)];
        let after = [process(8, 100), process(9, 250)];
        assert_eq!(lasting(&before, &after), [process(8, 100)]);
    }
}
