//! Is a server that does not greet dead, or only full?
//!
//! When all processes of a login service are in use, the kernel accepts a further client, and
//! Dovecot says nothing to it. A restart would disconnect all users, so before a silent server is
//! called dead, its master is asked how its services are. A master that hangs does not answer.
//!
//! Which service has a port is said by Dovecot's configuration, and not by who holds the socket: a
//! login process of Dovecot before 2.3.19 closes it, and a search through all processes takes its
//! time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use log::debug;

use super::configuration::{self, Listener, Opening, Settings};
use super::instance::Instance;
use crate::command::{Command, CommandOutput, End};
use crate::probe::attempt::Refusal;
use crate::probe::endpoint::Endpoint;
use crate::process::{Process, ProcessEntry};
use crate::system::System;

/// The longest that the question may take. A healthy master answers within 6 ms, with 2.4 16 ms,
/// `doveconf` within 7 ms, with 2.4 19 ms.
pub const LIMIT: Duration = Duration::from_millis(1500);

/// What `doveconf` is asked for.
const NAMES: [&str; 4] = ["protocols", "listen", "default_process_limit", "service"];

/// Exit status of a doveadm that does not know `service status`: 2.0 to 2.2.10 (`EX_USAGE`).
const USAGE: i32 = 64;

/// Dovecot's default ports and the services that have them, for when `doveconf` does not answer.
const USUAL: [(u16, &str); 8] = [
    (143, "imap-login"),
    (993, "imap-login"),
    (110, "pop3-login"),
    (995, "pop3-login"),
    (587, "submission-login"),
    (465, "submission-login"),
    (4190, "managesieve-login"),
    (24, "lmtp"),
];

/// Dovecot's `default_process_limit`, if nothing else is said.
const DEFAULT_PROCESS_LIMIT: usize = 100;

/// The service that each login process asks before it greets.
const AUTH: &str = "auth";

/// The longest look at login processes. One takes 0.06 ms, and there can be 10 000.
const LOOK: Duration = Duration::from_millis(500);

/// The kernel keeps so many bytes of a program's name.
const COMM: usize = 15;

/// The two questions on their way: how the services are, and which ports they have.
#[must_use]
pub(crate) struct Question<S: System> {
    services: Option<Pending<S>>,
    ports: Option<Pending<S>>,
}

/// A command on its way.
pub(crate) type Pending<S> = (Command, <S as System>::Running);

/// Asks the master how its services are, and `doveconf` which ports they have; does not wait for the
/// answers.
pub(crate) fn ask<S: System>(system: &S, instance: &Instance) -> Question<S> {
    let services = call(system, instance);
    // Without the master's answer, nobody needs the ports.
    let ports = services.as_ref().and_then(|_| instance.command(system, "doveconf", &NAMES));
    Question { services, ports: ports.map(|command| start(system, command.asked())) }
}

/// Ends a question whose answer is no longer needed.
pub(crate) fn forget<S: System>(system: &S, question: Question<S>) {
    for (_, running) in question.services.into_iter().chain(question.ports) {
        let _ = system.finish(running, Duration::ZERO);
    }
}

/// Asks the master for any answer, and does not wait for it.
pub(crate) fn call<S: System>(system: &S, instance: &Instance) -> Option<Pending<S>> {
    service_status(system, instance).map(|command| start(system, command))
}

/// Waits for any answer of the master, at most `limit` from the question on: returns for how long doveadm
/// got none. What it said does not count.
#[must_use]
pub(crate) fn silence<S: System>(
    system: &S,
    call: Pending<S>,
    limit: Duration,
) -> Option<Duration> {
    match finish(system, call, limit).end {
        End::TimedOut(limit) => Some(limit),
        End::Exited(_) | End::Signalled(_) | End::NotRun(_) => None,
    }
}

pub(super) fn service_status(system: &impl System, instance: &Instance) -> Option<Command> {
    instance.command(system, "doveadm", &["service", "status"]).map(Command::asked)
}

fn start<S: System>(system: &S, command: Command) -> Pending<S> {
    let running = system.start(&command);
    (command, running)
}

/// What is heard of silent endpoints.
#[must_use]
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Opinion {
    /// The name of the full service, if it is one, endpoint by endpoint.
    pub(crate) services: Vec<Option<String>>,
    /// Why nothing is known, if the master did not answer in time.
    pub(crate) silence: Option<String>,
}

/// Tells the silent endpoints whose service is full from those that are dead: returns the names of
/// the full services, endpoint by endpoint. Waits for the answers, at most [`LIMIT`] from the
/// question on; asks if nobody has, and does not wait when nobody is silent any more. `masters` are
/// the living ones.
pub(crate) fn full<'a, S: System>(
    system: &S,
    (instance, masters): (&Instance, &[Process]),
    question: Option<Question<S>>,
    silent: impl Iterator<Item = &'a Endpoint>,
) -> Opinion {
    let mut silent = silent.peekable();
    if silent.peek().is_none() {
        if let Some(question) = question {
            forget(system, question);
        }
        return Opinion::default();
    }
    let question = question.unwrap_or_else(|| ask(system, instance));
    let (full, listeners, silence) = match answer(system, masters, question) {
        Ok((full, listeners)) => (full, listeners, None),
        Err(silence) => (BTreeSet::new(), Vec::new(), silence),
    };
    let services = silent.map(|endpoint| service_of(endpoint, &listeners, &full)).collect();
    Opinion { services, silence }
}

/// Whether a refusal is what a full server gives.
pub(crate) const fn may_be_full(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Silent(_) | Refusal::Closed | Refusal::TimedOut(_) | Refusal::Tls(_))
}

/// Waits for the answers: the full services, and all listeners.
///
/// # Errors
///
/// That no service is full; with the reason, when nobody said so.
fn answer<S: System>(
    system: &S,
    masters: &[Process],
    question: Question<S>,
) -> Result<(BTreeSet<String>, Vec<Listener>), Option<String>> {
    let Question { services: Some(services), ports } = question else { return Err(None) };
    let line = services.0.to_string();
    let ended = finish(system, services, LIMIT);
    let told = full_services(&ended.answer);
    let is_old = ended.end == End::Exited(USAGE);
    if !is_old && (!ended.succeeded() || told.is_empty()) {
        if let Some((_, running)) = ports {
            let _ = system.finish(running, Duration::ZERO);
        }
        let is_silent = matches!(ended.end, End::TimedOut(_));
        return Err(is_silent.then(|| format!("`{line}`: {}", ended.end)));
    }
    let ports = ports.map(|ports| finish(system, ports, LIMIT));
    let answer =
        ports.filter(CommandOutput::succeeded).map(|ended| ended.answer).unwrap_or_default();
    let settings = configuration::flatten(&answer);
    let listeners = listeners(&settings);
    let programs = listeners.iter().map(|one| program(&settings, one.service()));
    let programs = programs.chain([AUTH.to_owned()]).collect();
    let processes = Processes::look(system, masters, &programs);
    let is_dead =
        |name: &str, count: usize| processes.are_stopped(&program(&settings, name), count);
    let full = if is_old {
        processes.fill(system, masters, &settings)
    } else {
        told.into_iter()
            .filter(|(name, count)| !is_dead(name, *count))
            .map(|(name, _)| name)
            .collect()
    };
    let names: Vec<&str> = full.iter().map(String::as_str).collect();
    let ports: Vec<String> = listeners.iter().map(ToString::to_string).collect();
    debug!("saturated: [{}]; listeners: {}", names.join(", "), ports.join(", "));
    Ok((full, listeners))
}

fn finish<S: System>(system: &S, (command, running): Pending<S>, limit: Duration) -> CommandOutput {
    let ended = system.finish(running, limit);
    debug!("`{command}`: {}", ended.end);
    ended
}

/// Reads the services that are full, with the number of their processes: as many as may be, and none
/// that has room. Seen with 2.3.13, 2.3.19, and 2.4.1.
pub(crate) fn full_services(answer: &str) -> BTreeMap<String, usize> {
    let mut full = BTreeMap::new();
    // What stands between two services depends on the version; each begins with its name.
    for service in answer.split("name: ").skip(1) {
        let number = |key: &str| {
            let mut lines = service.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(name, _)| name.trim() == key)?.1.trim().parse::<usize>().ok()
        };
        if let (Some(name), Some(count), Some(0), Some(limit @ 1..)) = (
            service.lines().next(),
            number("process_count"),
            number("process_avail"),
            number("process_limit"),
        ) && count >= limit
        {
            full.insert(name.trim().to_owned(), count);
        }
    }
    full
}

/// The listeners as configured. When `doveconf` is missing, fails or is late, the usual ones: the
/// master lives, since it has named a full service, and to take port 143 for that of imap-login hurts
/// only where another service has it; not to take it so throws out all users.
fn listeners(settings: &Settings) -> Vec<Listener> {
    let listeners = configuration::listeners_in(settings);
    if !listeners.is_empty() {
        return listeners;
    }
    let usual = |(port, service): (u16, &str)| Listener {
        name: service.into(),
        port,
        addresses: vec!["*".into(), "::".into()],
        opening: Opening::Plain,
    };
    USUAL.into_iter().map(usual).collect()
}

/// The full service that serves an endpoint. Where several can be meant, all must be full: else
/// one that is full would excuse another that is dead.
fn service_of(
    endpoint: &Endpoint,
    listeners: &[Listener],
    full: &BTreeSet<String>,
) -> Option<String> {
    // As the kernel connects: to itself, and to IPv4 behind an IPv6 form of it.
    let address = match endpoint.address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let on_port = |one: &&Listener| one.port == endpoint.port;
    // The last is for an address that is translated on its way, and for a configuration that was
    // changed and not reloaded.
    let ways: [&dyn Fn(&Listener) -> bool; 3] =
        [&|one| one.lists(address), &|one| one.covers(address), &|_| true];
    let mut meant = ways
        .iter()
        .map(|way| listeners.iter().filter(on_port).filter(|one| way(one)).collect::<Vec<_>>());
    let meant = meant.find(|found| !found.is_empty())?;
    let are_full = meant.iter().all(|one| full.contains(one.service()));
    meant.first().filter(|_| are_full).map(|one| one.service().to_owned())
}

/// The name under which the kernel shows a service's processes.
fn program(settings: &Settings, service: &str) -> String {
    let line = settings.get(&format!("service {service}/executable"));
    let words = line.map_or(service, String::as_str);
    let path = words.split(' ').next().unwrap_or_default();
    let name: Vec<u8> = path.rsplit('/').next().unwrap_or_default().bytes().take(COMM).collect();
    String::from_utf8_lossy(&name).into_owned()
}

/// The masters' children by their names: how many run, and how many are stopped.
#[derive(Default)]
struct Processes(BTreeMap<String, (usize, usize)>);

impl Processes {
    /// Looks at the process table once, and at each child of the masters that runs one of these
    /// programs. A table that cannot be read shows none; a child that is not looked at within
    /// [`LOOK`] counts as running.
    fn look(system: &impl System, masters: &[Process], programs: &BTreeSet<String>) -> Self {
        let end = system.now() + LOOK;
        let table = system.processes().unwrap_or_default();
        let mut children = Self::default();
        let is_wanted = |one: &ProcessEntry| {
            !one.zombie
                && programs.contains(&one.name)
                && masters.iter().any(|master| master.pid == one.parent)
        };
        for listed in table.into_iter().filter(is_wanted) {
            let is_stopped = system.now() < end
                && system.inspect(listed.pid).is_some_and(|process| process.is_stopped());
            let (running, stopped) = children.0.entry(listed.name).or_default();
            *if is_stopped { stopped } else { running } += 1;
        }
        children
    }

    fn of(&self, program: &str) -> (usize, usize) {
        self.0.get(program).copied().unwrap_or_default()
    }

    /// Whether a full service is dead: all its processes are stopped, or all of authentication, which
    /// they ask before they greet. Other services may have processes of the same program, so they
    /// are counted.
    fn are_stopped(&self, program: &str, count: usize) -> bool {
        let (_, stopped) = self.of(program);
        stopped >= count || matches!(self.of(AUTH), (0, 1..))
    }

    /// The full services of a Dovecot that does not tell them (2.0 to 2.2.10): those of a program
    /// that has as many processes as may be, none of them stopped, while the master waits for work.
    /// A master that hangs starts no process, so it is soon one below the limit.
    fn fill(
        &self,
        system: &impl System,
        masters: &[Process],
        settings: &Settings,
    ) -> BTreeSet<String> {
        let now = |master: &Process| system.inspect(master.pid).filter(|now| now.is(master));
        if !masters.iter().filter_map(now).any(|master| master.state == 'S')
            || matches!(self.of(AUTH), (0, _))
        {
            return BTreeSet::new();
        }
        let limit = |key: &str| settings.get(key)?.parse::<usize>().ok();
        let default = limit("default_process_limit").unwrap_or(DEFAULT_PROCESS_LIMIT);
        let mut programs: BTreeMap<String, (usize, BTreeSet<String>)> = BTreeMap::new();
        for key in settings.keys() {
            let name = key.strip_prefix("service ").and_then(|key| key.strip_suffix("/executable"));
            let Some(name) = name else { continue };
            let most = limit(&format!("service {name}/process_limit"));
            let (limits, names) = programs.entry(program(settings, name)).or_default();
            *limits = limits.saturating_add(most.filter(|most| *most > 0).unwrap_or(default));
            names.insert(name.to_owned());
        }
        let full = |(program, (limit, _)): &(String, (usize, BTreeSet<String>))| matches!(self.of(program), (running, 0) if running >= *limit);
        programs.into_iter().filter(full).flat_map(|(_, (_, names))| names).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;
    use crate::system::fake::{MASTER, Machine, child};
    use crate::test_bytes::{self, pieces};
    use proptest::prelude::*;

    const ANSWER: &str = "name: stats\nprocess_count: 1\nprocess_avail: 1\nprocess_limit: 1\n\u{c}\n\
        name: imap\nprocess_count: 2\nprocess_avail: 0\nprocess_limit: 1024\n\n\
        name: pop3-login\nprocess_count: 0\nprocess_avail: 0\nprocess_limit: 100\n\n\
        name: imap-login\nprocess_count: 2\nprocess_avail: 0\nprocess_limit: 2\nlisten_pending: y\n";

    /// `doveconf protocols listen default_process_limit service`, shortened, of 2.3.
    const CONFIGURATION: &str = "
service imap-inside {
  executable = imap-login
  inet_listener inside {
    address =
    port = 1143
  }
  process_limit = 0
  protocol =
}
service imap-login {
  executable = imap-login
  inet_listener imap {
    address =
    port = 143
  }
  inet_listener imaps {
    port = 0
  }
  process_limit = 2
  protocol = imap
}
service imap {
  executable = imap
  process_limit = 1024
  protocol = imap
}
service managesieve-login {
  executable = /usr/lib/dovecot/managesieve-login -x
  inet_listener sieve {
    address =
    port = 4190
  }
  inet_listener sieve_old {
    address = ::1, mail.example.com
    port = 2000
  }
  process_limit = 0
  protocol = sieve
}
service one {
  executable = pop3-login
  inet_listener {
    address = 192.0.2.1
    port = 110
  }
  protocol = pop3
}
service other {
  executable = pop3-login
  inet_listener {
    address = 192.0.2.2 [2001:db8::2]
    port = 110
  }
  protocol = pop3
}
service pop3-login {
  executable = pop3-login
  inet_listener pop3 {
    port = 110
  }
  inet_listener twice {
    port = 2000
  }
  protocol = pop3
}
protocols =  imap pop3 sieve
listen = *, ::
default_process_limit = 5
";

    fn machine(answer: &str) -> Machine {
        let machine = Machine::running();
        machine.state().programs.extend(["doveadm", "doveconf"]);
        machine.answer("doveadm service status", End::Exited(0), Duration::from_millis(6), answer);
        machine.answer("doveconf", End::Exited(0), Duration::from_millis(7), CONFIGURATION);
        machine
    }

    /// Adds children of the master, some of them stopped.
    fn add(machine: &Machine, name: &str, states: &[char]) {
        let first = i32::try_from(machine.state().processes.len()).expect("few") + 200;
        for (pid, state) in (first..).zip(states) {
            machine.add(Process { state: *state, ..child(pid, name) }, MASTER, MASTER);
        }
    }

    fn masters(machine: &Machine) -> Vec<Process> {
        machine.inspect(MASTER).into_iter().collect()
    }

    fn asked_at(machine: &Machine, entry: &str) -> Option<String> {
        let endpoint = Endpoint::parse(entry).expect(entry);
        let Opinion { services: mut full, .. } =
            full(machine, (&Instance::default(), &masters(machine)), None, [endpoint].iter());
        assert_eq!(full.len(), 1, "an answer for each endpoint");
        full.remove(0)
    }

    fn asked(machine: &Machine) -> Option<String> {
        asked_at(machine, "127.0.0.1:143")
    }

    #[test]
    fn a_service_is_full_with_all_its_processes_and_no_room_in_any() {
        let one = BTreeMap::from([("imap-login".to_owned(), 2)]);
        assert_eq!(full_services(ANSWER), one);
        // 2.3.13, where a full service no longer listens.
        let old = "name: imap-login\nprocess_count: 2\nprocess_avail: 0\nprocess_limit: 2\n\
            client_limit: 1\nthrottle_secs: 0\nlisten_pending: y\nlistening: n\n\u{c}\n";
        assert_eq!(full_services(old), one);
        for garbage in ["", "name: x", "name: x\nprocess_count: a\nprocess_avail: 0", "\n\n\n"] {
            assert!(full_services(garbage).is_empty(), "{garbage:?}");
        }
    }

    #[test]
    fn only_the_service_of_the_port_itself_excuses_its_silence() {
        assert_eq!(asked(&machine(ANSWER)).as_deref(), Some("imap-login"));
        assert_eq!(asked_at(&machine(ANSWER), "127.0.0.1:1143"), None);
        let inside = machine(&ANSWER.replace("name: imap-login", "name: imap-inside"));
        assert_eq!(asked_at(&inside, "127.0.0.1:1143").as_deref(), Some("imap-inside"));
        assert_eq!(asked(&inside), None);
        let room = machine(&ANSWER.replace("process_limit: 2\n", "process_limit: 3\n"));
        assert_eq!(asked(&room), None);
    }

    #[test]
    fn each_endpoint_is_served_by_the_listener_that_the_kernel_takes() {
        let listeners = listeners(&configuration::flatten(CONFIGURATION));
        for (entry, full, served) in [
            ("127.0.0.1:143", "imap-login", "imap-login"),
            ("[::1]:143", "imap-login", "imap-login"),
            ("0.0.0.0:143", "imap-login", "imap-login"),
            ("127.0.0.1:993", "imap-login", ""),
            ("127.0.0.1:4190", "managesieve-login", "managesieve-login"),
            ("192.0.2.1:110", "one", "one"),
            ("[::ffff:192.0.2.1]:110", "one", "one"),
            ("192.0.2.1:110", "other pop3-login", ""),
            ("192.0.2.2:110", "other", "other"),
            ("[2001:db8::2]:110", "other", "other"),
            ("192.0.2.3:110", "pop3-login", "pop3-login"),
            ("192.0.2.3:110", "one other", ""),
            // A name can mean any address, so both must be full.
            ("[::1]:2000", "managesieve-login", "managesieve-login"),
            ("192.0.2.3:2000", "managesieve-login", ""),
            ("192.0.2.3:2000", "managesieve-login pop3-login", "managesieve-login"),
            ("127.0.0.1:25", "imap-login", ""),
        ] {
            let full = full.split(' ').map(str::to_owned).collect();
            let endpoint = Endpoint::parse(entry).expect(entry);
            let served_by = service_of(&endpoint, &listeners, &full).unwrap_or_default();
            assert_eq!(served_by, served, "{entry} {full:?}");
        }
    }

    #[test]
    fn an_address_that_is_translated_is_served_by_whoever_has_its_port() {
        let dump = "listen = 192.0.2.1\nservice a {\ninet_listener {\nport = 143\n}\n}\n";
        let listeners = listeners(&configuration::flatten(dump));
        let full = BTreeSet::from(["a".to_owned()]);
        assert_eq!(service_of(&Endpoint::default(), &listeners, &full).as_deref(), Some("a"));
    }

    #[test]
    fn who_does_not_answer_is_not_full() {
        let frozen = machine(ANSWER);
        frozen.answer("doveadm service status", End::Exited(0), Duration::from_secs(10), ANSWER);
        assert_eq!((asked(&frozen), frozen.now()), (None, LIMIT));
        let before = frozen.now();
        let instance = Instance::default();
        let question = Some(ask(&frozen, &instance));
        assert!(full(&frozen, (&instance, &[]), question, [].iter()).services.is_empty());
        assert_eq!(frozen.now(), before, "nobody waits for what nobody needs");
        let nothing = machine("name: imap\nprocess_count: 0\n");
        nothing.answer("doveconf", End::Exited(0), Duration::from_secs(10), "");
        assert_eq!((asked(&nothing), nothing.now()), (None, Duration::from_millis(6)));
    }

    #[test]
    fn without_an_answer_of_doveconf_the_usual_ports_count() {
        let late = machine(ANSWER);
        late.answer("doveconf", End::Exited(0), Duration::from_secs(10), CONFIGURATION);
        assert_eq!((asked(&late).as_deref(), late.now()), (Some("imap-login"), LIMIT));
        let broken = machine(ANSWER);
        broken.answer("doveconf", End::Exited(89), Duration::from_millis(7), "");
        let missing = machine(ANSWER);
        missing.state().programs.retain(|program| *program != "doveconf");
        for machine in [broken, missing] {
            assert_eq!(asked_at(&machine, "192.0.2.9:993").as_deref(), Some("imap-login"));
            assert_eq!(asked_at(&machine, "127.0.0.1:110"), None);
            assert_eq!(asked_at(&machine, "127.0.0.1:1143"), None);
        }
    }

    #[test]
    fn a_service_whose_processes_are_all_stopped_is_dead() {
        for (name, states, is_full) in [
            ("imap-login", "SS", true),
            ("imap-login", "ST", true),
            ("imap-login", "TT", false),
            ("imap-login", "tT", false),
            // Two of them are another service's.
            ("imap-login", "TTSS", false),
            ("pop3-login", "TT", true),
            ("auth", "T", false),
            ("auth", "ST", true),
        ] {
            let machine = machine(ANSWER);
            add(&machine, name, &states.chars().collect::<Vec<_>>());
            assert_eq!(asked(&machine).is_some(), is_full, "{name} {states}");
        }
        let strangers = machine(ANSWER);
        for pid in [300, 301] {
            strangers.add(Process { state: 'T', ..child(pid, "imap-login") }, 1, pid);
        }
        assert!(asked(&strangers).is_some());
    }

    #[test]
    fn a_dovecot_that_does_not_know_the_question_is_full_by_its_processes() {
        type Change = fn(&Machine);
        let cases: [(&str, Option<&str>, Change); 8] = [
            ("full", Some("imap-login"), |_| ()),
            ("a master that is stopped", None, |m| m.change(MASTER, |one| one.state = 'T')),
            ("a master that hangs", None, |m| m.change(MASTER, |one| one.state = 'D')),
            ("a stopped login process", None, |m| m.change(400, |one| one.state = 'T')),
            ("one below the limit", None, |m| m.state().end(400)),
            ("authentication stopped", None, |m| m.change(401, |one| one.state = 'T')),
            ("authentication dead", None, |m| m.state().end(401)),
            ("no configuration", None, |m| {
                m.answer("doveconf", End::Exited(89), Duration::from_millis(7), "");
            }),
        ];
        for (case, full, change) in cases {
            let machine = machine("");
            let took = Duration::from_millis(6);
            machine.answer("doveadm service status", End::Exited(USAGE), took, "");
            // Two of imap-login, and the default's five of imap-inside, which has the same program.
            add(&machine, "imap-login", &['S'; 6]);
            machine.add(child(400, "imap-login"), MASTER, MASTER);
            machine.add(child(401, "auth"), MASTER, MASTER);
            change(&machine);
            assert_eq!(asked(&machine).as_deref(), full, "{case}");
        }
    }

    #[test]
    fn five_hundred_entries_and_ten_thousand_processes_are_one_question() {
        let machine = machine(ANSWER);
        machine.answer("doveconf", End::Exited(0), Duration::from_secs(10), "");
        add(&machine, "imap-login", &vec!['S'; 10_000]);
        let entries = vec![Endpoint::default(); 500];
        let full = full(&machine, (&Instance::default(), &masters(&machine)), None, entries.iter());
        assert_eq!(full.services, vec![Some("imap-login".to_owned()); 500]);
        assert_eq!(machine.now(), LIMIT);
        let deeds = machine.deeds();
        assert_eq!(deeds.len(), 2, "{deeds:?}");
    }

    #[test]
    fn a_long_name_is_known_by_its_beginning() {
        let settings = configuration::flatten(CONFIGURATION);
        assert_eq!(program(&settings, "managesieve-login"), "managesieve-log");
        assert_eq!(program(&settings, "imap-inside"), "imap-login");
        assert_eq!(program(&Settings::new(), "submission-login"), "submission-logi");
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
            invariants::saturation(&answer);
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
            prop_assert_eq!(full_services(&answer).into_keys().collect::<Vec<_>>(), full);
        }
    }
}
