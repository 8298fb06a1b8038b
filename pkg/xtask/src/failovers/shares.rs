//! Whose time a downtime is.
//!
//! What is known of a downtime is painted over it, the general first and the particular on top, so
//! each moment counts once and the shares add up to the downtime. What nothing is known of stays
//! unpainted, and is told as such.

use std::collections::BTreeMap;
use std::time::Duration;

use super::parts::Part;
use super::record::{Action, Command, Line, Record};

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// A time without mail, and when the session began that ended it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outage {
    pub(super) window: Window,
    pub(super) session: Duration,
}

/// How long each part of a downtime was.
pub(super) type Shares = BTreeMap<Part, Duration>;

/// Tells the parts of the outages after the event at `mark`.
pub(super) fn shares(record: &Record, mark: Duration, outages: &[Outage]) -> Shares {
    let mut shares = Shares::new();
    for outage in outages {
        for (part, length) in paint(outage.window, &layers(record, mark, outage)) {
            *shares.entry(part).or_default() += length;
        }
    }
    shares
}

/// A part of the time, and when that was.
type Layer = (Part, Window);

/// Lists what is known of an outage, the topmost last.
fn layers(record: &Record, mark: Duration, outage: &Outage) -> Vec<Layer> {
    let Window { from, to } = outage.window;
    let after = |at: Duration| at >= mark && at < to;
    let seen = record.actions.iter().find(|action| {
        is_ours(action) && action.verb == "quickCheck" && action.failed && action.end >= Some(mark)
    });
    let dead = record.deaths.iter().copied().find(|at| after(*at));
    let (first, noticed) = match (dead, seen) {
        (Some(dead), _) => (Part::Heartbeats, dead),
        (None, Some(seen)) if seen.begin < to => (Part::Check, seen.begin),
        // Nobody noticed: then nothing is known of it.
        (None, _) => return Vec::new(),
    };
    let mut layers = vec![(first, Window { from, to: noticed })];

    // A quickCheck beside other actions is in nobody's way; that of the fault is.
    let is_work = |action: &&Action| {
        action.begin >= noticed
            && action.begin < to
            && (action.verb != "quickCheck" || (is_ours(action) && action.failed))
    };
    let work: Vec<&Action> = record.actions.iter().filter(is_work).collect();
    let end = work.iter().map(|action| action.end.unwrap_or(to)).max().unwrap_or(noticed);
    layers.push((Part::Engine, Window { from: noticed, to: end }));
    for action in &work {
        let window = Window { from: action.begin, to: action.end.unwrap_or(to) };
        let part = match action.verb.as_str() {
            _ if !is_ours(action) => Part::Children,
            "quickCheck" => Part::QuickCheck,
            "recover" => Part::Recover,
            "restore" => Part::Restore,
            _ => Part::Remove,
        };
        layers.push((part, window));
        if is_ours(action) {
            layers.extend(waits(record, window));
        }
    }

    let greeted = record.lines.iter().find(|line| {
        line.at >= noticed && line.level == "INFO" && line.message == "Dovecot is in operation"
    });
    let greeted = greeted.map(|line| line.at).filter(|at| *at > from);
    // A session that began before the repair waited for it like all others.
    let repair = work.iter().find(|action| is_ours(action) && action.verb != "quickCheck");
    let session = Some(outage.session).filter(|at| repair.is_none_or(|one| *at >= one.begin));
    if let Some(ready) = session.into_iter().chain(greeted).min() {
        layers.push((Part::Login, Window { from: ready, to }));
    }
    layers
}

fn is_ours(action: &Action) -> bool {
    action.tag == lab::TAG
}

/// Lists what an action of the kit waited for, the topmost last.
fn waits(record: &Record, action: Window) -> Vec<Layer> {
    let within = |at: Duration| at >= action.from && at < action.to;
    let commands: Vec<&Command> =
        record.commands.iter().filter(|command| within(command.begin)).collect();
    let lines: Vec<&Line> = record.lines.iter().filter(|line| within(line.at)).collect();
    // What the kit says of its work: not of a command, as it does between backquotes.
    let said = |after: Duration| {
        let says = |line: &&&Line| {
            line.at >= after && line.level != "DEBUG" && !line.message.starts_with('`')
        };
        lines.iter().find(says).map(|line| line.at)
    };
    let next_command = |after: Duration| {
        commands.iter().map(|command| command.begin).find(|begin| *begin >= after)
    };
    let until = |from: Duration, ends: [Option<Duration>; 2]| {
        let to = ends.into_iter().flatten().min().unwrap_or(action.to);
        Window { from, to: to.min(action.to) }
    };

    let mut layers = Vec::new();
    for command in &commands {
        // One that was killed is told in the log; without that, all of the rest may be its.
        let is_its = |line: &&&Line| {
            let message = &line.message;
            let killed = [": no end after ", ": TimedOut("].iter().any(|how| message.contains(how));
            line.at >= command.begin && killed
        };
        let killed = lines.iter().find(is_its).map(|line| line.at);
        let window = until(command.begin, [command.end, killed]);
        let end = window.to;
        let job = record.jobs.iter().find(|job| **job >= window.from && **job < end);
        if command.has("doveadm") {
            layers.push((Part::SecondOpinion, window));
        } else if command.has("start") {
            layers.push((Part::Start, window));
        } else if command.has("stop") {
            layers.push((Part::Stop, window));
            let gone = until(end, [said(end), next_command(end)]);
            layers.push((Part::Leftovers, gone));
        } else {
            layers.push((Part::Commands, window));
        }
        if let Some(job) = job {
            layers.push((Part::Script, Window { from: window.from, to: *job }));
        }
    }
    for line in &lines {
        if line.message.starts_with("ending ") {
            // The line itself is not what ends it.
            let after = line.at + Duration::from_micros(1);
            let gone = until(line.at, [said(after), next_command(after)]);
            layers.push((Part::Leftovers, gone));
        }
        if let Some(limit) = timeout(line) {
            // The answer of the status command is looked at right after the probe has ended.
            let is_status = |other: &&&Line| {
                let message = &other.message;
                let is_question = message.starts_with('`') && !message.starts_with("`doveadm ");
                other.at <= line.at && is_question && message.contains(" status")
            };
            let end = lines.iter().rfind(is_status).map_or(line.at, |status| status.at);
            let from = end.saturating_sub(limit).max(action.from);
            layers.push((Part::Greeting, Window { from, to: end }));
        }
    }
    let starts = commands.iter().filter(|command| command.has("start"));
    for end in starts.filter_map(|command| command.end) {
        // The checks that look for it are part of the wait.
        layers.push((Part::FirstGreeting, until(end, [said(end), None])));
    }
    layers
}

/// How long an endpoint was waited for in vain, as an error line tells.
fn timeout(line: &Line) -> Option<Duration> {
    let (_, rest) = line
        .message
        .split_once(": no greeting after ")
        .or_else(|| line.message.split_once(": no connection after "))?;
    let seconds = rest.split(' ').next()?.parse().ok()?;
    (line.level == "ERROR").then(|| Duration::from_secs(seconds))
}

/// Measures what can be seen of each layer from above.
fn paint(window: Window, layers: &[Layer]) -> Shares {
    let within = |at: &Duration| *at > window.from && *at < window.to;
    let edges = layers.iter().flat_map(|(_, layer)| [layer.from, layer.to]).filter(within);
    let mut edges: Vec<Duration> = edges.chain([window.from, window.to]).collect();
    edges.sort();
    let mut shares = Shares::new();
    for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
        let covers = |(_, layer): &&Layer| layer.from <= *from && layer.to >= *to;
        let part = layers.iter().rfind(covers).map_or(Part::NotAssigned, |(part, _)| *part);
        *shares.entry(part).or_default() += to.saturating_sub(*from);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn action(verb: &str, tag: &str, from: u64, to: u64, failed: bool) -> Action {
        let (verb, tag) = (verb.to_owned(), tag.to_owned());
        Action { verb, tag, begin: ms(from), end: Some(ms(to)), failed }
    }

    fn line(at: u64, level: &str, message: &str) -> Line {
        Line { at: ms(at), level: level.into(), message: message.into() }
    }

    /// Tells the parts of one outage from 0 ms on, in milliseconds.
    fn parts(record: &Record, session: u64, to: u64) -> Vec<(Part, u128)> {
        let window = Window { from: ms(0), to: ms(to) };
        let shares = shares(record, ms(0), &[Outage { window, session: ms(session) }]);
        assert_eq!(shares.values().sum::<Duration>(), ms(to), "nothing counts twice");
        shares.into_iter().map(|(part, length)| (part, length.as_millis())).collect()
    }

    #[test]
    fn a_killed_master_waits_for_the_check_and_for_its_start() {
        let mut record = Record {
            actions: vec![
                action("quickCheck", "dovecot", 0, 5, false),
                action("quickCheck", "ip", 690, 695, false),
                action("quickCheck", "dovecot", 700, 720, true),
                action("recover", "dovecot", 721, 1500, false),
            ],
            lines: vec![
                line(718, "ERROR", "Dovecot is not in operation: connection refused"),
                line(730, "WARN", "ending 3 processes of Dovecot by signals"),
                line(750, "INFO", "Dovecot is stopped"),
                line(1450, "INFO", "Dovecot is in operation"),
            ],
            jobs: vec![ms(1100)],
            ..Record::default()
        };
        record.add_commands(
            "0.702000 begin 1 service dovecot status\n0.712000 end 1\n\
             0.800000 begin 2 service dovecot start\n1.400000 end 2\n\
             1.410000 begin 3 service dovecot status\n1.440000 end 3\n",
        );
        let expected = [
            (Part::Check, 700),
            (Part::Engine, 1),
            (Part::QuickCheck, 10),
            (Part::Recover, 59),
            (Part::Commands, 10),
            (Part::Script, 300),
            (Part::Leftovers, 20),
            (Part::Start, 300),
            (Part::FirstGreeting, 50),
            (Part::Login, 80),
        ];
        assert_eq!(parts(&record, 1500, 1530), expected);
        // A client may be served before the kit says so.
        let early = parts(&record, 1420, 1445);
        assert!(early.ends_with(&[(Part::FirstGreeting, 20), (Part::Login, 25)]), "{early:?}");
    }

    #[test]
    fn a_frozen_master_is_waited_for_until_each_limit() {
        let mut record = Record {
            actions: vec![
                action("quickCheck", "dovecot", 100, 3700, true),
                action("recover", "dovecot", 3700, 15_000, false),
            ],
            lines: vec![
                line(2120, "DEBUG", "`service dovecot status`: exit status 0"),
                line(3630, "DEBUG", "`doveadm service status`: TimedOut(1.5s); full: {}"),
                line(3690, "ERROR", "not in operation: 192.0.2.10:143: no greeting after 2 s"),
                line(13_700, "WARN", "`service dovecot stop`: exit status 1"),
                line(13_990, "INFO", "Dovecot is stopped"),
                line(14_900, "INFO", "Dovecot is in operation"),
            ],
            ..Record::default()
        };
        record.add_commands(
            "0.105000 begin 1 service dovecot status\n0.115000 end 1\n\
             2.125000 begin 2 doveadm service status\n\
             3.705000 begin 3 service dovecot stop\n13.705000 end 3\n\
             14.000000 begin 4 service dovecot start\n14.880000 end 4\n",
        );
        let expected = [
            (Part::Check, 100),
            (Part::QuickCheck, 85),
            (Part::Recover, 15),
            (Part::Greeting, 2000),
            (Part::SecondOpinion, 1505),
            (Part::Commands, 10),
            (Part::Stop, 10_000),
            (Part::Leftovers, 285),
            (Part::Start, 880),
            (Part::FirstGreeting, 20),
            (Part::Login, 50),
        ];
        assert_eq!(parts(&record, 14_910, 14_950), expected);
    }

    #[test]
    fn who_is_served_while_the_repair_begins_has_not_been_served_before() {
        let record = Record {
            actions: vec![
                action("quickCheck", "dovecot", 100, 2100, true),
                action("recover", "dovecot", 2101, 5000, false),
            ],
            ..Record::default()
        };
        let expected =
            [(Part::Check, 100), (Part::Engine, 1), (Part::QuickCheck, 2000), (Part::Recover, 49)];
        assert_eq!(parts(&record, 600, 2150), expected);
    }

    #[test]
    fn a_power_cut_waits_for_heartbeats_and_for_what_dovecot_needs() {
        let mut record = Record {
            deaths: vec![ms(3000)],
            actions: vec![
                action("restore", "ip", 3001, 4001, false),
                action("quickCheck", "ip", 4100, 4300, false),
                action("restore", "dovecot", 4002, 5000, false),
            ],
            ..Record::default()
        };
        record.add_commands("4.010000 begin 1 service dovecot start\n4.900000 end 1\n");
        let expected = [
            (Part::Heartbeats, 3000),
            (Part::Engine, 2),
            (Part::Children, 1000),
            (Part::Restore, 8),
            (Part::Start, 890),
            (Part::FirstGreeting, 60),
            (Part::Login, 40),
        ];
        assert_eq!(parts(&record, 4960, 5000), expected);
    }

    #[test]
    fn what_nothing_is_known_of_is_nobodys() {
        assert_eq!(parts(&Record::default(), 900, 1000), [(Part::NotAssigned, 1000)]);
        let record = Record {
            actions: vec![
                action("quickCheck", "dovecot", 100, 110, true),
                action("recover", "dovecot", 110, 200, false),
            ],
            ..Record::default()
        };
        let expected = [
            (Part::Check, 100),
            (Part::QuickCheck, 10),
            (Part::Recover, 90),
            (Part::Login, 100),
            (Part::NotAssigned, 700),
        ];
        assert_eq!(parts(&record, 900, 1000), expected);
    }
}
