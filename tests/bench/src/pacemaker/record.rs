//! What came of the faults in all rounds, as a file that is added to.
//!
//! A line is a fault (`agent fault seconds from to cut`, `never` and `-` where there is nothing to
//! say), or what was watched in a round (`agent watched messages lost looks pause both load`), or what it was
//! taken with (`setting text`). Tabs lie between the words.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use lab::{Agent, Error, Result, Sequel, Verdict};

use super::fault::Fault;
use super::{AGENTS, name};

/// The word between agent and figures where a round was watched.
const WATCHED: &str = "watched";
/// The first word of what the figures are taken with.
const SETTING: &str = "setting";

/// What came of one fault.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) agent: Agent,
    pub(super) fault: Fault,
    /// Seconds without mail; none where it did not come back.
    pub(super) downtime: Option<f64>,
    /// The group went to another node.
    pub(super) moved: bool,
    /// How many nodes the power switch has cut.
    pub(super) cut: usize,
}

/// What was watched all through a round.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watched {
    pub(super) agent: Agent,
    pub(super) messages: usize,
    pub(super) lost: usize,
    pub(super) looks: u64,
    /// The longest time between two looks, in seconds.
    pub(super) pause: f64,
    /// How often Dovecot was seen on both nodes.
    pub(super) both: usize,
    /// The machine's load at the end, an average over 15 minutes.
    pub(super) load: f64,
}

/// All of it, and the file.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) path: PathBuf,
    pub(super) samples: Vec<Sample>,
    pub(super) rounds: Vec<Watched>,
    /// What the last figures are taken with.
    pub(super) setting: String,
}

impl Sample {
    pub(super) fn of(agent: Agent, fault: Fault, came: &Sequel) -> Self {
        let downtime = came.downtime.map(|time| time.as_secs_f64());
        let moved = came.to.is_some_and(|to| to != came.from);
        Self { agent, fault, downtime, moved, cut: came.fenced.len() }
    }

    fn line(&self) -> String {
        let seconds = self.downtime.map_or_else(|| "never".into(), |time| format!("{time:.3}"));
        let moved = if self.moved { "moved" } else { "-" };
        format!("{}\t{}\t{seconds}\t{moved}\t{}", name(self.agent), self.fault.title(), self.cut)
    }

    fn read(agent: Agent, words: &[&str]) -> Option<Self> {
        let &[fault, seconds, moved, cut] = words else { return None };
        let (fault, _) = Fault::ALL.into_iter().find(|(_, title)| *title == fault)?;
        let downtime = (seconds != "never").then(|| seconds.parse());
        let downtime = downtime.transpose().ok()?;
        Some(Self { agent, fault, downtime, moved: moved == "moved", cut: cut.parse().ok()? })
    }
}

impl Watched {
    pub(super) fn of(agent: Agent, verdict: &Verdict) -> Self {
        // proc_loadavg(5): the third word.
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').nth(2).and_then(|word| word.parse().ok());
        Self {
            agent,
            messages: verdict.acknowledged,
            lost: verdict.missing.len(),
            looks: verdict.seen.samples,
            pause: verdict.seen.longest_pause.as_secs_f64(),
            both: verdict.seen.violations.len(),
            load: load.unwrap_or(f64::NAN),
        }
    }

    fn line(&self) -> String {
        let Self { messages, lost, looks, pause, both, load, .. } = self;
        let agent = name(self.agent);
        format!("{agent}\t{WATCHED}\t{messages}\t{lost}\t{looks}\t{pause:.3}\t{both}\t{load:.1}")
    }

    fn read(agent: Agent, words: &[&str]) -> Option<Self> {
        let &[_, messages, lost, looks, pause, both, load] = words else { return None };
        Some(Self {
            agent,
            messages: messages.parse().ok()?,
            lost: lost.parse().ok()?,
            looks: looks.parse().ok()?,
            pause: pause.parse().ok()?,
            both: both.parse().ok()?,
            load: load.parse().ok()?,
        })
    }
}

impl Record {
    /// Reads what was recorded before.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == ErrorKind::NotFound => String::new(),
            Err(cause) => return Err(Error::io(format!("reading {}", path.display()))(cause)),
        };
        let mut record = Self { path: path.to_owned(), ..Self::default() };
        for line in text.lines() {
            let garbled = || Error::failed(format!("reading {}", path.display()), line);
            record.take(line).ok_or_else(garbled)?;
        }
        Ok(record)
    }

    /// Understands a line.
    fn take(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split('\t').collect();
        if let [SETTING, text] = words.as_slice() {
            (*text).clone_into(&mut self.setting);
            return Some(());
        }
        let (first, words) = words.split_first()?;
        let (_, agent) = AGENTS.iter().find(|(name, _)| name == first)?;
        if words.first() == Some(&WATCHED) {
            self.rounds.push(Watched::read(*agent, words)?);
        } else {
            self.samples.push(Sample::read(*agent, words)?);
        }
        Some(())
    }

    /// Adds what came of a fault.
    pub(super) fn add(&mut self, sample: Sample) -> Result<()> {
        self.append(&sample.line())?;
        self.samples.push(sample);
        Ok(())
    }

    /// Adds what was watched in a round.
    pub(super) fn watched(&mut self, watched: Watched) -> Result<()> {
        self.append(&watched.line())?;
        self.rounds.push(watched);
        Ok(())
    }

    /// Notes what the figures are taken with, when it has changed.
    pub(super) fn set(&mut self, setting: String) -> Result<()> {
        if self.setting != setting {
            self.append(&format!("{SETTING}\t{setting}"))?;
            self.setting = setting;
        }
        Ok(())
    }

    fn append(&self, line: &str) -> Result<()> {
        let doing = || Error::io(format!("writing {}", self.path.display()));
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        writeln!(file.map_err(doing())?, "{line}").map_err(doing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_is_garbled_is_not() {
        let path = std::env::temp_dir().join(format!("record-{}.tsv", std::process::id()));
        let mut record = Record::open(&path).expect("nothing yet");
        let sample = |downtime, moved, cut| Sample {
            agent: Agent::Login,
            fault: Fault::Store,
            downtime,
            moved,
            cut,
        };
        record.add(sample(Some(1.25), true, 1)).expect("a line");
        record.set("Linux, with a blank".into()).expect("a line");
        record.add(sample(None, false, 0)).expect("a line");
        let watched = Watched {
            agent: Agent::Kit,
            messages: 7,
            lost: 0,
            looks: 99,
            pause: 0.031,
            both: 0,
            load: 1.5,
        };
        record.watched(watched.clone()).expect("a line");
        let read = Record::open(&path).expect("all of it");
        assert_eq!(read.samples, [sample(Some(1.25), true, 1), sample(None, false, 0)]);
        assert_eq!((read.rounds, read.setting), (vec![watched], record.setting));
        for line in
            ["", "x\tpower cut\t1\t-\t0", "systemd\tpower cut\tx\t-\t0", "systemd\tpower cut"]
        {
            fs::write(&path, line.to_owned() + "\n").expect("a line");
            assert!(Record::open(&path).is_err(), "{line}");
        }
        fs::remove_file(&path).expect("removing it");
    }
}
