//! Whose time a downtime is.
//!
//! What is known of a downtime is painted over it, the general first and the particular on top, so
//! each moment counts once and the shares add up to the downtime. What nothing is known of stays
//! unpainted, and is told as such.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::TAG;

use super::record::{Record, Span};

/// Whose a part of a downtime is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// LifeKeeper's, until its next quickCheck, or until a silent peer is declared dead.
    Notice,
    /// LifeKeeper's, between the actions and in those of other resources.
    Work,
    /// The kit's, in its actions before the first of their commands and after the last.
    Kit,
    /// Dovecot's and systemd's, in commands and in what is awaited between them.
    Dovecot,
    /// Dovecot's first greeting, and the client's next login.
    Login,
    /// Of what nothing is known.
    Nobody,
}

/// The owners, and what people read.
pub(super) const OWNERS: [(Owner, &str); 6] = [
    (Owner::Notice, "LifeKeeper notices"),
    (Owner::Work, "LifeKeeper works"),
    (Owner::Kit, "dovecot-ark"),
    (Owner::Dovecot, "Dovecot, systemd"),
    (Owner::Login, "greeting, login"),
    (Owner::Nobody, "not assigned"),
];

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// How much of a downtime is whose.
pub(super) type Shares = BTreeMap<Owner, Duration>;

/// Tells the parts of the outages after the event at `mark`.
pub(super) fn shares(record: &Record, mark: Duration, outages: &[Window]) -> Shares {
    let mut shares = Shares::new();
    for outage in outages {
        paint(*outage, &layers(record, mark, *outage), &mut shares);
    }
    shares
}

/// A part of the time, and when that was.
type Layer = (Owner, Window);

/// Lists what is known of an outage, the topmost last.
fn layers(record: &Record, mark: Duration, Window { from, to }: Window) -> Vec<Layer> {
    let check = format!("quickCheck {TAG}");
    let seen = record.actions.iter().find(|action| {
        action.words == check && action.failed && action.end >= Some(mark) && action.begin < to
    });
    let dead = record.deaths.iter().find(|at| (mark..to).contains(*at));
    // When nobody noticed, nothing is known of it.
    let Some(noticed) = dead.copied().or(seen.map(|seen| seen.begin)) else { return Vec::new() };
    let mut layers = vec![(Owner::Notice, Window { from, to: noticed })];

    let is_in = |span: &&Span| span.begin >= noticed && span.begin < to;
    // A quickCheck beside other actions is in nobody's way; that of the fault is.
    let is_work = |action: &&Span| {
        !action.words.starts_with("quickCheck ") || (action.words == check && action.failed)
    };
    let work: Vec<&Span> = record.actions.iter().filter(is_in).filter(is_work).collect();
    let end = work.iter().map(|action| action.end.unwrap_or(to)).max().unwrap_or(noticed);
    layers.push((Owner::Work, Window { from: noticed, to: end }));
    let mut started = None;
    for action in work.iter().filter(|action| action.words.ends_with(&format!(" {TAG}"))) {
        let window = Window { from: action.begin, to: action.end.unwrap_or(to) };
        layers.push((Owner::Kit, window));
        let is_its = |one: &&Span| one.begin >= window.from && one.begin < window.to;
        let commands: Vec<&Span> = record.commands.iter().filter(is_its).collect();
        if let [first, .., last] | [first @ last] = commands.as_slice() {
            // One that was killed has no end.
            let to = last.end.unwrap_or(window.to);
            layers.push((Owner::Dovecot, Window { from: first.begin, to }));
        }
        let is_start = |one: &&&Span| one.words.ends_with(" start");
        started = commands.iter().rfind(is_start).and_then(|one| one.end).or(started);
    }
    // From then on the kit is in nobody's way.
    layers.extend(started.map(|from| (Owner::Login, Window { from, to })));
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
        let owner = layers.iter().rfind(covers).map_or(Owner::Nobody, |(owner, _)| *owner);
        *shares.entry(owner).or_default() += to.saturating_sub(*from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells the parts of one outage from 0 on, in microseconds.
    fn parts(actions: &str, commands: &str, to: u64) -> Vec<(Owner, u128)> {
        let mut record = Record::default();
        record.add_actions(actions).expect("notes");
        record.add_commands(commands).expect("notes");
        let window = Window { from: Duration::ZERO, to: Duration::from_micros(to) };
        let shares = shares(&record, Duration::ZERO, &[window]);
        assert_eq!(shares.values().sum::<Duration>(), window.to, "nothing counts twice");
        shares.into_iter().map(|(owner, length)| (owner, length.as_micros())).collect()
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
        let [notice, work] = [(Owner::Notice, 700), (Owner::Work, 1)];
        let (kit, served) = ((Owner::Kit, 10 + 79), [(Owner::Dovecot, 610), (Owner::Login, 130)]);
        assert_eq!(parts(actions, commands, 1530), [notice, work, kit, served[0], served[1]]);
        // A client may be served before the command has ended.
        assert_eq!(parts(actions, commands, 1300), [notice, work, kit, (Owner::Dovecot, 510)]);
    }

    #[test]
    fn a_wait_between_commands_is_not_the_kits_nor_a_command_that_was_killed() {
        let actions = "100 begin quickCheck dovecot\n3700 end quickCheck dovecot Failure\n\
                       3700 begin recover dovecot\n";
        let commands = "105 begin 1 service dovecot status\n115 end 1\n\
                        2105 begin 2 doveadm service status\n\
                        3705 begin 3 service dovecot stop\n13705 begin 4 service dovecot start\n\
                        14880 end 4\n";
        let expected = [
            (Owner::Notice, 100),
            (Owner::Kit, 5 + 5),
            (Owner::Dovecot, 3595 + 11_175),
            (Owner::Login, 20),
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
            (Owner::Notice, 3000),
            (Owner::Work, 1002),
            (Owner::Kit, 8),
            (Owner::Dovecot, 890),
            (Owner::Login, 100),
        ];
        assert_eq!(parts(actions, commands, 5000), expected);
    }

    #[test]
    fn what_nothing_is_known_of_is_nobodys() {
        assert_eq!(parts("", "", 1000), [(Owner::Nobody, 1000)]);
    }
}
