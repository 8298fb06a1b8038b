//! Nothing outlives a remove: a Dovecot with ten clients is removed thousands of times while every
//! processor is busy.

use std::thread;
use std::time::Duration;

use lab::{Error, Means, Node, Removal, Result, burn, kit};

use super::{Place, Tools, spread};

/// When the processes that are left are counted again.
const LATER: Duration = Duration::from_secs(2);
/// How many nodes there are at most: while one waits for that, another works.
const NODES: u32 = 4;

/// Removes so often, on some nodes at once.
pub(super) fn run(tools: &Tools, place: Place, count: u32) -> Result<()> {
    let lanes = NODES.min(count);
    let nodes = (0..lanes).map(|_| kit::node_on(&tools.kit, place.1, place.2));
    let nodes = nodes.collect::<Result<Vec<Node>>>()?;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let busy = nodes.first().map(|node| burn(node, processors)).transpose()?;
    let done: Vec<(Means, Removal)> = thread::scope(|scope| {
        let running: Vec<_> = (nodes.iter().zip(0..))
            .map(|(node, at)| {
                let share = count / lanes + u32::from(at < count % lanes);
                scope.spawn(move || lane(node, at, share))
            })
            .collect();
        // A panic there has been shown, and its removes are missed below.
        running.into_iter().flat_map(|lane| lane.join().unwrap_or_default()).collect()
    });
    drop(busy);
    for means in Means::ALL {
        let of = done.iter().filter(|(by, _)| *by == means).map(|(_, removal)| removal);
        let failed = of.clone().filter(|removal| removal.failure.is_some()).count();
        let times = spread(of.clone().map(|removal| removal.took.as_secs_f64()));
        println!("by {means}: {} removes, {times}, {failed} failed", of.count());
    }
    let good = done.iter().filter(|(_, removal)| removal.failure.is_none()).count();
    if u32::try_from(good) == Ok(count) {
        return Ok(());
    }
    Err(Error::failed("removing Dovecot", format!("{good} of {count} removes left nothing")))
}

/// Removes so many times on a node, and tells each failure at once. What cannot be prepared is
/// a failure too, and the last.
fn lane(node: &Node, at: u32, share: u32) -> Vec<(Means, Removal)> {
    let mut done = Vec::new();
    // By which means it begins differs from the next node.
    let means = Means::ALL.into_iter().cycle().skip(usize::from(at % 2 == 1));
    for (number, means) in (1..=share).zip(means) {
        let removal = Removal::perform(node, means, LATER);
        let is_last = removal.is_err();
        let removal = removal.unwrap_or_else(|error| Removal {
            took: Duration::ZERO,
            failure: Some(error.to_string()),
        });
        if let Some(failure) = &removal.failure {
            println!("remove {number}, by {means}: {failure}");
        }
        done.push((means, removal));
        if is_last {
            break;
        }
    }
    done
}
