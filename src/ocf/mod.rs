//! The face of the kit for engines of resource agents, Pacemaker above all: the same actions under
//! the names, parameters and exit statuses of the Open Cluster Framework (Resource Agent API 1.1).
//!
//! A stop must not fail for a parameter that is wrong: a node would be halted for a typo. It uses the
//! default then. All other actions refuse it.

mod environment;
mod metadata;

use std::io::Write;
use std::path::Path;

use ::log::info;
use clap::ValueEnum;

use crate::actions::{self, Action, Monitored, Occasion};
use crate::error::Error;
use crate::exit::Agent;
use crate::log::{self, Audience};
use crate::messages::{Message, error, warning};
use crate::settings::Settings;
use crate::settings::values::written;
use crate::stderr::Stderr;
use crate::system::System;
use crate::text::{cut, one_line};
use environment::Environment;

/// Begins the line in which an agent says why; the engine shows it with the resource.
const REASON: &str = "ocf-exit-reason:";

/// The longest reason, in characters.
const LONGEST: usize = 280;

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Verb {
    Start,
    Stop,
    Monitor,
    ValidateAll,
    MetaData,
}

impl Verb {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }
}

/// An action as the engine has called it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    /// The resource's name, for the log.
    pub(crate) instance: String,
    pub(crate) settings: Settings,
    /// What is wrong with the parameters.
    wrong: Vec<String>,
    occasion: Occasion,
    knows_degraded: bool,
}

/// How an action came out, and why.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: Agent,
    /// The number under which the reason is logged.
    message: Option<Message>,
    pub(crate) reason: Option<String>,
}

impl Answer {
    fn because(status: Agent, message: Message, reason: impl Into<String>) -> Self {
        Self { status, message: Some(message), reason: Some(reason.into()) }
    }

    /// The reason in words, behind the number under which `dovecot-ark explain` and the log have it.
    pub(crate) fn told(&self) -> Option<String> {
        let reason = self.reason.as_deref()?;
        Some(self.message.map_or_else(|| reason.to_owned(), |it| numbered(it, reason)))
    }

    /// One that needs no word.
    const fn plain(status: Agent) -> Self {
        Self { status, message: None, reason: None }
    }
}

impl Call {
    /// Hears what the engine asks for.
    pub(crate) fn hear(
        verb: Verb,
        system: &impl System,
        value: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let environment = Environment::new(value);
        let (mut settings, mut wrong) = environment.settings(system.now());
        if verb == Verb::Monitor {
            match environment.depth(settings.probe) {
                Ok(depth) => settings.probe = depth,
                Err(cause) => wrong.push(cause),
            }
        }
        Self {
            verb,
            instance: environment.instance(),
            settings,
            wrong,
            occasion: environment.occasion(),
            knows_degraded: environment.knows_degraded(),
        }
    }

    /// Begins the log, in the kit's file alone: the engine hears the reason.
    pub(crate) fn log(&self, root: &Path) {
        log::start(root, written(&self.verb), &self.instance, self.settings.debug, Audience::File);
    }

    pub(crate) fn perform(&self, system: &impl System, root: &Path) -> Answer {
        let answer = self.answer(system, root);
        if let (Some(message), Some(reason)) = (answer.message, &answer.reason) {
            match answer.status {
                Agent::NotRunning => info!("{reason}"),
                Agent::Degraded | Agent::Success => warning!(message, "{reason}"),
                _ => error!(message, "{reason}"),
            }
        }
        answer
    }

    fn answer(&self, system: &impl System, root: &Path) -> Answer {
        let settings = &self.settings;
        let wrong = self
            .wrong
            .first()
            .map(|cause| Answer::because(Agent::NotConfigured, Message::Parameter, cause));
        let missing = || {
            let missing = actions::missing(system, settings, root)?;
            Some(Answer::because(Agent::NotInstalled, Message::NotInstalled, missing))
        };
        match self.verb {
            Verb::Stop => {
                for cause in &self.wrong {
                    warning!(Message::Parameter, "{cause}; the default is used");
                }
                done(actions::perform(Action::Remove, None, system, settings, root))
            }
            Verb::Monitor => self.monitor(system, root, wrong),
            Verb::Start => wrong.unwrap_or_else(|| {
                let started = actions::perform(Action::Restore, None, system, settings, root);
                started.is_err().then(missing).flatten().unwrap_or_else(|| done(started))
            }),
            Verb::ValidateAll => wrong
                .or_else(missing)
                .unwrap_or_else(|| done(actions::startable(system, settings, root))),
            Verb::MetaData => Answer::plain(Agent::Success),
        }
    }

    /// Looks how Dovecot is. That nothing runs is said also where parameters are wrong: the engine
    /// asks so before it has started anything.
    fn monitor(&self, system: &impl System, root: &Path, wrong: Option<Answer>) -> Answer {
        if wrong.is_some() && self.occasion == Occasion::Service {
            return wrong.unwrap_or_else(|| done(Ok(())));
        }
        let found = match actions::monitor(self.occasion, system, &self.settings, root) {
            Ok(found) => found,
            Err(cause) => return done(Err(cause)),
        };
        match (found, wrong) {
            (Monitored::NotRunning, _) => Answer::plain(Agent::NotRunning),
            (_, Some(wrong)) => wrong,
            (Monitored::Running, None) => done(Ok(())),
            (Monitored::Failed(reason), None) => {
                Answer::because(Agent::Failed, Message::Fault, reason)
            }
            (Monitored::Degraded(reason), None) => {
                // A probe is asked where it runs, not how.
                let knows = self.knows_degraded && self.occasion == Occasion::Service;
                let status = if knows { Agent::Degraded } else { Agent::Success };
                Answer::because(status, Message::Degraded, reason)
            }
        }
    }
}

fn done(outcome: Result<(), Error>) -> Answer {
    match outcome {
        Ok(()) => Answer::plain(Agent::Success),
        Err(cause) => {
            let status = match cause {
                Error::NotRoot(_) => Agent::NotPermitted,
                _ => Agent::Failed,
            };
            Answer::because(status, cause.message(), cause.to_string())
        }
    }
}

/// What the agent says of itself, in XML.
pub(crate) fn metadata() -> String {
    let environment = Environment::new(|_: &str| None);
    metadata::metadata(&environment.rows())
}

/// Words behind the number of their message, as everywhere.
pub(crate) fn numbered(message: Message, words: &str) -> String {
    format!("{}: {words}", message.code())
}

/// Says on standard error why.
pub(crate) fn tell(reason: &str) {
    let _ = Stderr::default().write_all(line(reason).as_bytes());
}

fn line(reason: &str) -> String {
    format!("{REASON}{}\n", cut(&one_line(reason), LONGEST))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::End;
    use crate::system::fake::{MASTER, Machine, Port, State, words};
    use crate::test_root::TestRoot;

    const PROBE: (&str, &str) = ("OCF_RESKEY_CRM_meta_interval", "0");

    fn asked(verb: &str, machine: &Machine, given: &[(&str, &str)]) -> Answer {
        let verb = Verb::parse(verb).expect("an action");
        let value = |name: &str| {
            let mut given = given.iter().chain(&[("OCF_RA_VERSION_MAJOR", "1")]);
            given.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Call::hear(verb, machine, value).perform(machine, TestRoot::new().path())
    }

    fn status(verb: &str, machine: &Machine) -> u8 {
        asked(verb, machine, &[]).status.status()
    }

    #[test]
    fn a_life_has_the_statuses_of_the_standard() {
        let machine = Machine::new();
        let said: Vec<u8> = ["monitor", "start", "start", "monitor", "stop", "stop", "monitor"]
            .map(|verb| status(verb, &machine))
            .into();
        assert_eq!(said, [7, 0, 0, 0, 0, 0, 7]);
        assert_eq!(machine.count("service dovecot start"), 1);
        assert_eq!(Verb::parse("promote"), None);
    }

    #[test]
    fn orphans_make_a_probe_say_that_it_runs_and_a_stop_ends_them() {
        let machine = Machine::new();
        machine.state().processes.push(State::orphan(60));
        assert_eq!(asked("monitor", &machine, &[PROBE]).status, Agent::Failed);
        assert_eq!(status("stop", &machine), 0);
        assert_eq!(asked("monitor", &machine, &[PROBE]).status, Agent::NotRunning);
    }

    #[test]
    fn a_wrong_parameter_is_refused_by_all_but_stop() {
        let machine = Machine::running();
        let wrong = [("OCF_RESKEY_probe", "deep")];
        for verb in ["start", "monitor", "validate-all"] {
            let answer = asked(verb, &machine, &wrong);
            assert_eq!(answer.status, Agent::NotConfigured, "{verb}");
            assert_eq!(
                answer.reason.as_deref(),
                Some("parameter probe=deep: connect, greeting or login is expected")
            );
        }
        assert_eq!(asked("stop", &machine, &wrong).status, Agent::Success);
        assert!(machine.masters().is_empty());
        assert!(words().iter().any(|line| line.contains("; the default is used")), "{:?}", words());
        assert_eq!(asked("monitor", &machine, &[PROBE, wrong[0]]).status, Agent::NotRunning);
    }

    #[test]
    fn a_level_that_is_not_there_is_refused_and_nothing_is_looked_at() {
        let machine = Machine::running();
        let answer = asked("monitor", &machine, &[("OCF_CHECK_LEVEL", "30")]);
        assert_eq!((answer.status, machine.deeds()), (Agent::NotConfigured, vec![]));
        assert!(answer.reason.is_some_and(|why| why.contains("0, 10 or 20 is expected")));
    }

    #[test]
    fn the_reason_has_the_number_of_its_message_and_is_one_safe_line() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Refusing);
        let told = asked("monitor", &machine, &[]).told().expect("a reason");
        let words = "ARK1101: Dovecot is not in operation: 127.0.0.1:143: connection refused";
        assert!(told.starts_with(words), "{told}");
        let told = asked("start", &machine, &[("OCF_RESKEY_probe", "a\u{202e}b\u{1b}[2J")]).told();
        let line = line(&told.expect("a reason"));
        let words = "ocf-exit-reason:ARK2010: parameter probe=a\\u{202e}b\\u{1b}[2J: connect";
        assert!(line.starts_with(words) && line.lines().count() == 1, "{line}");
        let long = super::line(&"é\n".repeat(1000));
        assert!(long.chars().count() < LONGEST + 20, "{long}");
        assert_eq!(asked("monitor", &Machine::new(), &[]).told(), None);
    }

    #[test]
    fn degraded_is_told_to_those_who_know_it() {
        let machine = Machine::running();
        machine.state().certificates.insert(993, -1);
        let list = ("OCF_RESKEY_ip_list", "tls:127.0.0.1:993");
        let minor = ("OCF_RA_VERSION_MINOR", "1");
        let new = asked("monitor", &machine, &[list, minor]);
        assert_eq!(new.status, Agent::Degraded, "{new:?}");
        let old = asked("monitor", &machine, &[list]);
        assert_eq!((old.status, old.reason), (Agent::Success, new.reason.clone()));
        let probe = asked("monitor", &machine, &[list, minor, PROBE]);
        assert_eq!((probe.status, probe.reason), (Agent::Success, new.reason));
    }

    #[test]
    fn what_is_not_installed_is_told_apart_from_what_does_not_start() {
        let machine = Machine::new();
        machine.reply("start", |_| (End::Exited(1), Duration::from_millis(10)));
        assert_eq!(status("start", &machine), 1);
        machine.state().programs.retain(|program| *program != "dovecot");
        for verb in ["start", "validate-all"] {
            let answer = asked(verb, &machine, &[]);
            assert_eq!(answer.status, Agent::NotInstalled, "{verb}");
            assert!(answer.reason.is_some_and(|why| why.starts_with("Dovecot is not installed")));
        }
        assert_eq!((status("stop", &machine), status("monitor", &machine)), (0, 7));
    }

    #[test]
    fn a_stop_reaches_its_signals_before_the_engine_gives_up() {
        for (millis, limit) in [("20000", 20), ("10000", 10), ("60000", 60)] {
            let machine = Machine::running();
            machine.change(MASTER, |master| master.state = 'T');
            machine.reply("stop", |_| (End::Exited(0), Duration::MAX));
            let answer = asked("stop", &machine, &[("OCF_RESKEY_CRM_meta_timeout", millis)]);
            assert_eq!(answer.status, Agent::Success, "{limit} s: {answer:?}");
            assert!(machine.masters().is_empty());
            assert!(machine.now() < Duration::from_secs(limit), "{limit} s: {:?}", machine.now());
        }
    }

    #[test]
    fn a_start_says_why_before_the_engine_gives_up() {
        for (millis, limit) in [("20000", 20), ("60000", 60)] {
            let machine = Machine::new();
            machine.reply("start", |_| (End::Exited(0), Duration::MAX));
            let answer = asked("start", &machine, &[("OCF_RESKEY_CRM_meta_timeout", millis)]);
            assert_eq!(answer.status, Agent::Failed, "{limit} s: {answer:?}");
            assert!(machine.now() < Duration::from_secs(limit), "{limit} s: {:?}", machine.now());
        }
    }

    #[test]
    fn a_frozen_master_has_failed() {
        let machine = Machine::running();
        machine.state().ports.insert(143, Port::Silent);
        let answer = asked("monitor", &machine, &[]);
        assert_eq!(answer.status, Agent::Failed);
        assert!(answer.reason.is_some_and(|why| why.contains("127.0.0.1:143")));
    }
}
