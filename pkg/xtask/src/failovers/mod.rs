//! `cargo xtask failovers`: how long a client has no mail after a fault, and whose time that is.
//!
//! Faults come at different moments between two of LifeKeeper's checks, spread evenly, so their
//! mean stands for a fault that comes at any time.

mod chart;
mod figures;
mod parts;
mod record;
mod report;
mod shares;

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab::{Error, NODES, Result};

use crate::cargo::top;
use crate::stage::{Sight, Stage, signal_master};
use figures::{Figures, Sample};
use parts::Owner;
use record::Record;
use report::Setting;
use shares::{Outage, Window};

/// How often the power is cut and the master killed when nothing is said.
pub(crate) const ROUNDS: u32 = 20;
/// The master, whose repair takes longest, is frozen in every second round.
const FROZEN: u32 = 2;
/// The longest wait for LifeKeeper's next check; it looks every 2 s.
const CHECK: Duration = Duration::from_secs(20);
/// How far the parts may be from their sum: the two are counted with different clocks.
const TOLERANCE: Duration = Duration::from_millis(5);
/// How much of a downtime may be nobody's: one in so many parts.
const NOBODYS: u32 = 20;

/// What happens to Dovecot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
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

/// The moment at which two clocks were read.
struct Clocks(Instant, Duration);

impl Clocks {
    fn read() -> Self {
        Self(Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// Returns a moment as a time since 1970.
    fn since_1970(&self, at: Instant) -> Duration {
        let Self(instant, time) = self;
        (*time + at.saturating_duration_since(*instant))
            .saturating_sub(instant.saturating_duration_since(at))
    }
}

/// Cuts the power of the node in service, and kills and freezes the master, so many times; prints
/// whose the downtimes were, and writes it below `pkg/bench`.
///
/// # Errors
///
/// When once it does not come out as it must, or much of a downtime is nobody's.
pub(crate) fn run(rounds: u32) -> Result<()> {
    let started = Instant::now();
    let mut stage = Stage::set()?;
    for node in NODES {
        record::begin(&*stage.cluster.node(node)?)?;
    }
    let setting = Setting::of(&*stage.cluster.node(1)?)?;
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
                thread::sleep(setting.interval.mul_f64(phase(nth)));
                samples.push(happen(&mut stage, event, active)?);
            }
        }
        println!("   round {round} of {rounds}");
    }
    let check = recorded(&stage)?.check();
    stage.end()?;

    let figures: Vec<Figures> =
        Event::ALL.into_iter().filter_map(|event| Figures::of(event, &samples)).collect();
    report::print(&figures);
    let folder = top().join("pkg/bench");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io(format!("writing {}", path.display())))
    };
    fs::create_dir_all(&folder).map_err(Error::io("making pkg/bench"))?;
    write("failovers.md", report::markdown(&figures, &setting, check))?;
    write("failovers.svg", chart::svg(&figures))?;
    println!("\n   written to pkg/bench/failovers.md and failovers.svg");
    println!("   {}", crate::heading::shown(started.elapsed()));
    for one in &figures {
        let nobodys = one.share(Owner::Nobody);
        if nobodys > one.mean / NOBODYS {
            let doing = format!("telling whose the downtime was after: {}", one.event.title());
            return Err(Error::failed(doing, format!("of {nobodys:?} on average nobody knows")));
        }
    }
    Ok(())
}

/// Returns where between two checks the nth fault of its kind comes, from 0 to 1.
fn phase(nth: u32) -> f64 {
    // Steps of the golden section spread any number of moments evenly.
    (f64::from(nth) * 0.618_034) % 1.0
}

/// Waits until the next check of Dovecot has ended.
fn wait_for_check(stage: &Stage, node: usize) -> Result<()> {
    let checks = || stage.noted(node, &["end quickCheck"]);
    let (start, before) = (Instant::now(), checks()?);
    while checks()? == before {
        if start.elapsed() > CHECK {
            return Err(Error::Late { doing: "waiting for a quickCheck".into(), limit: CHECK });
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Lets an event happen, after which `node` serves, and tells whose the downtime was.
fn happen(stage: &mut Stage, event: Event, node: usize) -> Result<Sample> {
    let sight = stage.event(event.title(), node, |cluster| match event {
        Event::Killed => signal_master(cluster, node, "KILL"),
        Event::Frozen => signal_master(cluster, node, "STOP"),
        Event::PowerCut => cluster.power_cut(3 - node),
    })?;
    let clocks = Clocks::read();
    let record = recorded(stage)?;
    let mark = clocks.since_1970(sight.mark);
    let parts = shares::shares(&record, mark, &outages(&sight, &clocks));
    let (sum, downtime) = (parts.values().sum::<Duration>(), sight.downtime);
    if sum.abs_diff(downtime) > TOLERANCE {
        let cause = format!("its parts add up to {sum:?}");
        return Err(Error::failed(format!("telling whose the {downtime:?} were"), cause));
    }
    Ok(Sample { event, downtime, parts })
}

/// Returns what the nodes that are on have noted.
fn recorded(stage: &Stage) -> Result<Record> {
    let mut record = Record::default();
    for node in NODES {
        if let Ok(node) = stage.cluster.node(node) {
            record.read(&node, Clocks::read().1)?;
        }
    }
    Ok(record)
}

/// Lists the times without mail after the mark.
fn outages(sight: &Sight, clocks: &Clocks) -> Vec<Outage> {
    let at = |instant| clocks.since_1970(instant);
    let polls = sight.timeline.polls();
    let outages = sight.timeline.outages().into_iter().filter_map(|outage| {
        let to = outage.to.filter(|to| *to > sight.mark)?;
        let session = polls.iter().find(|poll| poll.ended == to)?.began;
        let window = Window { from: at(outage.from.max(sight.mark)), to: at(to) };
        Some(Outage { window, session: at(session) })
    });
    outages.collect()
}
