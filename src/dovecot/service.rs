//! Dovecot as a service of this machine: `service dovecot start`, `stop` and `status`.
//!
//! What these commands return is a hint. `start` has been seen to return 0 with nothing running
//! and `stop` with everything running, so nobody believes them but the status check.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use log::debug;

use super::running_command::RunningCommand;
use super::unit::{self, ASK_LIMIT};
use crate::command::{Command, CommandOutput, End};
use crate::messages::{Message, warning};
use crate::settings::{Commands, Settings};
use crate::stderr;
use crate::system::System;

/// The longest that `status` may take; with the rest of quickCheck it must stay below the time that
/// the cluster grants.
pub const STATUS_LIMIT: Duration = ASK_LIMIT;

/// The longest that `start` and `stop` may take; above the 90 s after which systemd gives up.
pub const CHANGE_LIMIT: Duration = Duration::from_mins(2);

/// The pause before a status that could not be asked for is asked for once more.
const AGAIN: Duration = Duration::from_millis(500);

/// The first pause between two looks while a stop command runs; each next one is half as long
/// again.
const FIRST_LOOK: Duration = Duration::from_millis(20);

/// The longest.
const LAST_LOOK: Duration = Duration::from_millis(200);

/// What `service dovecot status` says: check 3.
#[must_use]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    Alive,
    /// It failed, in these words.
    Dead(String),
    /// It did not answer, for this reason: no verdict can rest on it.
    Unknown(String),
}

impl fmt::Display for Status {
    /// The word of the original kit's log line; what is not known to be alive is dead there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Alive { "alive" } else { "dead" })
    }
}

/// The status command on its way.
#[must_use]
pub(crate) struct StatusQuestion<S: System> {
    begun: Duration,
    running: Option<(Command, S::Running)>,
}

/// Asks for the status, and does not wait for the answer.
pub(crate) fn ask<S: System>(system: &S, settings: &Settings) -> StatusQuestion<S> {
    let running = command(system, settings, "status").map(|command| {
        let command = command.asked();
        let running = system.start(&command);
        (command, running)
    });
    StatusQuestion { begun: system.now(), running }
}

impl<S: System> StatusQuestion<S> {
    /// Waits until the answer is there, but no longer than this.
    pub(crate) fn let_come(&mut self, system: &S, limit: Duration) {
        if let Some((_, running)) = &mut self.running {
            let _ = system.let_end(running, limit);
        }
    }
}

/// Ends a question whose answer is no longer needed.
pub(crate) fn forget<S: System>(system: &S, asked: StatusQuestion<S>) {
    if let Some((_, running)) = asked.running {
        let _ = system.finish(running, Duration::ZERO);
    }
}

/// Waits for the answer, at most [`STATUS_LIMIT`] and `limit` from the question on. Who could not ask is sent
/// once more within that time: systemd is away for some 100 ms while it executes itself anew.
pub(crate) fn status<S: System>(system: &S, asked: StatusQuestion<S>, limit: Duration) -> Status {
    let limit = limit.min(STATUS_LIMIT);
    let Some((command, running)) = asked.running else {
        return Status::Unknown(missing());
    };
    let status = read(system, &command, &system.finish(running, limit));
    let left = (asked.begun + limit).saturating_sub(system.now());
    if !matches!(status, Status::Unknown(_)) || left <= AGAIN {
        return status;
    }
    system.sleep(AGAIN);
    read(system, &command, &system.run(&command, left.saturating_sub(AGAIN)))
}

/// What follows from a status command's end. What it printed goes to the debug log: of `systemctl
/// status` that is the log of a day.
///
/// Only an answer of the service manager is one. A wrong *dead* throws out all users, and makes
/// recover stop a server that it cannot start again while nobody can be asked; a wrong *unknown*
/// leaves the verdict to process and ports, which see a dead server by themselves.
fn read(system: &impl System, command: &Command, ended: &CommandOutput) -> Status {
    debug!("`{command}`: {ended}");
    let cause = || format!("`{command}`: {}", ended.end);
    match ended.end {
        End::Exited(0) => Status::Alive,
        End::Exited(status) if is_dead(system, status, &ended.answer) => Status::Dead(cause()),
        End::Exited(_) | End::Signalled(_) | End::TimedOut(_) | End::NotRun(_) => {
            Status::Unknown(cause())
        }
    }
}

/// Whether an exit status means that the service does not run.
///
/// systemctl: 3, and 4 where there is no such unit; 1 is what it gives when it cannot ask, and what
/// the `service` of SLES gives for all that it does not explain (`systemctl(1)`; seen with 247 to
/// 257). A script: 1 to 3 of the LSB, where 4 is "unknown" and what is above is not its own. A
/// shell that cannot even begin ends with 1, 2, 126, 127 or 254, and prints nothing but its
/// complaint.
fn is_dead(system: &impl System, status: i32, answer: &str) -> bool {
    match status {
        3 => true,
        4 => system.runs_systemd(),
        1 | 2 => !system.runs_systemd() && !answer.trim().is_empty(),
        _ => false,
    }
}

/// Gives the start command, which may take `limit`. Under systemd the count of failed starts is set back first, because
/// after five within ten seconds it refuses all others, good ones included.
pub(crate) fn start(
    system: &impl System,
    root: &Path,
    settings: &Settings,
    limit: Duration,
) -> End {
    if system.runs_systemd()
        && let Some(systemctl) = system.program("systemctl")
    {
        let reset = Command::new(systemctl, &["reset-failed", &settings.service]);
        // It fails for a unit that systemd has not loaded yet, which means nothing.
        let ended = system.run(&reset, STATUS_LIMIT.min(limit));
        debug!("`{reset}`: {ended}");
    }
    change(system, root, (settings, "start"), limit, &mut || {})
}

/// Gives the stop command, which may take `limit`, and looks at the machine now and then while it
/// runs.
pub(crate) fn stop(
    system: &impl System,
    root: &Path,
    settings: &Settings,
    limit: Duration,
    meanwhile: &mut dyn FnMut(),
) -> End {
    change(system, root, (settings, "stop"), limit, meanwhile)
}

/// Ends a start or stop command that an action left running when it was killed, with its process
/// group: what it does later nobody would know of.
pub(crate) fn end_left_command(system: &impl System, root: &Path) {
    if let Some(RunningCommand { line, leader }) = RunningCommand::left(system, root) {
        warning!(Message::LeftCommand, "terminating `{line}` ({leader}): its action was killed");
        system.kill_group(&leader);
    }
    RunningCommand::erase(root);
}

fn change(
    system: &impl System,
    root: &Path,
    (settings, verb): (&Settings, &str),
    limit: Duration,
    meanwhile: &mut dyn FnMut(),
) -> End {
    let Some(command) = command(system, settings, verb) else {
        warning!(Message::NoServiceCommand, "{}", missing());
        return End::NotRun(missing());
    };
    let _shown = stderr::waiting(format!("waiting for `{command}`"), limit);
    let start = system.now();
    // It begins when it is noted: else an action that is killed in between leaves one of which the
    // next knows nothing.
    let mut running = system.start(&command.clone().waiting());
    let leader = system.leader(&running);
    if let Some(leader) = &leader {
        RunningCommand::note(system, root, leader, &command.to_string());
    }
    system.release(&mut running);
    let mut pause = FIRST_LOOK;
    while let left = (start + limit).saturating_sub(system.now())
        && !left.is_zero()
        && !system.let_end(&mut running, pause.min(left))
    {
        let before = system.now();
        meanwhile();
        // On a large node a look takes its time, and must not take it from the stop.
        let took = system.now().saturating_sub(before);
        pause = (pause * 3 / 2).max(took * 4).min(LAST_LOOK);
    }
    let ended = system.finish(running, limit);
    if leader.is_some() {
        RunningCommand::erase(root);
    }
    debug!("`{command}`: {ended}");
    if ended.end != End::Exited(0) {
        warning!(Message::ServiceCommand, "`{command}`: {ended}");
    }
    ended.end
}

/// `service NAME VERB`, or `systemctl VERB NAME` where systemd's commands are wanted or `service` is
/// missing.
fn command(system: &impl System, settings: &Settings, verb: &str) -> Option<Command> {
    // Debian's `service` would ask systemd for `dovecot.service.service`.
    let name = unit::bare(&settings.service);
    let service = || Some(Command::new(system.program("service")?, &[name, verb]));
    let systemctl = || Some(Command::new(system.program("systemctl")?, &[verb, name]));
    if settings.commands == Commands::Systemd && system.runs_systemd() {
        return systemctl().or_else(service);
    }
    service().or_else(systemctl)
}

fn missing() -> String {
    let directories = crate::system::PROGRAM_DIRECTORIES.join(", ");
    format!("looking for a service command: neither service nor systemctl is in {directories}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::Machine;

    const MOMENT: Duration = Duration::from_millis(10);

    /// What a status command's end means, under systemd and without it.
    fn told(end: &End, words: &str) -> [Status; 2] {
        [true, false].map(|systemd| {
            let machine = Machine::running();
            machine.state().systemd = systemd;
            machine.answer("service", end.clone(), MOMENT, words);
            status(&machine, ask(&machine, &Settings::default()), STATUS_LIMIT)
        })
    }

    #[test]
    fn only_an_answer_of_the_service_manager_is_one() {
        let words = "dovecot is not running ... failed!";
        for (status, words, dead) in [
            (1, words, [false, true]),
            (1, "", [false, false]),
            (2, words, [false, true]),
            (2, " \n", [false, false]),
            (3, "", [true, true]),
            (4, words, [true, false]),
            (5, words, [false, false]),
            (126, words, [false, false]),
            (127, words, [false, false]),
            (254, words, [false, false]),
        ] {
            let cause = format!("`service dovecot status`: exit status {status}");
            for (told, dead) in told(&End::Exited(status), words).into_iter().zip(dead) {
                let expected =
                    if dead { Status::Dead(cause.clone()) } else { Status::Unknown(cause.clone()) };
                assert_eq!(told, expected, "{words:?}");
            }
        }
        assert_eq!(told(&End::Exited(0), ""), [Status::Alive, Status::Alive]);
        let not_run = End::NotRun("Too many open files".into());
        assert!(told(&not_run, "").iter().all(|status| matches!(status, Status::Unknown(_))));
    }

    #[test]
    fn the_suffix_of_a_unit_is_no_part_of_the_services_name() {
        let machine = Machine::running();
        machine.state().systemd = true;
        let settings = Settings { service: "dovecot.service".into(), ..Settings::default() };
        let command = command(&machine, &settings, "status").expect("a command");
        assert_eq!(command.to_string(), "service dovecot status");
    }

    #[test]
    fn systemd_is_told_itself_where_its_commands_are_wanted_and_it_runs() {
        let given = |commands, systemd, programs: &[&'static str]| {
            let machine = Machine::running();
            machine.state().systemd = systemd;
            machine.state().programs = programs.to_vec();
            let settings = Settings { commands, ..Settings::default() };
            command(&machine, &settings, "stop").map(|command| command.to_string())
        };
        let (both, [service, systemctl]) =
            (["service", "systemctl"], ["service dovecot stop", "systemctl stop dovecot"]);
        for (commands, systemd, programs, told) in [
            (Commands::Service, true, &both[..], Some(service)),
            (Commands::Service, true, &both[1..], Some(systemctl)),
            (Commands::Systemd, true, &both[..], Some(systemctl)),
            (Commands::Systemd, true, &both[..1], Some(service)),
            (Commands::Systemd, false, &both[..], Some(service)),
            (Commands::Systemd, true, &[], None),
        ] {
            assert_eq!(given(commands, systemd, programs).as_deref(), told);
        }
    }

    #[test]
    fn who_could_not_ask_asks_once_more_within_the_same_time() {
        let answered = |times: u32, took: Duration| {
            let machine = Machine::running();
            machine.state().systemd = true;
            let mut left = times;
            machine.reply("status", move |_| {
                let end = End::Exited(i32::from(left > 0));
                left = left.saturating_sub(1);
                (end, took)
            });
            let status = status(&machine, ask(&machine, &Settings::default()), STATUS_LIMIT);
            (status == Status::Alive, machine.count("service dovecot status"), machine.now())
        };
        assert_eq!(answered(0, MOMENT), (true, 1, MOMENT));
        assert_eq!(answered(1, MOMENT), (true, 2, MOMENT * 2 + AGAIN));
        assert!(!answered(2, MOMENT).0);
        let (_, asked, took) = answered(2, Duration::from_secs(4));
        assert_eq!((asked, took), (2, STATUS_LIMIT));
        assert_eq!(answered(1, Duration::from_millis(4600)).1, 1, "no time is left for it");
    }
}
