//! What a node knows of the time: LifeKeeper's actions, the commands they run, the kit's own log,
//! and systemd's.
//!
//! All have one clock, for the nodes' clock is this machine's. All times are since 1970.

use std::time::Duration;

use lab::{Error, Node, Result};

use crate::stage::times;

/// A day: the kit's log is taken to be of the last one.
const DAY: Duration = Duration::from_hours(24);

/// Where the programs that the kit runs note their times.
const COMMANDS: &str = "/var/log/clocked";
/// Where the kit logs.
const LOG: &str = "/var/log/dovecot-ark.log";
/// What stands before the programs.
const CLOCKED: &str = include_str!("clocked.sh");
/// The programs that the kit runs in an action.
const PROGRAMS: [&str; 4] = ["service", "systemctl", "doveconf", "doveadm"];

/// An action of LifeKeeper.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Action {
    pub(super) verb: String,
    pub(super) tag: String,
    pub(super) begin: Duration,
    /// None while it runs.
    pub(super) end: Option<Duration>,
    pub(super) failed: bool,
}

/// A command that the kit ran.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) words: String,
    pub(super) begin: Duration,
    /// None while it runs, and where it was killed.
    pub(super) end: Option<Duration>,
    pid: String,
}

impl Command {
    /// Tells whether this is one of its words.
    pub(super) fn has(&self, word: &str) -> bool {
        self.words.split(' ').any(|one| one == word)
    }
}

/// A line of the kit's log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) at: Duration,
    pub(super) level: String,
    pub(super) message: String,
}

/// All that the nodes noted.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) actions: Vec<Action>,
    /// When a peer was declared dead.
    pub(super) deaths: Vec<Duration>,
    pub(super) commands: Vec<Command>,
    pub(super) lines: Vec<Line>,
    /// When systemd began to start or stop Dovecot.
    pub(super) jobs: Vec<Duration>,
}

/// Has a node note its times from now on.
///
/// # Errors
///
/// When a file cannot be written there.
pub(super) fn begin(node: &Node) -> Result<()> {
    for program in PROGRAMS {
        let real = format!(
            "mkdir -p /usr/lib/clocked && cd /usr/lib/clocked && \
             {{ [ -e /usr/sbin/{program} ] && mv /usr/sbin/{program} . || \
             ln -s /usr/bin/{program} .; }}"
        );
        let moved = node.sh(&real)?;
        if !moved.success() {
            return Err(Error::failed(format!("timing {program} on a node"), moved.ending()));
        }
        // The kit looks here first.
        node.write_program(&format!("/usr/sbin/{program}"), CLOCKED)?;
    }
    node.append(lab::DEFAULTS, "APP_DOVECOT_DEBUG=1\n")
}

impl Record {
    /// Adds what a node noted up to `now`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read; one that was never written is empty.
    pub(super) fn read(&mut self, node: &Node, now: Duration) -> Result<()> {
        let text =
            |path: &str| if node.exists(path)? { node.read(path) } else { Ok(String::new()) };
        self.add_times(&text(&times())?);
        self.add_commands(&text(COMMANDS)?);
        self.add_log(&text(LOG)?, now);
        let journal = ["journalctl", "--no-pager", "--output", "short-unix", "--unit", "dovecot"];
        self.add_journal(&node.run(&journal)?.stdout);
        Ok(())
    }

    /// Tells how long a quickCheck took that found nothing: the median.
    pub(super) fn check(&self) -> Duration {
        let is_one = |action: &&Action| {
            action.tag == lab::TAG && action.verb == "quickCheck" && !action.failed
        };
        let took = |action: &Action| Some(action.end?.saturating_sub(action.begin));
        let mut times: Vec<Duration> =
            self.actions.iter().filter(is_one).filter_map(took).collect();
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// Adds the engine's notes: `MICROSECONDS begin ACTION TAG`, `… end ACTION TAG OUTCOME`,
    /// `… dead NODE`.
    fn add_times(&mut self, text: &str) {
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let Some(at) = words.first().and_then(|word| word.parse().ok()) else { continue };
            let at = Duration::from_micros(at);
            match words.get(1..).unwrap_or_default() {
                ["dead", _] => self.deaths.push(at),
                ["begin", verb, tag] => self.actions.push(Action {
                    verb: (*verb).to_owned(),
                    tag: (*tag).to_owned(),
                    begin: at,
                    end: None,
                    failed: false,
                }),
                ["end", verb, tag, outcome] => {
                    let begun = |action: &&mut Action| {
                        action.end.is_none() && action.verb == *verb && action.tag == *tag
                    };
                    if let Some(action) = self.actions.iter_mut().rev().find(begun) {
                        action.end = Some(at);
                        action.failed = *outcome != "Success";
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds the programs' notes: `SECONDS begin PID WORDS`, `SECONDS end PID`.
    pub(super) fn add_commands(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.splitn(4, ' ');
            let seconds = words.next().and_then(|word| word.replace('.', "").parse().ok());
            let (Some(at), Some(what), Some(pid)) = (seconds, words.next(), words.next()) else {
                continue;
            };
            let at = Duration::from_micros(at);
            if let ("begin", Some(words)) = (what, words.next()) {
                let (words, pid) = (words.to_owned(), pid.to_owned());
                self.commands.push(Command { words, begin: at, end: None, pid });
            } else {
                let begun = |command: &&mut Command| command.pid == pid && command.end.is_none();
                if let Some(command) = self.commands.iter_mut().rev().find(begun) {
                    command.end = Some(at);
                }
            }
        }
    }

    /// Adds systemd's journal: `SECONDS HOST systemd[1]: Starting …`.
    fn add_journal(&mut self, text: &str) {
        self.jobs.extend(text.lines().filter_map(|line| {
            let (head, message) = line.split_once(" systemd[1]: ")?;
            let begins = message.starts_with("Starting ") || message.starts_with("Stopping ");
            let at = head.split(' ').next()?.replace('.', "").parse().ok()?;
            begins.then(|| Duration::from_micros(at))
        }));
    }

    /// Adds the kit's log: `DATE HH:MM:SS.mmm LEVEL:dovecot-ark:ACTION:TAG:MESSAGE`, in UTC.
    fn add_log(&mut self, text: &str, now: Duration) {
        let midnight = Duration::from_secs(now.as_secs() / DAY.as_secs() * DAY.as_secs());
        self.lines.extend(text.lines().filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            let (_, clock, rest) = (words.next()?, words.next()?, words.next()?);
            let mut numbers = clock.split([':', '.']).map(|number| number.parse().ok());
            let mut next = || numbers.next().flatten();
            let (hours, minutes, seconds, milliseconds): (u64, u64, u64, u64) =
                (next()?, next()?, next()?, next()?);
            let clock = Duration::from_secs(hours * 3600 + minutes * 60 + seconds)
                + Duration::from_millis(milliseconds);
            let today = midnight + clock;
            let at = if today > now + DAY / 2 { today.saturating_sub(DAY) } else { today };
            let mut fields = rest.splitn(5, ':');
            let (level, message) = (fields.next()?.to_owned(), fields.nth(3)?.to_owned());
            Some(Line { at, level, message })
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(microseconds: u64) -> Duration {
        Duration::from_micros(microseconds)
    }

    #[test]
    fn an_end_belongs_to_the_last_begin_of_its_action_and_some_have_none() {
        let mut record = Record::default();
        record.add_times(
            "10 begin quickCheck dovecot\n20 end quickCheck dovecot Failure\n30 dead node2\n\
             40 begin restore ip\nnonsense\n50 begin restore dovecot\n60 end restore ip Success\n",
        );
        let rows: Vec<_> = record
            .actions
            .iter()
            .map(|one| (one.verb.as_str(), one.tag.as_str(), one.begin, one.end, one.failed))
            .collect();
        let expected = [
            ("quickCheck", "dovecot", us(10), Some(us(20)), true),
            ("restore", "ip", us(40), Some(us(60)), false),
            ("restore", "dovecot", us(50), None, false),
        ];
        assert_eq!(rows, expected);
        assert_eq!(record.deaths, [us(30)]);
    }

    #[test]
    fn commands_have_the_pid_to_tell_them_apart() {
        let mut record = Record::default();
        record.add_commands(
            "1.000001 begin 7 service dovecot stop\n1.000002 begin 8 systemctl stop dovecot\n\
             1.500000 end 8\n2.000000 end 7\n3.000000 begin 7 doveadm service status\n",
        );
        let rows: Vec<_> =
            record.commands.iter().map(|one| (one.words.as_str(), one.begin, one.end)).collect();
        let expected = [
            ("service dovecot stop", us(1_000_001), Some(us(2_000_000))),
            ("systemctl stop dovecot", us(1_000_002), Some(us(1_500_000))),
            ("doveadm service status", us(3_000_000), None),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn the_beginning_of_a_job_is_told_from_its_end() {
        let mut record = Record::default();
        record.add_journal(
            "2.000001 node1 systemd[1]: Starting dovecot.service - Dovecot...\n\
             2.500000 node1 systemd[1]: Started dovecot.service - Dovecot.\n\
             3.000000 node1 dovecot[7]: master: Starting up\n\
             4.000000 node1 systemd[1]: Stopping dovecot.service - Dovecot...\n",
        );
        assert_eq!(record.jobs, [us(2_000_001), us(4_000_000)]);
    }

    #[test]
    fn a_line_of_the_log_is_of_the_last_day() {
        let now = DAY * 20_000 + Duration::from_mins(5);
        let mut record = Record::default();
        record.add_log(
            "2024-10-03 23:59:59.500 ERROR:dovecot-ark:quickCheck:dovecot:a: b\n\
             2024-10-04 00:00:01.002 INFO:dovecot-ark:recover:dovecot:Dovecot is stopped\nx\n",
            now,
        );
        let line = |at, level: &str, message: &str| Line {
            at,
            level: level.into(),
            message: message.into(),
        };
        let (midnight, ms) = (DAY * 20_000, Duration::from_millis);
        let expected = [
            line(midnight.saturating_sub(ms(500)), "ERROR", "a: b"),
            line(midnight + ms(1002), "INFO", "Dovecot is stopped"),
        ];
        assert_eq!(record.lines, expected);
    }
}
