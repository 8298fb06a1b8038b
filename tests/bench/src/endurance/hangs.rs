//! A mail store or a user directory that hangs on a cluster: what moves, how often, and what a client saw.

use lab::Result;
use std::time::Duration;

use lab::hangs::{Hang, play, prepare};
use lab::stage::Stage;

use super::{Place, Tools, spread};

/// A short limit for a stop, in seconds: who waits for the store ends by signals alone.
const STOP: u32 = 5;

/// Lets each hang so often.
pub(super) fn run(tools: &Tools, _: Place, count: u32) -> Result<()> {
    let mut stage = Stage::set(&tools.kit, &lab::program("lifekeeper-standin")?)?;
    prepare(&stage.cluster, STOP)?;
    for hang in Hang::ALL {
        let mut times = Vec::new();
        for _ in 0..count {
            let took = play(&mut stage, hang)?;
            println!("   {}: no mail for {took:.1?}", hang.title());
            times.push(took);
        }
        println!("{}: {}", hang.title(), spread(times.iter().map(Duration::as_secs_f64)));
    }
    stage.end()
}
