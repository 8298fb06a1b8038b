//! How Dovecot is, for an engine that tells more answers apart than yes and no.
//!
//! Whether it runs is a question of its own: an engine that has just come to a node asks it to learn
//! where a resource is, and starts it elsewhere when the answer is no. So the answer is no only where
//! no process of Dovecot is left and no start is on its way. A wrong yes stops a Dovecot that should
//! not be there; a wrong no means two masters on one mail store.

use std::path::Path;
use std::time::Duration;

use super::check;
use crate::dovecot::identity::Census;
use crate::dovecot::instance::{self, Instance};
use crate::dovecot::mistake;
use crate::dovecot::notes::Notes;
use crate::dovecot::running_command::RunningCommand;
use crate::dovecot::unit::{self, Unit};
use crate::dovecot::verdict::Verdict;
use crate::error::Error;
use crate::messages::Message;
use crate::settings::Settings;
use crate::system::System;
use crate::text::line;

/// What must be left for the question whether Dovecot could start again.
const MISTAKE_TIME: Duration = instance::LIMIT.saturating_add(mistake::LIMIT);

/// Why an engine asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Occasion {
    /// To learn whether it runs here, where it should perhaps not.
    Probe,
    /// To learn how it is, where it should run.
    Service,
}

/// How Dovecot is.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Monitored {
    Running,
    /// In operation, or on its way, and somebody should look, for this reason.
    Degraded(String),
    /// Something of it runs, and it is not in operation, for this reason.
    Failed(String),
    NotRunning,
}

/// Looks how Dovecot is. A probe looks at its processes first, and connects only where a master
/// lives: a socket unit would start one for the connection.
///
/// One that serves is degraded, not failed, where it could not start again because its configuration
/// is broken: a stop would turn a warning into an outage.
///
/// # Errors
///
/// Any error from reading the process table.
pub(crate) fn monitor(
    occasion: Occasion,
    system: &impl System,
    settings: &Settings,
    root: &Path,
) -> Result<Monitored, Error> {
    if occasion == Occasion::Probe
        && let Some(absence) = absence(system, settings, root)?
    {
        return Ok(absence);
    }
    let found = check(None, system, settings, root);
    let is_fault = found.is_fault();
    if is_fault && found.verdict == Verdict::Stopped {
        let absence = absence(system, settings, root)?;
        return Ok(absence.unwrap_or_else(|| failed(&found.causes)));
    }
    let mut causes = found.causes;
    if occasion == Occasion::Service
        && found.serves
        && let Some(mistake) = mistake(system, settings, root)
    {
        causes.insert(0, format!("left running, it could not start again: {mistake}"));
    } else if is_fault {
        return Ok(failed(&causes));
    }
    Ok(match found.excuse {
        Some(excuse) => Monitored::Degraded(line(&excuse, &[], "")),
        None if causes.is_empty() => Monitored::Running,
        None => Monitored::Degraded(line("", &causes, "")),
    })
}

fn failed(causes: &[String]) -> Monitored {
    Monitored::Failed(line("Dovecot is not in operation: ", causes, ""))
}

/// What is to be said where no master lives; nothing where one does. A socket unit that listens is no
/// start: on a standby it waits for the first client, and none comes. A service command that still runs
/// is one, whatever became of its action: "not running" would let the engine start Dovecot on another
/// node beside it, and for a wrong "failed" it only stops what is stopped.
fn absence(
    system: &impl System,
    settings: &Settings,
    root: &Path,
) -> Result<Option<Monitored>, Error> {
    let question = unit::ask(system, &settings.service);
    let mut notes = Notes::read(system, root);
    let mut census = Census::new(system, root, settings, &mut notes);
    let mut family = census.take(system)?;
    let manager = question.answer_within(system, settings.share(system, unit::LIMIT, 4));
    census.learn(system, &manager);
    if family.is_gone() {
        // Now by the control group too; and a dying master can fork one last child between two looks.
        family = census.take(system)?;
    }
    if !family.masters.is_empty() {
        return Ok(None);
    }
    if let Some(left) = family.others.first() {
        let cause = format!("no master, and {} processes of Dovecot are left", family.others.len());
        return Ok(Some(failed(&[cause, left.process.to_string()])));
    }
    let starting = manager.unit().filter(|unit| unit.is_starting()).map(Unit::to_string);
    let command = || {
        let RunningCommand { line, leader } = RunningCommand::left(system, root)?;
        Some(format!("`{line}` still runs, {leader}"))
    };
    Ok(Some(starting.or_else(command).map_or(Monitored::NotRunning, |unit| failed(&[unit]))))
}

/// Why a Dovecot that serves could not start again, where that is known and there is time to ask.
fn mistake(system: &impl System, settings: &Settings, root: &Path) -> Option<String> {
    if settings.left(system).is_some_and(|left| left < MISTAKE_TIME) {
        return None;
    }
    mistake::look(system, &instance(system, settings, root)).mistake()
}

fn instance(system: &impl System, settings: &Settings, root: &Path) -> Instance {
    Instance::find(system, root, &settings.service, &Notes::read(system, root))
}

/// Says why Dovecot cannot be started on this node, where that is certain: it is not installed.
pub(crate) fn missing(system: &impl System, settings: &Settings, root: &Path) -> Option<String> {
    instance(system, settings, root).missing(system)
}

/// Says why Dovecot cannot be started on this node: it is not installed, or its configuration is
/// broken.
///
/// # Errors
///
/// [`Error::Refused`] with the reason.
pub(crate) fn startable(
    system: &impl System,
    settings: &Settings,
    root: &Path,
) -> Result<(), Error> {
    mistake::look(system, &instance(system, settings, root)).mistake().map_or(Ok(()), |mistake| {
        let text = format!("Dovecot's configuration is broken: {mistake}");
        Err(Error::refused(Message::Configuration, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::probe::endpoint::Depth;
    use crate::system::fake::{FakeUnit, MASTER, Machine, Port, State, child};
    use crate::test_root::TestRoot;

    fn settings() -> Settings {
        Settings { probe: Depth::Greeting, ..Settings::default() }
    }

    fn asked(occasion: Occasion, machine: &Machine) -> Monitored {
        monitor(occasion, machine, &settings(), TestRoot::new().path()).expect("an answer")
    }

    fn reason(found: Monitored) -> String {
        match found {
            Monitored::Degraded(reason) | Monitored::Failed(reason) => reason,
            Monitored::Running | Monitored::NotRunning => panic!("{found:?} has no reason"),
        }
    }

    #[test]
    fn a_probe_of_a_node_without_dovecot_connects_to_nothing() {
        let machine = Machine::new();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.state().unit = FakeUnit { socket: true, ..FakeUnit::default() };
        assert_eq!(asked(Occasion::Probe, &machine), Monitored::NotRunning);
        assert!(machine.deeds().iter().all(|deed| deed.contains("show")), "{:?}", machine.deeds());
        assert!(machine.masters().is_empty());
    }

    #[test]
    fn what_serves_is_running_for_both_occasions() {
        for occasion in [Occasion::Probe, Occasion::Service] {
            assert_eq!(asked(occasion, &Machine::running()), Monitored::Running, "{occasion:?}");
            assert_eq!(asked(occasion, &Machine::new()), Monitored::NotRunning, "{occasion:?}");
        }
    }

    #[test]
    fn orphans_and_a_start_on_its_way_are_not_nothing() {
        for occasion in [Occasion::Probe, Occasion::Service] {
            let machine = Machine::new();
            machine.state().processes.push(State::orphan(60));
            let told = reason(asked(occasion, &machine));
            assert!(told.contains("1 processes of Dovecot are left; pid 60 (imap"), "{told}");
        }
        let machine = Machine::new();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.state().unit = FakeUnit { active: Some("activating"), ..FakeUnit::default() };
        let found = asked(Occasion::Probe, &machine);
        assert!(matches!(found, Monitored::Failed(_)), "{found:?}");
    }

    #[test]
    fn a_start_command_that_outlived_its_action_is_not_nothing() {
        let (root, machine) = (TestRoot::new(), Machine::new());
        let probe = || monitor(Occasion::Probe, &machine, &settings(), root.path());
        assert!(matches!(probe(), Ok(Monitored::NotRunning)));
        machine.add(child(700, "sh"), 1, 700);
        let leader = machine.inspect(700).expect("the command");
        RunningCommand::note(&machine, root.path(), &leader, "service dovecot start");
        let told = reason(probe().expect("an answer"));
        assert!(told.contains("`service dovecot start` still runs, pid 700"), "{told}");
        machine.state().end(700);
        assert!(matches!(probe(), Ok(Monitored::NotRunning)));
    }

    #[test]
    fn what_a_user_has_made_to_look_like_an_orphan_is_nobody() {
        for occasion in [Occasion::Probe, Occasion::Service] {
            let machine = Machine::new();
            machine.state().processes.push(State::orphan(60));
            machine.show(60, |more| more.has_users_pipes = true);
            assert_eq!(asked(occasion, &machine), Monitored::NotRunning, "{occasion:?}");
        }
    }

    #[test]
    fn a_silent_master_has_failed_and_the_reason_names_no_engine() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Silent);
        let told = reason(asked(Occasion::Service, &machine));
        assert!(told.starts_with("Dovecot is not in operation: 127.0.0.1:143: "), "{told}");
        assert!(!told.contains("LifeKeeper") && !told.contains("verdict"), "{told}");
    }

    #[test]
    fn one_that_serves_and_could_not_start_again_is_degraded() {
        let machine = Machine::running();
        machine.state().programs.push("doveconf");
        let words = "doveconf: Fatal: Error in configuration file /etc/dovecot/x.conf line 3: Bad";
        machine.complain("doveconf", End::Exited(89), words);
        let told = reason(asked(Occasion::Service, &machine));
        assert!(told.starts_with("left running, it could not start again: "), "{told}");
        // Also where its status fails for it, as Debian's script does.
        machine.reply("status", |_| (End::Exited(3), Duration::from_millis(10)));
        let found = asked(Occasion::Service, &machine);
        assert!(matches!(found, Monitored::Degraded(_)), "{found:?}");
        // One that does not serve has nothing to lose.
        machine.state().ports.insert(143, Port::Refusing);
        let found = asked(Occasion::Service, &machine);
        assert!(matches!(found, Monitored::Failed(_)), "{found:?}");
    }

    #[test]
    fn a_frozen_master_is_answered_for_within_the_time_that_is_given() {
        for seconds in [3, 10, 20] {
            let machine = Machine::running();
            let deadline = Some(Duration::from_secs(seconds));
            machine.change(MASTER, |master| master.state = 'D');
            machine.state().ports.insert(143, Port::Silent);
            machine.reply("status", |_| (End::Exited(0), Duration::MAX));
            let settings = Settings { deadline, ..settings() };
            let found = monitor(Occasion::Service, &machine, &settings, TestRoot::new().path());
            assert!(matches!(found, Ok(Monitored::Failed(_))), "{seconds} s: {found:?}");
            assert!(Some(machine.now()) <= deadline, "{seconds} s: {:?}", machine.now());
        }
    }
}
