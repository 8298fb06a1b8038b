//! What a node notes of the time: LifeKeeper's stand-in its actions, and a wrapper the commands that
//! they run.
//!
//! All have one clock, for the nodes' clock is this machine's. All times are since 1970.

use std::time::Duration;

use lab::{Error, Node, Result, stage};

/// Where the programs that the kit runs note their times.
const COMMANDS: &str = "/var/log/clocked";
/// What stands before the programs.
const CLOCKED: &str = include_str!("clocked.sh");
/// The programs that the kit runs in an action.
const PROGRAMS: [&str; 4] = ["service", "systemctl", "doveconf", "doveadm"];

/// An action of LifeKeeper, or a command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// The action and the resource's tag, or the command's words.
    pub(super) words: String,
    pub(super) begin: Duration,
    /// None while it runs, and where it was killed.
    pub(super) end: Option<Duration>,
    /// An action that did not succeed.
    pub(super) failed: bool,
}

/// All that the nodes noted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) actions: Vec<Span>,
    pub(super) commands: Vec<Span>,
    /// When a peer was declared dead.
    pub(super) deaths: Vec<Duration>,
}

/// Has a node note its times from now on.
pub(super) fn begin(node: &Node) -> Result<()> {
    for program in PROGRAMS {
        let real = format!(
            "mkdir -p /usr/lib/clocked && cd /usr/lib/clocked && \
             {{ [ -e /usr/sbin/{program} ] && mv /usr/sbin/{program} . || \
             ln -s /usr/bin/{program} .; }}"
        );
        node.sh(&real)?.succeeded(format!("timing {program} on a node"))?;
        // The kit looks here first.
        node.write_program(&format!("/usr/sbin/{program}"), CLOCKED)?;
    }
    node.write(COMMANDS, "")
}

impl Record {
    /// Adds what a node noted.
    pub(super) fn read(&mut self, node: &Node) -> Result<()> {
        self.add_actions(&node.read(&stage::times())?)?;
        self.add_commands(&node.read(COMMANDS)?)
    }

    /// Adds the engine's notes: `MICROSECONDS begin ACTION TAG`, `… end ACTION TAG OUTCOME`,
    /// `… dead NODE`.
    pub(super) fn add_actions(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            let (at, what) = note(line)?;
            match what.split(' ').collect::<Vec<_>>().as_slice() {
                ["dead", _] => self.deaths.push(at),
                ["begin", verb, tag] => begun(&mut self.actions, at, format!("{verb} {tag}")),
                ["end", verb, tag, outcome] => {
                    let words = format!("{verb} {tag}");
                    ended(&mut self.actions, at, *outcome != "Success", |one| one.words == words);
                }
                _ => return Err(garbled(line)),
            }
        }
        Ok(())
    }

    /// Adds the wrapper's notes: `MICROSECONDS begin PID WORDS`, `… end PID`.
    pub(super) fn add_commands(&mut self, text: &str) -> Result<()> {
        for line in text.lines() {
            let (at, what) = note(line)?;
            match what.split_once(' ') {
                Some(("begin", words)) => begun(&mut self.commands, at, words.to_owned()),
                Some(("end", pid)) => {
                    let pid = format!("{pid} ");
                    ended(&mut self.commands, at, false, |one| one.words.starts_with(&pid));
                }
                _ => return Err(garbled(line)),
            }
        }
        Ok(())
    }
}

/// Splits a note into its moment and its words.
fn note(line: &str) -> Result<(Duration, &str)> {
    let note = line.split_once(' ').and_then(|(at, what)| Some((at.parse().ok()?, what)));
    note.map(|(at, what)| (Duration::from_micros(at), what)).ok_or_else(|| garbled(line))
}

fn garbled(line: &str) -> Error {
    Error::failed("reading a node's notes", format!("garbled: {line:?}"))
}

fn begun(spans: &mut Vec<Span>, begin: Duration, words: String) {
    spans.push(Span { words, begin, end: None, failed: false });
}

/// Notes the end of the last of these that has none.
fn ended(spans: &mut [Span], end: Duration, failed: bool, is_it: impl Fn(&Span) -> bool) {
    let mut open = spans.iter_mut().rev();
    if let Some(span) = open.find(|span| span.end.is_none() && is_it(span)) {
        (span.end, span.failed) = (Some(end), failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(spans: &[Span]) -> Vec<(&str, u128, Option<u128>, bool)> {
        let row = |one: &Span| one.end.map(|end| end.as_micros());
        spans.iter().map(|one| (&*one.words, one.begin.as_micros(), row(one), one.failed)).collect()
    }

    #[test]
    fn an_end_belongs_to_the_last_begin_of_its_own_and_some_have_none() {
        let mut record = Record::default();
        let actions = "10 begin quickCheck dovecot\n20 end quickCheck dovecot Failure\n\
                       30 dead node2\n40 begin restore ip\n50 begin restore dovecot\n\
                       60 end restore ip Success\n";
        record.add_actions(actions).expect("notes");
        let expected = [
            ("quickCheck dovecot", 10, Some(20), true),
            ("restore ip", 40, Some(60), false),
            ("restore dovecot", 50, None, false),
        ];
        assert_eq!(rows(&record.actions), expected);
        assert_eq!(record.deaths, [Duration::from_micros(30)]);
        let commands = "1 begin 7 service dovecot stop\n2 begin 77 systemctl stop dovecot\n\
                        5 end 77\n6 end 7\n8 begin 7 doveadm service status\n";
        record.add_commands(commands).expect("notes");
        let expected = [
            ("7 service dovecot stop", 1, Some(6), false),
            ("77 systemctl stop dovecot", 2, Some(5), false),
            ("7 doveadm service status", 8, None, false),
        ];
        assert_eq!(rows(&record.commands), expected);
        assert!(record.add_actions("x begin restore ip\n").is_err());
    }
}
