//! `cargo xtask failovers`: how long a client has no mail after a fault, and whose time that is.
//!
//! Faults come at different moments between two of LifeKeeper's checks, spread evenly, so their
//! mean stands for a fault that comes at any time.

mod page;
mod record;
mod shares;

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab::heading::{heading, shown};
use lab::stage::{Sight, Stage, signal_master};
use lab::{Error, NODES, Result, top, until};

use page::Figures;
use record::Record;
use shares::{Shares, Window};

/// How often the power is cut and the master killed when nothing is said.
pub(crate) const ROUNDS: u32 = 20;
/// The master, whose repair takes longest, is frozen in every second round.
const FROZEN: u32 = 2;
/// The longest wait for LifeKeeper's next check.
const CHECK: Duration = Duration::from_secs(20);
/// How far the parts may be from their sum: the two are counted with different clocks.
const TOLERANCE: Duration = Duration::from_millis(5);

/// What happens to Dovecot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Killed,
    Frozen,
    PowerCut,
}

impl Event {
    const ALL: [Self; 3] = [Self::Killed, Self::Frozen, Self::PowerCut];

    /// Returns what people read.
    const fn title(self) -> &'static str {
        match self {
            Self::Killed => "master killed",
            Self::Frozen => "master frozen",
            Self::PowerCut => "power cut",
        }
    }
}

/// One event, and the downtime after it.
#[derive(Clone, Debug)]
struct Sample {
    event: Event,
    downtime: Duration,
    parts: Shares,
}

/// Cuts the power of the node in service, and kills and freezes the master, so many times; writes
/// whose the downtimes were below `pkg/bench`.
pub(crate) fn run(rounds: u32) -> Result<()> {
    let started = Instant::now();
    heading("building the kit in the profile of releases");
    let mut stage = Stage::set(
        &lab::release("dovecot-ark", "dovecot-ark")?,
        &lab::program("lifekeeper-standin")?,
    )?;
    for node in NODES {
        record::begin(&*stage.cluster.node(node)?)?;
    }
    let (text, interval) = page::setting(&*stage.cluster.node(1)?)?;
    let (mut samples, mut active) = (Vec::new(), 1);
    for round in 1..=rounds {
        let cut = active;
        active = 3 - active;
        samples.push(happen(&mut stage, Event::PowerCut, active)?);
        stage.back(cut)?;
        let frozen = (round % FROZEN == 1).then(|| round.div_ceil(FROZEN));
        for (event, nth) in [(Event::Killed, Some(round)), (Event::Frozen, frozen)] {
            if let Some(nth) = nth {
                wait_for_check(&stage, active)?;
                thread::sleep(interval.mul_f64(phase(nth)));
                samples.push(happen(&mut stage, event, active)?);
            }
        }
        println!("   round {round} of {rounds}");
    }
    stage.end()?;
    let figures = Event::ALL.into_iter().filter_map(|event| Figures::of(event, &samples));
    let figures: Vec<Figures> = figures.collect();
    let directory = top().join("pkg/bench");
    println!("\n{}", page::write(&directory, &figures, &text)?);
    println!("written to {}, {}", directory.display(), shown(started.elapsed()));
    figures.iter().try_for_each(Figures::judge)
}

/// Returns where between two checks the nth fault of its kind comes, from 0 to 1.
pub(crate) fn phase(nth: u32) -> f64 {
    // Steps of the golden section spread any number of moments evenly.
    (f64::from(nth) * 0.618_034) % 1.0
}

/// Waits until the next check of Dovecot has ended.
fn wait_for_check(stage: &Stage, node: usize) -> Result<()> {
    let checks = || stage.noted(node, &["end quickCheck"]);
    let before = checks()?;
    until("waiting for a quickCheck", CHECK, Duration::from_millis(10), || Ok(checks()? != before))
}

/// Lets an event happen, after which `node` serves, and tells whose the downtime was.
fn happen(stage: &mut Stage, event: Event, node: usize) -> Result<Sample> {
    let Sight { mark, downtime, timeline } =
        stage.event(event.title(), node, |cluster| match event {
            Event::Killed => signal_master(cluster, node, "KILL"),
            Event::Frozen => signal_master(cluster, node, "STOP"),
            Event::PowerCut => cluster.power_cut(3 - node),
        })?;
    // The nodes note the time since 1970.
    let (now, since_1970) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH));
    let since_1970 = since_1970.unwrap_or_default();
    let at = |moment: Instant| since_1970.saturating_sub(now.saturating_duration_since(moment));
    let mut record = Record::default();
    for node in NODES {
        if let Ok(node) = stage.cluster.node(node) {
            record.read(&node)?;
        }
    }
    let outages = timeline.outages().into_iter().filter_map(|outage| {
        let to = outage.to.filter(|to| *to > mark)?;
        Some(Window { from: at(outage.from.max(mark)), to: at(to) })
    });
    let parts = shares::shares(&record, at(mark), &outages.collect::<Vec<_>>());
    let sum = parts.values().sum::<Duration>();
    if sum.abs_diff(downtime) > TOLERANCE {
        let doing = format!("telling whose the {downtime:?} were");
        return Err(Error::failed(doing, format!("the parts add up to {sum:?}")));
    }
    Ok(Sample { event, downtime, parts })
}
