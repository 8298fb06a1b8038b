//! What the checks say now, and LifeKeeper's state of the resource here and on the peers.
//!
//! Looking changes nothing: no lock is held against an action, no connection wakes a Dovecot that
//! is stopped. Whatever does not answer is told as such, and all of it has an end.

pub(crate) mod json;
mod plugin;
mod protection;
mod text;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::cli::{self, Format};
use crate::dovecot::history::{Event, EventReport, History, Outcome, Runs};
use crate::dovecot::look::{self, Busy, Look};
use crate::dovecot::verdict::Verdict;
use crate::error::Error;
use crate::exit::{Exit, Plugin};
use crate::lifekeeper::tag::Tag;
use crate::log::stamp;
use crate::messages::Remark;
use crate::process::ticks;
use crate::settings::Settings;
use crate::system::System;
use crate::text::one_line;
use crate::{actions, settings, show};
use protection::Protection;

/// When the status ends at the latest. All that it waits for ends before, within 55 s; this is for
/// what cannot be bounded, such as a standard output that nobody reads.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// All that is known.
#[derive(Debug)]
struct Report {
    tag: Tag,
    /// The action of the kit that runs for the resource.
    action: Option<Running>,
    /// What was not understood of the settings.
    misread: Vec<Remark>,
    look: Look,
    protection: Protection,
    /// When what the verdict says began, if that is known: local time as RFC 3339 writes it.
    since: Option<String>,
    /// The last action that changed something.
    last: Option<EventReport>,
}

/// An action that runs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Running {
    /// `restore`, `remove`, `recover` or `install`.
    pub(crate) name: String,
    /// Its process.
    pid: i32,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, pid {}", self.name, self.pid)
    }
}

impl Report {
    fn verdict(&self) -> Verdict {
        let action = self.action.as_ref();
        action.map_or_else(|| self.look.verdict(), |action| Verdict::during(&action.name))
    }

    /// What is wrong.
    fn causes(&self) -> Vec<String> {
        if self.verdict().is_up() { Vec::new() } else { self.look.causes() }
    }

    /// The last action that changed something, in words.
    fn last(&self) -> Option<String> {
        let runs = if self.action.is_some() { Runs::Yes } else { Runs::No };
        self.last.as_ref().map(|told| told.words(runs))
    }

    /// What is odd and changes no verdict.
    fn warnings(&self) -> Vec<Remark> {
        let seen = if self.verdict().is_up() { self.look.warnings() } else { Vec::new() };
        seen.into_iter().chain(self.misread.iter().cloned()).collect()
    }
}

/// Shows what the checks say now and LifeKeeper's state, in the form that is asked for. Takes at
/// most 55 s, and a fraction of a second where everything answers.
///
/// The exit is success when Dovecot is in operation and failure when it is not; in the form for a
/// monitoring system it is the plugin's.
///
/// # Errors
///
/// Any error from writing the output.
pub(crate) fn status(system: &impl System, root: &Path, how: &cli::Status) -> Result<Exit, Error> {
    let (exit, text) = written(root, &report(system, root, &how.tag), how)?;
    show::print(&text).map(|()| exit)
}

/// The exit that a form gives, and the form.
fn written(root: &Path, report: &Report, how: &cli::Status) -> Result<(Exit, String), Error> {
    if how.format == Some(Format::Nagios) {
        let (found, line) = plugin::plugin(report, how.plugin);
        return Ok((Exit::Monitored(found), line));
    }
    let exit = if report.verdict().is_up() { Exit::Success } else { Exit::Failure };
    let text =
        if how.json { show::json(root, &json::Content::new(report))? } else { text::text(report) };
    Ok((exit, text))
}

/// Reports why there is no status, also to a monitoring system.
///
/// # Errors
///
/// The cause, in every other form.
pub(crate) fn without(how: &cli::Status, cause: Error) -> Result<Exit, Error> {
    match how.format {
        Some(Format::Nagios) => {
            // Where it cannot be printed, the exit status speaks.
            let _ = untold(&format!("{}: {cause}", cause.message().code()));
            Ok(failure(how))
        }
        None => Err(cause),
    }
}

/// Tells a monitoring system why there is no status: where the command line was wrong, the exit
/// status 2 of every other command would be CRITICAL.
pub(crate) fn untold(cause: &str) -> Exit {
    let _ = show::print(&plugin::unknown(cause));
    Exit::Monitored(Plugin::Unknown)
}

/// The exit of a status that could not be had.
pub(crate) const fn failure(how: &cli::Status) -> Exit {
    match how.format {
        Some(Format::Nagios) => Exit::Monitored(Plugin::Unknown),
        None => Exit::Failure,
    }
}

/// Makes the checks, and looks for an action that runs. Nobody connects where no master lives, because
/// that may start one, or where an action runs.
pub(crate) fn look(
    system: &impl System,
    root: &Path,
    tag: &Tag,
    settings: &Settings,
) -> (Look, Option<Running>) {
    let running = || actions::running(system, root, tag, actions::longest(settings));
    let before = running();
    let busy = if before.is_some() { Busy::Yes } else { Busy::No };
    let look = look::look(system, root, settings, busy);
    // One that began meanwhile makes what was seen worthless as well.
    let action = before.or_else(running);
    (look, action.map(|holder| Running { name: one_line(&holder.action), pid: holder.pid }))
}

fn report(system: &impl System, root: &Path, tag: &Tag) -> Report {
    let (settings, settings::Report { warnings: misread, .. }) = settings::read(root);
    let (look, action) = look(system, root, tag, &settings);
    let protection = protection::protection(system, root, tag);
    let history = History::read(system, root);
    let since = action.is_none().then(|| since(system, &look, &history)).flatten();
    let last = history.last.map(|event| event.told(system));
    Report { tag: tag.clone(), action, misread, look, protection, since: since.map(stamp), last }
}

/// How long what the look says has been so: as long as the master has lived, as nothing has ended a
/// fault that an action noted, or as remove has been over. Nobody has noted when a Dovecot that serves
/// was first degraded.
fn since(system: &impl System, look: &Look, history: &History) -> Option<Duration> {
    let verdict = look.verdict();
    if verdict == Verdict::Degraded {
        return None;
    }
    if verdict == Verdict::Up {
        let started = look.checks.masters.iter().map(|master| ticks(master.started)).min()?;
        return Some(system.since_boot().saturating_sub(started));
    }
    let removed = |event: &&Event| event.action == "remove" && event.outcome == Outcome::Done;
    match &history.fault {
        Some(fault) => Some(fault.age_of_first(system)),
        None if verdict == Verdict::Stopped => {
            history.last.as_ref().filter(removed).map(|event| event.age(system))
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::messages::Message;
    use crate::probe::endpoint::Endpoint;
    use crate::process::Process;
    use crate::system::fake::{Machine, Port, master};
    use crate::test_root::TestRoot;
    use std::fs::File;

    const SHORT: Duration = Duration::from_millis(5);

    /// A machine, its files, and what stands on them.
    pub(super) struct Scene {
        pub(super) root: TestRoot,
        pub(super) machine: Machine,
    }

    impl Scene {
        /// Dovecot runs, in service here under LifeKeeper; on node2 it stands by as `mail2`.
        pub(super) fn protected() -> Self {
            let scene = Self { root: TestRoot::new(), machine: Machine::running() };
            protection::tests::install(&scene.root, &scene.machine);
            scene.root.write("etc/default/LifeKeeper", "");
            scene
        }

        /// Nothing runs, and there is no LifeKeeper.
        pub(super) fn stopped() -> Self {
            let scene = Self { root: TestRoot::new(), machine: Machine::new() };
            scene.root.write("etc/default/LifeKeeper", "");
            scene
        }

        pub(super) fn say(&self, line: &str, text: &str) {
            self.machine.answer(line, End::Exited(0), SHORT, text);
        }

        /// Holds the resource's lock as a remove does.
        pub(super) fn busy(&self) -> File {
            let kit = Process { name: "dovecot-ark".into(), ..master(4242) };
            self.machine.add(kit, 1, 4242);
            let record = r#"{"action":"remove","pid":4242,"started":1,"deadline":7200000}"#;
            self.root.write("run/dovecot-ark/.lock", record);
            let lock = File::open(self.root.path().join("run/dovecot-ark/.lock"));
            let lock = lock.expect("the lock's file");
            lock.lock().expect("the lock");
            lock
        }

        pub(super) fn report(&self) -> Report {
            let tag = Tag::parse("dovecot").expect("a tag");
            report(&self.machine, self.root.path(), &tag)
        }
    }

    fn asked(format: Option<Format>) -> cli::Status {
        let (tag, plugin) = (Tag::parse("dovecot").expect("a tag"), cli::Plugin::default());
        cli::Status { tag, json: false, format, plugin }
    }

    #[test]
    fn the_exit_says_whether_dovecot_is_in_operation_and_to_a_monitoring_system_more() {
        let exit = |scene: &Scene, format| {
            written(scene.root.path(), &scene.report(), &asked(format)).expect("a status").0
        };
        let (up, down) = (Scene::protected(), Scene::stopped());
        assert_eq!(exit(&up, None), Exit::Success);
        assert_eq!(exit(&down, None), Exit::Failure);
        assert_eq!(exit(&up, Some(Format::Nagios)), Exit::Monitored(Plugin::Ok));
        assert_eq!(exit(&down, Some(Format::Nagios)), Exit::Monitored(Plugin::Critical));
        let _lock = up.busy();
        assert_eq!(exit(&up, None), Exit::Failure);
        assert_eq!(exit(&up, Some(Format::Nagios)), Exit::Monitored(Plugin::Warning));
    }

    #[test]
    fn no_status_is_unknown_to_a_monitoring_system_and_an_error_to_everybody_else() {
        assert_eq!(failure(&asked(Some(Format::Nagios))).status(), 3);
        assert_eq!(failure(&asked(None)).status(), 1);
        let cause = Error::NotRoot("showing the status");
        let error = without(&asked(None), cause).expect_err("no answer").to_string();
        assert_eq!(error, "showing the status: must be run as root");
    }

    #[test]
    fn a_status_that_did_not_answer_is_a_warning_while_the_rest_is_well() {
        let scene = Scene::protected();
        scene.machine.reply("status", |_| (End::Exited(0), Duration::MAX));
        let report = scene.report();
        let cause = "`service dovecot status`: no end after 5 s";
        assert_eq!(report.verdict(), Verdict::Degraded);
        assert_eq!(
            (report.causes(), report.warnings()),
            (
                vec![],
                vec![Remark::new(
                    Message::NoStatus,
                    format!("no status, the verdict rests on process and ports: {cause}")
                )]
            )
        );

        scene.machine.state().ports.insert(143, Port::Refusing);
        let report = scene.report();
        let causes = ["127.0.0.1:143: connection refused", cause];
        assert_eq!((report.causes(), report.warnings()), (causes.map(String::from).into(), vec![]));
    }

    #[test]
    fn two_masters_are_a_warning_in_each_form_and_no_fault() {
        let scene = Scene::protected();
        scene.machine.add(master(200), 1, 200);
        let report = scene.report();
        assert_eq!((report.verdict(), report.causes()), (Verdict::Degraded, vec![]));
        let words = "two masters of Dovecot run: pid 100, pid 200 (dovecot-ark doctor says more)";
        assert_eq!(report.warnings(), [Remark::new(Message::SeveralMasters, words)]);
        for (format, exit, line) in [
            (None, Exit::Success, format!(" ARK1110: {words}\n")),
            (
                Some(Format::Nagios),
                Exit::Monitored(Plugin::Warning),
                format!(
                    "DOVECOT WARNING - degraded: ARK1110: {words}; in service on node1 | processes=2;"
                ),
            ),
        ] {
            let (found, text) =
                written(scene.root.path(), &report, &asked(format)).expect("a status");
            assert!(found == exit && text.contains(&line), "{text}");
        }
        let json = cli::Status { json: true, ..asked(None) };
        let (exit, text) = written(scene.root.path(), &report, &json).expect("a status");
        assert!(exit == Exit::Success && text.contains(&format!("\"{words}\"")), "{text}");

        // Where something is wrong, it is told as what it is: the rows have the pids.
        scene.machine.state().ports.insert(143, Port::Refusing);
        assert_eq!(scene.report().verdict(), Verdict::Failed);
    }

    #[test]
    fn looking_changes_nothing() {
        let scene = Scene::protected();
        scene.report();
        let deeds = scene.machine.deeds();
        assert_eq!(
            deeds,
            [
                "connect 1",
                "service dovecot status",
                "dovecot -n",
                "lktest",
                "lcduname",
                "ins_list -t dovecot",
                "eqv_list -t dovecot",
                "lcduname",
                "sys_getst -s node2",
                "ins_list -d node2 -t mail2",
            ]
        );
        assert!(!scene.root.path().join("run").exists(), "not even a lock's file is made");
        assert!(scene.machine.now() < Duration::from_millis(100), "{:?}", scene.machine.now());
    }

    #[test]
    fn it_ends_in_time_when_everything_is_as_slow_as_it_may_be() {
        let scene = Scene::protected();
        let entry = "APP_DOVECOT_IP_LIST=192.0.2.1:143:15\n";
        scene.root.write("etc/default/LifeKeeper", entry);
        assert!(Endpoint::parse("192.0.2.1:143:16").is_err(), "15 s is the longest");
        let machine = &scene.machine;
        machine.state().ports.insert(143, Port::Silent);
        machine.reply("status", |_| (End::Exited(0), Duration::MAX));
        let slow = Duration::from_millis(4999);
        let say = |line: &str, text: &str| machine.answer(line, End::Exited(0), slow, text);
        say("lktest", "");
        say("lcduname", "node1\n");
        machine.answer("ins_list -t dovecot", End::Exited(1), slow, "");
        say("ins_list", "node1\u{1}gen\u{1}app\u{1}dovecot\u{1}dovecot\u{1}\u{1}ISP\n");
        say("eqv_list", "node1\u{1}dovecot\u{1}node2\u{1}dovecot\n");
        scene.report();
        assert!(machine.now() < LIMIT, "{:?}", machine.now());
    }
}
