//! Nothing outlives a remove: a Dovecot with ten clients is removed thousands of times while every
//! processor is busy.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Error, Means, Node, Removal, Result, burn};

use super::{Place, Wanted, spread};
use crate::heading::{heading, shown};
use crate::kit;

/// How many removes there are when nothing is said.
pub(super) const COUNT: u32 = 2000;
/// When it is looked again whether a process is left.
const LATER: Duration = Duration::from_secs(2);
/// How many nodes there are of each kind: while one waits for that, another works.
const NODES_EACH: u32 = 2;
/// Each so many removes of a node a line is printed.
const TOLD: u32 = 25;

/// Removes on nodes of each kind that is wanted.
pub(super) fn run(binary: &Path, wanted: &Wanted) -> Result<()> {
    let each = |place: &Place| (0..NODES_EACH).map(|_| *place).collect::<Vec<_>>();
    let lanes: Vec<Place> = wanted.places.iter().flat_map(each).collect();
    heading(&format!(
        "{} removes on {} nodes, ten clients each, all processors busy",
        wanted.count,
        lanes.len()
    ));
    let started = Instant::now();
    let nodes = lanes.iter().map(|place| kit::node_on(binary, place.0, place.1));
    let nodes = nodes.collect::<Result<Vec<Node>>>()?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let busy = nodes.first().map(|node| burn(node, processors)).transpose()?;
    let done: Vec<Done> = thread::scope(|scope| {
        let shares = lanes.iter().zip(wanted.shares(lanes.len()));
        let running: Vec<_> = (nodes.iter().zip(shares))
            .map(|(node, (place, share))| scope.spawn(move || lane(node, *place, share)))
            .collect();
        // A panic there has been shown, and its removes are missed in the report.
        running.into_iter().flat_map(|lane| lane.join().unwrap_or_default()).collect()
    });
    drop(busy);
    for place in &wanted.places {
        for means in Means::ALL {
            println!("   {}", row(*place, means, &done));
        }
    }
    println!("   all in {}", shown(started.elapsed()));
    let good = done.iter().filter(|one| one.removal.failure.is_none()).count();
    if u32::try_from(good) == Ok(wanted.count) {
        return Ok(());
    }
    let cause = format!("{good} of {} removes left nothing", wanted.count);
    Err(Error::failed("removing Dovecot", cause))
}

/// A remove that has ended, and where.
struct Done {
    place: Place,
    means: Means,
    removal: Removal,
}

/// Removes so many times on a node, and tells each failure at once. What cannot be prepared is
/// a failure too, and the last.
fn lane(node: &Node, place: Place, share: u32) -> Vec<Done> {
    let mut done = Vec::new();
    for (number, means) in (1..=share).zip(Means::ALL.into_iter().cycle()) {
        let removal = Removal::perform(node, means, LATER);
        let is_last = removal.is_err();
        let removal = removal.unwrap_or_else(|error| Removal {
            took: Duration::ZERO,
            failure: Some(error.to_string()),
        });
        if let Some(failure) = &removal.failure {
            println!("   {place}, by {means}, remove {number}: {failure}");
        }
        done.push(Done { place, means, removal });
        if is_last {
            break;
        }
        if number.is_multiple_of(TOLD) {
            println!("   {place}: {number} of {share} on one node");
        }
    }
    done
}

/// Tells the times and failures of the removes in one kind of place by one means.
fn row(place: Place, means: Means, done: &[Done]) -> String {
    let of: Vec<&Removal> = (done.iter())
        .filter(|one| one.place == place && one.means == means)
        .map(|one| &one.removal)
        .collect();
    let failed = of.iter().filter(|removal| removal.failure.is_some()).count();
    let times = spread(of.iter().map(|removal| removal.took).collect());
    format!("{place}, by {means}: {} removes, {times}, {failed} failed", of.len())
}

#[cfg(test)]
mod tests {
    use super::super::{SYSTEMD, SYSV};
    use super::*;

    #[test]
    fn a_row_is_of_one_place_and_one_means() {
        let done = |place, means, seconds, failure: Option<&str>| Done {
            place,
            means,
            removal: Removal {
                took: Duration::from_secs(seconds),
                failure: failure.map(str::to_owned),
            },
        };
        let done = [
            done(SYSV, Means::Signals, 1, None),
            done(SYSV, Means::Signals, 3, Some("left right after success: 7 (imap)")),
            done(SYSV, Means::StopCommand, 5, None),
            done(SYSTEMD, Means::Signals, 7, None),
        ];
        assert_eq!(
            row(SYSV, Means::Signals, &done),
            "Dovecot 2.3, SysV, by signals: 2 removes, median 3.00 s, longest 3.00 s, 1 failed"
        );
    }
}
