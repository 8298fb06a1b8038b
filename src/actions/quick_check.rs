//! Says whether Dovecot is in operation, and always says it in time.
//!
//! A check that LifeKeeper has to end by force counts as no fault there, so a check that hangs
//! switches the protection off.

use std::path::Path;
use std::time::Duration;

use log::info;

use super::consequence::{consequence, fault};
use super::excuse::{self, Plea};
use super::holder::Holder;
use crate::dovecot::checks::{self, Thoroughness};
use crate::dovecot::findings::Checks;
use crate::dovecot::history;
use crate::dovecot::instance::{self, Instance};
use crate::dovecot::login::{self, Login};
use crate::dovecot::notes::{self, Excuse, Logins, Notes, Reason};
use crate::dovecot::unit::{self, Manager, Motion};
use crate::dovecot::verdict::Verdict;
use crate::dovecot::{configuration, identity, own_log, places, service};
use crate::error::Error;
use crate::messages::{Message, Remark, warning};
use crate::probe::endpoint::Depth;
use crate::process::Process;
use crate::settings::Settings;
use crate::system::System;
use crate::text::line;

/// When quickCheck ends at the latest, below the 22 s that LifeKeeper grants. All that it waits
/// for ends before; this is for what cannot be bounded, such as a standard error that nobody
/// reads.
pub const LIMIT: Duration = Duration::from_secs(18);

/// How long a unit that is on its way is left alone before it is looked at once more.
pub const MOTION_WAIT: Duration = Duration::from_secs(2);

/// The same for one that has just arrived.
const MOMENT: Duration = Duration::from_millis(50);

/// The least time for which that second look is begun. It gets all that is left: at the end of a
/// restart all clients come back at once, and one that is cut short would call a restart a fault. A
/// longer one finds a fault later by an entry's own time-out at most.
pub const MOTION_LOOK: Duration = Duration::from_secs(3);

/// What must be left for a second look at a unit that is on its way.
pub const MOTION: Duration =
    MOTION_WAIT.saturating_add(MOTION_LOOK).saturating_add(unit::CHECK_LIMIT);

/// How long the search for Dovecot's own reason may take, when a fault is certain and so much time
/// is left.
const REASON_TIME: Duration =
    instance::LIMIT.saturating_add(configuration::LIMIT).saturating_add(own_log::LIMIT);

/// How long the checks may take before they have their verdict, with these time-outs: a hanging
/// status, refusals, and a unit that is on its way.
pub(crate) fn longest(settings: &Settings) -> Duration {
    let entry = settings.endpoints.iter().map(|endpoint| endpoint.timeout).max();
    let entry = entry.unwrap_or_default() + checks::RETRY_TIME;
    let login = match settings.probe {
        Depth::Login => settings.login.timeout + checks::RETRY_TIME + login::LOOK_LIMIT,
        Depth::Connect | Depth::Greeting => Duration::ZERO,
    };
    let look = entry.max(login).max(service::STATUS_LIMIT);
    (look * 2 + MOTION_WAIT + unit::CHECK_LIMIT * 2).min(checks::LIMIT)
}

/// What a check found, before its consequence is known.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    /// What was seen that is not as it should be.
    pub(crate) causes: Vec<String>,
    /// What excuses a Dovecot that is not in operation.
    pub(crate) excuse: Option<String>,
    /// Whether users are served, whatever the service manager says.
    pub(crate) serves: bool,
}

impl Finding {
    /// A fault, or a verdict that needs no word.
    const fn of(verdict: Verdict, causes: Vec<String>) -> Self {
        Self { verdict, causes, excuse: None, serves: false }
    }

    /// That another action is at work.
    pub(super) fn during(holder: &Holder) -> Self {
        let excuse = Some(format!("{holder} is running"));
        Self { excuse, ..Self::of(Verdict::during(&holder.action), Vec::new()) }
    }

    pub(crate) const fn is_fault(&self) -> bool {
        !(self.verdict.is_up() || self.verdict.is_changing())
    }

    /// Logs it with its consequence.
    ///
    /// # Errors
    ///
    /// [`Error::NotInOperation`] when it is a fault.
    pub(super) fn told(self) -> Result<(), Error> {
        if self.is_fault() {
            return Err(fault(self.verdict, &self.causes));
        }
        let consequence = consequence(self.verdict);
        match self.excuse {
            Some(words) if self.causes.is_empty() => {
                info!("not checked: {words}; {consequence}");
            }
            Some(words) => {
                let head = format!("Dovecot is not in operation, {words}: ");
                warning!(Message::Excused, "{}", line(&head, &self.causes, consequence));
            }
            None if self.causes.is_empty() => {}
            None => warning!(
                Message::Degraded,
                "{}",
                line("Dovecot is in operation: ", &self.causes, consequence)
            ),
        }
        Ok(())
    }
}

/// Makes the three checks, and once more what a moment can cure. Takes at most [`checks::LIMIT`], and
/// not longer than until the deadline.
pub(super) fn look(system: &impl System, settings: &Settings, root: &Path) -> Finding {
    let most = settings.bounded(system, checks::LIMIT, Duration::ZERO);
    let end = system.now() + most;
    let unknown = |cause: Error| Finding::of(Verdict::Unknown, vec![cause.to_string()]);
    let begun = checks::begin(system, settings, root, most.saturating_sub(unit::CHECK_LIMIT));
    // Read while the status command runs.
    let notes = &mut Notes::read(system, root);
    let is_tenth = settings.probe.listens() && notes::is_tenth(root);
    let care = if is_tenth { Thoroughness::Master } else { Thoroughness::Twice };
    let mut seen = match begun.finish(notes, care) {
        Ok(seen) => seen,
        Err(cause) => return unknown(cause),
    };
    if seen.in_operation() {
        return pass(system, settings, root, notes, &seen);
    }
    let ask = || {
        unit::ask_with_shutdown(system, &settings.service).answer_within(system, unit::CHECK_LIMIT)
    };
    let mut manager = ask();
    let mut plea = excuse::plea(&manager);
    // What was seen may be over: a restart takes its time, and has its end.
    for wait in [MOTION_WAIT, MOMENT] {
        let pause = match &plea {
            Some(Plea { reason: Reason::Motion(_), .. }) if wait == MOTION_WAIT => MOTION_WAIT,
            None if is_over(system, notes, &seen, &manager) => MOMENT,
            Some(_) | None => break,
        };
        let limit = end.saturating_sub(system.now() + pause + unit::CHECK_LIMIT);
        if limit < MOTION_LOOK {
            break;
        }
        system.sleep(pause);
        seen = match checks::check(system, settings, root, notes, Thoroughness::Twice, limit) {
            Ok(seen) => seen,
            Err(cause) => return unknown(cause),
        };
        if seen.in_operation() {
            return pass(system, settings, root, notes, &seen);
        }
        manager = ask();
        plea = excuse::plea(&manager);
    }
    let mut causes = seen.causes();
    if let Some(Plea { reason, words }) = plea
        && excuse::holds(system, root, reason)
    {
        let verdict = match reason {
            Reason::Motion(Motion::Starting) => Verdict::Starting,
            Reason::Motion(Motion::Stopping) | Reason::Shutdown => Verdict::Stopping,
        };
        return Finding { excuse: Some(words), ..Finding::of(verdict, causes) };
    }
    if let Manager::Unknown(silence) = manager {
        causes.push(silence);
    }
    if end.saturating_sub(system.now()) >= REASON_TIME {
        causes = own_log::beside(causes, reason(system, settings, root, notes));
    }
    Finding { serves: seen.serves(), ..Finding::of(seen.verdict(), causes) }
}

/// Whether the fault that was seen is one of a Dovecot that is no more: a new master lives, or the
/// service manager calls a service active that was down. The connection to a server that is being
/// stopped can hang until its time is over (seen with 2.3.19), and the next one is there by then.
fn is_over(system: &impl System, notes: &Notes, seen: &Checks, manager: &Manager) -> bool {
    let is_new = |master: &Process| !seen.masters.iter().any(|one| one.is(master));
    manager.unit().is_some_and(|unit| seen.is_contradicted_by(unit))
        || identity::masters(system, notes).is_ok_and(|masters| masters.iter().any(is_new))
}

/// What Dovecot itself wrote of its fault. Takes at most [`REASON_TIME`].
fn reason(system: &impl System, settings: &Settings, root: &Path, notes: &Notes) -> Option<String> {
    let instance = Instance::find(system, root, &settings.service, notes);
    let places = places::answering(system, &instance);
    own_log::Mark::set_back(system, root, &places, &settings.service).reason(system)
}

/// Dovecot is in operation.
fn pass(
    system: &impl System,
    settings: &Settings,
    root: &Path,
    notes: &mut Notes,
    seen: &Checks,
) -> Finding {
    Excuse::erase(root);
    if let Some(Login::Passed(store)) = &seen.login {
        Logins::arm(system, root, store.clone());
    }
    history::passed(root);
    notes.remember(system, root, &settings.service, &seen.masters);
    Finding { serves: true, ..Finding::of(seen.verdict(), Remark::texts(&seen.warnings())) }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Error, LIMIT, MOTION_WAIT, Settings, System, checks};
    use crate::command::End;
    use crate::probe::endpoint::Depth;
    use crate::probe::endpoint::Endpoint;
    use crate::system::fake::{FakeUnit, MASTER, Machine, Port, State, details, words};
    use crate::system::{KillBudget, WATCH_LEAD};
    use crate::test_root::TestRoot;

    fn quick_check(machine: &Machine, settings: &Settings) -> Result<(), Error> {
        super::look(machine, settings, TestRoot::new().path()).told()
    }

    /// What was wrong, if anything was, in its line up to the verdict.
    fn fault(machine: &Machine, settings: &Settings) -> Option<String> {
        let line = quick_check(machine, settings).err()?.to_string();
        Some(line.rsplit_once("; verdict ").expect("a verdict").0.to_owned())
    }

    #[test]
    fn all_three_checks_succeed_and_dovecot_is_in_operation() {
        let machine = Machine::running();
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(machine.deeds(), ["service dovecot status", "connect 1"]);
        assert_eq!(words(), Vec::<String>::new(), "a healthy server is not worth a line");
    }

    #[test]
    fn a_master_that_the_pid_file_names_is_enough_and_nobody_else_is_looked_at() {
        let machine = Machine::running();
        machine.state().blind = true;
        let root = TestRoot::new();
        let check = || super::look(&machine, &Settings::default(), root.path()).told();
        let line = check().expect_err("nobody can be seen").to_string();
        let (begin, end) = (
            "Dovecot is not known to be in operation: reading the process table: /proc ",
            "; verdict unknown: exit status 1, LifeKeeper recovers it",
        );
        assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
        root.write("run/dovecot/master.pid", &MASTER.to_string());
        check().expect("it is in operation");
        // A file that is wrong changes nothing.
        machine.state().blind = false;
        root.write("run/dovecot/master.pid", "4242");
        check().expect("it is in operation");
    }

    #[test]
    fn a_server_that_is_only_full_is_no_fault_and_a_warning() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Silent);
        machine.state().programs.push("doveadm");
        let full = "name: imap-login\nprocess_count: 3\nprocess_avail: 0\nprocess_limit: 3\n";
        machine.answer("doveadm", End::Exited(0), Duration::from_millis(6), full);
        let settings = Settings { probe: Depth::Greeting, ..Settings::default() };
        assert_eq!(fault(&machine, &settings), None);
        let warning = words().concat();
        let (begin, end) =
            ("WARN: Dovecot is in operation: 127.0.0.1:143: saturated: ", "no fault");
        assert!(warning.starts_with(begin) && warning.ends_with(end), "{warning}");
        // As the original: it does not listen to what a server says.
        assert!(fault(&machine, &Settings::default()).is_some());
        machine.answer("doveadm", End::Exited(75), Duration::from_secs(10), "");
        let cause = fault(&machine, &settings).expect("a frozen master");
        let words =
            "127.0.0.1:143: no greeting after 2 s; `doveadm service status`: no end after 1.5 s";
        assert!(cause.ends_with(words), "{cause}");
    }

    #[test]
    fn debug_says_in_words_what_was_asked_and_answered() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Silent);
        machine.state().programs.extend(["doveadm", "doveconf"]);
        let full = "name: imap-login\nprocess_count: 3\nprocess_avail: 0\nprocess_limit: 3\n";
        machine.answer("doveadm", End::Exited(0), Duration::from_millis(6), full);
        machine.answer("doveconf", End::Exited(75), Duration::from_millis(6), "");
        let settings = Settings { probe: Depth::Greeting, ..Settings::default() };
        assert_eq!(fault(&machine, &settings), None);
        let told = details().join("\n");
        for words in [
            "`doveadm service status`: exit status 0",
            "default_process_limit service`: exit status 75",
            "saturated: [imap-login]; listeners: imap-login on port 143 of * ::, ",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn a_frozen_master_is_given_up_together_with_its_greeting() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Silent);
        machine.state().programs.push("doveadm");
        machine.answer("doveadm", End::Exited(75), Duration::from_secs(10), "");
        let settings = Settings { probe: Depth::Greeting, ..Settings::default() };
        assert!(fault(&machine, &settings).is_some());
        assert_eq!(machine.now(), Duration::from_secs(2), "the entry's own time-out");
    }

    #[test]
    fn a_status_that_is_late_tells_nothing_however_long_the_entries_take() {
        for timeout in [2, 15].map(Duration::from_secs) {
            let machine = Machine::running();
            machine.state().ports.insert(143, Port::Silent);
            machine.reply("status", |_| (End::Exited(3), Duration::from_secs(12)));
            let endpoints = vec![Endpoint { timeout, ..Endpoint::default() }];
            let settings = Settings { endpoints, ..Settings::default() };
            let cause = fault(&machine, &settings).expect("a silent entry");
            assert!(cause.ends_with("`service dovecot status`: no end after 5 s"), "{cause}");
        }
    }

    #[test]
    fn a_certificate_near_its_end_is_no_fault_and_a_warning() {
        const DAY: i64 = 86_400;
        let told = |left: Option<i64>| {
            let machine = Machine::running();
            machine.state().certificates = left.map(|left| (143, left)).into_iter().collect();
            assert_eq!(fault(&machine, &Settings::default()), None);
            words().concat()
        };
        assert_eq!((told(None), told(Some(14 * DAY))), (String::new(), String::new()));
        for (left, words) in [
            (14 * DAY - 1, "ends in 13 days"),
            (1, "ends within a day"),
            (-1, "has ended, mail programs refuse it"),
        ] {
            assert_eq!(
                told(Some(left)),
                format!(
                    "WARN: Dovecot is in operation: 127.0.0.1:143: its certificate {words}; \
                     verdict degraded: exit status 0, no fault"
                )
            );
        }
    }

    #[test]
    fn the_line_ends_with_what_follows() {
        let line = |machine: &Machine| {
            quick_check(machine, &Settings::default()).expect_err("a fault").to_string()
        };
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Refusing);
        let end = "connection refused; verdict failed: exit status 1, LifeKeeper recovers it";
        assert!(line(&machine).ends_with(end));
        let end = "exit status 3; verdict stopped: exit status 1, LifeKeeper recovers it";
        assert!(line(&Machine::new()).ends_with(end));
    }

    #[test]
    fn a_server_that_is_being_reloaded_is_asked_once_more_and_no_fault() {
        let settings = Settings { probe: Depth::Greeting, ..Settings::default() };
        for (times, asked) in [(0, 1), (1, 2), (5, 6), (6, 6)] {
            let machine = Machine::running();
            machine.state().ports.insert(143, Port::Reloading(times));
            let cause = fault(&machine, &settings);
            assert_eq!(cause.is_some(), times > 5, "{cause:?}");
            if let Some(cause) = cause {
                assert!(
                    cause.ends_with("127.0.0.1:143: not ready: \"* BYE Shutting down\""),
                    "{cause}"
                );
            }
            assert_eq!(machine.count("connect 1"), asked);
            assert_eq!(words(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_port_that_is_closed_for_a_second_is_no_fault_while_a_master_lives() {
        for (millis, is_fault) in [(1000, false), (1600, true)] {
            let machine = Machine::running();
            machine.state().ports.insert(143, Port::Refusing);
            machine.state().after(Duration::from_millis(millis), |state| {
                state.ports.insert(143, Port::Open);
            });
            assert_eq!(fault(&machine, &Settings::default()).is_some(), is_fault, "{millis} ms");
        }
        let dead = Machine::new();
        fault(&dead, &Settings::default()).expect("nobody is going to serve");
        assert_eq!(dead.count("connect 1"), 1);
    }

    /// A machine under systemd on which Dovecot is down and its unit is as told.
    fn down(unit: FakeUnit) -> Machine {
        let machine = Machine::new();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.state().unit = unit;
        machine
    }

    fn moving(active: &'static str) -> FakeUnit {
        FakeUnit { active: Some(active), ..FakeUnit::default() }
    }

    #[test]
    fn a_restart_beside_the_check_is_no_fault() {
        let machine = down(moving("deactivating"));
        machine.state().after(Duration::from_millis(1500), |state| {
            state.unit = FakeUnit::default();
            state.start_dovecot();
        });
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(words(), [""; 0]);
        // Its port is there a second after its master.
        let machine = down(moving("deactivating"));
        machine.state().ports.insert(143, Port::Refusing);
        machine.state().after(Duration::from_millis(1500), |state| {
            state.unit = FakeUnit::default();
            state.start_dovecot();
        });
        machine.state().after(MOTION_WAIT + Duration::from_secs(1), |state| {
            state.ports.clear();
        });
        assert_eq!(fault(&machine, &Settings::default()), None);
        // An entry has its own time in the second look too.
        let machine = down(moving("deactivating"));
        machine.state().ports.insert(143, Port::Silent);
        let endpoints = vec![Endpoint::parse("127.0.0.1:143:4").expect("an entry")];
        let settings = Settings { endpoints, ..Settings::default() };
        assert_eq!(fault(&machine, &settings), None, "it is on its way");
        let both = Duration::from_secs(4) * 2 + MOTION_WAIT;
        assert!(machine.now() >= both, "{:?}", machine.now());
        // It comes back between the checks and the question.
        let machine = down(FakeUnit::default());
        machine.reply("status", |state| {
            state.after(Duration::from_millis(5), State::start_dovecot);
            (End::Exited(if state.masters().is_empty() { 3 } else { 0 }), Duration::from_millis(10))
        });
        assert_eq!(fault(&machine, &Settings::default()), None);
        // It ends with the second look, and without systemd: a new master lives.
        for systemd in [true, false] {
            let machine = Machine::running();
            machine.state().systemd = systemd;
            machine.state().programs.push("systemctl");
            machine.state().ports.insert(143, Port::Silent);
            machine.state().after(Duration::from_millis(1900), |state| {
                state.stop_dovecot();
                state.start_dovecot();
                state.ports.insert(143, Port::Open);
            });
            assert_eq!(fault(&machine, &Settings::default()), None, "systemd: {systemd}");
            assert_eq!(machine.count("connect 1"), 2);
        }
        let machine = down(moving("deactivating"));
        machine.reply("status", |state| {
            if state.clock > MOTION_WAIT {
                state.unit = FakeUnit::default();
                state.after(Duration::from_millis(5), State::start_dovecot);
            }
            (End::Exited(if state.masters().is_empty() { 3 } else { 0 }), Duration::from_millis(10))
        });
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(machine.count("connect 1"), 3);
        // What has not come back is a fault.
        let machine = down(moving("deactivating"));
        machine.state().after(MOTION_WAIT / 2, |state| state.unit = FakeUnit::default());
        assert!(fault(&machine, &Settings::default()).is_some());
    }

    #[test]
    fn a_unit_that_is_on_its_way_in_two_checks_in_a_row_is_a_fault() {
        let machine = down(moving("deactivating"));
        let root = TestRoot::new();
        let is_fault = |active: &'static str| {
            machine.state().unit = moving(active);
            super::look(&machine, &Settings::default(), root.path()).told().is_err()
        };
        assert!(!is_fault("deactivating"));
        assert!(!is_fault("deactivating"), "it waits for its clients");
        machine.sleep(Duration::from_secs(20));
        assert!(is_fault("deactivating"), "it does not end");
        assert!(!is_fault("activating"), "a restart gets on");
        let line = words().concat();
        let (begin, end) = (
            "WARN: Dovecot is not in operation, dovecot.service is deactivating (x): no process",
            "WARN: Dovecot is not in operation, dovecot.service is activating (x): no process named \
             dovecot; 127.0.0.1:143: connection refused; `service dovecot status`: exit status 3; \
             verdict starting: exit status 0, no fault",
        );
        assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
        assert!(is_fault("activating"));
        assert!(is_fault("deactivating"), "it crashes again and again");
        machine.state().start_dovecot();
        assert!(!is_fault("active"));
        machine.state().stop_dovecot();
        assert!(!is_fault("activating"), "not in a row");
    }

    #[test]
    fn an_excuse_that_cannot_be_noted_does_not_hold() {
        let machine = down(moving("activating"));
        let root = TestRoot::new();
        root.write("run/dovecot-ark", "no directory");
        let told = super::look(&machine, &Settings::default(), root.path()).told();
        assert!(told.is_err(), "it would hold at each check");
    }

    #[test]
    fn a_master_that_was_killed_is_a_fault_at_once_while_its_sessions_end() {
        let killed = |job| {
            let machine = down(FakeUnit { result: Some("signal"), job, ..moving("deactivating") });
            (fault(&machine, &Settings::default()).is_some(), machine.now())
        };
        let (is_fault, took) = killed(None);
        assert!(is_fault && took < MOTION_WAIT, "{took:?}");
        let (is_fault, took) = killed(Some("restart"));
        assert!(!is_fault && took >= MOTION_WAIT, "its processes are being stopped: {took:?}");
    }

    #[test]
    fn a_shutdown_is_no_fault_for_three_minutes() {
        let machine = down(FakeUnit::default());
        machine.state().shutdown = true;
        let root = TestRoot::new();
        let is_fault = || super::look(&machine, &Settings::default(), root.path()).told().is_err();
        assert!(!is_fault());
        let line = words().concat();
        assert!(
            line.contains("the node shuts down") && line.contains("verdict stopping"),
            "{line}"
        );
        machine.sleep(Duration::from_secs(179));
        assert!(!is_fault());
        machine.sleep(Duration::from_secs(1));
        assert!(is_fault(), "a shutdown that hangs must fail over");
    }

    #[test]
    fn a_master_that_is_stopped_in_two_looks_is_a_fault_whoever_greets() {
        let listens = Settings { probe: Depth::Greeting, ..Settings::default() };
        let seen = |state: char, settings: &Settings| {
            let machine = Machine::running();
            machine.change(MASTER, |master| master.state = state);
            (fault(&machine, settings), machine.now())
        };
        let (cause, took) = seen('T', &listens);
        let cause = cause.expect("nobody can log in");
        assert!(cause.ends_with("pid 100 (dovecot, state T) is stopped, so nobody can log in"));
        assert!(took >= Duration::from_secs(1), "{took:?}");
        assert_eq!(seen('T', &Settings::default()).0, None, "as the original");
        assert_eq!((seen('D', &listens).0, words()), (None, vec![]));
        assert_eq!(seen('t', &listens).0, None);
        assert!(words().concat().contains("pid 100 (dovecot, state t) is held by a debugger"));
        // Who is not served anyway learns it too, and sooner.
        let machine = Machine::running();
        machine.change(MASTER, |master| master.state = 'T');
        machine.state().ports.insert(143, Port::Refusing);
        let cause = fault(&machine, &listens).expect("nobody is served");
        let words = "pid 100 (dovecot, state T) is stopped, so nobody can log in; 127.0.0.1:143";
        assert!(cause.contains(words), "{cause}");
        // Somebody only looked at it.
        let machine = Machine::running();
        machine.change(MASTER, |master| master.state = 'T');
        machine.state().after(Duration::from_millis(500), |state| {
            let entry = state.take(MASTER).expect("the master");
            state.processes.push(entry.in_state('S'));
        });
        assert_eq!(fault(&machine, &listens), None);
    }

    #[test]
    fn each_tenth_check_asks_the_master_whoever_greets() {
        let listens = Settings { probe: Depth::Greeting, ..Settings::default() };
        let root = TestRoot::new();
        root.write("run/dovecot-ark/.lock", "");
        let machine = Machine::running();
        machine.state().programs.extend(["doveadm", "doveconf"]);
        let question = "doveadm service status";
        let check =
            || super::look(&machine, &listens, root.path()).told().map_err(|e| e.to_string());
        let long = Duration::from_mins(1);
        machine.answer(question, End::Exited(0), Duration::from_millis(6), "");
        machine.answer("doveconf", End::Exited(0), long, "");
        (0..30).for_each(|_| check().expect("it answers"));
        assert_eq!(machine.count(question), 3);
        machine.answer(question, End::Exited(0), Duration::from_millis(5020), "");
        machine.answer("doveconf", End::Exited(0), Duration::ZERO, "");
        (0..20).for_each(|_| check().expect("doveadm waited for the statistics, not the master"));
        machine.answer("doveconf", End::Exited(0), long, "");
        machine.answer(question, End::Exited(0), long, "");
        (0..20).for_each(|_| check().expect("the configuration hangs, not the master"));
        machine.answer("doveconf", End::Exited(0), Duration::ZERO, "");
        let failed = (0..20).filter_map(|_| check().err()).collect::<Vec<_>>();
        let [one, _] = failed.as_slice() else { panic!("{failed:?}") };
        let cause = "the master does not answer `doveadm service status` within 7 s";
        assert!(one.contains(cause), "{one}");
        // Without doveadm, or before it can ask, nobody can be heard.
        machine.answer(question, End::Exited(64), Duration::ZERO, "");
        (0..20).for_each(|_| check().expect("nothing is known of the master"));
        // Where no master lives, none is asked.
        let asked = machine.count(question);
        machine.state().stop_dovecot();
        (0..10).for_each(|_| drop(check().expect_err("it is down")));
        assert_eq!(machine.count(question), asked);
    }

    #[test]
    fn what_can_be_read_later_is_read_while_the_status_command_runs() {
        let listens = Settings { probe: Depth::Greeting, ..Settings::default() };
        let root = TestRoot::new();
        root.write("run/dovecot-ark/.lock", "");
        let machine = Machine::running();
        let count = root.path().join("run/dovecot-ark/.count");
        let before = count.clone();
        machine.reply("status", move |_| {
            assert!(!before.exists(), "the slowest begins first");
            (End::Exited(0), Duration::from_millis(10))
        });
        assert_eq!(super::look(&machine, &listens, root.path()).told().ok(), Some(()));
        assert!(count.exists());
    }

    #[test]
    fn any_one_check_that_fails_is_a_fault_and_says_which() {
        let machine = Machine::running();
        machine.change(100, |master| master.name = "imposter".into());
        machine.state().ports.insert(143, Port::Open);
        machine.reply("status", |_| (End::Exited(0), Duration::from_millis(10)));
        let cause = fault(&machine, &Settings::default()).expect("check 1 fails");
        assert_eq!(cause, "Dovecot is not in operation: no process named dovecot");

        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Refusing);
        let cause = fault(&machine, &Settings::default()).expect("check 2 fails");
        assert_eq!(cause, "Dovecot is not in operation: 127.0.0.1:143: connection refused");

        let machine = Machine::running();
        machine.reply("status", |_| (End::Exited(3), Duration::from_millis(10)));
        let cause = fault(&machine, &Settings::default()).expect("check 3 fails");
        assert_eq!(cause, "Dovecot is not in operation: `service dovecot status`: exit status 3");
    }

    #[test]
    fn a_master_that_ends_during_the_checks_is_told_as_gone() {
        let machine = Machine::running();
        machine.state().after(Duration::from_millis(5), State::stop_dovecot);
        machine.reply("status", |state| {
            (End::Exited(if state.clock.is_zero() { 3 } else { 0 }), Duration::from_millis(10))
        });
        machine.state().ports.insert(143, Port::Refusing);
        let line = quick_check(&machine, &Settings::default()).expect_err("it ended").to_string();
        let (begin, end) = (
            "Dovecot is not in operation: no process named dovecot; 127.0.0.1:143: connection \
             refused; `service dovecot status`: exit status 3",
            "; verdict stopped: exit status 1, LifeKeeper recovers it",
        );
        assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
    }

    #[test]
    fn every_address_of_the_list_must_accept_a_connection() {
        let machine = Machine::running();
        machine.state().ports.insert(993, Port::Refusing);
        let entries = ["127.0.0.1:143:2", "[::1]:993:2", "192.0.2.1:143:2"];
        let endpoints = entries.map(|entry| Endpoint::parse(entry).expect(entry)).into();
        let settings = Settings { endpoints, ..Settings::default() };
        let cause = fault(&machine, &settings).expect("one of them fails");
        assert_eq!(cause, "Dovecot is not in operation: [::1]:993: connection refused");
    }

    #[test]
    fn each_address_has_its_own_time_out_and_all_are_tried_at_the_same_time() {
        let machine = Machine::running();
        machine.state().ports.insert(1143, Port::Silent);
        let entry = |n: u8| Endpoint::parse(&format!("192.0.2.{n}:1143:{}", 1 + n % 15));
        let endpoints = (1..=250).map(|n| entry(n).expect("an entry")).collect();
        let settings = Settings { endpoints, ..Settings::default() };
        let cause = fault(&machine, &settings).expect("all of them fail");
        assert!(cause.contains("192.0.2.1:1143: no connection after 2 s"), "{cause}");
        assert!(cause.ends_with("247 more of the list refused"), "{cause}");
        assert_eq!(machine.now().as_secs(), 15, "the longest of the time-outs");
    }

    #[test]
    fn a_status_that_never_ends_leaves_the_verdict_to_the_other_two() {
        let machine = Machine::running();
        machine.reply("status", |_| (End::Exited(0), Duration::MAX));
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(machine.now(), Duration::from_secs(5));
        let words = words().concat();
        let cause = "`service dovecot status`: no end after 5 s; verdict degraded: ";
        assert!(words.contains(cause), "{words}");

        machine.state().ports.insert(143, Port::Refusing);
        assert!(fault(&machine, &Settings::default()).is_some());
    }

    #[test]
    fn it_always_ends_within_18_seconds_and_names_all_that_did_not_answer() {
        let machine = Machine::running();
        machine.state().systemd = true;
        machine.state().programs.extend(["systemctl", "doveadm", "doveconf"]);
        for program in ["service", "systemctl", "doveadm", "doveconf"] {
            machine.answer(program, End::Exited(0), Duration::MAX, "");
        }
        machine.state().ports.insert(143, Port::Silent);
        let endpoints = vec![Endpoint::parse("192.0.2.1:143:15").expect("an entry")];
        let settings = Settings { endpoints, probe: Depth::Greeting, ..Settings::default() };
        let root = TestRoot::new();
        root.write("run/dovecot-ark/.lock", "");
        for _ in 0..10 {
            let start = machine.now();
            let line = super::look(&machine, &settings, root.path()).told();
            let line = line.expect_err("a fault").to_string();
            assert_eq!(
                line,
                "Dovecot is not in operation: 192.0.2.1:143: no greeting after 15 s; `service \
                 dovecot status`: no end after 5 s; `doveadm service status`: no end after 1.5 s; \
                 `systemctl show dovecot.service`: no end after 1 s; verdict failed: exit status 1, \
                 LifeKeeper recovers it"
            );
            let took = machine.now().saturating_sub(start);
            assert!(took <= checks::LIMIT && checks::LIMIT < LIMIT, "{took:?}");
        }
        assert_eq!(LIMIT, Duration::from_secs(18));
    }

    #[test]
    fn killed_commands_that_are_stuck_in_the_kernel_take_no_check_past_its_end() {
        let root = TestRoot::new();
        root.write("run/dovecot-ark/.lock", "");
        let mut longest = Duration::ZERO;
        for (seconds, n) in (1..=15).flat_map(|seconds| (0..30).map(move |n| (seconds, n))) {
            // The unit is on its way, or its manager is stuck too; each tenth check asks the master.
            let machine = down(moving("activating"));
            machine.state().start_dovecot();
            machine.state().programs.extend(["doveadm", "doveconf"]);
            let manager = (n >= 20).then_some("systemctl");
            for program in ["service", "doveadm", "doveconf"].into_iter().chain(manager) {
                machine.answer(program, End::Exited(0), Duration::MAX, "");
            }
            let port = if n % 2 == 0 { Port::Silent } else { Port::Refusing };
            machine.state().ports.insert(143, port);
            machine.state().stuck = Some(KillBudget::default());
            let entry = format!("192.0.2.1:143:{seconds}");
            let endpoints = vec![Endpoint::parse(&entry).expect("an entry")];
            let settings = Settings { endpoints, probe: Depth::Greeting, ..Settings::default() };
            let _ = super::look(&machine, &settings, root.path()).told();

            longest = longest.max(machine.now());
        }
        let end = LIMIT.saturating_sub(WATCH_LEAD);
        assert!((Duration::from_secs(16)..end).contains(&longest), "{longest:?}");
    }

    #[test]
    fn systemctl_is_used_where_service_is_missing() {
        let machine = Machine::running();
        machine.state().programs = vec!["systemctl"];
        assert_eq!(fault(&machine, &Settings::default()), None);
        assert_eq!(machine.deeds(), ["systemctl status dovecot", "connect 1"]);
    }

    #[test]
    fn the_service_has_the_name_that_is_set() {
        let machine = Machine::running();
        let settings = Settings { service: "dovecot2".into(), ..Settings::default() };
        assert_eq!(fault(&machine, &settings), None);
        assert_eq!(machine.count("service dovecot2 status"), 1);
    }
}
