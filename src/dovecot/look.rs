//! The three checks one after the other, each with the time it takes, for status and doctor.
//!
//! quickCheck makes them side by side, because its time is short; here somebody wants to know what
//! each of them costs. A look must change nothing, and a connection is more than a look: where a
//! socket unit listens for a Dovecot that is stopped, it starts Dovecot, and a Dovecot that stops
//! takes seconds longer for it. So nobody connects where no master lives or another action runs.

use std::path::Path;
use std::time::Duration;

use crate::dovecot::checks::{self, Answers};
use crate::dovecot::findings::Checks;
use crate::dovecot::instance::Instance;
use crate::dovecot::mistake::{self, Readable};
use crate::dovecot::verdict::Verdict;
use crate::dovecot::{identity, service};
use crate::messages::{Message, Remark};
use crate::probe::attempt::Attempt;
use crate::probe::endpoint::Endpoint;
use crate::settings::Settings;
use crate::system::System;

/// What the checks saw, and how long each took.
#[derive(Debug)]
pub(crate) struct Look {
    /// Why the processes cannot be seen, if they cannot: then nothing follows from the rest.
    pub(crate) blind: Option<String>,
    /// What they saw; an endpoint that was not tried is not among the refused.
    pub(crate) checks: Checks,
    /// The time of check 1.
    pub(crate) process_time: Duration,
    /// Check 2, an entry of the list each, in its order.
    pub(crate) connections: Vec<Connection>,
    /// The time of check 3.
    pub(crate) service_time: Duration,
    /// Why a Dovecot in operation could not start again, or why that is unknown.
    pub(crate) no_next_start: Option<String>,
}

/// The latest moment of a look at which Dovecot is still asked for its configuration. A look whose
/// checks all succeed is over long before.
const ASK_UNTIL: Duration = Duration::from_secs(12);

/// Check 2, one entry of the list.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) endpoint: Endpoint,
    /// What became of it, or why it was not tried.
    pub(crate) attempt: Result<Attempt, &'static str>,
}

/// Whether an action of the kit runs for the resource.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Busy {
    Yes,
    No,
}

/// Makes the three checks once. Takes at most 24 s.
pub(crate) fn look(system: &impl System, root: &Path, settings: &Settings, busy: Busy) -> Look {
    let begun = system.now();
    let start = begun;
    let (masters, blind) = match identity::living_masters(system, root) {
        Ok(masters) => (masters, None),
        Err(cause) => (Vec::new(), Some(cause.to_string())),
    };
    let process_time = since(system, start);

    let instance = || Instance::of_masters(system, root, &masters);
    let endpoints = &settings.endpoints;
    let (mut asked, mut login) = (None, None);
    let attempts: Vec<_> = if busy == Busy::Yes {
        endpoints.iter().map(|_| Err("an action is running")).collect()
    } else if blind.is_some() {
        endpoints.iter().map(|_| Err("the processes cannot be seen")).collect()
    } else if masters.is_empty() {
        endpoints.iter().map(|_| Err("no process")).collect()
    } else {
        let limits = (checks::LIMIT, checks::RETRY_TIME);
        let Answers { attempts, question, login: seen } =
            checks::answers(system, settings, root, limits, &instance);
        (asked, login) = (question, seen);
        attempts.into_iter().map(Ok).collect()
    };
    let both = endpoints.iter().cloned().zip(attempts);
    let connections: Vec<_> =
        both.map(|(endpoint, attempt)| Connection { endpoint, attempt }).collect();

    let start = system.now();
    let status = service::status(system, service::ask(system, settings), service::STATUS_LIMIT);
    let service_time = since(system, start);
    let tried =
        connections.iter().filter_map(|one| Some((&one.endpoint, one.attempt.as_ref().ok()?)));
    let mut checks =
        Checks::new(system, root, settings.probe, masters.clone(), tried, status, asked);
    checks.login = login;
    checks.look_at_masters(system, settings.probe, Duration::MAX);
    let no_next_start = None;
    let mut look = Look { blind, checks, process_time, connections, service_time, no_next_start };
    if busy == Busy::No && look.verdict().is_up() && since(system, begun) <= ASK_UNTIL {
        look.no_next_start = next_start(system, &instance());
    }
    look
}

/// Why a start would fail with the configuration as it is now. Whoever serves goes on; a wrong yes is
/// a warning too many, a wrong no lets the next start fail, on another node too, without a word
/// before it.
fn next_start(system: &impl System, instance: &Instance) -> Option<String> {
    match mistake::look(system, instance) {
        Readable::Yes => None,
        Readable::No(mistake) => Some(format!("it could not start again: {mistake}")),
        Readable::Unknown(cause) => {
            Some(format!("whether it could start again is not known: {cause}"))
        }
    }
}

fn since(system: &impl System, start: Duration) -> Duration {
    system.now().saturating_sub(start)
}

impl Look {
    /// What follows from it while no action runs.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.checks.verdict() {
            _ if self.blind.is_some() => Verdict::Unknown,
            Verdict::Up if self.no_next_start.is_some() => Verdict::Degraded,
            verdict => verdict,
        }
    }

    pub(crate) fn warnings(&self) -> Vec<Remark> {
        let next = self.no_next_start.clone().map(|text| Remark::new(Message::NoNextStart, text));
        self.checks.warnings().into_iter().chain(next).collect()
    }

    pub(crate) fn causes(&self) -> Vec<String> {
        self.blind.clone().map_or_else(|| self.checks.causes(), |cause| vec![cause])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::{Machine, Port};
    use crate::test_root::TestRoot;

    fn at(machine: &Machine, busy: Busy) -> Look {
        look(machine, TestRoot::new().path(), &Settings::default(), busy)
    }

    #[test]
    fn each_check_has_its_own_time() {
        let machine = Machine::running();
        let seen = at(&machine, Busy::No);
        assert_eq!(seen.verdict(), Verdict::Up);
        let took = Duration::from_millis(1);
        let [one] = seen.connections.as_slice() else { panic!("{seen:?}") };
        assert_eq!(
            one.attempt,
            Ok(Attempt { outcome: Ok(()), took, certificate: None, visited: None })
        );
        assert_eq!(seen.service_time, Duration::from_millis(10), "not that of the connections");
        assert_eq!(machine.deeds(), ["connect 1", "service dovecot status", "dovecot -n"]);
    }

    #[test]
    fn the_verdict_is_quick_checks_and_says_more() {
        let status = |machine: &Machine, end: End, took: Duration| {
            machine.reply("status", move |_| (end.clone(), took));
        };
        let short = Duration::from_millis(10);

        let machine = Machine::running();
        status(&machine, End::Exited(3), short);
        assert_eq!(at(&machine, Busy::No).verdict(), Verdict::Failed);

        let machine = Machine::running();
        status(&machine, End::Exited(0), Duration::MAX);
        let seen = at(&machine, Busy::No);
        assert_eq!(seen.verdict(), Verdict::Degraded);
        assert_eq!(seen.service_time, service::STATUS_LIMIT);

        machine.state().ports.insert(143, Port::Refusing);
        assert_eq!(at(&machine, Busy::No).verdict(), Verdict::Failed);

        let machine = Machine::new();
        status(&machine, End::Exited(0), short);
        assert_eq!(at(&machine, Busy::No).verdict(), Verdict::Stopped);
    }

    #[test]
    fn a_serving_dovecot_that_could_not_start_again_is_degraded_in_its_own_words() {
        let machine = Machine::running();
        machine.complain("dovecot -n", End::Exited(89), "Fatal: file F line 3: bad");
        let seen = at(&machine, Busy::No);
        assert_eq!(seen.verdict(), Verdict::Degraded);
        assert_eq!(
            Remark::texts(&seen.warnings()),
            ["it could not start again: file F line 3: bad"]
        );
        machine.complain("dovecot -n", End::Signalled(11), "");
        let words = "whether it could start again is not known: `dovecot -n`: ended by signal 11";
        assert_eq!(Remark::texts(&at(&machine, Busy::No).warnings()), [words]);
        machine.state().ports.insert(143, Port::Refusing);
        assert_eq!(at(&machine, Busy::No).verdict(), Verdict::Failed);
    }

    #[test]
    fn nobody_connects_to_a_stopped_dovecot_or_while_an_action_runs() {
        let machine = Machine::new();
        machine.state().ports.insert(143, Port::Open);
        assert_eq!(at(&machine, Busy::No).connections[0].attempt, Err("no process"));
        assert_eq!(machine.deeds(), ["service dovecot status"]);

        let machine = Machine::running();
        assert_eq!(at(&machine, Busy::Yes).connections[0].attempt, Err("an action is running"));
        assert_eq!(machine.deeds(), ["service dovecot status"]);
    }
}
