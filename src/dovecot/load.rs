//! Is a server that does not greet dead, or only full?
//!
//! When all processes of a login service serve somebody, a further client is accepted by the
//! kernel and hears nothing. To restart such a server would throw all its users out, so before a
//! silent server is called dead, its master is asked how its services are. A master that is frozen
//! does not answer.

use std::collections::BTreeSet;
use std::time::Duration;

use log::debug;

use super::endpoint::Endpoint;
use crate::system::{Command, End, Refusal, System};

/// The longest that the question may take. A healthy master answers within 6 ms, with 2.4 16 ms.
pub(crate) const LIMIT: Duration = Duration::from_millis(1500);

/// The question on its way.
pub(crate) struct Question<S: System>(Option<(Command, S::Running)>);

/// Asks the master how its services are, and does not wait for the answer.
pub(crate) fn ask<S: System>(system: &S) -> Question<S> {
    Question(system.program("doveadm").map(|doveadm| {
        let command = Command::new(doveadm, &["service", "status"]).asked();
        let running = system.start(&command);
        (command, running)
    }))
}

/// Ends a question whose answer nobody needs any more.
pub(crate) fn forget<S: System>(system: &S, question: Question<S>) {
    if let Question(Some((_, running))) = question {
        system.finish(running, Duration::ZERO);
    }
}

/// Whether the master answered, whatever it said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    /// It did, or doveadm said that it cannot ask.
    Something,
    /// doveadm got no answer for so long.
    Nothing(Duration),
}

/// Hears whether the master answers at all, at most `limit` from the question on.
pub(crate) fn hear<S: System>(system: &S, question: Question<S>, limit: Duration) -> Heard {
    let Question(Some((command, running))) = question else { return Heard::Something };
    let ended = system.finish(running, limit);
    debug!("`{command}`: {:?}", ended.end);
    match ended.end {
        End::TimedOut(limit) => Heard::Nothing(limit),
        End::Exited(_) | End::Signalled(_) | End::NotRun(_) => Heard::Something,
    }
}

/// Tells the silent endpoints whose service is full from those that are dead: returns the names of
/// the full services, endpoint by endpoint. Waits for the answer, at most [`LIMIT`] from the
/// question on; asks if nobody has, and does not wait when nobody is silent any more.
pub(crate) fn full<'a, S: System>(
    system: &S,
    question: Option<Question<S>>,
    silent: impl Iterator<Item = &'a Endpoint>,
) -> Vec<Option<String>> {
    let mut silent = silent.peekable();
    if silent.peek().is_none() {
        if let Some(question) = question {
            forget(system, question);
        }
        return Vec::new();
    }
    let full = answer(system, question.unwrap_or_else(|| ask(system)));
    silent.map(|endpoint| service_of(system, endpoint.port, &full)).collect()
}

/// Whether a refusal is what a full server gives.
pub(crate) const fn may_be_full(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Silent(_) | Refusal::Closed | Refusal::TimedOut(_) | Refusal::Tls(_) => true,
        Refusal::Failed(_)
        | Refusal::Unfinished(_)
        | Refusal::NotReady(_)
        | Refusal::Foreign(_)
        | Refusal::NothingInCommon(_)
        | Refusal::NotTried(_) => false,
    }
}

/// The names of the services that are full, as the master tells.
fn answer<S: System>(system: &S, question: Question<S>) -> BTreeSet<String> {
    let Question(Some((command, running))) = question else { return BTreeSet::new() };
    let ended = system.finish(running, LIMIT);
    let full = if ended.succeeded() { full_services(&ended.answer) } else { BTreeSet::new() };
    debug!("`{command}`: {:?}; full: {full:?}", ended.end);
    full
}

/// Reads the services that are full: as many processes as may be, and none that has room.
fn full_services(answer: &str) -> BTreeSet<String> {
    let mut full = BTreeSet::new();
    // What stands between two services depends on the version; each begins with its name.
    for service in answer.split("name: ").skip(1) {
        let number = |key: &str| {
            let mut lines = service.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(name, _)| name.trim() == key)?.1.trim().parse::<u32>().ok()
        };
        if let (Some(name), Some(count), Some(0), Some(limit @ 1..)) = (
            service.lines().next(),
            number("process_count"),
            number("process_avail"),
            number("process_limit"),
        ) && count >= limit
        {
            full.insert(name.trim().to_owned());
        }
    }
    full
}

/// The full service that serves a port: its processes have the listening socket open, and carry
/// its name. One whose processes are all frozen is not full but dead.
fn service_of(system: &impl System, port: u16, full: &BTreeSet<String>) -> Option<String> {
    if full.is_empty() {
        return None;
    }
    let listeners = system.listeners(port);
    debug!("listening on port {port}: {listeners:?}");
    let serves = |name: &&String| {
        listeners.iter().any(|(_, process)| is_named(&process.name, name) && process.state != 'T')
    };
    full.iter().find(serves).cloned()
}

/// A process has at most 15 bytes of its program's name.
fn is_named(process: &str, service: &str) -> bool {
    !process.is_empty()
        && (process == service || (process.len() == 15 && service.starts_with(process)))
}

/// Holds for any answer: what is full is a name that stands in it, and is full however often and
/// beside whatever else it is told.
#[cfg(any(test, fuzzing))]
pub(crate) fn check(answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    let full = full_services(&answer);
    for name in &full {
        assert!(answer.contains(name), "{name:?}");
        assert!(!name.contains('\n') && name.trim() == name, "{name:?}");
    }
    let other = "\nname: other\nprocess_count: 1\nprocess_avail: 1\nprocess_limit: 1\n";
    assert_eq!(full_services(&format!("{answer}{other}{answer}{other}")), full);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Process;
    use crate::system::fake::{Machine, child};
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    const ANSWER: &str = "name: stats\nprocess_count: 1\nprocess_avail: 1\nprocess_limit: 1\n\u{c}\n\
        name: imap\nprocess_count: 2\nprocess_avail: 0\nprocess_limit: 1024\n\n\
        name: pop3-login\nprocess_count: 0\nprocess_avail: 0\nprocess_limit: 100\n\n\
        name: imap-login\nprocess_count: 2\nprocess_avail: 0\nprocess_limit: 2\nlisten_pending: y\n";

    fn machine(answer: &str) -> Machine {
        let machine = Machine::running();
        machine.state().programs.push("doveadm");
        machine.answer("doveadm service status", End::Exited(0), Duration::from_millis(6), answer);
        machine.state().listeners.insert(143, vec![(ANY, child(103, "imap-login"))]);
        machine
    }

    fn asked(machine: &Machine) -> Option<String> {
        let mut full = full(machine, None, [Endpoint::default()].iter());
        assert_eq!(full.len(), 1, "an answer for each endpoint");
        full.remove(0)
    }

    #[test]
    fn a_service_is_full_with_all_its_processes_and_no_room_in_any() {
        assert_eq!(full_services(ANSWER).into_iter().collect::<Vec<_>>(), ["imap-login"]);
        for garbage in ["", "name: x", "name: x\nprocess_count: a\nprocess_avail: 0", "\n\n\n"] {
            assert!(full_services(garbage).is_empty(), "{garbage:?}");
        }
    }

    #[test]
    fn only_the_service_of_the_port_itself_excuses_its_silence() {
        assert_eq!(asked(&machine(ANSWER)).as_deref(), Some("imap-login"));
        let other = machine(ANSWER);
        other.state().listeners.insert(143, vec![(ANY, child(103, "pop3-login"))]);
        assert_eq!(asked(&other), None);
        let room = machine(&ANSWER.replace("process_limit: 2\n", "process_limit: 3\n"));
        assert_eq!(asked(&room), None);
    }

    #[test]
    fn who_does_not_answer_is_not_full() {
        let frozen = machine(ANSWER);
        frozen.answer("doveadm service status", End::Exited(0), Duration::from_secs(10), ANSWER);
        assert_eq!((asked(&frozen), frozen.now()), (None, LIMIT));
        let login = machine(ANSWER);
        let stopped = Process { state: 'T', ..child(103, "imap-login") };
        login.state().listeners.insert(143, vec![(ANY, stopped)]);
        assert_eq!(asked(&login), None);
        let before = frozen.now();
        assert!(full(&frozen, Some(ask(&frozen)), [].iter()).is_empty());
        assert_eq!(frozen.now(), before, "nobody waits for what nobody needs");
    }

    #[test]
    fn a_long_name_is_known_by_its_beginning() {
        assert!(is_named("managesieve-log", "managesieve-login"));
        assert!(!is_named("imap", "imap-login"));
        assert!(!is_named("", "imap-login"));
    }

    /// What the answer is made of.
    const WORDS: &[&str] = &[
        "name: ",
        "name: imap-login\n",
        "name: pop3 \nprocess_count: 2\nprocess_avail: 0\nprocess_limit: 2\n",
        "process_count: ",
        "process_avail: 0\n",
        "process_limit: ",
        "0",
        "1",
        "2",
        "\n",
        "\n\n",
        "\u{c}\n",
        ": ",
        " ",
        "4294967296",
    ];

    proptest! {
        #![proptest_config(test_bytes::config())]

        #[test]
        fn any_answer_names_services_that_stand_in_it(answer in pieces(WORDS, 40)) {
            check(&answer);
        }

        #[test]
        fn exactly_the_services_without_room_are_full(
            services in prop::collection::btree_map("[a-z][a-z-]{0,9}", [0..4_u32, 0..3, 0..4], 0..9),
            between in "(\u{c}|\n){1,2}",
        ) {
            let told = services.iter().map(|(name, [count, avail, limit])| {
                let numbers = format!("process_count: {count}\nprocess_avail: {avail}\n");
                [&format!("name: {name}\n{numbers}process_limit: {limit}\n"), &*between].concat()
            });
            let answer = told.collect::<Vec<_>>().concat();
            let full = services.into_iter().filter(|(_, [count, avail, limit])| {
                *avail == 0 && *limit > 0 && count >= limit
            });
            let full: Vec<String> = full.map(|(name, _)| name).collect();
            prop_assert_eq!(full_services(&answer).into_iter().collect::<Vec<_>>(), full);
        }
    }
}
