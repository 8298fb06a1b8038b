//! Whose time a downtime is.
//!
//! What is known of a downtime is painted over it, the general first and the particular on top, so
//! each moment counts once and the shares add up to the downtime. What nothing is known of stays
//! unpainted, and is told as such.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::TAG;

use super::record::{Record, Span};

/// Who could make a downtime shorter, in the order of the picture.
pub(super) const OWNERS: [&str; 5] =
    ["LifeKeeper", "dovecot-ark", "Dovecot and systemd", "greeting and login", "not assigned"];

/// A part of a downtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Check,
    Heartbeats,
    Engine,
    Children,
    QuickCheck,
    Repair,
    Stop,
    Start,
    Commands,
    Login,
    NotAssigned,
}

impl Part {
    /// All parts, each with its place among the owners and what people read.
    pub(super) const ALL: [(Self, usize, &str); 11] = [
        (Self::Check, 0, "until the next quickCheck"),
        (Self::Heartbeats, 0, "heartbeats, until the peer is declared dead"),
        (Self::Engine, 0, "between the actions"),
        (Self::Children, 0, "IP address and file system"),
        (Self::QuickCheck, 1, "quickCheck"),
        (Self::Repair, 1, "recover, restore"),
        (Self::Stop, 2, "stop command"),
        (Self::Start, 2, "start command"),
        (Self::Commands, 2, "other commands, and the waits between commands"),
        (Self::Login, 3, "from the start command's end to a session that has logged in"),
        (Self::NotAssigned, 4, "not assigned"),
    ];
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// How long each part of a downtime was.
pub(super) type Shares = BTreeMap<Part, Duration>;

/// Tells the parts of the outages after the event at `mark`.
pub(super) fn shares(record: &Record, mark: Duration, outages: &[Window]) -> Shares {
    let mut shares = Shares::new();
    for outage in outages {
        paint(*outage, &layers(record, mark, *outage), &mut shares);
    }
    shares
}

/// A part of the time, and when that was.
type Layer = (Part, Window);

/// Lists what is known of an outage, the topmost last.
fn layers(record: &Record, mark: Duration, Window { from, to }: Window) -> Vec<Layer> {
    let check = format!("quickCheck {TAG}");
    let seen = record.actions.iter().find(|action| {
        action.words == check && action.failed && action.end >= Some(mark) && action.begin < to
    });
    let dead = record.deaths.iter().find(|at| (mark..to).contains(*at));
    let (first, noticed) = match (dead, seen) {
        (Some(dead), _) => (Part::Heartbeats, *dead),
        (None, Some(seen)) => (Part::Check, seen.begin),
        // Nobody noticed: then nothing is known of it.
        (None, None) => return Vec::new(),
    };
    let mut layers = vec![(first, Window { from, to: noticed })];

    let is_in = |span: &&Span| span.begin >= noticed && span.begin < to;
    // A quickCheck beside other actions is in nobody's way; that of the fault is.
    let is_work = |action: &&Span| {
        !action.words.starts_with("quickCheck ") || (action.words == check && action.failed)
    };
    let work: Vec<&Span> = record.actions.iter().filter(is_in).filter(is_work).collect();
    let end = work.iter().map(|action| action.end.unwrap_or(to)).max().unwrap_or(noticed);
    layers.push((Part::Engine, Window { from: noticed, to: end }));
    let mut started = None;
    for action in work {
        let part = match action.words.split_once(' ') {
            Some(("quickCheck", TAG)) => Part::QuickCheck,
            Some((_, TAG)) => Part::Repair,
            _ => Part::Children,
        };
        let window = Window { from: action.begin, to: action.end.unwrap_or(to) };
        layers.push((part, window));
        let is_its = |one: &&Span| one.begin >= window.from && one.begin < window.to;
        let commands: Vec<&Span> = record.commands.iter().filter(is_its).collect();
        // Between two of its commands the kit waits.
        if let [first, .., last] = commands.as_slice() {
            layers.push((Part::Commands, Window { from: first.begin, to: last.begin }));
        }
        for (at, command) in commands.iter().enumerate() {
            // One that was killed ended at the latest when the next began.
            let next = commands.get(at + 1).map_or(window.to, |next| next.begin);
            let window = Window { from: command.begin, to: command.end.unwrap_or(next) };
            let has = |word| command.words.split(' ').any(|one| one == word);
            let part = match () {
                () if has("start") => Part::Start,
                () if has("stop") => Part::Stop,
                () => Part::Commands,
            };
            if part == Part::Start {
                started = Some(window.to);
            }
            layers.push((part, window));
        }
    }
    // From then on the kit is in nobody's way.
    layers.extend(started.map(|from| (Part::Login, Window { from, to })));
    layers
}

/// Measures what can be seen of each layer from above.
fn paint(window: Window, layers: &[Layer], shares: &mut Shares) {
    let within = |at: &Duration| *at > window.from && *at < window.to;
    let edges = layers.iter().flat_map(|(_, layer)| [layer.from, layer.to]).filter(within);
    let mut edges: Vec<Duration> = edges.chain([window.from, window.to]).collect();
    edges.sort();
    for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
        let covers = |(_, layer): &&Layer| layer.from <= *from && layer.to >= *to;
        let part = layers.iter().rfind(covers).map_or(Part::NotAssigned, |(part, _)| *part);
        *shares.entry(part).or_default() += to.saturating_sub(*from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells the parts of one outage from 0 on, in microseconds.
    fn parts(actions: &str, commands: &str, to: u64) -> Vec<(Part, u128)> {
        let mut record = Record::default();
        record.add_actions(actions).expect("notes");
        record.add_commands(commands).expect("notes");
        let window = Window { from: Duration::ZERO, to: Duration::from_micros(to) };
        let shares = shares(&record, Duration::ZERO, &[window]);
        assert_eq!(shares.values().sum::<Duration>(), window.to, "nothing counts twice");
        shares.into_iter().map(|(part, length)| (part, length.as_micros())).collect()
    }

    #[test]
    fn a_killed_master_waits_for_the_check_and_for_its_start() {
        let actions = "0 begin quickCheck dovecot\n5 end quickCheck dovecot Success\n\
                       690 begin quickCheck ip\n695 end quickCheck ip Success\n\
                       700 begin quickCheck dovecot\n720 end quickCheck dovecot Failure\n\
                       721 begin recover dovecot\n1700 end recover dovecot Success\n";
        let commands = "702 begin 1 service dovecot status\n712 end 1\n\
                        800 begin 2 service dovecot start\n1400 end 2\n\
                        1410 begin 3 service dovecot status\n1440 end 3\n";
        let expected = [
            (Part::Check, 700),
            (Part::Engine, 1),
            (Part::QuickCheck, 10),
            (Part::Repair, 79),
            (Part::Start, 600),
            (Part::Commands, 10),
            (Part::Login, 130),
        ];
        assert_eq!(parts(actions, commands, 1530), expected);
        // A client may be served before the command has ended.
        assert!(
            parts(actions, commands, 1300).ends_with(&[(Part::Start, 500), (Part::Commands, 10)])
        );
    }

    #[test]
    fn a_command_that_was_killed_lasts_until_the_next() {
        let actions = "100 begin quickCheck dovecot\n3700 end quickCheck dovecot Failure\n\
                       3700 begin recover dovecot\n";
        let commands = "3705 begin 3 service dovecot stop\n13705 begin 4 service dovecot start\n\
                        14880 end 4\n";
        let expected = [
            (Part::Check, 100),
            (Part::QuickCheck, 3600),
            (Part::Repair, 5),
            (Part::Stop, 10_000),
            (Part::Start, 1175),
            (Part::Login, 20),
        ];
        assert_eq!(parts(actions, commands, 14_900), expected);
    }

    #[test]
    fn a_power_cut_waits_for_heartbeats_and_for_what_dovecot_needs() {
        let actions = "3000 dead node1\n3001 begin restore ip\n4001 end restore ip Success\n\
                       4002 begin restore dovecot\n4100 begin quickCheck ip\n\
                       4300 end quickCheck ip Success\n5000 end restore dovecot Success\n";
        let commands = "4010 begin 1 service dovecot start\n4900 end 1\n";
        let expected = [
            (Part::Heartbeats, 3000),
            (Part::Engine, 2),
            (Part::Children, 1000),
            (Part::Repair, 8),
            (Part::Start, 890),
            (Part::Login, 100),
        ];
        assert_eq!(parts(actions, commands, 5000), expected);
    }

    #[test]
    fn what_nothing_is_known_of_is_nobodys() {
        assert_eq!(parts("", "", 1000), [(Part::NotAssigned, 1000)]);
    }
}
