//! The figures as people read them: a page in Markdown, and a picture.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use lab::{Agent, Error, Node, Result};

use super::fault::Fault;
use super::record::{Record, Sample, Watched};
use super::{MONITOR, NEVER};
use crate::draw::{self, Bar};
use crate::samples::{Spread, row};

/// The page, with a name in braces where tables and figures come.
const PAGE: &str = include_str!("page.md");

/// The columns: what people read, and whose samples they hold.
const COLUMNS: [(&str, &[Agent]); 3] = [
    ("`ocf:dovecot-ark:dovecot`", &[Agent::Kit, Agent::Login]),
    ("`systemd:dovecot`", &[Agent::Systemd]),
    ("`ocf:heartbeat:dovecot`", &[Agent::Heartbeat]),
];

/// How far this kit's median may lie behind the better of the others', in seconds.
const BEHIND: f64 = 0.5;

/// What the figures are taken with, in one line: asks a node, and this machine.
pub(super) fn setting(node: &Node) -> Result<String> {
    let script = "
        version() { dpkg-query -W -f '${Version}' \"$1\"; }
        echo \"Taken on $(date -u +%F): Linux $(uname -r), Dovecot $(version dovecot-core),\" \
        \"Pacemaker $(version pacemaker), Corosync $(version corosync),\" \
        \"resource-agents $(version resource-agents), $(nproc) processors.\"";
    let said = node.sh(script)?.succeeded("asking a node what it is")?.stdout;
    Ok(said.trim().to_owned())
}

/// What came of a fault with an agent in all rounds.
struct Cell {
    times: usize,
    /// Of those that came back.
    downtime: Option<Spread>,
    never: usize,
    moved: usize,
    cut: usize,
}

impl Cell {
    /// Puts together what came of it; none when it was never tried.
    fn of(record: &Record, fault: Fault, agents: &[Agent]) -> Option<Self> {
        let is_its = |one: &&Sample| one.fault == fault && agents.contains(&one.agent);
        let samples: Vec<&Sample> = record.samples.iter().filter(is_its).collect();
        let count = |is_it: fn(&Sample) -> bool| samples.iter().filter(|one| is_it(one)).count();
        (!samples.is_empty()).then(|| Self {
            times: samples.len(),
            downtime: Spread::of(samples.iter().filter_map(|one| one.downtime)),
            never: count(|one| one.downtime.is_none()),
            moved: count(|one| one.moved),
            cut: count(|one| one.cut > 0),
        })
    }

    /// The median, if mail came back each time.
    fn median(&self) -> Option<f64> {
        self.downtime.filter(|_| self.never == 0).map(|spread| spread.median)
    }

    /// Writes it for a table.
    fn text(&self, fault: Fault) -> String {
        let mut text = match self.downtime {
            Some(spread) => {
                format!("**{:.1}** ({:.1}-{:.1})", spread.median, spread.min, spread.max)
            }
            None => "**never**".into(),
        };
        if self.downtime.is_some() && self.never > 0 {
            let _ = write!(text, ", {} never", self.never);
        }
        let is_moved_anyway = matches!(fault, Fault::Moved | Fault::MovedFrozen | Fault::PowerCut);
        if self.moved > 0 && !is_moved_anyway {
            let _ = write!(text, ", {} moved", self.moved);
        }
        if self.cut > 0 {
            let _ = write!(text, ", {} fenced", self.cut);
        }
        text
    }
}

/// What came of a fault, for each column.
fn cells(record: &Record, fault: Fault) -> [Option<Cell>; 3] {
    COLUMNS.map(|(_, agents)| Cell::of(record, fault, agents))
}

/// Writes the page and its picture.
pub(super) fn write(directory: &Path, record: &Record) -> Result<()> {
    draw(&directory.join("failovers-pacemaker.svg"), record)?;
    let times = |agents: &[Agent]| {
        let cells = Fault::ALL.into_iter().filter_map(|(fault, _)| Cell::of(record, fault, agents));
        cells.map(|cell| cell.times).min().unwrap_or_default()
    };
    let times: Vec<usize> = COLUMNS.iter().map(|(_, agents)| times(agents)).collect();
    let least = times.iter().min().copied().unwrap_or_default();
    let page = PAGE
        .replace("{setting}", &record.setting)
        .replace("{times}", &least.to_string())
        .replace("{load}", &load(record))
        .replace("{monitor}", &MONITOR.to_string())
        .replace("{never}", &NEVER.as_secs().to_string())
        .replace("{downtimes}", &downtimes(record))
        .replace("{watched}", &watched(record));
    let file = directory.join("failovers-pacemaker.md");
    fs::write(&file, page).map_err(Error::io(format!("writing {}", file.display())))
}

fn downtimes(record: &Record) -> String {
    let mut table = String::new();
    let head = COLUMNS.map(|(name, _)| name.to_owned());
    row(&mut table, ["fault".to_owned()].into_iter().chain(head).chain(["times".to_owned()]));
    row(&mut table, ["---"; 4].into_iter().chain(["---:"]));
    for (fault, title) in Fault::ALL {
        let cells = cells(record, fault);
        let texts = cells
            .iter()
            .map(|cell| cell.as_ref().map_or_else(|| "not tried".into(), |cell| cell.text(fault)));
        let times: Vec<String> =
            cells.iter().flatten().map(|cell| cell.times.to_string()).collect();
        row(&mut table, [title.to_owned()].into_iter().chain(texts).chain([times.join(", ")]));
    }
    table
}

/// How busy the machine was, which all agents had to share.
fn load(record: &Record) -> String {
    let spread = Spread::of(record.rounds.iter().map(|one| one.load));
    spread.map_or_else(String::new, |one| {
        format!("{:.1} ({:.1}-{:.1})", one.median, one.min, one.max)
    })
}

/// What was watched, for each column.
fn watched(record: &Record) -> String {
    let mut table = String::new();
    let head = ["", "clusters", "messages", "lost", "looks at both nodes", "longest pause"];
    row(&mut table, head.into_iter().chain(["two masters seen"]));
    row(&mut table, ["---"].into_iter().chain(["---:"; 6]));
    for (name, agents) in COLUMNS {
        let all = record.rounds.iter().filter(|one| agents.contains(&one.agent));
        let all: Vec<_> = all.collect();
        let messages: usize = all.iter().map(|one| one.messages).sum();
        let lost: usize = all.iter().map(|one| one.lost).sum();
        let looks: u64 = all.iter().map(|one| one.looks).sum();
        let both: usize = all.iter().map(|one| one.both).sum();
        let pause = all.iter().map(|one| one.pause).fold(0.0, f64::max);
        let figures = [all.len().to_string(), messages.to_string(), lost.to_string()];
        let looked = [looks.to_string(), format!("{pause:.2} s"), both.to_string()];
        row(&mut table, [name.to_owned()].into_iter().chain(figures).chain(looked));
    }
    table
}

/// Draws a bar for each fault and agent; one that never came back is as long as the longest.
fn draw(file: &Path, record: &Record) -> Result<()> {
    let longest = record.samples.iter().filter_map(|one| one.downtime).fold(1.0, f64::max);
    let mut bars = Vec::new();
    for (fault, title) in Fault::ALL {
        bars.push(Bar { name: title.to_owned(), ..Bar::default() });
        for (colour, ((name, _), cell)) in COLUMNS.iter().zip(cells(record, fault)).enumerate() {
            let Some(cell) = cell else { continue };
            let short =
                name.trim_matches('`').trim_start_matches("ocf:").trim_end_matches(":dovecot");
            let (length, whisker, figure) = match cell.downtime {
                Some(one) if cell.never == 0 => {
                    (one.median, Some((one.min, one.max)), format!("{:.1} s", one.median))
                }
                Some(_) | None => (longest, None, "never".into()),
            };
            let parts = vec![(colour, length)];
            bars.push(Bar { name: short.to_owned(), parts, whisker, figure });
        }
    }
    let title = "Downtime after a fault (medians; whiskers: shortest and longest)";
    let agents = ["dovecot-ark", "systemd", "heartbeat"];
    draw::bars(file, title, "time without mail", &agents, &bars)
}

/// Fails where this kit is behind, where a healthy node was cut for it, where a message was lost, or
/// where there were two masters.
pub(super) fn judge(record: &Record) -> Result<()> {
    let mut wrong = Vec::new();
    for (fault, title) in Fault::ALL {
        let [ours, others @ ..] = cells(record, fault);
        let Some(ours) = ours else { continue };
        let best = others.iter().flatten().filter_map(Cell::median).min_by(f64::total_cmp);
        match (ours.median(), best) {
            (None, _) => wrong.push(format!("{title}: mail did not come back each time")),
            (Some(own), Some(best)) if own > best + BEHIND => {
                wrong.push(format!("{title}: {own:.2} s, another's {best:.2} s"));
            }
            (Some(_), _) => {}
        }
        // A node with a store that hangs is not healthy.
        if ours.cut > 0 && !matches!(fault, Fault::PowerCut | Fault::Store) {
            wrong.push(format!("{title}: {} healthy nodes were fenced", ours.cut));
        }
    }
    let is_ours = |one: &&Watched| matches!(one.agent, Agent::Kit | Agent::Login);
    for round in record.rounds.iter().filter(is_ours) {
        if round.lost > 0 || round.both > 0 {
            wrong.push(format!("{} messages lost, two masters {} times", round.lost, round.both));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::failed("comparing", wrong.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came of faults with an agent: seconds, and how many nodes were cut.
    fn record(rows: &[(Agent, Fault, Option<f64>, usize)]) -> Record {
        let samples = rows.iter().map(|&(agent, fault, downtime, cut)| {
            let moved = fault == Fault::Moved;
            Sample { agent, fault, downtime, moved, cut }
        });
        Record { samples: samples.collect(), ..Record::default() }
    }

    #[test]
    fn what_came_of_a_fault_is_a_row_for_all_agents() {
        let record = record(&[
            (Agent::Kit, Fault::Frozen, Some(4.0), 0),
            (Agent::Kit, Fault::Frozen, Some(5.0), 0),
            (Agent::Kit, Fault::Frozen, Some(4.26), 0),
            (Agent::Systemd, Fault::Frozen, None, 0),
            (Agent::Heartbeat, Fault::Frozen, Some(9.0), 1),
            (Agent::Heartbeat, Fault::Frozen, None, 0),
            (Agent::Login, Fault::Store, Some(30.0), 1),
        ]);
        let table = downtimes(&record);
        let line = "| master frozen | **4.3** (4.0-5.0) | **never** | \
                    **9.0** (9.0-9.0), 1 never, 1 fenced | 3, 1, 2 |";
        assert!(table.lines().any(|one| one == line), "{table}");
        let line =
            "| mail store hangs | **30.0** (30.0-30.0), 1 fenced | not tried | not tried | 1 |";
        assert!(table.lines().any(|one| one == line), "{table}");
        assert!(judge(&record).is_ok());
    }

    #[test]
    fn who_is_behind_or_cuts_a_healthy_node_or_never_comes_back_fails() {
        let killed = |own, other| {
            judge(&record(&[
                (Agent::Kit, Fault::Killed, own, 0),
                (Agent::Systemd, Fault::Killed, other, 0),
            ]))
        };
        assert!(killed(Some(2.4), Some(2.0)).is_ok());
        assert!(killed(Some(2.4), None).is_ok(), "who never comes back is not ahead");
        let told = |result: Result<()>| result.map_err(|cause| cause.to_string());
        let behind = told(killed(Some(2.6), Some(2.0)));
        assert!(behind.as_ref().is_err_and(|why| why.contains("2.60 s, another's 2.00 s")));
        assert!(killed(None, Some(2.0)).is_err());
        assert!(judge(&record(&[(Agent::Kit, Fault::MovedFrozen, Some(1.0), 1)])).is_err());
        assert!(judge(&record(&[(Agent::Kit, Fault::PowerCut, Some(1.0), 1)])).is_ok());
        let mut twice = record(&[]);
        let round = Watched {
            agent: Agent::Kit,
            messages: 1,
            lost: 0,
            looks: 9,
            pause: 0.1,
            both: 1,
            load: 0.0,
        };
        twice.rounds.push(round);
        assert!(judge(&twice).is_err());
    }
}
