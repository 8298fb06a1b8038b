//! What the service manager says of Dovecot's unit: the one place where its state is read.
//!
//! A node whose processes are gone is not at rest while systemd has a start on its way, plans a
//! restart, or listens for a client to start Dovecot for. One `systemctl show` answers all of it
//! in 8 ms. The properties that are printed count, not the exit status: systemd 219 exits with 1
//! although its answer is complete, and prints no `Job=` where there is none.

use std::fmt;
use std::time::Duration;

use log::{debug, info};
use serde::{Deserialize, Serialize};

use super::cgroup::{self, Group};
use crate::command::Command;
use crate::messages::{Message, warning};
use crate::process::Process;
use crate::system::System;

/// The properties that are asked for, of each unit.
const PROPERTIES: &str =
    "Id,ActiveState,SubState,Job,MainPID,ControlGroup,TriggeredBy,UpheldBy,Result,Restart";

/// The unit that each shutdown, reboot and halt starts (`systemd.special(7)`).
const SHUTDOWN: &str = "shutdown.target";

/// How long systemd is left alone before it is asked once more. It is away for some 100 ms while it
/// executes itself anew.
pub const AGAIN: Duration = Duration::from_millis(250);

/// How long the question may take. The answer takes 10 ms, and 90 s when pid 1 hangs.
pub(super) const ASK_LIMIT: Duration = Duration::from_secs(5);

/// How long a further question may take to a systemd that has just answered.
pub const DETAIL_LIMIT: Duration = Duration::from_secs(1);

/// The longest that `Question::answer_within` takes: two questions and the pause between them, one for
/// the kind of a job, one for unusual triggers.
pub const LIMIT: Duration = ASK_LIMIT
    .saturating_mul(2)
    .saturating_add(DETAIL_LIMIT.saturating_mul(2))
    .saturating_add(AGAIN);

/// How long a quickCheck that has found a fault waits for the answer.
pub const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// The longest that `stop_triggers` takes.
pub const TRIGGERS_LIMIT: Duration = Duration::from_secs(3);

/// What is known of the service manager's view.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Manager {
    /// systemd does not run here: the service commands are scripts, which have no state.
    Absent,
    /// systemd runs and did not answer, for this reason.
    Unknown(String),
    Known(Unit),
}

/// The state of Dovecot's unit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Unit {
    /// Its name, with the suffix.
    pub(crate) name: String,
    /// `ActiveState`: `active`, `inactive`, `failed`, `activating`, …
    pub(crate) active: String,
    /// `SubState`: `running`, `exited`, `auto-restart`, …
    pub(crate) sub: String,
    /// The kind of job that is on its way for it, if there is one.
    pub(crate) job: Option<Job>,
    /// Its control group; a unit that is stopped has none.
    pub(crate) group: Option<Group>,
    /// The active units that would start it.
    pub(crate) triggers: Vec<String>,
    /// Whether the node shuts down: systemd then stops Dovecot, and refuses to start it.
    pub(crate) node_stops: bool,
    /// The units that have it started again whenever it is down while they are active (systemd 249
    /// and later).
    pub(crate) upholders: Vec<String>,
    /// Whether it failed and systemd is not going to start it again: a master that was killed leaves
    /// it `deactivating` without a job until the last of its processes is gone, up to 90 s (seen with
    /// 252 and 257). What was asked to stop has a job; a restart of systemd's own has `Restart=` set.
    pub(crate) has_failed: bool,
}

/// What a job is going to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Job {
    /// `start`, `restart` and their relatives.
    Start,
    /// Anything else, `stop` above all.
    Other,
}

/// What a unit is on its way to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Motion {
    /// Its start, also as the second half of a restart; or a reload.
    Starting,
    /// Its stop, also as the first half of a restart.
    Stopping,
}

impl Unit {
    /// Whether it is down and nothing is going to start it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_down()
            && (self.job.is_none() || self.has_stop_of_shutdown())
            && self.triggers.is_empty()
    }

    /// Whether it is up, and a shutdown will stop it when the units that come after it have stopped:
    /// the cluster engine's, which waits for the end of a remove. A stop command waits for that too.
    pub(crate) fn waits_for_shutdown(&self) -> bool {
        self.is_active() && self.has_stop_of_shutdown()
    }

    fn has_stop_of_shutdown(&self) -> bool {
        self.node_stops && self.job == Some(Job::Other)
    }

    /// Whether a start of it is on its way or planned.
    pub(crate) fn is_starting(&self) -> bool {
        self.active == "activating" || self.job == Some(Job::Start)
    }

    /// What it is on its way to, if it is on its way. One that has failed is not: called a restart it
    /// would leave users without mail until the next check, and whoever starts it himself later (no
    /// command of systemd's does) loses at most that start to recover.
    pub(crate) fn motion(&self) -> Option<Motion> {
        match (&*self.active, self.job) {
            ("deactivating", None) if self.has_failed => None,
            ("deactivating", _) => Some(Motion::Stopping),
            ("activating" | "reloading", _) | (_, Some(Job::Start)) => Some(Motion::Starting),
            (_, Some(Job::Other)) => Some(Motion::Stopping),
            (_, None) => None,
        }
    }

    /// Whether it is up, as far as systemd knows.
    pub(crate) fn is_active(&self) -> bool {
        self.active == "active"
    }

    pub(crate) fn is_down(&self) -> bool {
        matches!(&*self.active, "inactive" | "failed")
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, active, sub, .. } = self;
        write!(f, "{name} is {active} ({sub})")?;
        match self.job {
            Some(Job::Start) => f.write_str(" with a start job")?,
            Some(Job::Other) => f.write_str(" with a job")?,
            None => {}
        }
        match self.triggers.as_slice() {
            [] => Ok(()),
            triggers => write!(f, ", triggered by {}", triggers.join(" ")),
        }
    }
}

impl Manager {
    /// Whether nothing that the manager says speaks against Dovecot's being gone. One that is not
    /// there or does not answer says nothing.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.unit().is_none_or(Unit::is_at_rest)
    }

    /// Whether it says that nothing of the service runs under it: a stop command does nothing.
    pub(crate) fn has_nothing_to_stop(&self) -> bool {
        self.unit().is_some_and(Unit::is_at_rest)
    }

    pub(crate) const fn unit(&self) -> Option<&Unit> {
        match self {
            Self::Known(unit) => Some(unit),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}

/// The name of a service without the suffix, with which systemd takes it too.
pub(crate) fn bare(service: &str) -> &str {
    service.strip_suffix(".service").unwrap_or(service)
}

/// The commands that stop units and keep them from starting at boot: systemd 219 knows no
/// `disable --now`.
pub(crate) fn disabled(units: &str) -> String {
    format!("systemctl disable {units}; systemctl stop {units}")
}

/// The name of the unit of a service.
pub(crate) fn name(service: &str) -> String {
    format!("{}.service", bare(service))
}

#[must_use]
pub(crate) struct Question<S: System> {
    /// The name of the unit.
    unit: String,
    begun: Duration,
    running: Option<(Command, S::Running)>,
}

/// Asks for the state of a service's unit, and does not wait for the answer.
///
/// One unit alone is asked for: of another that is not loaded, systemd reads the file each time. What
/// only matters sometimes, the units that trigger it and a shutdown, is asked for then.
pub(crate) fn ask<S: System>(system: &S, service: &str) -> Question<S> {
    question(system, service, &[])
}

/// The same, and whether the node shuts down, which counts here without a job of the unit too.
pub(crate) fn ask_with_shutdown<S: System>(system: &S, service: &str) -> Question<S> {
    question(system, service, &[SHUTDOWN])
}

fn question<S: System>(system: &S, service: &str, besides: &[&str]) -> Question<S> {
    let unit = name(service);
    let mut units = vec![unit.clone()];
    units.extend(besides.iter().map(|&unit| unit.to_owned()));
    let running = show(system, &units).map(|command| {
        let running = system.start(&command);
        (command, running)
    });
    Question { unit, begun: system.now(), running }
}

impl<S: System> Question<S> {
    /// Waits for the answer, at most `limit` from the question on; asks a second time if there is none.
    pub(crate) fn answer_within(self, system: &S, limit: Duration) -> Manager {
        let end = self.begun + limit;
        let Some((command, running)) = self.running else {
            return if system.runs_systemd() {
                Manager::Unknown("looking for systemctl: it is not there".into())
            } else {
                Manager::Absent
            };
        };
        let mut ended = system.finish(running, limit.min(ASK_LIMIT));
        let mut unit = parse(&ended.answer, &self.unit);
        let left = end.saturating_sub(system.now());
        if unit.is_none() && left > AGAIN {
            system.sleep(AGAIN);
            ended = system.run(&command, left.saturating_sub(AGAIN).min(ASK_LIMIT));
            unit = parse(&ended.answer, &self.unit);
        }
        let Some(printed) = unit else {
            debug!("`{command}`: {ended}");
            return Manager::Unknown(format!("`systemctl show {}`: {}", self.unit, ended.end));
        };
        let unit = printed.complete(system, end);
        debug!("{unit}");
        Manager::Known(unit)
    }
}

/// Asks for the state and waits for the answer.
pub(crate) fn look(system: &impl System, service: &str) -> Manager {
    ask(system, service).answer_within(system, LIMIT)
}

/// Whose a master is, as far as the service manager tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// The service's, or nobody's.
    Ours,
    /// Another unit's, of which it is the main process: another Dovecot, which has nothing to do with the
    /// service. One that was started by hand, or by a program of another unit, is nobody else's.
    AnotherUnit,
    /// It is in another unit, and systemd did not say whether that one has started it.
    Unanswered,
}

/// Whose these masters are, in their order: one question for all, which takes at most [`DETAIL_LIMIT`].
pub(crate) fn owners(system: &impl System, unit: &str, masters: &[Process]) -> Vec<Owner> {
    let another = |master: &Process| {
        let groups = system.control_groups(master.pid)?;
        let other = cgroup::service(&groups)?;
        let is_ours = other == unit || cgroup::group_of(&groups, unit).is_some();
        (!is_ours).then(|| other.to_owned())
    };
    let others: Vec<Option<String>> = masters.iter().map(another).collect();
    let mut units: Vec<String> = others.iter().flatten().cloned().collect();
    units.sort();
    units.dedup();
    let question = (!units.is_empty())
        .then(|| show(system, &[units.clone(), vec![unit.to_owned()]].concat()))
        .flatten();
    let Some(question) = question else { return vec![Owner::Ours; masters.len()] };
    let main_of = |answer: &str, unit: &str| -> Option<i32> {
        property(block_of(answer, unit)?, "MainPID")?.parse().ok()
    };
    let end = system.now() + DETAIL_LIMIT;
    let mut answer = system.run(&question, DETAIL_LIMIT).answer;
    // systemd answers nothing for a moment while it re-executes itself.
    if units.iter().any(|unit| main_of(&answer, unit).is_none()) && system.now() + AGAIN < end {
        system.sleep(AGAIN);
        answer = system.run(&question, end.saturating_sub(system.now())).answer;
    }
    // The service's name can be an alias: both are one unit then.
    let ours = answer.split("\n\n").nth(units.len()).and_then(|block| property(block, "Id"));
    let owner = |(master, other): (&Process, &Option<String>)| match other {
        None => Owner::Ours,
        Some(other) => match main_of(&answer, other) {
            None => Owner::Unanswered,
            Some(main) if main == master.pid && ours != Some(other) => Owner::AnotherUnit,
            Some(_) => Owner::Ours,
        },
    };
    masters.iter().zip(&others).map(owner).collect()
}

/// The masters but for those of other units.
pub(crate) fn own(system: &impl System, unit: &str, masters: Vec<Process>) -> Vec<Process> {
    let owners = owners(system, unit, &masters);
    let pairs = masters.into_iter().zip(owners);
    pairs.filter(|(_, owner)| *owner != Owner::AnotherUnit).map(|(master, _)| master).collect()
}

/// Stops the units that would start Dovecot for the next client or at the next moment.
pub(crate) fn stop_triggers(system: &impl System, unit: &Unit) {
    let Some(systemctl) = system.program("systemctl").filter(|_| !unit.triggers.is_empty()) else {
        return;
    };
    let mut words = vec!["stop"];
    words.extend(unit.triggers.iter().map(String::as_str));
    let command = Command::new(systemctl, &words);
    let ended = system.run(&command, TRIGGERS_LIMIT);
    info!("stopping what would start {}: `{command}`: {ended}", unit.name);
}

/// Stops a unit through systemd itself, whatever became of the service command; takes at most
/// `limit`.
pub(crate) fn stop(system: &impl System, unit: &str, limit: Duration) {
    if let Some(systemctl) = system.program("systemctl") {
        let command = Command::new(systemctl, &["stop", unit]);
        let ended = system.run(&command, limit);
        if !ended.succeeded() {
            warning!(Message::ServiceCommand, "`{command}`: {ended}");
        }
    }
}

fn show(system: &impl System, units: &[String]) -> Option<Command> {
    let systemctl = system.program("systemctl").filter(|_| system.runs_systemd())?;
    let mut words = vec!["show", "-p", PROPERTIES];
    words.extend(units.iter().map(String::as_str));
    Some(Command::new(systemctl, &words).asked())
}

/// The state as it is printed, before its job and its triggers are known.
#[derive(Debug)]
struct ShownState {
    unit: Unit,
    job: Option<String>,
    /// The units that trigger it; a unit that is not loaded, so that nobody names it, triggers nothing.
    triggers: Vec<String>,
}

/// Whether a block of properties is of a unit that is active, or on its way.
fn is_up(block: &str) -> bool {
    property(block, "ActiveState").is_some_and(|state| !matches!(state, "inactive" | "failed"))
}

/// Whether the node shuts down, by an answer in which that was asked for.
fn node_stops(answer: &str) -> bool {
    block_of(answer, SHUTDOWN).is_some_and(|block| job(block).is_some() || is_up(block))
}

/// The block of properties of a unit.
fn block_of<'a>(answer: &'a str, unit: &str) -> Option<&'a str> {
    answer.split("\n\n").find(|block| property(block, "Id") == Some(unit))
}

/// Reads the answer: a block of properties for the service, which comes first, and others.
fn parse(answer: &str, unit: &str) -> Option<ShownState> {
    let block = answer.split("\n\n").next()?;
    let active = property(block, "ActiveState")?;
    let names = |list: &str| -> Vec<String> {
        let list = property(block, list).unwrap_or_default();
        list.split_ascii_whitespace().map(str::to_owned).collect()
    };
    // The service's name can be an alias.
    let unit = property(block, "Id").unwrap_or(unit);
    let upholders = names("UpheldBy");
    let has_failed = property(block, "Result").is_some_and(|result| result != "success")
        && property(block, "Restart") == Some("no")
        && upholders.is_empty();
    Some(ShownState {
        unit: Unit {
            name: unit.to_owned(),
            active: active.to_owned(),
            sub: property(block, "SubState").unwrap_or_default().to_owned(),
            job: None,
            group: property(block, "ControlGroup").and_then(|path| Group::of_unit(path, unit)),
            triggers: Vec::new(),
            node_stops: node_stops(answer),
            upholders,
            has_failed,
        },
        job: job(block).map(str::to_owned),
        triggers: names("TriggeredBy"),
    })
}

/// The number of the job of a unit, if there is one.
fn job(block: &str) -> Option<&str> {
    property(block, "Job").filter(|job| *job != "0")
}

/// The value of a property, if it is printed and not empty.
pub(super) fn property<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = block.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?.trim();
    (!value.is_empty()).then_some(value)
}

impl ShownState {
    /// Asks for what is not known yet: the kind of the job and whether it is a shutdown's, and the
    /// state of the triggers; not after `end`.
    fn complete(self, system: &impl System, end: Duration) -> Unit {
        let Self { mut unit, job, triggers } = self;
        let limit = || end.saturating_sub(system.now()).min(DETAIL_LIMIT);
        let mut asked = triggers.clone();
        if job.is_some() && !unit.node_stops {
            asked.push(SHUTDOWN.to_owned());
        }
        let command = (!asked.is_empty()).then(|| show(system, &asked)).flatten();
        let answer = command.map(|command| system.run(&command, limit()).answer);
        let answer = answer.unwrap_or_default();
        unit.node_stops |= node_stops(&answer);
        unit.job = job.map(|number| kind_of(system, &number, &unit, limit()));
        let is_active = |name: &String| block_of(&answer, name).is_some_and(is_up);
        unit.triggers = triggers.into_iter().filter(is_active).collect();
        unit
    }
}

/// The kind of a job, which `show` does not tell. One that has ended meanwhile was no start that is
/// still to come: the state, asked for again, says what became of it. Where systemd does not list its
/// jobs, that of a unit that is down is a start: a stop of it is done at once, but for that of a shutdown,
/// which lets nothing start. A wrong yes makes a remove fail that would have found the job gone a moment
/// later; a wrong no means two masters.
fn kind_of(system: &impl System, number: &str, unit: &Unit, limit: Duration) -> Job {
    let unknown = if unit.is_down() && !unit.node_stops { Job::Start } else { Job::Other };
    let Some(systemctl) = system.program("systemctl") else { return unknown };
    let command = Command::new(systemctl, &["list-jobs", "--no-legend", "--no-pager"]).asked();
    let output = system.run(&command, limit);
    debug!("job {number} is looked for, of {}: {}", unit.name, output.answer);
    if !output.succeeded() {
        return unknown;
    }
    let answer = output.answer;
    let kind = answer.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(number)).then(|| words.nth(1)).flatten()
    });
    match kind {
        Some(kind) if kind.contains("start") => Job::Start,
        _ => Job::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::End;
    use crate::system::fake::{MASTER, Machine, words};

    /// As systemd 252 prints it while Dovecot runs.
    const RUNNING: &str = "\
MainPID=100
ControlGroup=/system.slice/dovecot.service
Id=dovecot.service
TriggeredBy=dovecot.socket
ActiveState=active
SubState=running

Id=dovecot.socket
ActiveState=inactive
SubState=dead
";

    const MILLIS: Duration = Duration::from_millis(8);

    fn machine(answer: &str) -> Machine {
        let machine = Machine::new();
        machine.state().systemd = true;
        machine.state().programs.push("systemctl");
        machine.answer("systemctl", End::Exited(0), MILLIS, answer);
        machine
    }

    fn told(answer: &str) -> Unit {
        match look(&machine(answer), "dovecot") {
            Manager::Known(unit) => unit,
            other => panic!("{answer}: {other:?}"),
        }
    }

    #[test]
    fn the_state_is_what_is_printed_whatever_the_exit_status() {
        let unit = told(RUNNING);
        assert_eq!((&*unit.active, &*unit.sub), ("active", "running"));
        assert_eq!(
            unit.group.map(|group| group.as_str().to_owned()).as_deref(),
            Some("/system.slice/dovecot.service")
        );
        assert!(unit.triggers.is_empty() && unit.job.is_none());

        // systemd 219 has no such property of a socket, and says so with 1.
        let old = machine("");
        old.answer("systemctl", End::Exited(1), MILLIS, RUNNING);
        assert!(matches!(look(&old, "dovecot.service"), Manager::Known(_)));
    }

    #[test]
    fn at_rest_is_what_is_down_without_a_job_and_without_a_trigger() {
        type Case<'a> = (&'a str, &'a str, &'a str, bool, bool);
        let cases: [Case<'_>; 9] = [
            ("inactive", "", "inactive", true, false),
            ("failed", "", "inactive", true, false),
            ("inactive", "", "active", false, false),
            ("active", "", "inactive", false, false),
            ("activating", "", "inactive", false, true),
            ("deactivating", "Job=7\n", "inactive", false, false),
            ("inactive", "Job=8\n", "inactive", false, true),
            ("reloading", "", "inactive", false, false),
            ("inactive", "Job=0\n", "inactive", true, false),
        ];
        for (active, job, socket, at_rest, starting) in cases {
            let answer = format!(
                "Id=dovecot.service\nActiveState={active}\nSubState=x\nControlGroup=\n{job}\
                 TriggeredBy=dovecot.socket\n\nId=dovecot.socket\nActiveState={socket}\n"
            );
            let machine = machine(&answer);
            let jobs = "7 dovecot.service stop running\n8 dovecot.service start waiting\n";
            machine.answer(
                "systemctl list-jobs --no-legend --no-pager",
                End::Exited(0),
                MILLIS,
                jobs,
            );
            let Manager::Known(unit) = look(&machine, "dovecot") else { panic!("{answer}") };
            assert_eq!((unit.is_at_rest(), unit.is_starting()), (at_rest, starting), "{unit}");
            assert_eq!(unit.is_active(), active == "active");
            assert_eq!(unit.group, None, "an empty path is no group");
        }
    }

    #[test]
    fn a_node_that_shuts_down_has_a_job_for_it_or_has_done_it() {
        let stops =
            |state: &str| told(&format!("{RUNNING}\nId=shutdown.target\n{state}\n")).node_stops;
        assert!(stops("ActiveState=inactive\nJob=90"));
        assert!(stops("ActiveState=active"));
        assert!(!stops("ActiveState=inactive"));
        assert!(!stops("ActiveState=inactive\nJob=0"));
        assert!(!told(RUNNING).node_stops);
    }

    #[test]
    fn a_unit_moves_while_it_starts_or_stops_or_is_going_to() {
        let motion = |active: &str, job: &str| {
            let machine = machine(&format!("Id=dovecot.service\nActiveState={active}\n{job}"));
            let jobs = "7 dovecot.service stop running\n8 dovecot.service restart waiting\n";
            let line = "systemctl list-jobs --no-legend --no-pager";
            machine.answer(line, End::Exited(0), MILLIS, jobs);
            look(&machine, "dovecot").unit().and_then(Unit::motion)
        };
        for active in ["active", "inactive", "failed", "maintenance"] {
            assert_eq!(motion(active, ""), None, "{active}");
            assert_eq!(motion(active, "Job=7\n"), Some(Motion::Stopping), "{active}");
            assert_eq!(motion(active, "Job=8\n"), Some(Motion::Starting), "{active}");
        }
        assert_eq!(motion("activating", ""), Some(Motion::Starting));
        assert_eq!(motion("reloading", ""), Some(Motion::Starting));
        assert_eq!(motion("deactivating", ""), Some(Motion::Stopping));
        assert_eq!(motion("deactivating", "Job=8\n"), Some(Motion::Stopping), "a restart");
    }

    #[test]
    fn a_unit_that_has_failed_for_good_is_not_on_its_way() {
        let motion = |state: &str, more: &str| {
            told(&format!("Id=dovecot.service\nActiveState={state}\n{more}")).motion()
        };
        assert_eq!(motion("deactivating", "Result=signal\nRestart=no\n"), None);
        for more in [
            "Result=success\nRestart=no\n",
            "Result=signal\nRestart=on-failure\n",
            "Result=signal\nRestart=no\nUpheldBy=mail.target\n",
            "Result=signal\nRestart=no\nJob=8\n",
            "Result=signal\n",
        ] {
            assert_eq!(motion("deactivating", more), Some(Motion::Stopping), "{more}");
        }
        assert_eq!(motion("activating", "Result=signal\nRestart=no\n"), Some(Motion::Starting));
    }

    #[test]
    fn a_stop_that_a_shutdown_has_queued_starts_nothing_and_is_waited_for_in_vain() {
        let known = (End::Exited(0), "7 dovecot.service stop waiting\n");
        let silent = (End::TimedOut(DETAIL_LIMIT), "");
        for ((end, jobs), is_starting) in [(known, false), (silent, true)] {
            let asked = |active: &str, shutdown: &str| {
                let machine = machine(&format!(
                    "Id=dovecot.service\nActiveState={active}\nJob=7\n\n\
                     Id=shutdown.target\nActiveState=inactive\n{shutdown}"
                ));
                let line = "systemctl list-jobs --no-legend --no-pager";
                machine.answer(line, end.clone(), MILLIS, jobs);
                let Manager::Known(unit) = look(&machine, "dovecot") else { panic!("no answer") };
                (unit.is_at_rest(), unit.waits_for_shutdown(), unit.is_starting())
            };
            assert_eq!(asked("active", "Job=90\n"), (false, true, false), "{jobs}");
            assert_eq!(asked("inactive", "Job=90\n"), (true, false, false), "{jobs}");
            assert_eq!(asked("active", ""), (false, false, false), "{jobs}");
            assert_eq!(asked("inactive", ""), (false, false, is_starting), "{jobs}");
            assert_eq!(asked("deactivating", "Job=90\n"), (false, false, false), "{jobs}");
        }
    }

    #[test]
    fn a_trigger_of_another_name_is_asked_for_by_its_name() {
        let answer = RUNNING.replace("TriggeredBy=dovecot.socket", "TriggeredBy=mail.timer x.path");
        let machine = machine(&answer);
        let line = format!("systemctl show -p {PROPERTIES} mail.timer x.path");
        let states = "Id=mail.timer\nActiveState=active\n\nId=x.path\nActiveState=failed\n";
        machine.answer(&line, End::Exited(0), MILLIS, states);
        let Manager::Known(unit) = look(&machine, "dovecot") else { panic!("no answer") };
        assert_eq!(unit.triggers, ["mail.timer"]);
        stop_triggers(&machine, &unit);
        assert_eq!(machine.count("systemctl stop mail.timer"), 1);
    }

    #[test]
    fn a_stop_through_systemd_that_fails_is_told() {
        for (end, told) in [(End::Exited(0), 0), (End::Exited(5), 1)] {
            let machine = machine("");
            machine.answer("systemctl", end, MILLIS, "");
            stop(&machine, "dovecot.service", Duration::from_secs(1));
            assert_eq!(machine.deeds(), ["systemctl stop dovecot.service"]);
            assert_eq!(words().len(), told);
        }
    }

    #[test]
    fn the_units_that_uphold_it_are_named_where_systemd_knows_of_such() {
        assert_eq!(told(RUNNING).upholders, [""; 0]);
        let answer = RUNNING.replace("SubState=running", "SubState=x\nUpheldBy=a.target b.service");
        assert_eq!(told(&answer).upholders, ["a.target", "b.service"]);
    }

    #[test]
    fn who_does_not_answer_is_asked_twice_and_then_unknown() {
        for (end, took) in [(End::Exited(1), MILLIS), (End::Exited(0), Duration::MAX)] {
            let machine = machine("");
            machine.answer("systemctl", end, took, "");
            assert!(matches!(look(&machine, "dovecot"), Manager::Unknown(_)));
            assert!(machine.now() <= LIMIT && machine.deeds().len() == 2, "{:?}", machine.deeds());
        }
        assert_eq!(look(&Machine::new(), "dovecot"), Manager::Absent);
        let bare = Machine::new();
        bare.state().systemd = true;
        assert!(matches!(look(&bare, "dovecot"), Manager::Unknown(_)), "no systemctl");
    }

    #[test]
    fn a_master_of_another_unit_is_its_main_process_and_not_of_an_alias_of_ours() {
        let owner_at = |machine: &Machine, groups: &str| {
            machine.state().start_dovecot();
            machine.show(MASTER, |more| more.groups = groups.into());
            let master = machine.inspect(MASTER).expect("the master");
            owners(machine, "dovecot.service", &[master])
        };
        let owner = |groups: &str, answer: &str| owner_at(&machine(answer), groups);
        let other = "0::/system.slice/other.service\n";
        let ours = "\n\nId=dovecot.service\nMainPID=0\n";
        let told = format!("MainPID=100\nId=other.service{ours}");
        assert_eq!(owner(other, &told), [Owner::AnotherUnit]);
        let started_by = format!("MainPID=77\nId=other.service{ours}");
        let stopped = format!("MainPID=0\nId=other.service{ours}");
        let alias = "MainPID=100\nId=other.service\n\nId=other.service\nMainPID=100\n";
        for answer in [&*started_by, &stopped, alias] {
            assert_eq!(owner(other, answer), [Owner::Ours], "{answer:?}");
        }
        for answer in ["", "MainPID=x\n"] {
            assert_eq!(owner(other, answer), [Owner::Unanswered], "{answer:?}");
        }
        // systemd is away while it re-executes itself.
        let machine = machine("");
        let answer = told.clone();
        machine.state().after(Duration::from_millis(100), move |state| {
            state.answer("systemctl", End::Exited(0), MILLIS, &answer);
        });
        assert_eq!(owner_at(&machine, other), [Owner::AnotherUnit]);
        assert!(machine.now() < DETAIL_LIMIT);

        let below = "0::/system.slice/dovecot.service/other.service\n";
        let user = "0::/user.slice/session-1.scope\n";
        for groups in ["0::/system.slice/dovecot.service\n", below, user, ""] {
            assert_eq!(owner(groups, &told), [Owner::Ours], "{groups:?}");
        }
    }

    #[test]
    fn a_unit_that_is_asked_for_by_an_alias_is_called_by_its_own_name() {
        let machine = machine(RUNNING);
        let Manager::Known(unit) = look(&machine, "mail") else { panic!("no answer") };
        assert_eq!(unit.name, "dovecot.service");
        assert!(unit.group.is_some(), "its group ends with that name");
    }
}
