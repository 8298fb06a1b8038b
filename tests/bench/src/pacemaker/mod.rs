//! `cargo xtask failovers --engine pacemaker`: this kit beside the two agents that a user would take
//! else, by what a client sees of a fault.
//!
//! Each agent has a cluster of its own in each round, and each fault comes at another moment between two
//! monitors. What came is added to a file beside the page, so that rounds of several runs make one
//! page.

mod fault;
mod page;
mod record;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lab::hangs::age_start;
use lab::heading::{heading, shown};
use lab::{Agent, Error, Pacemaker, Plan, Result, Trial, top};

use crate::failovers::phase;
use fault::Fault;
use record::{Record, Sample, Watched};

/// How many rounds there are when nothing is said.
pub(crate) const ROUNDS: u32 = 10;

/// Between two monitors, in seconds.
const MONITOR: u32 = 5;

/// How long mail may be away before it is said that it never comes.
const NEVER: Duration = Duration::from_secs(30);

/// The same for a store that hangs: each login has its own time-out, and the file system is stopped too.
const NEVER_STORED: Duration = Duration::from_secs(150);

/// The agents by their names in the record.
const AGENTS: [(&str, Agent); 4] = [
    ("dovecot-ark", Agent::Kit),
    ("dovecot-ark login", Agent::Login),
    ("systemd", Agent::Systemd),
    ("heartbeat", Agent::Heartbeat),
];

/// The name of an agent.
fn name(agent: Agent) -> &'static str {
    AGENTS.iter().find(|(_, one)| *one == agent).map_or("", |(name, _)| name)
}

/// Plays so many rounds with all agents, adds them to those that were played before, and writes the
/// page below `pkg/bench`; without a round, the page of those alone.
pub(crate) fn run(rounds: u32) -> Result<()> {
    let started = Instant::now();
    heading("building the kit in the profile of releases");
    let kit = lab::release("dovecot-ark", "dovecot-ark")?;
    let directory = top().join("pkg/bench");
    let mut record = Record::open(&directory.join("failovers-pacemaker.tsv"))?;
    let mut failures = Vec::new();
    for round in 1..=rounds {
        for (name, agent) in AGENTS {
            heading(&format!("round {round} of {rounds}: {name}"));
            if let Err(cause) = play(&kit, agent, &mut record) {
                println!("   {cause}");
                failures.push(cause.to_string());
            }
        }
    }
    page::write(&directory, &record)?;
    println!("\nwritten to {}, {}", directory.display(), shown(started.elapsed()));
    let cause = || Error::failed("playing all rounds", failures.join("; "));
    if failures.is_empty() { page::judge(&record) } else { Err(cause()) }
}

/// Plays all faults of an agent once, on a cluster of its own.
fn play(kit: &Path, agent: Agent, record: &mut Record) -> Result<()> {
    // With one login that fails the group goes: on the other node the store may be well. Who waits for
    // the store ends by signals alone, and a short limit brings them early.
    let (threshold, stop) = if agent == Agent::Login { (1, "20s") } else { (5, "150s") };
    let plan = Plan { monitor: "5s", threshold, stop, ..Plan::new(kit, agent) };
    let cluster = Pacemaker::start(&plan)?;
    record.set(page::setting(&*cluster.node(1)?)?)?;
    let mut trial = Trial::begin(cluster)?;
    for fault in Fault::of(agent) {
        let before = record.samples.iter().filter(|one| one.agent == agent && one.fault == fault);
        let nth = u32::try_from(before.count() + 1).unwrap_or(u32::MAX);
        if agent == Agent::Login {
            age_start(&*trial.cluster.node(trial.serving()?.0)?)?;
        }
        thread::sleep(Duration::from_secs(MONITOR.into()).mul_f64(phase(nth)));
        let limit = if agent == Agent::Login { NEVER_STORED } else { NEVER };
        let came = trial.event(limit, |cluster, node| fault.happen(cluster, node))?;
        let downtime = came.downtime.map_or_else(|| "never".into(), shown);
        let (from, to) = (came.from, came.to);
        let cut = came.fenced.len();
        println!("   {}: {downtime}, node {from} to {to:?}, {cut} cut", fault.title());
        record.add(Sample::of(agent, fault, &came))?;
        Fault::heal(&trial.cluster)?;
        // What is cut last needs not come back.
        if fault != Fault::PowerCut {
            trial.settle()?;
        }
    }
    let verdict = trial.end()?;
    record.watched(Watched::of(agent, &verdict))
}
